"""One scenario, from making its cluster to the verdict."""
import threading
import time

import damage
import soak
from cluster import Failed, wait_until
from pulse import Pulse
from recovery import carries
from samples import Heights, first_arrivals, series
from steps import Stage, words
from traffic import Clock, Traffic
from verdict import judge

FLOWING = 30        # entries ordered before the first step
FLOW_S = 60         # longest wait for them
CALM_S = 1.5        # of undisturbed load before the first step and behind the last
SETTLE_S = 60       # longest wait for the outcome of everything, and for readers
KEY_S = 60          # longest wait for the committee's key
SHOW_S = 0.25       # between two looks of the table
LONG_S = 12         # of an outage, from which on what was accepted before may be too late: half its time (traffic.VALID_S)
SIGNAL_MS = 100     # within which a process that is signalled stops
ALL_LINES = 10 ** 9 # of a log


class Trial:
    """`make(scenario)`: a Cluster, with links if the scenario needs them; `table`: is shown what happens; `folder`:
    where the nodes' logs are kept if it fails; `patience`: of judge()."""

    def __init__(self, scenario, make, table, folder, seed, soak_s, patience=1):
        self.scenario, self.make, self.table, self.folder = scenario, make, table, folder
        self.seed, self.soak_s, self.patience = seed, soak_s, patience
        self.stage = self.traffic = self.heights = None
        self.result = {"name": scenario.name, "title": scenario.title, "about": scenario.about, "passed": False,
                       "skipped": None, "seconds": 0, "seed": None, "failures": [], "faults": [],
                       "samples": {"at": [], "ordered_per_s": [], "latency_ms": [[], []], "heights": []},
                       "counts": {}, "resumed": None, "checks": []}

    def run(self):
        """The scenario's part of the report."""
        began, result = time.monotonic(), self.result
        try:
            with self.make(self.scenario) as cluster:
                try:
                    self.live(cluster)
                except Failed as failure:
                    result["failures"].append(str(failure))
                except damage.Needs as why:
                    result["skipped"] = str(why)
                finally:
                    if self.scenario.small_disk:
                        cluster.close()
                        damage.unmount_own()
                result["passed"] = not (result["skipped"] or result["failures"]) and all(
                    check["passed"] for check in result["checks"])
                if result["failures"]:
                    self.keep_logs(cluster)
        except Exception as failure:    # whatever it was, the others are still to be run
            result["failures"].append(f"{type(failure).__name__}: {failure}")
            result.update(passed=False, skipped=None)
        result["seconds"] = round(time.monotonic() - began, 1)
        return result

    def keep_logs(self, cluster):
        self.folder.mkdir(parents=True, exist_ok=True)
        for node in range(cluster.nodes):
            (self.folder / f"{self.scenario.name}.node-{node}.log").write_text(cluster.log_tail(node, ALL_LINES) + "\n")
        self.result["failures"].append(f"the nodes' logs: {self.folder}/{self.scenario.name}.node-*.log")

    def steps(self):
        out = []
        for step in self.scenario.steps:
            if step.do == "random":
                self.result["seed"] = self.seed
                out += soak.steps(self.seed, self.soak_s, self.scenario.nodes, links=True)
            else:
                out.append(step)
        return out

    def live(self, cluster):
        scenario = self.scenario
        honest = [node for node in range(scenario.nodes) if node not in scenario.byzantine]
        for node, mib in scenario.small_disk.items():
            damage.small_disk(cluster.node_dir(node), mib << 20)
        cluster.start()
        self.wait_key(cluster)
        clock = Clock()
        pulse = Pulse(clock)
        self.stage = Stage(cluster, scenario, clock, cluster.links)
        self.heights = Heights(cluster, clock)
        self.traffic = Traffic(cluster, clock, scenario.load, scenario.payload_bytes, scenario.through,
                               honest)
        watching = threading.Event()
        watcher = threading.Thread(target=self.watch, args=[clock, watching], daemon=True)
        watcher.start()
        try:
            self.traffic.wait_ordered(FLOWING, FLOW_S)
            time.sleep(CALM_S)
            for step in self.steps():
                time.sleep(step.after)
                self.stage.perform(step)
                self.traffic.raise_failure()
            time.sleep(CALM_S)
            self.traffic.wait_flow(self.last_fault(), SETTLE_S)
            ends = clock()
            self.stage.now = "settling"
            self.stage.do_await(self.stage.well())
            histories, journal = self.traffic.finish(SETTLE_S)
            self.result["samples"] = series(ends, self.heights, histories, journal)
            self.evidence(honest)
        finally:
            watching.set()
            watcher.join()
            self.heights.stop()
            pulse.stop()
            for hostile in self.stage.hostiles:
                hostile.ending.set()
            self.traffic.close()
            self.result["faults"] = self.stage.faults
        self.stage.check_alive()
        self.took_place(histories)
        self.flowed(journal)
        self.stage.now = "auditing"
        judged = judge(cluster, scenario, histories, journal, self.stage.faults, ends, self.patience,
                       pulse.stalls)
        for name in ("checks", "failures"):
            self.result[name] += judged[name]
        self.result.update(counts=judged["counts"], resumed=judged["resumed"])
        expired = judged["counts"]["expired"]
        if expired and not scenario.expect.get("may_expire") and self.stage.longest_s < LONG_S:
            self.result["failures"].append(f"{expired} that were accepted expired")

    def wait_key(self, cluster):
        """Nothing can be sealed before the committee has made its key."""
        def has_key():
            return all((cluster.status(node) or {"sealing": {}})["sealing"].get("key") for node in range(cluster.nodes))
        if self.scenario.load["sealed"] or self.scenario.load["timelocked"]:
            wait_until(has_key, KEY_S, "the committee has a key")

    def evidence(self, honest):
        """What is in evidence names nobody who is honest."""
        found = {(e["offence"], e["offender"]) for node in honest for e in self.stage.evidence(node)}
        innocent = sorted({offender for _, offender in found} - set(self.scenario.byzantine))
        said = ", ".join(sorted(f"{offence} by {offender}" for offence, offender in found)) or "none"
        if innocent:
            self.result["failures"].append(f"in evidence are honest nodes: {words(innocent)}")
        self.result["checks"].append({"name": "evidence", "passed": not innocent, "said": said})

    def took_place(self, histories):
        """Where a fault makes order impossible, nothing is ordered: else it did not take place."""
        wrong = ordered_all_the_same(histories, self.stage.faults)
        looked_at = sum(fault["stops"] and fault["can_again"] is not None for fault in self.stage.faults)
        self.result["failures"] += wrong
        self.result["checks"].append({"name": "faults took place", "passed": not wrong,
                                      "said": f"{looked_at} of {len(self.stage.faults)} faults make order impossible"})

    def last_fault(self):
        return max([fault["until"] or fault["at"] for fault in self.stage.faults], default=0)

    def flowed(self, journal):
        """Each kind of the load was ordered, and plain ones after the last fault, too."""
        ordered = [s for s in journal if s.outcome == "ordered"]
        counts = {kind: sum(s.kind == kind for s in ordered) for kind, per_s in self.scenario.load.items() if per_s}
        last = self.last_fault()
        wrong = [f"nothing {kind} was ordered" for kind, count in counts.items() if not count]
        if "plain" in counts and not any(s.kind == "plain" and s.sent > last for s in ordered):
            wrong.append("nothing that was sent after the last fault was ordered")
        self.result["failures"] += wrong
        self.result["checks"].append({"name": "load", "passed": not wrong,
                                      "said": ", ".join(f"{count} {kind}" for kind, count in counts.items())})

    def watch(self, clock, watching):
        """Shows the table what happens."""
        before, at = 0, clock()
        while not watching.wait(SHOW_S):
            ordered, _ = self.traffic.seen()
            now = clock()
            self.table.show(self.scenario.name, now=self.stage.now, seconds=now, ordered=ordered,
                            per_s=(ordered - before) / (now - at), heights=self.heights.newest())
            before, at = ordered, now


def ordered_all_the_same(histories, faults):
    """In words, which of the faults that make order impossible did not. What was under way may reach a reader any time
    later; but a height's time is that of reports made for it (docs/PROTOCOL.md clause 3.3), and none that a quorum
    signed is later than the fault. (After it one may have a time that lies in it: stream time catches up in steps.)"""
    wrong = []
    for fault in faults:
        if fault["stops"] and fault["can_again"] is not None:
            came = [at for at, record in first_arrivals(histories) if carries(record) and at < fault["can_again"]
                    and record["time_ms"] > fault["stopped_ms"] + SIGNAL_MS]
            wrong += [f"{fault['what']}: something was ordered at {at:.1f} s all the same" for at in came[:1]]
    return wrong
