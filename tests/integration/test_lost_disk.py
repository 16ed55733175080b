#!/usr/bin/env python3
"""A node whose data directory is gone comes back, catches up, votes and takes transactions again."""
import shutil

import scenario
from cluster import Cluster, Failed
from load import Load, Submitter


def scenario_wiped_data(bin_dir):
    with Cluster(bin_dir) as cluster:
        cluster.start()
        if (cluster.node_dir(3) / "first-start").exists():
            raise Failed("the first start did not consume its marker")
        # Nothing goes through node 3 before: what its disk took along uncertified would be lost.
        load = Load(cluster, nodes=[0, 1, 2])
        load.wait_ordered(100)
        cluster.kill(3)
        load.wait_ordered(100)
        shutil.rmtree(cluster.node_dir(3) / "data")
        cluster.start(3)
        load.submitters.append(Submitter(cluster, 3))
        load.wait_ordered(100)
        # Its vote counts again: without node 0, the quorum of three needs it.
        cluster.kill(0)
        load.wait_ordered(100)
        cluster.start(0)
        load.finish()
        if not any(s.outcome == "ordered" for s in load.submitters[-1].journal):
            raise Failed("nothing that node 3 took after its return was ordered")


if __name__ == "__main__":
    scenario.main(globals())
