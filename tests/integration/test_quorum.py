#!/usr/bin/env python3
"""Nodes that are silent: a paused leader delays, two dead of four stop the order until one is back."""
import statistics
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import Load
from standstill import heights, wait_still

PAUSES = 8
DELAY_S = 5         # usually; a leader's timer is 0.65 s, the rest is room for sanitizers on a busy machine


def scenario_leader_paused_again_and_again(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        delays = []
        for turn in range(PAUSES):
            view = cluster.wait_status(turn % cluster.nodes)["view"]
            leader = (view + 1) % cluster.nodes
            cluster.pause(leader)
            witness = (leader + 1) % cluster.nodes
            started, height = time.monotonic(), cluster.wait_status(witness)["height"]
            # Two heights and a view of the paused leader between them, or it was not its turn yet.
            wait_until(lambda: cluster.height(witness) >= height + cluster.nodes, ORDER_S,
                       f"heights go on without leader {leader}")
            delays.append(time.monotonic() - started)
            cluster.resume(leader)
        print(f"{cluster.nodes} heights with a paused leader: median {statistics.median(delays):.1f} s, "
              f"at most {max(delays):.1f} s")
        if statistics.median(delays) > DELAY_S:
            raise Failed(f"paused leaders delay for {delays}")
        load.finish()


def scenario_two_dead_of_four(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        load.wait_ordered(100)
        cluster.kill(2)
        cluster.kill(3)
        at_rest = wait_still(lambda: heights(cluster, 0, 1), "heights of two of four nodes")
        if at_rest[0] != at_rest[1]:
            raise Failed(f"what is final did not reach both: {at_rest}")
        cluster.start(2)
        load.wait_ordered(100)
        cluster.start(3)
        load.finish()


if __name__ == "__main__":
    scenario.main(globals())
