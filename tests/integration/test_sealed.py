#!/usr/bin/env python3
"""Sealed transactions between real nodes: through each, read at each, opened exactly where they are due; with one
node stopped openings go on, with two they wait."""
import time

import scenario
from cluster import Failed
from processes import Processes
from load import Load
from sealing import FORCED, check_all, openings, read, seal, sealed, start, wait_opened
from standstill import wait_still

FAR = 10            # heights, of a timelock, at least ...
FAR_MS = 2000       # ... and of one by time
FAR_SEALS = 4       # meanwhile one could seal so often, ...
REACHED_S = 300     # ... which may take long
STEP_MS = 170       # between timelocks by time


def scenario_through_each_read_at_each(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        journal = []
        for node in range(cluster.nodes):
            journal += seal(cluster, node, 6, rollup=70 + node)[0]
        top = max(submission.height for submission in journal)
        history = check_all(cluster, journal, top)
        for id, (record, entry) in openings(history).items():
            if entry["ordered"] != {"height": record["height"], "index": entry["index"]}:
                raise Failed(f"{id} has no unlock and was not opened where it was ordered: {entry}")
        for node in range(cluster.nodes):
            for rollup in range(70, 75):
                wanted = [{name: value for name, value in entry.items() if name != "rollup"}
                          for record in history for entry in record["entries"] if entry["rollup"] == rollup]
                seen = [entry for record in read(cluster, node, top, rollup) for entry in record["entries"]]
                if seen != wanted or len(seen) != (6 if rollup < 74 else 0):
                    raise Failed(f"node {node} shows other entries of rollup {rollup}: {seen}")


def scenario_timelocks(bin_dir):
    """Unlocks by height and by time, ahead and past, forced and not; every height is read to see which was the first
    to reach each."""
    with Processes(bin_dir, params=FORCED) as cluster:
        start(cluster)
        journal, wanted = [], {}

        def submit(node, kind, value, *options):
            flag = {"height": "--unlock-height", "time_ms": "--unlock-at"}[kind]
            submissions, rows = seal(cluster, node, 1, flag, value, *options)
            journal.extend(submissions)
            wanted[rows[0]["id"]] = unlock = {kind: value}
            if rows[0]["unlock"] != unlock:
                raise Failed(f"sealed with another unlock than {unlock}: {rows[0]}")

        for turn, options in enumerate([(), ("--forced",)] * 3):
            (height, now_ms), began = now(cluster), time.monotonic()
            submit((turn + 2) % 4, "height", height - 1, *options)
            submit((turn + 3) % 4, "time_ms", now_ms - 2000, *options)
            far = FAR_SEALS * (now(cluster)[0] - height) // 2
            far_ms = FAR_SEALS * int((time.monotonic() - began) * 1000) // 2
            submit(turn % 4, "height", now(cluster)[0] + max(FAR, far) + turn, *options)
            submit((turn + 1) % 4, "time_ms", now(cluster)[1] + max(FAR_MS, far_ms) + STEP_MS * turn, *options)
        for unlock in wanted.values():
            cluster.wait_status(0, lambda status, u=unlock: status["height"] >= u.get("height", 0)
                                and status["stream_time_ms"] >= u.get("time_ms", 0), REACHED_S, f"reaches {unlock}")
        history = check_all(cluster, journal, wait_opened(cluster, journal))
        check_exact(history, wanted)


def now(cluster):
    """(height, milliseconds)"""
    return cluster.wait_status(0)["height"], int(time.time() * 1000)


def check_exact(history, wanted):
    """By the words of the rule, beside the checker: where each of `wanted` {id: unlock} must be opened."""
    waited, late_ms, kinds = 0, [], set()
    forced = {entry["id"] for record in history for entry in record["entries"] if entry.get("forced")}
    for id, (record, entry) in openings(history).items():
        (kind, value), = wanted[id].items()
        first = next(r for r in history if r[kind] >= value and r["height"] >= entry["ordered"]["height"])
        if record["height"] != first["height"]:
            raise Failed(f"{id} with unlock {wanted[id]} is opened at {record['height']}, not at {first['height']}")
        if first["height"] > entry["ordered"]["height"]:
            waited += 1
            kinds.add((kind, id in forced))
            late_ms += [record["time_ms"] - value] if kind == "time_ms" else []
    if len(kinds) < 4:
        raise Failed(f"of each kind one is to wait, only {kinds} did: this shows nothing")
    print(f"{len(wanted)} timelocks, {waited} of them waited; those by time for at most {max(late_ms)} ms after it")


def scenario_one_stopped_then_two(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        journal = []
        for stopped in range(cluster.nodes):
            cluster.pause(stopped)
            journal += seal(cluster, (stopped + 1) % cluster.nodes, 20)[0]
            cluster.resume(stopped)
        height = max(submission.height for submission in journal)
        check_all(cluster, journal, height)

        load = Load(cluster, nodes=[0, 1], options=sealed(cluster))
        load.wait_ordered(100)
        with cluster.paused(2, 3):
            wait_still(lambda: [(reader.last(), len(reader.places)) for reader in load.readers[:2]],
                       "order and openings by two of four")
        load.wait_ordered(100)
        load.submitters[0].journal += journal
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
