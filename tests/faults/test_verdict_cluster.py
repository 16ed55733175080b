#!/usr/bin/env python3
"""Four real nodes under every kind of load, one killed and started again: the verdict passes, the nodes' data audited;
the same run doctored in every way that doctor.py knows, at places drawn from a printed seed, is rejected. The parts of
a height are small here, so that sealed ones wait for room and the rule for that is followed."""
import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time
import types

from checker import Submission
from cluster import Failed, wait_until
from doctor import WAYS
from processes import Processes
from queue_check import forced_of, places_of
from traffic import Clock, TimedReader
from verdict import judge
from world import ROLLUP, World

NODES = 4
KILLED = 0
PARAMS = {"postage_base": 2000, "tx_bytes_max": 4096, "due_bytes_per_block": 16384, "forced_bytes_per_block": 8192}
KINDS = {"plain": [], "sealed": ["--sealed"], "timelocked": ["--sealed", "--unlock-in", "2"], "forced": ["--forced"]}
PORTIONS = {"plain": 10, "sealed": 3, "timelocked": 3, "forced": 3}
BYTES = [40, 120, 700]
BURST = 40          # timelocked for one moment, through one node: more than a height opens of its lane
LEAD_S = [2.5, 5, 10, 20]   # before that moment: all of them must be ordered by then
RESUMED_S = 10.0    # sanitizers on a busy machine
PATIENCE = 10       # as well
ANSWERS_S = 150     # longest wait for one portion's
TRIES = 2           # of each way to doctor ...
DRAWS = 20          # ... in so many draws; what has no place in a run is tested on a made-up one (test_doctored.py)


class Run:
    """A cluster's load, and what readers and clients wrote down."""

    serial = itertools.count()

    def __init__(self, cluster):
        self.cluster, self.now = cluster, Clock()
        self.readers = [TimedReader(cluster, node, self.now) for node in range(NODES)]
        self.journal, self.lock, self.failure = [], threading.Lock(), None

    def submit(self, node, kind, count, options=None):
        """`count` through one node, with the kind's options or others."""
        portion = [Submission(ROLLUP, f"0x{next(self.serial):016x}" + os.urandom(random.choice(BYTES)).hex(),
                              kind=kind, node=node, sent=self.now()) for _ in range(count)]
        others = [other for other in range(NODES) if other not in (node, KILLED)] if kind == "forced" else []
        done = self.cluster.run("submit", "--node", ",".join(map(self.cluster.url, [node, *others])),
                                "--rollup", ROLLUP, "--hex", "-", "--wait", *(options or KINDS[kind]),
                                *([] if kind == "plain" else ["--genesis", self.cluster.genesis]),
                                stdin="\n".join(s.payload for s in portion) + "\n", check=False, timeout=ANSWERS_S)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != count:
            raise Failed(f"submit: exit {done.returncode}, {len(answers)} answers: {done.stderr}")
        for s, answer in zip(portion, answers):
            s.told(answer)
            s.answered = self.now()
        with self.lock:
            self.journal += portion

    def flow(self, nodes, until):
        """Every kind through these nodes, one after the other of each kind."""
        def one(kind):
            try:
                for node in itertools.cycle(nodes):
                    if until.is_set():
                        return
                    self.submit(node, kind, PORTIONS[kind])
            except (Failed, subprocess.TimeoutExpired) as failure:
                self.failure = failure
        return [threading.Thread(target=one, args=[kind]) for kind in KINDS]

    def burst(self, node):
        """Many for one moment, all there before it comes: they wait for room."""
        for lead_s in LEAD_S:
            moment = time.time() + lead_s
            self.submit(node, "timelocked", BURST, ["--sealed", "--unlock-at", int(1000 * moment)])
            if time.time() < moment:
                return
        raise Failed(f"{BURST} entries are not ordered within {lead_s} s")

    def histories(self, seconds=60):
        if self.failure:
            raise Failed(str(self.failure))
        def settled():
            top = max(s.height for s in self.journal)
            return all(reader.failure or (reader.last() >= top and not reader.closed) for reader in self.readers)
        wait_until(settled, seconds, "readers have everything, opened")
        top = min(reader.last() for reader in self.readers)
        histories = {reader.node: reader.history(top) for reader in self.readers}
        for reader in self.readers:
            reader.stop()
            if reader.failure:
                raise reader.failure
        return histories


def live(cluster):
    cluster.start()
    wait_until(lambda: all((cluster.status(node) or {"sealing": {}})["sealing"].get("key") for node in range(NODES)),
               60, "there is a key")
    run, over = Run(cluster), threading.Event()
    threads = run.flow([1, 2, 3], over)
    for thread in threads:
        thread.start()
    time.sleep(2)
    run.burst(1)
    fault = {"at": run.now(), "until": None, "what": f"kill -9 node {KILLED}", "kind": "kill", "nodes": [KILLED],
             "stops": False, "can_again": None}
    cluster.kill(KILLED)
    time.sleep(2)
    cluster.start(KILLED)
    fault["until"] = run.now()
    time.sleep(1)
    over.set()
    for thread in threads:
        thread.join()
    return run, fault, run.now()


def late_by_room(histories):
    """How many openings came later than the first height that reached their unlock."""
    history, count = histories[1], 0
    for record, before in zip(history[1:], history):
        for entry in record["entries"]:
            if entry["kind"] == "opened" and entry["unlock"] and entry["ordered"]["height"] < record["height"]:
                (name, value), = entry["unlock"].items()
                count += before[name] >= value and before["height"] >= entry["ordered"]["height"]
    return count


def see_through(world, seed):
    """Each way to doctor the run is seen; what is said of it first may be what follows from it (test_doctored.py has
    the words)."""
    faults = world.judged()
    if faults:
        raise Failed(f"the honest run is rejected: {faults[:5]}")
    impossible = []
    for name, (way, _) in WAYS.items():
        done = 0
        for i in range(DRAWS):
            if done == TRIES:
                break
            doctored = world.copy()
            if way(doctored, random.Random(f"{seed} {name} {i}")) is False:
                continue
            done += 1
            if not doctored.judged():
                raise Failed(f"{name}, seed {seed}, try {i}: nobody sees it")
        if not done:
            impossible.append(name)
    print(f"  doctored in {len(WAYS) - len(impossible)} ways"
          + (f"; no place in this run for {', '.join(impossible)}" if impossible else ""))
    if len(impossible) > len(WAYS) / 10:
        raise Failed("this run is no test of the verdict: too little happened in it")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of sluiced and sluice")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with Processes(options.bin, NODES, PARAMS) as cluster:
        run, fault, ends = live(cluster)
        histories = run.histories()
        ids = [entry.id for record in histories[0] for entry in forced_of(record)]
        told = {node: places_of(cluster, node, ids) for node in range(NODES)}
        world = World(histories, run.journal, told, cluster.parameters(), NODES, [fault], ends, RESUMED_S, PATIENCE)
        scenario = types.SimpleNamespace(nodes=NODES, byzantine=[], expect={"resumed_s": RESUMED_S})
        report = judge(cluster, scenario, histories, run.journal, [fault], ends, PATIENCE)
    for check in report["checks"]:
        print(f"  {check['name']}: {check['said']}", flush=True)
    print(f"  {report['counts']}, {late_by_room(histories)} opened late for want of room", flush=True)
    if report["failures"]:
        raise Failed("\n".join(report["failures"]))
    if not late_by_room(histories):
        raise Failed("nothing waited for room, this shows too little")
    began = time.monotonic()
    see_through(world, options.seed)
    print(f"each was seen, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")
