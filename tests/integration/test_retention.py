#!/usr/bin/env python3
"""What is no longer retained is refused with the lowest height that is, and the rest is still there."""
import json
import re

import scenario
from cluster import Failed, wait_until
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

        refused = wait_until(refusal, 60, "height 1 falls out of the retention")
        print(f"  {refused.stderr.strip()}")
        lowest = max(map(int, re.findall(r"\d+", refused.stderr.split(cluster.url(0))[-1])), default=0)
        if refused.returncode != 2 or lowest <= 1:
            raise Failed(f"exit {refused.returncode}, no lowest height in: {refused.stderr.strip()}")
        # By now the lowest may be one of the next.
        for height in range(lowest, lowest + 2000, 50):
            answer = subscribe(height)
            if answer.returncode == 0:
                break
        if answer.returncode != 0 or json.loads(answer.stdout)["height"] != height:
            raise Failed(f"wrong answer: {answer.stdout[:200]} {answer.stderr.strip()}")
        # What is kept can be verified from any height on, wherever in a run the kept ones begin.
        for first in range(height, height + 10):
            ReleaseReader(cluster, 0).read(ROLLUP, first + 100, first + 110)


if __name__ == "__main__":
    scenario.main(globals())
