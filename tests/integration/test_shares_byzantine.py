#!/usr/bin/env python3
"""One of four real nodes keeps its decryption shares, or signs wrong ones, under sealed load: everything goes on being
opened; what was lied is in evidence that verifies offline, and names nobody else."""
import statistics
import time

import scenario
from cluster import Failed, wait_until
from processes import Processes
from load import Load
from sealing import read, seal, sealed, start
from test_byzantine import HONEST, LIAR, become, deviated
from test_censor import check_evidence, evidence_of

ROUNDS = 9
ROUND = 30              # sealed transactions
SLOWER_MAX = 2.0        # times, by the median of rounds ...
NOISE_S = 0.5           # ... and what two medians differ by anyway on a busy machine
OFFENCE = "wrong_share"


def rounds(cluster, journal):
    """The median of how long it takes from submission to opening, in seconds, each through another honest node."""
    took = []
    for turn in range(ROUNDS):
        node = HONEST[turn % len(HONEST)]
        started = time.monotonic()
        submissions = seal(cluster, node, ROUND)[0]
        read(cluster, node, max(s.height for s in submissions), first=min(s.height for s in submissions))
        took.append(time.monotonic() - started)
        journal += submissions
    return statistics.median(took)


def check_still_fast(cluster, name):
    """Openings with the behaviour are not much slower than without. Returns the journal."""
    journal = []
    honest_s = rounds(cluster, journal)
    become(cluster, [(name, "yes")])
    cluster.wait_ordering()
    liar_s = rounds(cluster, journal)
    wait_until(lambda: deviated(cluster, name), 10, f"the liar does what it is for: {name}")
    print(f"{ROUND} sealed and opened: {honest_s:.2f} s, with {name} {liar_s:.2f} s")
    if liar_s > SLOWER_MAX * honest_s + NOISE_S:
        raise Failed(f"{liar_s / honest_s:.1f} times slower")
    return journal


def scenario_lie(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        start(cluster)
        journal = check_still_fast(cluster, "lie_shares")
        load = Load(cluster, nodes=HONEST, readers=HONEST, options=sealed(cluster))
        for node in HONEST:
            wait_until(lambda n=node: evidence_of(cluster, n), 30, f"a wrong share in evidence at node {node}")
            wait_until(lambda n=node: cluster.status(n)["inbox"]["slashed"] == [LIAR], 20, f"node {node} slashed it")
        load.wait_ordered(200)
        offences = {(found["offence"], found["offender"]) for node in HONEST for found in evidence_of(cluster, node)}
        if offences != {(OFFENCE, LIAR)}:
            raise Failed(f"in evidence: {offences}")
        check_evidence(cluster)
        load.submitters[0].journal += journal
        load.finish()


def scenario_withhold(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        start(cluster)
        journal = check_still_fast(cluster, "withhold_shares")
        load = Load(cluster, nodes=HONEST, readers=HONEST, options=sealed(cluster))
        load.wait_ordered(200)
        cluster.pause(0)        # two of those who are left give shares: blocks go on for a while, openings do not
        time.sleep(1)
        reader = load.readers[1]
        height, shown = cluster.height(1), reader.last()
        time.sleep(3)
        if cluster.height(1) == height or reader.last() != shown:
            raise Failed(f"from {height} to {cluster.height(1)} delivered, from {shown} to {reader.last()} shown")
        cluster.resume(0)
        load.wait_ordered(200)
        if evidence_of(cluster, 1):
            raise Failed("keeping a share is no offence")
        load.submitters[0].journal += journal
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
