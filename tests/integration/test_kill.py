#!/usr/bin/env python3
"""kill -9 under load: nothing accepted is lost, nothing comes twice, one order on every node."""
import scenario
from cluster import Cluster
from load import Load


def scenario_each_in_turn(bin_dir):
    with Cluster(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        for node in range(cluster.nodes):
            load.wait_ordered(100)
            cluster.kill(node)
            load.wait_ordered(100)
            cluster.start(node)
        load.finish()


def scenario_all_at_once(bin_dir):
    with Cluster(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        for _ in range(2):
            load.wait_ordered(200)
            cluster.kill_all()
            cluster.start()
        load.wait_ordered(100)
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
