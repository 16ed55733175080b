#!/usr/bin/env python3
"""One of four real nodes signs other releases than the rest, or none, under load: every height is certified all the same,
nobody stops, and what was lied is in evidence that verifies offline, and names nobody else."""
import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import Load
from test_byzantine import HONEST, LIAR, become, deviated
from test_censor import check_evidence, evidence_of


def check_certified(cluster, name):
    """What is ordered from now on is certified at every honest node."""
    become(cluster, [(name, "yes")])
    cluster.wait_ordering()
    load = Load(cluster, nodes=HONEST, readers=HONEST)
    load.wait_ordered(300)
    wait_until(lambda: deviated(cluster, name), ORDER_S, f"the liar does what it is for: {name}")
    for node in HONEST:
        height = cluster.wait_status(node)["height"]
        cluster.wait_status(node, lambda status, h=height: status["certified_height"] >= h,
                            what=f"has a certificate of height {height}")
    return load


def scenario_lie(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = check_certified(cluster, "lie_releases")
        for node in HONEST:
            wait_until(lambda n=node: evidence_of(cluster, n), ORDER_S, f"a wrong release in evidence at node {node}")
            cluster.wait_status(node, lambda status: status["inbox"]["slashed"] == [LIAR], what="slashed it")
        offences = {(found["offence"], found["offender"]) for node in HONEST for found in evidence_of(cluster, node)}
        if offences != {("wrong_release", LIAR)}:
            raise Failed(f"in evidence: {offences}")
        check_evidence(cluster)
        load.finish()


def scenario_withhold(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = check_certified(cluster, "withhold_releases")
        if any(evidence_of(cluster, node) for node in HONEST):
            raise Failed("keeping a signature is no offence")
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
