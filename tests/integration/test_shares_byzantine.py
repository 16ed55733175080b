#!/usr/bin/env python3
"""One of four real nodes keeps its decryption shares, or signs wrong ones, under sealed load: everything goes on being
opened; what was lied is in evidence that verifies offline, and names nobody else."""
import statistics
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import Load
from sealing import read, seal, sealed, start
from standstill import wait_still
from test_byzantine import HONEST, LIAR, become, deviated
from test_censor import check_evidence, evidence_of

ROUNDS = 9
ROUND = 30              # sealed transactions
SLOWER_MAX = 2.0        # times, by the median of rounds, each right behind one of an honest cluster, ...
NOISE_S = 0.5           # ... and what these differ by anyway on a busy machine
OFFENCE = "wrong_share"


def seal_round(cluster, node, journal):
    """How long it takes from submission to opening, in seconds."""
    started = time.monotonic()
    submissions = seal(cluster, node, ROUND)[0]
    read(cluster, node, max(s.height for s in submissions), first=min(s.height for s in submissions))
    journal += submissions
    return time.monotonic() - started


def check_still_fast(bin_dir, cluster, name):
    """Openings with the behaviour are not much slower than those of an honest cluster beside it. Returns the journal."""
    journal, honest_s, liar_s = [], [], []
    become(cluster, [(name, "yes")])
    cluster.wait_ordering()
    with Processes(bin_dir) as honest:
        start(honest)
        for turn in range(ROUNDS):      # in turns, so that whatever else the machine does slows both
            node = HONEST[turn % len(HONEST)]
            honest_s.append(seal_round(honest, node, []))
            liar_s.append(seal_round(cluster, node, journal))
    wait_until(lambda: deviated(cluster, name), ORDER_S, f"the liar does what it is for: {name}")
    slower = statistics.median(liar - SLOWER_MAX * fair for fair, liar in zip(honest_s, liar_s))
    print(f"{ROUND} sealed and opened: {statistics.median(honest_s):.2f} s, with {name} {statistics.median(liar_s):.2f} s")
    if slower > NOISE_S:
        raise Failed(f"{liar_s} s, and {honest_s} s without a liar")
    return journal


def scenario_lie(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        start(cluster)
        journal = check_still_fast(bin_dir, cluster, "lie_shares")
        load = Load(cluster, nodes=HONEST, readers=HONEST, options=sealed(cluster))
        for node in HONEST:
            wait_until(lambda n=node: evidence_of(cluster, n), ORDER_S, f"a wrong share in evidence at node {node}")
            cluster.wait_status(node, lambda status: status["inbox"]["slashed"] == [LIAR], what="slashed it")
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
        journal = check_still_fast(bin_dir, cluster, "withhold_shares")
        load = Load(cluster, nodes=HONEST, readers=HONEST, options=sealed(cluster))
        load.wait_ordered(200)
        reader = load.readers[1]
        with cluster.paused(0):     # two of those who are left give shares: blocks go on for a while, openings do not
            wait_until(lambda: wait_still(reader.last, "openings with two shares of three") < cluster.height(1), ORDER_S,
                       "more is delivered than shown")
        load.wait_ordered(200)
        if evidence_of(cluster, 1):
            raise Failed("keeping a share is no offence")
        load.submitters[0].journal += journal
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
