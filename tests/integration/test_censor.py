#!/usr/bin/env python3
"""One of four real nodes censors, or equivocates, under load: forced transactions are delivered at their
heights all the same, and what it provably did is in evidence that verifies offline and names nobody else."""
import json
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import ROLLUP, Load, Submitter
from queue_check import check_heights
from test_byzantine import HONEST, LIAR, become
from test_forced import PARAMS, check_receipts, check_same_everywhere, force, lines

FORCED = 16
QUEUED = 5      # of each of two takers, at once
VALID_S = 8     # of those that are forced while the chain stands still
OFFENCES = {"equivocate_batches": {"two_batches"}, "vote_twice": {"two_notarize", "nullify_and_finalize"}}


def scenario_censor(bin_dir):
    with Processes(bin_dir, params=PARAMS, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = Load(cluster, nodes=HONEST, readers=HONEST)
        become(cluster, [("refuse_forced", "yes"), ("worst_quorum", "yes")])
        load.wait_ordered(100)
        started = time.monotonic()
        rows = force(cluster, HONEST, FORCED)
        each_s = (time.monotonic() - started) / FORCED
        print(f"{FORCED} forced transactions, {each_s:.2f} s each from its work to its delivery")
        check_same_everywhere(cluster, HONEST, rows)
        check_receipts(cluster, rows, 2)
        load.finish(foreign=[7])


def force_on(cluster, node, count):
    """Forces one after the other through one node, without waiting for any; each fills most of a height."""
    done = cluster.run("submit", "--forced", "--node", cluster.url(node), "--rollup", 7, "--hex", "-", "--receipts", 1,
                       "--genesis", cluster.dir / "genesis.json", "--valid-for", VALID_S, stdin=lines(count, 3500))
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


def place_at(cluster, node, wanted):
    return json.loads(cluster.run("receipt", wanted, "--node", cluster.url(node), check=False).stdout)


def scenario_heights_by_the_clause(bin_dir):
    """More than fits into one height, past a censor: where each came is what a client works out from the height that
    queued it, while nodes remember that, after they forgot it, and after they were all killed."""
    params = dict(PARAMS, tx_bytes_max=4096, forced_bytes_per_block=4200, dedup_window_ms=1500 * VALID_S,
                  postage_age_ms=1000 * VALID_S)
    with Processes(bin_dir, params=params, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = Load(cluster, nodes=HONEST, readers=HONEST)
        become(cluster, [("refuse_forced", "yes"), ("worst_quorum", "yes")])
        load.wait_ordered(100)
        with cluster.paused(1, LIAR):   # no block is made before two nodes hold all of it, so one has to queue several
            ids = force_on(cluster, 0, QUEUED) + force_on(cluster, 2, QUEUED)
        for wanted in ids:
            wait_until(lambda: place_at(cluster, 0, wanted)["state"] == "final", ORDER_S, f"{wanted} delivered")
        top = cluster.height(0)
        for node in HONEST:
            cluster.wait_height(node, top)
        entries, places = check_heights(cluster, HONEST, top)
        delays = [entry.height - places[entry.id]["queued_at"] for entry in entries]
        print(f"{len(entries)} forced, {min(delays)} to {max(delays)} heights from queueing to delivery")
        if {entry.id for entry in entries} != set(ids) or max(delays) == min(delays):
            raise Failed(f"{len(entries)} of {len(ids)} in the stream, after {sorted(delays)} heights")
        forgotten = cluster.status(0)["stream_time_ms"] + params["dedup_window_ms"]
        for node in HONEST:
            cluster.wait_status(node, lambda status: status["stream_time_ms"] > forgotten, what="has forgotten them")
        if check_heights(cluster, HONEST, top) != (entries, places):
            raise Failed("another answer once the queueing is forgotten")
        cluster.kill_all()
        cluster.start()
        if check_heights(cluster, HONEST, top) != (entries, places):
            raise Failed("another answer after a restart")
        load.finish(foreign=[7])


def evidence_of(cluster, node):
    done = cluster.run("evidence", "--node", cluster.url(node))
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_evidence(cluster):
    """What node 0 has in evidence verifies with the genesis alone, names the liar, and not with a byte changed."""
    folder = cluster.dir / "evidence"
    lines = cluster.run("evidence", "--node", cluster.url(0), "--dir", folder).stdout.splitlines()
    files = sorted(folder.iterdir())
    genesis = cluster.dir / "genesis.json"
    for line in lines:
        (cluster.dir / "line").write_text(line)
        cluster.run("verify", cluster.dir / "line", "--genesis", genesis)
    for file in files:
        found = json.loads(cluster.run("verify", file, "--genesis", genesis).stdout)
        print(f"  {found['offence']} by {found['offender']} at {found['at']}")
        if found["offender"] != LIAR:
            raise Failed(f"an honest node is named: {found}")
        content = file.read_bytes()
        for at in [*range(0, len(content), len(content) // 16), -1]:
            doctored = bytearray(content)
            doctored[at] ^= 1
            (cluster.dir / "doctored").write_bytes(doctored)
            if cluster.run("verify", cluster.dir / "doctored", "--genesis", genesis, check=False).returncode != 3:
                raise Failed(f"{file.name} with byte {at} changed verifies")


def scenario_evidence(bin_dir):
    with Processes(bin_dir, params=PARAMS, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = Load(cluster, nodes=HONEST, readers=HONEST)
        tempter = Submitter(cluster, LIAR, ROLLUP + 1)
        for behaviour, offences in OFFENCES.items():
            become(cluster, [(behaviour, "yes")])
            for node in HONEST:
                wait_until(lambda n=node: offences <= {found["offence"] for found in evidence_of(cluster, n)}, ORDER_S,
                           f"{behaviour} in evidence at node {node}")
        load.wait_ordered(100)
        tempter.stopping.set()
        check_evidence(cluster)
        slashed = cluster.wait_status(1, lambda status: status["inbox"]["slashed"] == [LIAR], what="slashes the liar")
        done = cluster.run("subscribe", "--node", cluster.url(1), "--rollup", 0, "--from", 1,
                           "--to", slashed["final_height"])     # may be ahead of what is delivered
        kinds = [entry["kind"] for line in done.stdout.splitlines() for entry in json.loads(line)["entries"]]
        if "evidence" not in kinds:
            raise Failed("no evidence in the stream")
        load.finish(foreign=[ROLLUP + 1])


if __name__ == "__main__":
    scenario.main(globals())
