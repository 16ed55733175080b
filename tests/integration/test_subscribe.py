#!/usr/bin/env python3
"""Readers: history and live are one stream, a dead node is left for the next, slow ones harm nobody,
and what is no longer retained is refused with the lowest height that is."""
import json
import random
import signal
import subprocess
import time

import scenario
from cluster import Cluster, Failed, wait_until
from load import Load, Submitter


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
        for _ in range(8):
            payloads = ["0x" + random.randbytes(20_000).hex() for _ in range(200)]
            cluster.run("submit", "--node", cluster.url(0), "--rollup", 7, "--hex", "-", "--wait",
                        stdin="\n".join(payloads) + "\n")
            grown.append(cluster.resident_bytes(2))
        behind = 4 * (len(grown) - 1)
        kept = (grown[-1] - grown[0]) >> 20
        print(f"{behind} MB more behind a stopped reader: resident +{kept} MiB")
        slow.kill()
        slow.communicate()
        cluster.wait_ordering()


def scenario_below_retention(bin_dir):
    with Cluster(bin_dir, nodes=1) as cluster:
        cluster.configure(0, "store", "retention_ms", 2000)
        cluster.start()
        Submitter(cluster, 0).stopping.set()

        def refusal():
            done = cluster.run("subscribe", "--node", cluster.url(0), "--rollup", 7, "--from", 1, "--to", 1, check=False)
            return done if done.returncode != 0 else None
        refused = wait_until(refusal, 40, "height 1 falls out of the retention")
        words = refused.stderr.replace(",", " ").replace(".", " ").split()
        lowest = max((int(word) for word in words if word.isdigit()), default=0)
        if lowest <= 1:
            raise Failed(f"no lowest height in: {refused.stderr.strip()}")
        print(f"  {refused.stderr.strip()}")
        again = cluster.run("subscribe", "--node", cluster.url(0), "--rollup", 7, "--from", lowest + 1,
                            "--to", lowest + 1, "--all")
        if json.loads(again.stdout)["height"] != lowest + 1:
            raise Failed(f"wrong answer: {again.stdout[:200]}")


if __name__ == "__main__":
    scenario.main(globals())
