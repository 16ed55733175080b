#!/usr/bin/env python3
"""Nodes that are silent: a paused leader delays, two dead of four stop the order until one is back."""
import time

import scenario
from cluster import Failed, wait_until
from processes import Processes
from load import Load

PAUSES = 8
DELAY_MAX_S = 5     # a leader's timer is 0.65 s; the rest is room for sanitizers on a busy machine


def scenario_leader_paused_again_and_again(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        delays = []
        for turn in range(PAUSES):
            view = cluster.status(turn % cluster.nodes)["view"]
            leader = (view + 1) % cluster.nodes
            cluster.pause(leader)
            witness = (leader + 1) % cluster.nodes
            started, height = time.monotonic(), cluster.height(witness)
            # Two heights and a view of the paused leader between them, or it was not its turn yet.
            wait_until(lambda: cluster.height(witness) >= height + cluster.nodes, DELAY_MAX_S * 2,
                       f"heights go on without leader {leader}")
            delays.append(time.monotonic() - started)
            cluster.resume(leader)
        print(f"{cluster.nodes} heights with a paused leader took at most {max(delays):.1f} s")
        load.finish()


def scenario_two_dead_of_four(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        load.wait_ordered(100)
        cluster.kill(2)
        cluster.kill(3)
        time.sleep(1)
        height = cluster.height(0)
        time.sleep(3)
        if cluster.height(0) != height or cluster.height(1) > height:
            raise Failed("two of four nodes went on ordering")
        cluster.start(2)
        load.wait_ordered(100)
        cluster.start(3)
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
