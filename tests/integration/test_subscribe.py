#!/usr/bin/env python3
"""Readers: history and live are one stream, a dead node is left for the next, a slow one harms nobody."""
import random
import signal
import subprocess

import scenario
from cluster import Cluster, Failed
from load import Load

PORTIONS = 20       # of 4 MB, behind a reader that does not read
KEPT_MAX_MIB = 60   # the store's own caches, mostly


def subscribe(cluster, nodes, *args, **options):
    urls = ",".join(cluster.url(node) for node in nodes)
    return subprocess.Popen([cluster.bin / "sluice", "subscribe", "--node", urls, "--rollup", "7", *map(str, args)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            **options)


def scenario_history_live_and_falling_over(bin_dir):
    with Cluster(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0, 1])
        load.wait_ordered(100)
        target = cluster.height(0) + 60
        live = subscribe(cluster, [3, 2], "--from", 1, "--to", target)      # follows, and waits for `to`
        load.wait_ordered(100)
        cluster.kill(3)                                                     # the one that it reads from
        lines, errors = live.communicate(timeout=90)
        if live.returncode != 0:
            raise Failed(f"the reader did not fall over: exit {live.returncode}: {errors.strip()}")
        history = cluster.run("subscribe", "--node", cluster.url(1), "--rollup", 7, "--from", 1, "--to", target)
        if lines != history.stdout:
            raise Failed("live over two nodes and history of a third are not the same bytes")
        cluster.start(3)
        load.finish()


def scenario_slow_reader(bin_dir):
    with Cluster(bin_dir) as cluster:
        cluster.start()
        slow = subscribe(cluster, [2], "--from", 1)
        slow.send_signal(signal.SIGSTOP)
        grown = []
        for _ in range(PORTIONS):
            payloads = ["0x" + random.randbytes(20_000).hex() for _ in range(200)]
            cluster.run("submit", "--node", cluster.url(0), "--rollup", 7, "--hex", "-", "--wait",
                        stdin="\n".join(payloads) + "\n")
            grown.append(cluster.resident_bytes(2))
        behind, kept = 4 * (PORTIONS - 1), (grown[-1] - grown[0]) >> 20
        print(f"{behind} MB more behind a stopped reader: resident +{kept} MiB")
        if kept > KEPT_MAX_MIB:
            raise Failed("the node keeps what a slow reader does not take")
        slow.kill()
        slow.communicate()
        cluster.wait_ordering()


if __name__ == "__main__":
    scenario.main(globals())
