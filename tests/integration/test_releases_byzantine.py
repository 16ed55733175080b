#!/usr/bin/env python3
"""One of four real nodes signs other releases than the rest, or none, under load: every height is certified all the same,
nobody stops, and what was lied is in evidence that verifies offline, and names nobody else."""
import scenario
from cluster import Failed, wait_until
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
    wait_until(lambda: deviated(cluster, name), 20, f"the liar does what it is for: {name}")
    for node in HONEST:
        height = cluster.height(node)
        wait_until(lambda n=node, h=height: cluster.status(n)["certified_height"] >= h, 20,
                   f"node {node} has a certificate of height {height}")
        if not cluster.alive(node):
            raise Failed(f"node {node} stopped")
    return load


def scenario_lie(bin_dir):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = check_certified(cluster, "lie_releases")
        for node in HONEST:
            wait_until(lambda n=node: evidence_of(cluster, n), 30, f"a wrong release in evidence at node {node}")
            wait_until(lambda n=node: cluster.status(n)["inbox"]["slashed"] == [LIAR], 20, f"node {node} slashed it")
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
