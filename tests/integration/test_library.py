#!/usr/bin/env python3
"""Programs that submit and read through the installed library, outside the tree, to real nodes, some of which die."""
import json
import re
import subprocess

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from package import ROOT, package

ROLLUP = 7
LIST = 20     # transactions of one call of flood.c
STRIKE = 80   # so many are ordered when a node is struck, ...
AFTER = 320   # ... and so many afterwards, at least


def urls(cluster):
    return [cluster.url(node) for node in range(cluster.nodes)]


def entries(cluster, node, rollup):
    """[(height, entry)] of a rollup's whole stream."""
    height = cluster.height(node)
    lines = cluster.run("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", height).stdout
    return [(line["height"], entry) for line in map(json.loads, lines.splitlines()) for entry in line["entries"]]


def places(cluster, node, height):
    """{payload: [(height, index) where it was ordered]} of the rollup's plain and opened entries, once the node has
    come to this height."""
    cluster.wait_height(node, height)
    found = {}
    for height, entry in entries(cluster, node, ROLLUP):
        where = entry.get("ordered", {"height": height, "index": entry["index"]})
        payload = bytes.fromhex(entry["payload"][2:]).decode()
        found.setdefault(payload, []).append((where["height"], where["index"]))
    return found


class Flood:
    """tests/integration/flood.c over all nodes, from its start to the comparison of its words with the stream."""

    def __init__(self, bin_dir, cluster, stdin=subprocess.PIPE):
        """Goes on until end() when `stdin` is a pipe, else after one list."""
        p = package(bin_dir)
        program = p.home / "flood"
        p.compile(ROOT / "tests" / "integration" / "flood.c", program)
        self.cluster, self.said = cluster, []
        self.errors = open(p.home / "flood.err", "w+")
        self.process = p.start(program, cluster.dir / "genesis.json", ROLLUP, *urls(cluster), stderr=self.errors,
                               stdin=stdin)

    def read(self, more=None):
        """Until it has told so many places, or all."""
        while more != 0 and (line := self.process.stdout.readline()):
            self.said.append(line.split())
            more = more and more - 1

    def end(self, more):
        """After so many more all is ordered once, where it says, though it had to leave node 0."""
        self.read(more)
        if self.process.stdin:
            self.process.stdin.close()
        self.read()
        code = self.process.wait()
        self.errors.seek(0)
        trouble = self.errors.read()
        if code != 0:
            raise Failed(f"exit {code}, {len(self.said)} ordered: {trouble}")
        if self.cluster.url(0) not in trouble:
            raise Failed(f"it should have left node 0: {trouble or 'no trouble'}")
        found = places(self.cluster, 1, max(int(height) for _, height, _ in self.said))
        for payload, height, index in self.said:
            if found.get(payload) != [(int(height), int(index))]:
                raise Failed(f"{payload}: told at {height}, {index}; the stream has it at {found.get(payload)}")
        if len(found) != len(self.said):
            raise Failed(f"the stream has {len(found)}, of {len(self.said)}")
        print(f"  {trouble.splitlines()[0]}")


def scenario_example(bin_dir):
    """The examples say where a line was ordered, and read it there, linked either way, with a dead node among their
    URLs, too."""
    p = package(bin_dir)
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        readers = []
        for static in (False, True):
            program = p.home / f"reader-{static}"
            p.compile(ROOT / "deploy" / "examples" / "reader.c", program, static)
            readers.append(p.start(program, cluster.dir / "genesis.json", ROLLUP, 1, *urls(cluster),
                                   stderr=subprocess.DEVNULL))
        for static in (False, True):
            program = p.home / f"submit-{static}"
            p.compile(ROOT / "deploy" / "examples" / "submit.c", program, static)
            text = f"a line of text, {static}"
            said = p.run(program, cluster.dir / "genesis.json", ROLLUP, text, *urls(cluster))
            where = re.fullmatch(r"height (\d+) index (\d+)\n", said)
            if not where:
                raise Failed(f"said {said!r}")
            found = places(cluster, 3, int(where[1])).get(text)
            if found != [(int(where[1]), int(where[2]))]:
                raise Failed(f"said {said!r}, but the stream has it at {found}")
            for reader in readers:
                line = reader.stdout.readline()
                if line != f"height {where[1]} index {where[2]}: {text}\n":
                    raise Failed(f"{said.strip()} for {text!r}, and the reader got {line!r}")
            if not static:
                cluster.kill(0)
        for reader in readers:
            reader.kill()
            reader.wait()


def scenario_killed(bin_dir):
    """kill -9 of the node in use."""
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        flood = Flood(bin_dir, cluster)
        flood.read(STRIKE)
        cluster.kill(0)
        flood.end(AFTER)


def scenario_stalled(bin_dir):
    """It does not die, but falls silent."""
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        flood = Flood(bin_dir, cluster)
        flood.read(STRIKE)
        cluster.pause(0)
        flood.end(AFTER)


def scenario_lost(bin_dir):
    """A list is accepted by a node that dies before it has told anyone: the others get it from the library."""
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        cluster.wait_status(0, lambda status: status["sealing"].get("key"), what="has a key")
        for node in (1, 2, 3):
            cluster.kill(node)
        flood = Flood(bin_dir, cluster, subprocess.DEVNULL)
        wait_until(lambda: cluster.metrics(0)["sluice_txs_accepted_total"] == LIST, ORDER_S, "the list accepted")
        cluster.kill(0)
        cluster.start(1, 2, 3)
        flood.end(LIST)


if __name__ == "__main__":
    scenario.main(globals())
