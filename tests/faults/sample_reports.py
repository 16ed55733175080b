"""Reports of the fault suite as a run would make them, of every kind that its page and its table must cope with."""
import random

NODES = 4


def run(scenarios, **facts):
    return {"version": 1, "started": "2026-11-26T06:00:00Z", "mode": "processes",
            "machine": "2 x AMD EPYC 7763, 23 GiB, Linux 6.1", "sluice": "0.1.0", **facts, "scenarios": scenarios}


def fault(at, until, what, kind, nodes, resumed_after=None, halts=False, quiet=None):
    """A fault, and for the samples: whether nothing is ordered meanwhile, and whether its nodes do not answer."""
    return {"at": at, "until": until, "what": what, "kind": kind, "nodes": nodes, "resumed_after": resumed_after,
            "_halts": halts, "_quiet": kind in ("kill", "pause", "wipe") if quiet is None else quiet}


def samples(faults, span, nodes, step, seed):
    """Throughput, latency and heights with these faults in them."""
    draw = random.Random(seed)
    at, rates, p50s, worsts = [], [], [], []
    heights, levels, top = [[] for _ in range(nodes)], [0.0] * nodes, 0.0
    for i in range(int(span / step)):
        t = round(i * step, 3)
        active = [f for f in faults if f["at"] <= t < (f["until"] or f["at"])]
        stop = any(f["_halts"] for f in active) or any(
            f["at"] <= t < f["at"] + (f["resumed_after"] or 0) and not f["_halts"] for f in faults)
        after = any(0 <= t - (f["until"] or f["at"]) < 1.5 for f in faults if f["_halts"])
        rate = 0.0 if stop else max(0.0, draw.gauss(98, 6)) * (1 + 1.5 * after)
        at.append(t)
        rates.append(round(rate, 1))
        p50 = None if stop else draw.lognormvariate(3.1, 0.2)
        p50s.append(p50 and round(p50, 2))
        worsts.append(p50 and round(p50 * draw.lognormvariate(1.0, 0.3) + (900 if after else 300 * bool(active)), 2))
        top += 0 if stop else 9.7 * step
        for node in range(nodes):
            mine = [f for f in active if node in f["nodes"]]
            if any(f["_quiet"] for f in mine):
                heights[node].append(None)
                if any(f["kind"] == "wipe" for f in mine):
                    levels[node] = 0
                continue
            cut = any(f["kind"] in ("partition", "lag") for f in mine)
            levels[node] = levels[node] if cut else min(top, levels[node] + max(60 * step, (top - levels[node]) / 3))
            heights[node].append(int(levels[node]))
    return {"at": at, "ordered_per_s": rates, "latency_ms": [p50s, worsts], "heights": heights}


def scenario(name, title, faults, span=30.0, nodes=NODES, step=0.5, seed=1, failures=(), **more):
    taken = samples(faults, span, nodes, step, seed)
    each = sorted(f["resumed_after"] for f in faults if f["resumed_after"] is not None)
    ordered = int(sum(taken["ordered_per_s"]) * step)
    shown = [{key: value for key, value in f.items() if key[0] != "_"} for f in faults]
    return {"name": name, "title": title, "passed": not failures, "skipped": None, "seconds": span, "seed": None,
            "failures": list(failures), "faults": shown, "samples": taken,
            "counts": {"heights": max((h for s in taken["heights"] for h in s if h), default=0),
                       "submitted": ordered + 10, "accepted": ordered, "ordered": ordered, "refused": 0,
                       "unanswered": 10, "expired": 0, "sealed": 40, "timelocked": 10, "forced": 12, "lost": 0,
                       "doubled": 0},
            "resumed": {"median": each[len(each) // 2], "worst": each[-1]} if each else None,
            "checks": [{"name": "one order", "passed": True, "said": f"{nodes} readers, 312 heights"},
                       {"name": "nothing lost", "passed": not failures, "said": failures[0] if failures else
                        f"{ordered} accepted, all of them ordered once"},
                       {"name": "forced entries at their heights", "passed": True, "said": "12 of 12"},
                       {"name": "timelocks at their heights", "passed": True, "said": "10 of 10"},
                       {"name": "no gap", "passed": True, "said": "heights 1 to 312 on every node"},
                       {"name": "sluice audit", "passed": True, "said": "4 of 4 nodes pass"}], **more}


def skipped(name, title, why):
    return {"name": name, "title": title, "passed": False, "skipped": why, "seconds": 0, "seed": None, "failures": [],
            "faults": [], "samples": None, "counts": None, "resumed": None, "checks": []}


def kill_each():
    return scenario("kill-each", "kill -9 of each node in turn, under load",
                    [fault(3 + 6 * i, 5 + 6 * i, f"kill -9 node {i}", "kill", [i], r)
                     for i, r in enumerate((0.52, 0.31, 0.6, 0.08))])


def partition():
    return scenario("partition-2-2", "partition 2|2 and heal",
                    [fault(8, 28, "partition 0,1 | 2,3", "partition", [0, 1, 2, 3], 0.71, halts=True)], 45.0)


def overlapping():
    return scenario("pile", "faults on top of each other",
                    [fault(4, 20, "100 ms, jitter 30 ms, 1 % loss", "slow", [0, 1, 2, 3], 0.4, quiet=False),
                     fault(6, 11, "pause node 2", "pause", [2], 0.33),
                     fault(6.5, 14, "one-way: 3 hears nobody", "lag", [3], None),
                     fault(12, None, "flipped bit in node 1's 000012.sst", "damage", [1], None),
                     fault(21, 23, "full disk on node 1", "kill", [1], 0.9),
                     fault(24, 29.5, "wipe node 0", "wipe", [0], 0.12)], 32.0, seed=3)


def soak(minutes=30, number=20):
    draw, faults = random.Random(17), []
    for i in range(number):
        at = round(40 + i * (minutes * 60 - 80) / number + draw.uniform(0, 30), 1)
        what, kind, nodes, halts = draw.choice([
            ("kill -9 node {}", "kill", 1, False), ("pause node {}", "pause", 1, False),
            ("partition {} | rest", "lag", 1, False), ("kill -9 of all", "kill", NODES, True)])
        node = draw.randrange(NODES)
        hit = list(range(NODES)) if nodes == NODES else [node]
        faults.append(fault(at, round(at + draw.uniform(1, 25), 1), what.format(node), kind, hit,
                            round(draw.lognormvariate(-1, 0.5), 2), halts))
    return scenario("soak", f"soak: random faults for {minutes} minutes", faults, minutes * 60.0, seed=17, seed_=17)


def failing():
    made = scenario("clock", "a clock that is off by an hour",
                    [fault(5, 15, "clock of node 2 +1 h", "clock", [2], 0.2),
                     fault(18, 26, "clock of node 2 -1 h", "clock", [2], 4.81)],
                    failures=["2 accepted transactions are not in any reader's stream: 0x5ad1…, 0x77c0…",
                              "order resumed 4.81 s after 'clock of node 2 -1 h'; 1 s is allowed"])
    made["counts"]["lost"] = 2
    return made


def ten_nodes():
    return scenario("ten", "ten nodes, three of them killed at once",
                    [fault(5, 12, "kill -9 nodes 1, 4, 7", "kill", [1, 4, 7], 0.77),
                     fault(16, 24, "node 9 behind a slow link", "lag", [9], 0.0)], nodes=10)


def empty():
    made = scenario("empty", "nothing was sampled", [fault(1, 2, "kill -9 node 0", "kill", [0])], 4.0)
    made["samples"] = {"at": [], "ordered_per_s": [], "latency_ms": [[], []], "heights": [[], [], [], []]}
    return made


def flapping():
    return scenario("flapping", "a link that flaps 60 times",
                    [fault(2 + 0.9 * i, 2.4 + 0.9 * i, "cut 0–1", "lag", [], 0.05 if i % 3 else None)
                     for i in range(60)], 60.0)


def everything():
    soaked = soak()
    soaked["seed"] = soaked.pop("seed_")
    return run([kill_each(), partition(), overlapping(), failing(),
                skipped("upgrade", "rolling upgrade between two image tags", "needs a container engine"),
                ten_nodes(), flapping(), empty(), soaked])


if __name__ == "__main__":
    import json
    import sys
    json.dump(everything(), sys.stdout)
