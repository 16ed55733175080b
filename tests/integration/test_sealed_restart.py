#!/usr/bin/env python3
"""Sealed transactions through crashes: what was accepted is opened once, at the same place on every node, timelocks at
their exact block, whoever was killed meanwhile."""
import time

import scenario
from processes import Processes
from load import Load, Submitter
from sealing import seal, sealed, start

TIMELOCK_S = 4
TIMELOCKED = 8      # rollup of the load's part with a timelock


def sealed_load(cluster):
    """Two submitters of what is opened at once, and one of what waits."""
    load = Load(cluster, nodes=[0, 2], options=sealed(cluster))
    load.submitters.append(Submitter(cluster, 1, TIMELOCKED, sealed(cluster, "--unlock-in", TIMELOCK_S)))
    return load


def scenario_each_in_turn(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        load = sealed_load(cluster)
        pending = (seal(cluster, 0, 3, "--unlock-in", 2)[0] + seal(cluster, 1, 3, "--unlock-in", 12)[0]
                   + seal(cluster, 2, 3, "--unlock-height", cluster.height(0) + 25)[0])
        for node in range(cluster.nodes):
            cluster.kill(node)
            load.wait_ordered(50)
            cluster.start(node)
            load.wait_ordered(50)
        load.submitters[0].journal += pending
        load.finish()


def scenario_all(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        load = sealed_load(cluster)
        load.wait_ordered(100)
        pending = []
        for node, seconds in enumerate([1, 3, 9]):      # due while nobody is up, or later
            pending += seal(cluster, node, 3, "--unlock-in", seconds)[0]
        cluster.kill_all()
        time.sleep(1)
        cluster.start()
        load.wait_ordered(100)
        load.submitters[0].journal += pending
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
