#!/usr/bin/env python3
"""Clients that send anything: the node stays up and bounded, and an honest client beside them works."""
import json
import random
import resource
import socket
import struct
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from hostile import HELD_MAX, KINDS, Hostile
from processes import Processes
from load import Load

VICTIM = 0
IDLE = 1500
GROWTH_MAX_BYTES = 200 << 20    # resident
LOG_MINUTE_MAX_BYTES = 20_000   # lines that others can bring about are limited in each minute
FILES_MAX = 1024                # that a node may have open
HONEST_MAX_S = 30               # one portion of the honest client, end to end, on a busy machine


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def send_and_drop(port, data):
    """Sends what it can and looks at no answer: the node may shut the door at any time."""
    try:
        with connect(port) as s:
            s.sendall(data)
    except OSError:
        pass


def reset(port, data):
    """Closes with a reset instead of an end."""
    try:
        with connect(port) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(data)
    except OSError:
        pass


def hello(rng):
    """A well-formed beginning of an anonymous client's handshake (link/handshake.h)."""
    return b"SLNK" + struct.pack("<HBBH", 1, 1, 0, 0xFFFF) + bytes(32) + rng.randbytes(32)


def turned_away(cluster):
    """{reason: count} of the handshakes that failed."""
    return {name: int(value) for name, value in cluster.metrics(VICTIM).items()
            if name.startswith("sluice_handshakes_failed_total") and value}


def scenario_garbage(bin_dir):
    rng = random.Random(1)
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[VICTIM, 1])
        load.wait_ordered(40)
        before = cluster.resident_bytes(VICTIM)
        ports = [cluster.client_port(VICTIM), cluster.peer_port(VICTIM), cluster.peer_port(VICTIM) + 2]
        held = [connect(ports[0])]
        held[0].sendall(hello(rng))
        if held[0].recv(6) != b"SLNK" + struct.pack("<H", 1):
            raise Failed("a well-formed hello was not answered: this test no longer knows the handshake")
        for port in ports:
            for _ in range(30):
                send_and_drop(port, rng.randbytes(rng.randrange(1, 5000)))
                send_and_drop(port, b"SLNK" + rng.randbytes(200))
            send_and_drop(port, b"\xff\xff\xff\xff" + bytes(100_000))            # a length of 2^32 - 1
            send_and_drop(port, hello(rng) + b"\xff\xff\xff\xff" + bytes(100_000))
            half = connect(port)
            half.sendall(hello(rng)[:30])                                        # half a message, held
            held.append(half)
        load.wait_ordered(40)
        check_unharmed(cluster, load, before)
        wait_until(lambda: sum(turned_away(cluster).values()) >= 100, ORDER_S, "the node counts what it turned away")
        print(turned_away(cluster))
        for s in held:
            s.close()
        load.finish()


def scenario_resets_while_paused(bin_dir):
    rng = random.Random(2)
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[VICTIM, 1])
        load.wait_ordered(40)
        before = cluster.resident_bytes(VICTIM)
        for _ in range(3):
            cluster.pause(VICTIM)
            for port in (cluster.client_port(VICTIM), cluster.peer_port(VICTIM)):
                for _ in range(60):
                    reset(port, hello(rng))
            cluster.resume(VICTIM)
            load.wait_ordered(40)
        check_unharmed(cluster, load, before)
        load.finish()


def scenario_idle_connections(bin_dir):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * IDLE)), hard))
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster, nodes=[VICTIM, 1])
        load.wait_ordered(40)
        before = cluster.resident_bytes(VICTIM)
        idle = [connect(cluster.client_port(VICTIM)) for _ in range(count)]
        load.wait_ordered(100)
        check_unharmed(cluster, load, before)
        for s in idle:
            s.close()
        load.finish()


def scenario_few_descriptors(bin_dir):
    """More connections than the node may have files: the store still gets its own."""
    with Processes(bin_dir) as cluster:
        few = cluster.home / "sluiced-with-few-files"
        few.write_text(f'#!/bin/sh\nulimit -n {FILES_MAX}\nexec {cluster.bin.resolve()}/sluiced "$@"\n')
        few.chmod(0o755)
        cluster.programs[VICTIM] = few
        cluster.start()
        load = Load(cluster, nodes=[1])
        before = cluster.resident_bytes(VICTIM)
        crowd = [Hostile("slow_loris", [("127.0.0.1", cluster.client_port(VICTIM))])
                 for _ in range(FILES_MAX // HELD_MAX + 1)]

        def tables():
            return len(list(cluster.data_dir(VICTIM).glob("*.sst")))
        until = tables() + 1    # the store opens new files meanwhile
        while tables() < until or sum(hostile.counts["connections"] for hostile in crowd) < 2 * FILES_MAX:
            bulk = "\n".join("0x" + random.randbytes(100_000).hex() for _ in range(30)) + "\n"
            cluster.run("submit", "--node", cluster.url(1), "--rollup", 9, "--hex", "-", "--wait", stdin=bulk)
            cluster.check_alive()
        print("  " + "; ".join(str(hostile.stop()) for hostile in crowd))
        check_unharmed(cluster, load, before)
        load.finish(foreign=[9])


def scenario_every_kind_everywhere(bin_dir):
    with Processes(bin_dir) as cluster:
        cluster.start()
        load = Load(cluster)
        load.wait_ordered(40)
        before = cluster.resident_bytes(VICTIM)
        hostiles = [Hostile(kind, [("127.0.0.1", port) for port in (cluster.client_port(node), cluster.peer_port(node))],
                            rate=50, seed=node) for kind in KINDS for node in range(cluster.nodes)]
        logs = [(cluster.node_dir(node) / "log").stat().st_size for node in range(cluster.nodes)]
        started = time.monotonic()
        load.wait_ordered(2000)
        for kind, hostile in zip((kind for kind in KINDS for _ in range(cluster.nodes)), hostiles):
            print(f"  {kind}: {hostile.stop()}")
        grown = [(cluster.node_dir(node) / "log").stat().st_size - logs[node] for node in range(cluster.nodes)]
        minutes = 2 + int((time.monotonic() - started) / 60)    # that were begun
        print(f"  their logs grew by {grown} bytes")
        if max(grown) > minutes * LOG_MINUTE_MAX_BYTES:
            raise Failed(f"their logs grew by {grown} bytes in {minutes} minutes")
        check_unharmed(cluster, load, before)
        load.finish()


def scenario_one_rollup_floods(bin_dir):
    flooding = 9
    with Processes(bin_dir) as cluster:
        for node in range(cluster.nodes):
            cluster.configure(node, "admission", "rollup_tx_per_s", 200)
            cluster.configure(node, "admission", "rollup_tx_burst", 200)
        cluster.start()
        load = Load(cluster, nodes=[VICTIM, 1], pause_s=0.5)    # at most half of that
        load.wait_ordered(40)
        before = cluster.resident_bytes(VICTIM)
        reasons = set()
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            flood = "\n".join("0x" + random.randbytes(300).hex() for _ in range(3000)) + "\n"
            done = cluster.run("submit", "--node", cluster.url(VICTIM), "--rollup", flooding, "--hex", "-",
                               stdin=flood, check=False)
            reasons |= {answer.get("reason") for answer in map(json.loads, done.stdout.splitlines())
                        if answer["status"] == "refused"}
        print(f"the flood was refused: {reasons}")
        if reasons != {"rate_rollup"}:
            raise Failed(f"the flood of one rollup met {reasons}")
        load.wait_ordered(40)
        if any(s.status == "refused" for submitter in load.submitters for s in submitter.journal):
            raise Failed("the honest rollup was refused for the flood of another")
        check_unharmed(cluster, load, before)
        load.finish(foreign=[flooding])


def check_unharmed(cluster, load, before):
    cluster.check_alive()
    grown = cluster.resident_bytes(VICTIM) - before
    slowest = max(submitter.slowest_s for submitter in load.submitters)
    if grown > GROWTH_MAX_BYTES:
        raise Failed(f"resident memory grew by {grown >> 20} MiB")
    if slowest > HONEST_MAX_S:
        raise Failed(f"the honest client waited {slowest:.1f} s")
    print(f"resident +{grown >> 20} MiB")


if __name__ == "__main__":
    scenario.main(globals())
