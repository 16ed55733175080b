#!/usr/bin/env python3
"""What is no longer retained is refused with the lowest height that is, and from there on all is still there."""
import json
import re

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import ROLLUP
from release_reader import ReleaseReader


def scenario_below_retention(bin_dir):
    # Small windows and a fast heartbeat, so that heights fall out of the retention within seconds.
    with Processes(bin_dir, nodes=1, params={"dedup_window_ms": 1000, "postage_age_ms": 1000, "heartbeat_ms": 10, "heartbeat_idle_ms": 10,
                                           "delta_ms": 10}) as cluster:
        cluster.configure(0, "store", "retention_ms", 1000)
        cluster.start()

        def subscribe(height):
            return cluster.run("subscribe", "--node", cluster.url(0), "--rollup", ROLLUP, "--from", height,
                               "--to", height, "--all", check=False)

        def refusal():
            done = subscribe(1)
            return done if done.returncode != 0 else None

        wait_until(refusal, ORDER_S, "height 1 falls out of the retention")
        # What else would fall out while it is asked for stays from now on, and what is gone is still refused.
        cluster.stop(0)
        cluster.configure(0, "store", "retention_ms", 3_600_000)
        cluster.start(0)
        refused = subscribe(1)
        print(f"  {refused.stderr.strip()}")
        lowest = max(map(int, re.findall(r"\d+", refused.stderr.split(cluster.url(0))[-1])), default=0)
        if refused.returncode != 2 or lowest <= 1:
            raise Failed(f"exit {refused.returncode}, no lowest height in: {refused.stderr.strip()}")
        if subscribe(lowest - 1).returncode != 2:
            raise Failed(f"{lowest} is not the lowest")
        answer = subscribe(lowest)
        if answer.returncode != 0 or json.loads(answer.stdout)["height"] != lowest:
            raise Failed(f"wrong answer: {answer.stdout[:200]} {answer.stderr.strip()}")
        # What is kept can be verified from any height on, wherever in a run the kept ones begin.
        for first in range(lowest, lowest + 10):
            ReleaseReader(cluster, 0).read(ROLLUP, first, first + 10)


if __name__ == "__main__":
    scenario.main(globals())
