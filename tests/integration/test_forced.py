#!/usr/bin/env python3
"""Forced transactions on real nodes: each is delivered at the height that its queueing fixed, the same
on every node, marked as forced; its receipts verify offline, and a doctored one does not."""
import json
import random
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from queue_check import check_heights

ROLLUP = 7
COUNT = 12
DELAY = 100     # heights: more than there are in a moment
PARAMS = {"postage_base": 2000}     # work enough to be checked, little enough to wait for


def lines(count, size=120):
    return "".join(f"0x{random.randbytes(size).hex()}\n" for _ in range(count))


def force(cluster, nodes, count):
    """Forces `count` transactions through the first of `nodes`; all must be ordered. Their JSON."""
    done = cluster.run("submit", "--forced", "--node", ",".join(cluster.url(n) for n in nodes), "--rollup", ROLLUP,
                       "--hex", "-", "--wait", "--genesis", cluster.dir / "genesis.json", stdin=lines(count))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if len(rows) != count or any(row["outcome"] != "ordered" or row["due_height"] != row["height"] for row in rows):
        raise Failed(f"not all were delivered at their heights: {done.stdout}")
    return rows


def entries_of(cluster, node, to):
    done = cluster.run("subscribe", "--node", cluster.url(node), "--rollup", ROLLUP, "--from", 1, "--to", to)
    return {entry["id"]: (height["height"], entry["index"], entry.get("forced", False), entry["payload"])
            for height in map(json.loads, done.stdout.splitlines()) for entry in height["entries"]}


def check_same_everywhere(cluster, nodes, rows):
    top = max(row["height"] for row in rows)
    for node in nodes:
        cluster.wait_height(node, top)
        found = entries_of(cluster, node, top)
        for row in rows:
            if found.get(row["id"], ())[:3] != (row["height"], row["index"], True):
                raise Failed(f"node {node}: {row['id']} is at {found.get(row['id'])}, not at {row['height']}")


def is_certified(cluster, wanted):
    """On a busy machine the second node may be asked only when the entry is delivered: it signs for it no more,
    but it says that a block queued it, which takes the holds of f+1."""
    place = json.loads(cluster.run("receipt", wanted, "--node", cluster.url(0)).stdout)
    return place["state"] == "final" and place["certified"] and place["queued_at"] > 0


def check_receipts(cluster, rows, wanted):
    genesis = cluster.dir / "genesis.json"
    for row in rows:
        signers = {receipt["node"] for receipt in row["receipts"]}
        if len(signers) < wanted and not (signers and is_certified(cluster, row["id"])):
            raise Failed(f"{len(row['receipts'])} receipts instead of {wanted}: {row}")
    text = rows[0]["receipts"][0]["bytes"]
    good, bad = cluster.dir / "good.receipt", cluster.dir / "bad.receipt"
    good.write_text(text + "\n")
    bad.write_text(text[:-1] + ("0" if text[-1] != "0" else "1") + "\n")
    if not json.loads(cluster.run("verify", good, "--genesis", genesis).stdout)["valid"]:
        raise Failed("a receipt does not verify")
    if cluster.run("verify", bad, "--genesis", genesis, check=False).returncode != 3:
        raise Failed("a doctored receipt verifies")


def scenario_heights(bin_dir):
    with Processes(bin_dir, params=PARAMS) as cluster:
        cluster.start()
        rows = force(cluster, [0, 1, 2, 3], COUNT)
        check_same_everywhere(cluster, range(4), rows)
        check_receipts(cluster, rows, 2)
        entries, _ = check_heights(cluster, range(4), max(row["height"] for row in rows))
        if {entry.id for entry in entries} != {row["id"] for row in rows}:
            raise Failed(f"{len(entries)} forced entries in the stream, {COUNT} were forced")


def place_of(cluster, node, wanted):
    return json.loads(cluster.run("receipt", wanted, "--node", cluster.url(node), check=False).stdout)


def go_on_until_queued(cluster, paused, ids):
    """Lets those who are paused go on for moments, until node 0 says that all of it is queued: then heights stand still
    again, however long it takes to ask."""
    moment_s = 0.02
    while any(place_of(cluster, 0, wanted)["state"] not in ("queued", "final") for wanted in ids):
        if moment_s > ORDER_S:
            raise Failed("it is not queued")
        for node in paused:
            cluster.resume(node)
        time.sleep(moment_s)
        for node in paused:
            cluster.pause(node)
        moment_s *= 1.5


def told_ahead(cluster, node, wanted):
    """What a node says of an entry before its height is there."""
    wait_until(lambda: place_of(cluster, node, wanted)["state"] in ("queued", "final"), ORDER_S,
               f"{wanted} queued at node {node}")
    place = place_of(cluster, node, wanted)
    if place["state"] != "queued":
        raise Failed(f"seen too late to tell: {place}")
    if place["due_height"] < place["queued_at"] + DELAY or not place["certified"]:
        raise Failed(f"queued and due do not fit: {place}")
    if cluster.height(node) >= place["due_height"]:
        raise Failed(f"due at a height that is past: {place}")
    return place


def scenario_due_heights(bin_dir):
    """What every node says while an entry is queued, heights ahead, is where it comes to stand."""
    with Processes(bin_dir, params=dict(PARAMS, forced_delay=DELAY)) as cluster:
        cluster.start()
        told = {}
        with cluster.paused(2, 3):
            done = cluster.run("submit", "--forced", "--node", cluster.url(0), "--rollup", ROLLUP, "--hex", "-",
                               "--receipts", 1, stdin=lines(4))
            ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
            go_on_until_queued(cluster, (2, 3), ids)
            for node in (0, 1):
                told[ids[node]] = told_ahead(cluster, node, ids[node])
                cluster.pause(node)     # before the others go on: three nodes would order
        with cluster.paused(0, 1):
            for node in (2, 3):
                told[ids[node]] = told_ahead(cluster, node, ids[node])
        top = max(place["due_height"] for place in told.values())
        started = time.monotonic()
        for node in range(4):
            cluster.wait_height(node, top)
            found = entries_of(cluster, node, top)
            for wanted, place in told.items():
                if found.get(wanted, (0,))[0] != place["due_height"]:
                    raise Failed(f"node {node}: {wanted} is at {found.get(wanted)}, due was {place['due_height']}")
        print(f"4 entries at the heights told while they were queued, {time.monotonic() - started:.1f} s ahead")


def scenario_restart(bin_dir):
    """What was taken survives kill -9 of every node, and so do the heights."""
    with Processes(bin_dir, params=PARAMS) as cluster:
        cluster.start()
        rows = force(cluster, [1, 2], COUNT)
        cluster.run("submit", "--forced", "--node", cluster.url(1), "--rollup", ROLLUP, "--hex", "-", stdin=lines(3))
        cluster.kill_all()
        cluster.start()
        rows += force(cluster, [2, 3], 3)
        check_same_everywhere(cluster, range(4), rows)


def scenario_refused(bin_dir):
    """What cannot be taken is refused with its reason, nothing of it is queued, and the next one is taken."""
    with Processes(bin_dir, nodes=1, params=dict(PARAMS, sealing=0)) as cluster:   # else keys are made, by the inbox
        cluster.start()
        cases = [("0xzz", 2, "line 1: not 0x", []), ("0x61", 2, "too_far", ["--valid-for", 600]),
                 ("0x" + "61" * 140_000, 2, "line 1: more than", [])]
        for text, code, reason, options in cases:
            done = cluster.run("submit", "--forced", "--node", cluster.url(0), "--rollup", ROLLUP, "--hex", "-",
                               *options, stdin=text + "\n", check=False)
            row = json.loads(done.stdout)
            if done.returncode != code or row["status"] != "refused" or reason not in row["reason"]:
                raise Failed(f"{text[:9]}: exit {done.returncode}, {done.stdout} {done.stderr}")
        inbox = cluster.status(0)["inbox"]
        if inbox["unqueued_items"] or inbox["queued_items"]:
            raise Failed(f"something of it is in the inbox: {inbox}")
        force(cluster, [0], 2)
        cluster.kill(0)
        done = cluster.run("submit", "--forced", "--node", cluster.url(0), "--rollup", ROLLUP, "--hex", "-",
                           stdin="0x61\n", check=False)
        if done.returncode != 1:
            raise Failed(f"no node: exit {done.returncode}")


if __name__ == "__main__":
    scenario.main(globals())
