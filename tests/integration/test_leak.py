#!/usr/bin/env python3
"""Nothing of a sealed transaction's content is anywhere before its order is final and its unlock reached:
not on a node's disk, in its memory, its log, or on the wire; afterwards it is."""
import errno
import json
import os
import secrets
import socket
import struct
import threading
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from load import Load
from processes import Processes
from sealing import PATIENT, start
from standstill import heights, wait_still

AHEAD_MIN = 20      # heights, of a timelock; an idle chain makes one a second ...
AHEAD_HUNTS = 5     # ... and meanwhile one could hunt so often
ROLLUP = 77
ETH_P_ALL = 3
PAGE = os.sysconf("SC_PAGE_SIZE")
SHADOW_BYTES = 1 << 36


class Wire:
    """All that passes on the loopback interface, looked through for words; needs the right to listen."""

    def __init__(self, words):
        self.words, self.found, self.frames, self.failure = words, set(), 0, None
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.socket.bind(("lo", 0))
            self.socket.settimeout(0.2)
        except PermissionError as error:
            self.socket, self.failure = None, error
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def __enter__(self):
        if self.socket:
            self.thread.start()
        else:
            print(f"the wire is not looked at: {self.failure}")
        return self

    def __exit__(self, *_):
        self.ending.set()
        if self.socket:
            self.thread.join()
            self.socket.close()

    def listen(self):
        before = b""
        while not self.ending.is_set():
            try:
                frame = self.socket.recv(1 << 17)
            except TimeoutError:
                continue
            self.frames += 1
            for word in self.words:
                if word in frame or word in before[-len(word):] + frame[:len(word)]:
                    self.found.add(word)
            before = frame

    def check_clean(self, word):
        if self.socket and word in self.found:
            raise Failed("the content passed over the loopback interface")
        if self.socket and self.frames == 0:
            raise Failed("the listener hears nothing")


def holds(path, words):
    """Which of the words a file has; read in pieces that overlap."""
    found, before, overlap = set(), b"", max(map(len, words)) - 1
    with open(path, "rb") as file:
        while piece := file.read(1 << 22):
            text = before + piece
            found |= {word for word in words if word in text}
            before = text[-overlap:]
    return found


def on_disk(cluster, node, words):
    """Words in the node's directory: its store, its log, all else but what a reader can be given."""
    found = set()
    for path in cluster.node_dir(node).rglob("*"):
        if path.is_file():
            try:
                found |= holds(path, words)
            except FileNotFoundError:
                pass  # a file that RocksDB replaced meanwhile
    return found


def present_pages(pid, first, last):
    """Runs of pages of [first, last) that are in memory, as (address, bytes)."""
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
        pagemap.seek(first // PAGE * 8)
        left, at, start = (last - first) // PAGE, first, None
        while left > 0:
            piece = pagemap.read(min(left, 1 << 16) * 8)
            if not piece:
                break
            for (entry,) in struct.iter_unpack("=Q", piece):
                here = entry >> 62 != 0  # present, or swapped
                if here and start is None:
                    start = at
                if not here and start is not None:
                    yield start, at - start
                    start = None
                at += PAGE
            left -= len(piece) // 8
        if start is not None:
            yield start, at - start


def in_memory(cluster, node, words):
    """Words in the process's memory: its core image, and also what is marked as not to be dumped. A
    sanitizer's shadow, terabytes without content, is left out."""
    pid, found, overlap = cluster.processes[node].pid, set(), max(map(len, words)) - 1
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps.read().splitlines():
            span, rights = line.split()[:2]
            first, last = (int(word, 16) for word in span.split("-"))
            if rights[0] != "r" or last - first > SHADOW_BYTES or "[v" in line:
                continue
            for at, length in present_pages(pid, first, last):
                text = b""
                memory.seek(at)
                while length > 0:
                    try:
                        piece = memory.read(min(length, 1 << 22))
                    except OSError as error:
                        if error.errno != errno.EIO:
                            raise
                        break   # it was given back meanwhile
                    if not piece:
                        break
                    text = text[-overlap:] + piece
                    found |= {word for word in words if word in text}
                    length -= len(piece)
    return found


def submit(cluster, node, text, *options):
    payload = "0x" + text.encode().hex() + "\n"
    done = cluster.run("submit", "--node", cluster.url(node), "--genesis", cluster.dir / "genesis.json",
                       "--rollup", ROLLUP, "--sealed", *options, "--hex", "-", stdin=payload)
    return json.loads(done.stdout.splitlines()[0])


def opened(cluster, node):
    """{payload: its height} of what the rollup's subscriber was shown up to now."""
    height, = heights(cluster, node)
    lines = cluster.run("subscribe", "--node", cluster.url(node), "--rollup", ROLLUP, "--from", 1,
                        "--to", height, "--genesis", cluster.dir / "genesis.json").stdout
    return {bytes.fromhex(entry["payload"][2:]).decode(): record["height"]
            for record in map(json.loads, lines.splitlines()) for entry in record["entries"]}


def hunt(cluster, word, nodes, where):
    for node in nodes:
        if on_disk(cluster, node, [word]):
            raise Failed(f"{where}: the content is in a file of node {node}")
        if in_memory(cluster, node, [word]):
            raise Failed(f"{where}: the content is in the memory of node {node}")


def check_known_words(cluster):
    """The hunt finds what is there: the name of the chain's own log lines, and a header in memory. Returns how many
    seconds it takes."""
    began = time.monotonic()
    for node in range(cluster.nodes):
        if not on_disk(cluster, node, [b"event="]) or not in_memory(cluster, node, [b"sluice/1/"]):
            raise Failed(f"the hunt does not find what is known to be there, at node {node}")
    return time.monotonic() - began


def scenario_timelock(bin_dir):
    text = "leak hunt, timelocked: " + secrets.token_hex(24)
    word = text.encode()
    with Processes(bin_dir) as cluster, Wire([word]) as wire:
        start(cluster)
        hunt_s = check_known_words(cluster)
        unlock = heights(cluster, 0)[0] + max(AHEAD_MIN, int(AHEAD_HUNTS * hunt_s))
        entry = submit(cluster, 0, text, "--unlock-height", unlock, "--wait")
        if entry.get("outcome") != "ordered":
            raise Failed(f"the sealed transaction was not ordered: {entry}")
        hunt(cluster, word, range(4), "ordered, before its unlock")
        wire.check_clean(word)
        if text in opened(cluster, 1):
            raise Failed("it was opened before its unlock")
        now = max(heights(cluster, *range(4)))
        print(f"  a hunt takes {hunt_s:.1f} s; at its end height {now}, the unlock is at {unlock}")
        if now >= unlock:
            raise Failed("the hunt took longer than the timelock: it says nothing")
        load = Load(cluster, nodes=[0, 1])      # heights come faster with it
        for node in range(4):
            cluster.wait_height(node, unlock)
        load.finish(foreign=[ROLLUP])
        for node in range(4):
            if opened(cluster, node).get(text) != unlock:
                raise Failed(f"node {node} shows it at {opened(cluster, node).get(text)}, not {unlock}")
            if not on_disk(cluster, node, [word]) and not in_memory(cluster, node, [word]):
                raise Failed(f"node {node} shows it, and the hunt does not find it")


def scenario_finality_held_up(bin_dir):
    text = "leak hunt, no quorum: " + secrets.token_hex(24)
    word = text.encode()
    with Processes(bin_dir, params=PATIENT) as cluster, Wire([word]) as wire:
        start(cluster)
        with cluster.paused(2, 3):
            before = wait_still(lambda: heights(cluster, 0, 1), "heights of two of four nodes")
            submit(cluster, 0, text)
            if wait_still(lambda: heights(cluster, 0, 1), "heights of two of four nodes") != before:
                raise Failed("blocks became final without a quorum")
            hunt(cluster, word, range(4), "two of four stopped")
            if heights(cluster, 0, 1) != before:
                raise Failed("blocks became final without a quorum")
            wire.check_clean(word)
        for node in range(4):
            wait_until(lambda n=node: text in opened(cluster, n), ORDER_S, f"node {node} shows it")


if __name__ == "__main__":
    scenario.main(globals())
