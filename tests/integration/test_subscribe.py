#!/usr/bin/env python3
"""Readers: history and live are one stream, a dead node is left for the next, a slow one harms nobody. One that has
the genesis gets the same, checked; and knows when nothing new comes."""
import random
import signal
import subprocess

import scenario
from cluster import Failed
from processes import Processes
from load import Load

FOREIGN = 4242      # a rollup that no load uses
PORTIONS = 20       # of 4 MB, behind a reader that does not read
KEPT_MAX_MIB = 60   # the store's own caches, mostly


def subscribe(cluster, nodes, *args, **options):
    urls = ",".join(cluster.url(node) for node in nodes)
    return subprocess.Popen([cluster.bin / "sluice", "subscribe", "--node", urls, "--rollup", "7", *map(str, args)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            **options)


def scenario_history_live_and_falling_over(bin_dir):
    with Processes(bin_dir) as cluster:
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


def scenario_believing_no_node(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        genesis = ["--genesis", cluster.dir / "genesis.json"]
        load = Load(cluster, nodes=[0, 1], readers=[0, 1, 2])
        live = subscribe(cluster, [3, 2], "--from", 1, "--all", "--max-age", 15, *genesis)
        load.wait_ordered(200)
        for how in (["--sealed"], ["--forced"], ["--sealed", "--forced"]):
            cluster.run("submit", "--node", cluster.url(2), "--rollup", FOREIGN, *how, *genesis, "--hex", "-", "--wait",
                        stdin=f"0x{random.randbytes(20).hex()}\n")
        cluster.run("bundle", "--leg", f"{FOREIGN}:0x{random.randbytes(9).hex()}", "--leg", f"{FOREIGN + 1}:0xff",
                    "--node", cluster.url(1), "--wait", *genesis)
        cluster.kill(3)                                                     # the one that it reads from
        load.wait_ordered(50)
        top = cluster.height(2)
        for rollup in (0, 7, FOREIGN, FOREIGN + 1, 4711):                   # all; three; one that nobody uses
            reads = [cluster.run("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", top,
                                 "--all", *options).stdout for node in (0, 1, 2) for options in (genesis, [])]
            if len(set(reads)) != 1 or reads[0].count("\n") != top:
                raise Failed(f"rollup {rollup} is another stream for who verifies, or at another node")
        load.finish(foreign=[0, FOREIGN])
        cluster.kill(0)
        cluster.kill(1)                                                     # no quorum: nothing new can come
        lines, errors = live.communicate(timeout=90)
        if live.returncode != 3 or "stale: it shows nothing newer than height" not in errors:
            raise Failed(f"the reader took an old head for the newest: exit {live.returncode}: {errors.strip()}")
        whole = "".join(line + "\n" for line in lines.splitlines()[:top])
        history = cluster.run("subscribe", "--node", cluster.url(2), "--rollup", 7, "--from", 1, "--to", top, "--all")
        if whole != history.stdout:
            raise Failed("live over two nodes and history of another are not the same bytes")


def scenario_slow_reader(bin_dir):
    with Processes(bin_dir) as cluster:
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
