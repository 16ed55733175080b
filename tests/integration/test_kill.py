#!/usr/bin/env python3
"""kill -9 under load: nothing accepted is lost, nothing comes twice, one order on every node."""
import random

import scenario
from processes import Processes
from load import ROLLUP, Load

MISSED = 20_000     # transactions that an absent node has to catch up with
MISSED_S = 300      # longest that their order may take


def scenario_each_in_turn(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        for node in range(cluster.nodes):
            load.wait_ordered(100)
            cluster.kill(node)
            load.wait_ordered(100)
            cluster.start(node)
        load.finish()


def scenario_all_at_once(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        for _ in range(2):
            load.wait_ordered(200)
            cluster.kill_all()
            cluster.start()
        load.wait_ordered(100)
        load.finish()


def scenario_long_absence(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0])
        load.wait_ordered(100)
        cluster.kill(3)
        missed = "".join(f"0x{random.randbytes(100).hex()}\n" for _ in range(MISSED))
        cluster.run("submit", "--node", cluster.url(1), "--rollup", ROLLUP + 1, "--hex", "-", "--wait", stdin=missed,
                    timeout=MISSED_S)
        cluster.kill(1)     # without it, the quorum needs what the absent one has caught up with
        cluster.start(3)
        load.wait_ordered(100)
        cluster.start(1)
        load.finish(foreign=[ROLLUP + 1])


if __name__ == "__main__":
    scenario.main(globals())
