#!/usr/bin/env python3
"""A node whose data directory is gone comes back, catches up, votes and takes transactions again."""
import shutil

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import Load, Submitter


def scenario_wiped_data(bin_dir):
    with Processes(bin_dir) as cluster:
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
        load.submitters.append(returned := Submitter(cluster, 3))
        load.wait_ordered(100)
        # Until it votes again it counts among the f; from then on the quorum of three can do without node 0.
        cluster.wait_status(3, lambda status: not status["rejoining"], what="has rejoined")
        cluster.wait_height(3, cluster.height(3) + 4)
        wait_until(lambda: any(s.outcome == "ordered" for s in returned.journal), ORDER_S,
                   "something that node 3 took after its return is ordered")
        cluster.kill(0)
        load.wait_ordered(100)
        cluster.start(0)
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
