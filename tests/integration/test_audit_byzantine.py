#!/usr/bin/env python3
"""One of four real nodes deviates in several ways, one after another, under load with sealed and forced transactions;
then every node's data is audited, the liar's too: all held, and the evidence is proven."""
import scenario
from audits import audit_all
from processes import Processes
from load import Load, Submitter
from sealing import FORCED, seal, start
from test_byzantine import HONEST, LIAR, LIARS_ROLLUP, become, live_with

# Evidence last: a slashed node has no turns as leader.
BEHAVIOURS = [("worst_quorum", "yes"), ("equivocate_batches", "yes"), ("vote_twice", "yes")]


def scenario_liar_among_four(bin_dir):
    with Processes(bin_dir, params=FORCED, programs={LIAR: "sluiced_byzantine"}) as cluster:
        start(cluster)
        load = Load(cluster, nodes=HONEST, readers=HONEST)
        tempter = Submitter(cluster, LIAR, LIARS_ROLLUP)
        become(cluster, [("withhold_shares", "yes")])
        journal = seal(cluster, 0, 2)[0]
        for name, value in BEHAVIOURS:
            live_with(cluster, load, name, value)
            journal += seal(cluster, 0, 2)[0]
            journal += seal(cluster, 1, 1, "--forced", "--unlock-height", cluster.height(0) + 10)[0]
        become(cluster, [("vote_twice", "yes"), ("equivocate_batches", "yes")])
        load.wait_ordered(100)
        tempter.stopping.set()
        cluster.wait_status(0, lambda status: status["inbox"]["slashed"] == [LIAR], what="has evidence of the liar")
        load.submitters[0].journal += journal
        load.finish(foreign=[LIARS_ROLLUP])
        cluster.wait_height(LIAR, cluster.height(0))    # nobody reads from it: it may be behind, and without evidence
        for node in range(cluster.nodes):
            cluster.stop(node)
        audit_all(cluster)


if __name__ == "__main__":
    scenario.main(globals())
