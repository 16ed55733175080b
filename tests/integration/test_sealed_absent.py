#!/usr/bin/env python3
"""A node that is away, or without its disk, while others order and open hundreds of sealed transactions: it comes back,
shows all of them, and gives shares again."""
import json
import shutil

import scenario
from checker import Submission
from cluster import ORDER_S, wait_until
from load import ROLLUP
from processes import Processes
from sealing import check_all, payloads, seal, sealed, start

MISSED = 300        # sealed transactions that it has to catch up with


def miss(cluster, journal, away, comes_back):
    """Others order and open a few hundred, immediate and timelocked, while node `away` is."""
    journal += seal(cluster, 0, 20, "--unlock-in", 2)[0]
    cluster.kill(away)
    journal += seal(cluster, 0, MISSED // 2)[0]
    journal += seal(cluster, 1, MISSED // 2, "--unlock-in", 1)[0]
    later, rows = seal(cluster, 2, 20, "--unlock-in", 10)
    journal += later
    unlock_ms = rows[-1]["unlock"]["time_ms"]
    cluster.wait_status(0, lambda status: status["stream_time_ms"] > unlock_ms - 7000, what="opened some")
    comes_back()
    cluster.wait_status(away, lambda status: status["stream_time_ms"] >= unlock_ms, what="has all of them due")
    journal += seal(cluster, away, 5)[0]
    top = max(submission.height for submission in journal)
    for node in range(cluster.nodes):
        cluster.wait_height(node, top)
    check_all(cluster, journal, top)


def takes(cluster, node, journal):
    """Whether it takes a transaction; before its lane is back it refuses it."""
    text, = payloads(1)
    done = cluster.run("submit", "--node", cluster.url(node), "--rollup", ROLLUP, "--hex", "-", "--wait",
                       *sealed(cluster), stdin=text + "\n", check=False)
    journal.append(submission := Submission(ROLLUP, text))
    submission.told(json.loads(done.stdout))
    return submission.outcome == "ordered"


def check_without(cluster, journal, gone):
    """With this one gone too, nothing is opened without the shares of who came back."""
    cluster.kill(gone)
    others = [node for node in range(cluster.nodes) if node != gone]
    journal += seal(cluster, 3, 20)[0]
    top = max(submission.height for submission in journal)
    check_all(cluster, journal, top, others)
    cluster.start(gone)
    check_all(cluster, journal, top)


def scenario_away(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        journal = []
        miss(cluster, journal, 3, lambda: cluster.start(3))
        check_without(cluster, journal, 1)


def scenario_lost_disk(bin_dir):
    with Processes(bin_dir) as cluster:
        start(cluster)
        journal = []

        def come_back():
            shutil.rmtree(cluster.node_dir(3) / "data")
            cluster.start(3)
            cluster.wait_status(3, lambda status: not status["rejoining"], what="has rejoined")
            wait_until(lambda: takes(cluster, 3, journal), ORDER_S, "node 3 has its lane back")
        miss(cluster, journal, 3, come_back)
        check_without(cluster, journal, 0)


if __name__ == "__main__":
    scenario.main(globals())
