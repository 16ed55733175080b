#!/usr/bin/env python3
"""Releases over real nodes: certificates form at once on every node, survive the death of all, reach a node that
was away; each node serves any run of them, and a reader that believes nobody finds the same in all. A node whose
state is another one stops."""
import statistics
import subprocess
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import ROLLUP, Load
from raw_client import RawClient, field, fields
from release_reader import ReleaseReader

SAMPLES = 12
CERTIFIED_S = 1         # from delivered to certified, usually
# Clause 8.6: a signature heard live may certify so many heights that a node missed, and more only when there were no
# lower ones for so long; here somebody has them.
RUN_LONG, NONE_LOWER = 512, {"standstill_ms": 30_000}
NOBODYS_ROLLUP = 4_000_000
SPACE, QUEUE_PART_AT = 13, 8 + 32 + 32  # of the record: the second part of the state, behind time and block
PROOF, PROOF_REPLY = 12, 13     # fields of requests and replies


def certified(cluster, node):
    return int(cluster.metrics(node)["sluice_certified_height"])


def wait_certified(cluster, height, *nodes):
    for node in nodes or range(cluster.nodes):
        wait_until(lambda: certified(cluster, node) >= height, ORDER_S, f"node {node} has certificates up to {height}")


def same_everywhere(cluster, first, last, nodes):
    """Each of these nodes gives the same verified stream; returns its entries of ROLLUP."""
    streams = [ReleaseReader(cluster, node).read(ROLLUP, first, last) for node in nodes]
    if any(stream != streams[0] for stream in streams):
        raise Failed("verified streams of two nodes differ")
    everything = ReleaseReader(cluster, nodes[0]).read(0, first, last)
    for height, entries in everything.items():
        if [entry for entry in entries if entry[1] == ROLLUP] != streams[0][height]:
            raise Failed(f"height {height}: the rollup's list is not what all rollups' has of it")
    if any(ReleaseReader(cluster, nodes[0]).read(NOBODYS_ROLLUP, first, last).values()):
        raise Failed("entries of a rollup that has none")
    return [entry for entries in streams[0].values() for entry in entries]


def scenario_certificates(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0, 1])
        load.wait_ordered(50)
        took = []
        for sample in range(SAMPLES):
            node = sample % cluster.nodes
            delivered, began = int(cluster.metrics(node)["sluice_height"]), time.monotonic()
            wait_until(lambda: certified(cluster, node) >= delivered, ORDER_S,
                       f"node {node} has a certificate for height {delivered}")
            took.append(time.monotonic() - began)
        print(f"  delivered to certified: median {statistics.median(took):.3f} s, at most {max(took):.3f} s")
        if statistics.median(took) > CERTIFIED_S:
            raise Failed(f"certificates take {took}")
        before = [reader.last() for reader in load.readers]     # what a node shows is on its disk
        cluster.kill_all()                      # with the load's connections: it goes on when they are back
        cluster.start()
        for node in range(cluster.nodes):
            if certified(cluster, node) < before[node]:
                raise Failed(f"node {node} showed certificates up to {before[node]} and lost some")
        load.finish()
        wait_certified(cluster, max(before) + 5)
        if not same_everywhere(cluster, 1, max(before) + 5, range(cluster.nodes)):
            raise Failed("nothing was read")


def scenario_away(bin_dir):
    with Processes(bin_dir, params=NONE_LOWER) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0, 1])
        load.wait_ordered(50)
        cluster.kill(3)
        left = certified(cluster, 0)
        load.wait_ordered(300)
        wait_until(lambda: certified(cluster, 0) > left + 40, ORDER_S, "the others go on")
        cluster.start(3)
        target = certified(cluster, 0)
        wait_certified(cluster, target, 3)
        load.finish()
        reader = ReleaseReader(cluster, 3)
        reader.read(ROLLUP, 1, target)
        runs = [above - below for below, above in zip([0] + reader.certificates, reader.certificates)]
        if max(runs) > RUN_LONG:
            raise Failed(f"a run is longer than lower certificates are waited for: {reader.certificates}")
        read = same_everywhere(cluster, 1, target, [0, 3])
        print(f"  {target - left} heights were certified without it; {len(read)} entries of {target} heights verified")
        for first in range(max(1, left - 3), left + 20, 4):           # and from the middle of any run
            same_everywhere(cluster, first, first + 5, [3])


def ask_proof(cluster, node, entry_id):
    with RawClient(cluster.client_port(node)) as client:
        client.send(field(1, 5) + field(PROOF, field(1, entry_id)))
        reply = dict(fields(next(client.replies())[PROOF_REPLY]))
        return reply.get(1, b""), reply.get(2, b"").decode()


def scenario_proofs(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0, 1])
        load.wait_ordered(50)
        load.finish()
        height = certified(cluster, 0)
        entries = [entry for each in ReleaseReader(cluster, 0).read(ROLLUP, 1, height).values() for entry in each]
        sizes = []
        for node in range(cluster.nodes):
            ReleaseReader(cluster, node).read(ROLLUP, height, height)   # it has all of them by then
            for entry in entries[::max(1, len(entries) // 8)]:
                proof, reason = ask_proof(cluster, node, entry[3])
                if not proof.startswith(b"SLPROOF") or entry[5] not in proof:
                    raise Failed(f"no proof of an entry: {reason}")
                sizes.append(len(proof))
        print(f"  proofs of {min(sizes)} to {max(sizes)} bytes")
        if ask_proof(cluster, 2, bytes(32)) != (b"", "unknown"):
            raise Failed("a proof of nothing")


def scenario_diverged(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[0, 1], readers=[0, 1, 2])
        load.wait_ordered(50)
        cluster.stop(3)
        chain_id = cluster.status(0)["chain_id"]
        subprocess.run([cluster.bin / "doctor", cluster.node_dir(3) / "data", chain_id, "3", str(SPACE), str(QUEUE_PART_AT)],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        cluster.spawn(3)
        try:
            code = cluster.processes[3].wait(ORDER_S)
        except subprocess.TimeoutExpired:
            raise Failed("a node with another state goes on") from None
        log = cluster.log_tail(3, 10_000)
        said = [line for line in log.splitlines() if "event=diverged" in line]
        if code != 1 or len(said) != 1 or "event=failed reason=" not in log:
            raise Failed(f"exit {code}, said {said}")
        words = dict(word.split("=", 1) for word in said[0].split() if "=" in word)
        print(f"  {said[0]}")
        if words["state"] == words["their_state"] or len(words["state"]) != 64:
            raise Failed("not both state digests")
        height = certified(cluster, 0)
        load.wait_ordered(30)
        load.finish()
        wait_certified(cluster, height + 1, 0, 1, 2)
        if same_everywhere(cluster, 1, height + 1, [0, 1, 2]) == []:
            raise Failed("nothing was read")


if __name__ == "__main__":
    scenario.main(globals())
