#!/usr/bin/env python3
"""Sealed transactions between real nodes: through each, read at each, opened exactly where they are due; with one
node stopped openings go on, with two they wait."""
import time

import scenario
from cluster import Failed
from processes import Processes
from load import Load
from sealing import FORCED, check_all, openings, read, seal, sealed, start, wait_opened

FAR = 10        # heights, of a timelock
STEP_MS = 170   # between timelocks by time ...
AHEAD_MS = 5000 # ... of which the first is so far ahead
OPENED_MAX_S = 5    # a timelock by time on an idle chain, after its time; the rest is room for a busy machine


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
            height, now_ms = cluster.height(0), int(time.time() * 1000)
            submit(turn % 4, "height", height + FAR + turn, *options)
            submit((turn + 1) % 4, "time_ms", now_ms + AHEAD_MS + STEP_MS * turn, *options)
            submit((turn + 2) % 4, "height", height - 1, *options)
            submit((turn + 3) % 4, "time_ms", now_ms - 2000, *options)
        last_ms = max(unlock.get("time_ms", 0) for unlock in wanted.values())
        ahead = max(unlock.get("height", 0) for unlock in wanted.values())
        for node in range(cluster.nodes):
            cluster.wait_height(node, ahead)
        time.sleep(max(0, last_ms / 1000 - time.time()))
        history = check_all(cluster, journal, wait_opened(cluster, OPENED_MAX_S))
        check_exact(history, wanted)


def check_exact(history, wanted):
    """By the words of the rule, beside the checker: where each of `wanted` {id: unlock} must be opened."""
    waited, late_ms = 0, []
    for id, (record, entry) in openings(history).items():
        (kind, value), = wanted[id].items()
        first = next(r for r in history if r[kind] >= value and r["height"] >= entry["ordered"]["height"])
        if record["height"] != first["height"]:
            raise Failed(f"{id} with unlock {wanted[id]} is opened at {record['height']}, not at {first['height']}")
        if first["height"] > entry["ordered"]["height"]:
            waited += 1
            late_ms += [record["time_ms"] - value] if kind == "time_ms" else []
    print(f"{len(wanted)} timelocks, {waited} of them waited; those by time for at most {max(late_ms)} ms after it")
    if waited != len(wanted) // 2:
        raise Failed("half of them were to wait, this shows nothing")


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
        cluster.pause(2)
        cluster.pause(3)
        time.sleep(1)
        before = [(reader.last(), len(reader.places)) for reader in load.readers[:2]]
        time.sleep(3)
        if [(reader.last(), len(reader.places)) for reader in load.readers[:2]] != before:
            raise Failed("something was ordered or opened by two of four")
        cluster.resume(2)
        cluster.resume(3)
        load.wait_ordered(100)
        load.submitters[0].journal += journal
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
