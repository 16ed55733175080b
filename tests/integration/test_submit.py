#!/usr/bin/env python3
"""A client whose node hangs, with its connection open, goes on with the next one."""
import json
import random
import subprocess
import time

import scenario
from cluster import Failed
from processes import Processes

STALL_MS = 5000 # longer than a busy machine keeps a node from answering
LEFT_S = 25     # longest that it may take to leave the node: the stall, and a busy machine


def line():
    return "0x" + random.randbytes(200).hex()


def answer(client):
    said = client.stdout.readline()
    if not said:
        raise Failed(f"the client ended with {client.wait()}: {client.stderr.read()}")
    return json.loads(said)


def scenario_hanging_node(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        client = subprocess.Popen(
            cluster.client("submit", "--node", f"{cluster.url(0)},{cluster.url(1)}", "--rollup", 7, "--hex", "-", "--wait",
                           "--stall-ms", STALL_MS), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, bufsize=1)
        client.stdin.write(line() + "\n")
        if answer(client)["outcome"] != "ordered":
            raise Failed("not even the first one is ordered")
        cluster.pause(0)
        began = time.monotonic()
        client.stdin.write(line() + "\n")
        first = answer(client)      # that nobody promised anything about
        client.stdin.write(line() + "\n")
        second, took = answer(client), time.monotonic() - began
        cluster.resume(0)
        client.stdin.close()
        print(f"  {first['outcome']} ({first['reason']}), then {second['outcome']}, {took:.1f} s after it hung")
        if first["reason"] != "connection_lost" or second["outcome"] != "ordered" or took > LEFT_S:
            raise Failed(f"it stays with a node that hangs: {first}, {second}, {took:.1f} s")
        client.wait()


if __name__ == "__main__":
    scenario.main(globals())
