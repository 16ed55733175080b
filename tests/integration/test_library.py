#!/usr/bin/env python3
"""Programs that submit and read through the installed library, outside the tree, to real nodes, some of which die."""
import json
import re
import subprocess

import scenario
from cluster import Failed, wait_until
from processes import Processes
from package import ROOT, package

ROLLUP = 7
LIST = 20     # transactions of one call of flood.c
FLOOD = 400   # in all
STRIKE = 80   # so many are ordered when a node is struck


def urls(cluster):
    return [cluster.url(node) for node in range(cluster.nodes)]


def entries(cluster, node, rollup):
    """[(height, entry)] of a rollup's whole stream."""
    height = cluster.height(node)
    lines = cluster.run("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", height).stdout
    return [(line["height"], entry) for line in map(json.loads, lines.splitlines()) for entry in line["entries"]]


def places(cluster, node):
    """{payload: [(height, index) where it was ordered]} of the rollup's plain and opened entries."""
    found = {}
    for height, entry in entries(cluster, node, ROLLUP):
        where = entry.get("ordered", {"height": height, "index": entry["index"]})
        payload = bytes.fromhex(entry["payload"][2:]).decode()
        found.setdefault(payload, []).append((where["height"], where["index"]))
    return found


class Flood:
    """tests/integration/flood.c over all nodes, from its start to the comparison of its words with the stream."""

    def __init__(self, bin_dir, cluster, count):
        p = package(bin_dir)
        program = p.home / "flood"
        p.compile(ROOT / "tests" / "integration" / "flood.c", program)
        self.cluster, self.count, self.said = cluster, count, []
        self.errors = open(p.home / "flood.err", "w+")
        self.process = p.start(program, cluster.dir / "genesis.json", ROLLUP, count, *urls(cluster), stderr=self.errors)

    def read(self, lines):
        """Until it has told so many places."""
        while len(self.said) < lines and (line := self.process.stdout.readline()):
            self.said.append(line.split())

    def end(self):
        """All is ordered once, where it says, though it had to leave node 0."""
        self.read(self.count)
        code = self.process.wait(90)
        self.errors.seek(0)
        trouble = self.errors.read()
        if code != 0 or len(self.said) != self.count:
            raise Failed(f"exit {code}, {len(self.said)} of {self.count} ordered: {trouble}")
        if self.cluster.url(0) not in trouble:
            raise Failed(f"it should have left node 0: {trouble or 'no trouble'}")
        found = places(self.cluster, 1)
        for payload, height, index in self.said:
            if found.get(payload) != [(int(height), int(index))]:
                raise Failed(f"{payload}: told at {height}, {index}; the stream has it at {found.get(payload)}")
        if len(found) != self.count:
            raise Failed(f"the stream has {len(found)} of {self.count}")
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
            if not where or places(cluster, 3).get(text) != [(int(where[1]), int(where[2]))]:
                raise Failed(f"said {said!r}, but the stream has it at {places(cluster, 3).get(text)}")
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
        flood = Flood(bin_dir, cluster, FLOOD)
        flood.read(STRIKE)
        cluster.kill(0)
        flood.end()


def scenario_stalled(bin_dir):
    """It does not die, but falls silent."""
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        flood = Flood(bin_dir, cluster, FLOOD)
        flood.read(STRIKE)
        cluster.pause(0)
        flood.end()


def scenario_lost(bin_dir):
    """A list is accepted by a node that dies before it has told anyone: the others get it from the library."""
    with Processes(bin_dir, nodes=4) as cluster:
        cluster.start()
        wait_until(lambda: cluster.status(0)["sealing"].get("key"), 20, "a key")
        for node in (1, 2, 3):
            cluster.kill(node)
        flood = Flood(bin_dir, cluster, LIST)
        wait_until(lambda: cluster.metrics(0)["sluice_txs_accepted_total"] == LIST, 20, "the list accepted")
        cluster.kill(0)
        cluster.start(1, 2, 3)
        flood.end()


if __name__ == "__main__":
    scenario.main(globals())
