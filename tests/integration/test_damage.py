#!/usr/bin/env python3
"""One flipped bit in what was synced: the node refuses to start and names the file, rather than forget
votes. Put right again, it starts with everything."""
import json
import random
import subprocess

import scenario
from cluster import Failed
from processes import Processes


TABLE_MAGIC_BYTES = 8   # last in a table


def submit(cluster, count):
    payloads = "\n".join("0x" + random.randbytes(500).hex() for _ in range(count)) + "\n"
    done = cluster.run("submit", "--node", cluster.url(0), "--rollup", 7, "--hex", "-", "--wait", stdin=payloads)
    return [json.loads(line) for line in done.stdout.splitlines()]


def flip(path, at):
    """Flips one bit; done twice, nothing has happened."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def files(cluster, suffix):
    return sorted(path for path in (cluster.node_dir(0) / "data").rglob(f"*{suffix}") if path.stat().st_size > 200)


def refuses_damage(cluster, path, at):
    flip(path, at)
    try:
        done = subprocess.run([cluster.bin / "sluiced", "--config", cluster.node_dir(0) / "sluiced.conf"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        raise Failed(f"starts with a flipped bit at {at} of {path.name}") from None
    lines = done.stderr.strip().splitlines()
    if done.returncode in (0, 134, -6, -11) or not lines or path.name not in lines[-1]:
        raise Failed(f"bit at {at} of {path.name}: exit {done.returncode}: {lines[-3:]}")
    flip(path, at)
    print(f"  {lines[-1]}")


def scenario_flipped_bits(bin_dir):
    with Processes(bin_dir, nodes=1) as cluster:
        cluster.start()
        ordered = submit(cluster, 200)
        cluster.kill(0)
        for path in files(cluster, ".log"):
            size = path.stat().st_size
            for at in (20, size // 3, size // 2):
                refuses_damage(cluster, path, at)
        cluster.start(0)
        cluster.stop(0)
        for path in files(cluster, ".sst"):     # a start reads the end of each table, of the rest some (STORAGE.md 4.6)
            refuses_damage(cluster, path, path.stat().st_size - TABLE_MAGIC_BYTES // 2)
        cluster.start(0)
        stream = cluster.run("subscribe", "--node", cluster.url(0), "--rollup", 7, "--from", 1,
                             "--to", max(answer["height"] for answer in ordered))
        there = {entry["id"] for line in stream.stdout.splitlines() for entry in json.loads(line)["entries"]}
        if there != {answer["id"] for answer in ordered}:
            raise Failed("not everything came back")


if __name__ == "__main__":
    scenario.main(globals())
