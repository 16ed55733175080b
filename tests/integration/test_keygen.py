#!/usr/bin/env python3
"""The committee's key: generated in the stream at the first start, with a node away and when it is back,
through crashes; shares and seeds are nowhere but in the key files."""
import json
import time
from pathlib import Path

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes

# On a busy machine a node may deal or be READY late; with this no attempt is given up for that.
PATIENT = {"keygen_window_ms": 60_000}


def sealing(cluster, node):
    return cluster.wait_status(node)["sealing"]


def wait_key(cluster, nodes, k, seconds=ORDER_S):
    def ready():
        keys = [sealing(cluster, node)["key"] for node in nodes]
        return all(key and key["k"] == k and key["has_share"] for key in keys)
    wait_until(ready, seconds, f"nodes {nodes} have a key of threshold {k}")
    keys = [sealing(cluster, node)["key"] for node in nodes]
    if any(key != keys[0] for key in keys):
        raise Failed(f"nodes differ about the key: {keys}")
    return keys[0]


def scenario_first_start(bin_dir):
    with Processes(bin_dir, params=PATIENT) as cluster:
        cluster.start()
        key = wait_key(cluster, range(4), 3)
        if key["qualified"] != [0, 1, 2, 3]:
            raise Failed(f"not all dealers are qualified: {key}")
        lines = cluster.run("subscribe", "--node", cluster.url(1), "--rollup", "0", "--from", "1",
                            "--to", str(key["from_height"])).stdout.splitlines()
        said = []
        for line in map(json.loads, lines):
            for entry in line["entries"]:
                body = bytes.fromhex(entry["payload"][2:])
                said.append((entry["kind"], body[1], int.from_bytes(body[2:4], "little")))
        want = {("keygen", phase, node) for phase in (0, 2) for node in range(4)}
        if set(said) != want or len(said) != len(want):
            raise Failed(f"dealings and READYs in the stream: {said}")
        # Every node down and up again, one after another, then all at once: the key is the same.
        for node in range(4):
            cluster.kill(node)
            cluster.start(node)
            cluster.wait_ordering(node)
        cluster.kill_all()
        cluster.start()
        cluster.wait_ordering()
        again = wait_key(cluster, range(4), 3)
        if again != key:
            raise Failed(f"after restarts another key: {key} {again}")
        cluster.kill_all()  # a running store makes files and deletes them
        leak_hunt(cluster)


def leak_hunt(cluster):
    for node in range(4):
        seed = Path(cluster.node_dir(node), "seal.key").read_text().strip()
        if len(seed) != 64:
            raise Failed(f"node {node}: seal.key is not 64 digits")
        for path in Path(cluster.node_dir(node)).rglob("*"):
            if not path.is_file() or path.name == "seal.key":
                continue
            data = path.read_bytes()
            if seed.encode() in data or bytes.fromhex(seed) in data:
                raise Failed(f"{path} holds the seed of node {node}")


def scenario_one_away_then_back(bin_dir):
    params = {"keygen_window_ms": 1000, "keygen_retry_ms": 2500}
    with Processes(bin_dir, params=params) as cluster:
        cluster.start(0, 1, 2)
        key = wait_key(cluster, range(3), 2, 60)
        if key["qualified"] != [0, 1, 2]:
            raise Failed(f"who is away is no dealer: {key}")
        if sealing(cluster, 0)["attempt"] < 2:
            raise Failed("the first attempt needs every node")
        cluster.start(3)
        better = wait_key(cluster, range(4), 3, 90)
        if better["from_height"] <= key["from_height"]:
            raise Failed("the better key is not newer")


def scenario_crashes_in_the_middle(bin_dir):
    with Processes(bin_dir, params=PATIENT) as cluster:
        cluster.start()
        for node in range(4):
            time.sleep(0.05 * node)
            cluster.kill(node)
            cluster.start(node)
        wait_key(cluster, range(4), 3)


if __name__ == "__main__":
    scenario.main(globals())
