#!/usr/bin/env python3
"""Readers: history and live are one stream, a dead node is left for the next, a slow one harms nobody. One that has
the genesis gets the same, checked; and knows when nothing new comes."""
import contextlib
import random
import signal
import subprocess

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import PATIENCE_S, Load
from sealing import FORCED, start

FOREIGN = 4242      # a rollup that no load uses
MAX_AGE_S = 3       # of the newest height, to a reader that watches this
PORTIONS = 20       # of 4 MB, behind a reader that does not read
KEPT_MAX_MIB = 60   # the store's own caches, mostly


def subscribe(cluster, nodes, *args, stdout=subprocess.PIPE):
    urls = ",".join(cluster.url(node) for node in nodes)
    return subprocess.Popen([cluster.bin / "sluice", "subscribe", "--node", urls, "--rollup", "7", *map(str, args)],
                            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True)


class Live:
    """A reader of every height from the first on, which follows: what it wrote, and whether it still reads."""

    def __init__(self, cluster, nodes, *args):
        self.path = cluster.home / "live"
        with open(self.path, "wb") as file:
            self.process = subscribe(cluster, nodes, "--from", 1, "--all", *args, stdout=file)

    def first(self, heights):
        """What it wrote of so many."""
        lines = self.path.read_bytes().splitlines(keepends=True)[:heights]
        return b"".join(line for line in lines if line.endswith(b"\n")).decode()

    def wait(self, height):
        def has_it():
            if self.process.poll() is not None:
                raise Failed(f"the reader ended with {self.process.returncode}: {self.process.stderr.read().strip()}")
            return self.first(height).count("\n") == height
        wait_until(has_it, ORDER_S, f"the reader has height {height}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def scenario_history_live_and_falling_over(bin_dir):
    with Processes(bin_dir) as cluster, contextlib.ExitStack() as stack:
        cluster.start()
        load = Load(cluster, nodes=[0, 1])
        load.wait_ordered(100)
        live = stack.enter_context(Live(cluster, [3, 2]))
        live.wait(cluster.wait_status(0)["height"])
        load.wait_ordered(100)
        cluster.kill(3)                                                     # the one that it reads from
        load.wait_ordered(150)                                              # more than were under way
        top = cluster.wait_status(0)["height"]
        live.wait(top)
        history = cluster.run("subscribe", "--node", cluster.url(1), "--rollup", 7, "--from", 1, "--to", top, "--all")
        if live.first(top) != history.stdout:
            raise Failed("live over two nodes and history of a third are not the same bytes")
        cluster.start(3)
        load.finish()


def scenario_believing_no_node(bin_dir):
    with Processes(bin_dir, params=FORCED) as cluster, contextlib.ExitStack() as stack:
        start(cluster)
        genesis = ["--genesis", cluster.dir / "genesis.json"]
        load = Load(cluster, nodes=[0, 1], readers=[0, 1, 2])
        live = stack.enter_context(Live(cluster, [3, 2], "--max-age", PATIENCE_S, *genesis))
        load.wait_ordered(200)
        live.wait(1)
        for how in (["--sealed"], ["--forced"], ["--sealed", "--forced"]):
            cluster.run("submit", "--node", cluster.url(2), "--rollup", FOREIGN, *how, *genesis, "--hex", "-", "--wait",
                        stdin=f"0x{random.randbytes(20).hex()}\n")
        cluster.run("bundle", "--leg", f"{FOREIGN}:0x{random.randbytes(9).hex()}", "--leg", f"{FOREIGN + 1}:0xff",
                    "--node", cluster.url(1), "--wait", *genesis)
        cluster.kill(3)                                                     # the one that it reads from
        load.wait_ordered(50)
        top = cluster.wait_status(2)["height"]
        live.wait(top)
        for rollup in (0, 7, FOREIGN, FOREIGN + 1, 4711):                   # all; three; one that nobody uses
            reads = [cluster.run("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", top,
                                 "--all", *options).stdout
                     for node, options in ((0, genesis), (1, genesis), (2, genesis), (2, []))]
            if len(set(reads)) != 1 or reads[0].count("\n") != top:
                raise Failed(f"rollup {rollup} is another stream for who verifies, or at another node")
        load.finish(foreign=[0, FOREIGN])
        cluster.kill(0)
        cluster.kill(1)                                                     # no quorum: nothing new can come
        last = cluster.run("subscribe", "--node", cluster.url(2), "--rollup", 7, "--from", top, "--max-age", MAX_AGE_S,
                           *genesis, check=False)
        if last.returncode != 3 or "stale: it shows nothing newer than height" not in last.stderr:
            raise Failed(f"the reader took an old head for the newest: exit {last.returncode}: {last.stderr.strip()}")
        history = cluster.run("subscribe", "--node", cluster.url(2), "--rollup", 7, "--from", 1, "--to", top, "--all")
        if live.first(top) != history.stdout:
            raise Failed("live over two nodes and history of another are not the same bytes")


def scenario_slow_reader(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        slow = subscribe(cluster, [2], "--from", 1, "--all")
        slow.stdout.readline()      # it has subscribed
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
