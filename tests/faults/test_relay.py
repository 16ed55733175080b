#!/usr/bin/env python3
"""sluice-relay between two ends of a connection: what it carries, what it does to it when told to, and what it takes.
Usage: test_relay.py --bin DIR"""
import argparse
import os
import pathlib
import random
import select
import signal
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import unittest

from cluster import Failed
from links import Links, every_pair
from processes import ENVIRONMENT, free_base_port

SOON_S = 0.2        # within which what can pass has passed
LATE_S = 60         # within which what must come has come, on a machine that stands still for seconds, too
AT_ONCE_S = 5       # the same, where the alternative is LATE_S
HELD_MAX = 4 << 20  # RELAY_WINDOW_BYTES_MAX
KERNEL_MAX = 12 << 20   # what the sender's and the relay's sockets hold beside it
RESIDENT_MAX = 16 << 20     # growth by a full lane
RATE_MIN = 50e6     # bytes a second of its processor time, plainly
LOST = [7]     # of the segments of test_loss
program = None


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    return parser.parse_known_args()


def receive(end, count):
    """`count` bytes, or as many as come before the end."""
    parts = []
    while count > 0 and (part := end.recv(min(count, 1 << 18))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def sending(end, data):
    thread = threading.Thread(target=end.sendall, args=(data,), daemon=True)
    thread.start()
    return thread


def readable(end, seconds=SOON_S):
    return bool(select.select([end], [], [], seconds)[0])


def writable(end):
    return bool(select.select([], [end], [], SOON_S)[1])


def reset(end):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


class Case(unittest.TestCase):
    """A relay between two nodes: 0 dials, 1 is dialed."""
    seed = 1

    def setUp(self):
        self.base = free_base_port(3)
        self.server = self.listen()
        pairs = every_pair([("127.0.0.1", self.base + 2), ("127.0.0.1", self.base + 2)], self.base + 1)
        self.links = Links([program], pairs, ("127.0.0.1", self.base), seed=self.seed)
        self.addCleanup(self.links.close)

    def listen(self):
        server = socket.create_server(("127.0.0.1", self.base + 2))
        server.settimeout(LATE_S)
        self.addCleanup(server.close)
        return server

    def dial(self):
        near = socket.create_connection(("127.0.0.1", self.base + 1), timeout=LATE_S)
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(near.close)
        return near

    def accept(self):
        far = self.server.accept()[0]
        far.settimeout(LATE_S)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.addCleanup(far.close)
        return far

    def connect(self):
        return self.dial(), self.accept()

    def took(self, source, target):
        """Seconds of a byte's way."""
        started = time.monotonic()
        source.sendall(b"x")
        self.assertEqual(target.recv(2), b"x")
        return time.monotonic() - started

    def status(self, field):
        text = pathlib.Path(f"/proc/{self.links.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(field))) << 10

    def processor_s(self):
        fields = pathlib.Path(f"/proc/{self.links.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Carries(Case):
    def both_ways(self, count):
        near, far = self.connect()
        rng = random.Random(7)
        there, back = rng.randbytes(count), rng.randbytes(count)
        threads = [sending(near, there), sending(far, back)]
        got = {}
        reader = threading.Thread(target=lambda: got.update(back=receive(near, count)), daemon=True)
        reader.start()
        self.assertTrue(receive(far, count) == there)
        for thread in [*threads, reader]:
            thread.join(LATE_S)
        self.assertTrue(got["back"] == back)

    def test_plainly(self):
        self.both_ways(8 << 20)

    def test_slow_and_lossy(self):
        self.links.shape(delay_ms=4, jitter_ms=8, loss=3)
        self.both_ways(1 << 20)

    def test_links_that_change(self):
        """Nothing is lost or overtaken where delays shrink and cuts come and go under way."""
        near, far = self.connect()
        data = random.Random(3).randbytes(6 << 20)
        sender = sending(near, data)
        got = []
        reader = threading.Thread(target=lambda: got.append(receive(far, len(data))), daemon=True)
        reader.start()
        for k in range(12):
            self.links.shape(delay_ms=(40, 0, 5)[k % 3], jitter_ms=3 * (k % 2), loss=k % 4, rate=(0, 4e6)[k % 2])
            self.links.one_way(0, 1)
            time.sleep(0.02)
            self.links.command("heal 0 1")
            time.sleep(0.03)
        self.links.heal()
        sender.join(LATE_S)
        reader.join(LATE_S)
        self.assertTrue(got == [data])

    def test_throughput(self):
        near, far = self.connect()
        count = 64 << 20
        started, before = time.monotonic(), self.processor_s()
        sending(near, bytes(count))
        self.assertEqual(len(receive(far, count)), count)
        took, worked = time.monotonic() - started, self.processor_s() - before
        print(f"{count / took / 1e6:.0f} MB/s, {count / max(worked, 0.01) / 1e6:.0f} MB in a second of work", flush=True)
        self.assertLess(worked, count / RATE_MIN)
        self.assertLess(took, LATE_S)

    def test_idle(self):
        """It does not turn while nothing comes, whatever is held: full lanes, ends behind them, dialers that wait."""
        full, far = self.connect()
        ended, far_too = self.connect()
        self.links.one_way(0, 1)
        full.setblocking(False)
        while writable(full):
            full.send(bytes(1 << 16))
        ended.sendall(bytes(HELD_MAX + (1 << 16)))      # its end is in the relay's socket, which it does not read
        for end in (full, ended):
            end.shutdown(socket.SHUT_WR)
        for end in (far, far_too):
            end.close()
        self.dial().sendall(b"x")
        time.sleep(SOON_S)
        worked = []     # each second, the first of which may have had something left to do
        while len(worked) < 5 and (not worked or worked[-1] >= 0.05):
            before = self.processor_s()
            time.sleep(1)
            worked.append(self.processor_s() - before)
        self.assertLess(worked[-1], 0.05, worked)


class Slow(Case):
    def test_delay(self):
        near, far = self.connect()
        self.links.command("link 0 1 delay_ms=60")
        there = [self.took(near, far) for _ in range(8)]
        back = [self.took(far, near) for _ in range(8)]
        self.assertGreaterEqual(min(there), 0.06)
        self.assertLess(min(there), 0.1)
        self.assertLess(min(back), 0.04)

    def test_delay_is_no_queue(self):
        """What is sent meanwhile is under way meanwhile."""
        near, far = self.connect()
        self.links.shape(delay_ms=500)
        started = time.monotonic()
        for _ in range(20):
            near.sendall(b"x")
            time.sleep(0.005)
        self.assertEqual(len(receive(far, 20)), 20)
        self.assertLess(time.monotonic() - started, AT_ONCE_S)      # one after the other: 10 s

    def test_jitter(self):
        near, far = self.connect()
        self.links.shape(delay_ms=10, jitter_ms=40)
        took = [self.took(near, far) for _ in range(25)]
        self.assertGreaterEqual(min(took), 0.01)
        self.assertGreater(max(took) - min(took), 0.02)
        self.assertLess(statistics.median(took), 0.1)

    def test_loss(self):
        """Lone segments that are lost come by the timer; the same seed loses the same ones."""
        took = []
        for _ in range(3):
            near, far = self.connect()
            self.links.shape(delay_ms=5, loss=30)
            took.append([self.took(near, far) for _ in range(12)])
            self.links.close()
            self.server.close()
            self.setUp()
        # One that was not lost may be late on a busy machine, but not each time.
        self.assertEqual([k for k, times in enumerate(zip(*took)) if min(times) > 0.2], LOST, took)

    def test_rate(self):
        near, far = self.connect()
        self.links.shape(rate=1_000_000)
        took = []
        for _ in range(3):
            started = time.monotonic()
            sending(near, bytes(400_000))
            self.assertEqual(len(receive(far, 400_000)), 400_000)
            took.append(time.monotonic() - started)
        self.assertGreater(min(took), 0.38, took)
        self.assertLess(min(took), 0.8, took)


class Cut(Case):
    def test_holds_and_heals(self):
        near, far = self.connect()
        self.links.one_way(0, 1)
        data = random.Random(5).randbytes(1 << 20)
        sending(near, data)
        self.assertFalse(readable(far))
        self.took(far, near)        # the other direction lives
        self.assertEqual(self.links.show()[0, 1]["state"], "cut")
        self.assertEqual(self.links.show()[1, 0]["state"], "open")
        self.links.heal()
        self.assertTrue(receive(far, len(data)) == data)

    def test_pushes_back(self):
        near, far = self.connect()
        before = self.status("VmRSS")
        self.links.one_way(0, 1)
        near.setblocking(False)
        data, sent = random.Random(9).randbytes(64 << 20), 0
        full, deadline = False, time.monotonic() + LATE_S
        while not full and sent < len(data) and time.monotonic() < deadline:
            if writable(near):
                sent += near.send(data[sent:sent + (1 << 16)])
            else:
                full = self.links.show()[0, 1]["held"] == HELD_MAX
        self.assertGreater(sent, HELD_MAX)
        self.assertLess(sent, HELD_MAX + KERNEL_MAX)
        self.assertEqual(self.links.show()[0, 1]["held"], HELD_MAX)
        self.assertLess(self.status("VmRSS") - before, RESIDENT_MAX)
        self.links.heal()
        self.assertTrue(receive(far, sent) == data[:sent])

    def test_new_connections(self):
        """Are taken, and reach the other node once healed, if their dialer is still there."""
        self.links.one_way(0, 1)
        gone, stays = self.dial(), self.dial()
        gone.sendall(b"gone")
        gone.close()
        stays.sendall(b"here")
        self.assertFalse(readable(self.server))
        self.links.heal()
        self.assertEqual(receive(self.accept(), 4), b"here")
        self.assertFalse(readable(self.server))

    def test_end_waits(self):
        """The end of a connection gets through a cut no sooner than its bytes do."""
        near, far = self.connect()
        self.links.one_way(0, 1)
        near.sendall(b"last")
        near.close()
        self.assertFalse(readable(far))
        self.links.heal()
        self.assertEqual(receive(far, 5), b"last")

    def test_reset_waits(self):
        near, far = self.connect()
        self.links.one_way(0, 1)
        reset(near)
        self.assertFalse(readable(far))
        self.links.heal()
        with self.assertRaises(ConnectionResetError):
            far.recv(1)


class Ends(Case):
    def test_bytes_before_the_end(self):
        near, far = self.connect()
        self.links.shape(delay_ms=50)
        data = bytes(range(256)) * 4000
        sending(near, data).join()
        near.close()
        self.assertTrue(receive(far, len(data) + 1) == data)

    def test_half_closed(self):
        near, far = self.connect()
        near.shutdown(socket.SHUT_WR)
        self.assertEqual(far.recv(1), b"")
        self.took(far, near)
        far.close()
        self.assertEqual(near.recv(1), b"")
        self.gone()

    def test_reset_of_either(self):
        for k in range(2):
            ends = self.connect()
            reset(ends[k])
            with self.assertRaises(ConnectionResetError):
                ends[1 - k].recv(1)
            self.gone()

    def test_reset_behind_a_half_close(self):
        """Who has seen the other's end, and writes on, learns that it died."""
        near, far = self.connect()
        near.close()
        self.assertEqual(far.recv(1), b"")
        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            for _ in range(100):
                far.sendall(b"x")
                time.sleep(0.02)
        self.gone()

    def test_reset_by_command(self):
        ends = [*self.connect(), *self.connect()]
        self.assertEqual(self.links.command("reset 1 0"), "connections=2")
        for end in ends:
            with self.assertRaises(ConnectionResetError):
                end.recv(1)
        self.took(*self.connect())

    def test_target_is_down(self):
        self.server.close()
        started = time.monotonic()
        with self.assertRaises(ConnectionResetError):
            self.dial().recv(1)
        self.assertLess(time.monotonic() - started, AT_ONCE_S)
        self.gone()
        self.server = self.listen()
        self.took(*self.connect())

    def gone(self):
        """The relay keeps nothing of a connection that has ended on both sides."""
        deadline = time.monotonic() + LATE_S
        while self.links.show()[0, 1]["connections"] > 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)


REFUSED = ["", "nonsense", "link", "link 0", "link 0 2 loss=1", "link 0 0", "link 1 1 loss=1", "link -1 1 loss=1",
           "link 0 1 loss", "link 0 1 loss=", "link 0 1 loss=101", "link 0 1 loss=-1", "link 0 1 loss=nan",
           "link 0 1 loss=0x1", "link 0 1 delay_ms=60001", "link 0 1 delay_ms=5ms", "link 0 1 rate=1e11", "link 0 1 d=5",
           "link 0 1 delay_ms=5 jitter_ms=x", "link 0 1 " + "rate=1 " * 5, "cut 0", "cut 0 1 1", "cut 0 64", "show 0 1",
           "clear all", "a b c d e f g h i j", "cut 0 1x", "CUT 0 1", "cut\0 0 1"]


class Control(Case):
    def test_refused(self):
        shown = self.links.show()
        for line in REFUSED:
            with self.assertRaises(Failed, msg=line) as failed:
                self.links.command(line)
            self.assertIn("error: ", str(failed.exception))
        self.assertEqual(self.links.show(), shown)

    def test_garbage(self):
        rng = random.Random(2)
        near, far = self.connect()
        for k in range(60):
            with socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) as control:
                try:
                    control.sendall(rng.randbytes(rng.randrange(1, 4000)))
                    if k % 3 == 0:
                        reset(control)
                except (ConnectionResetError, BrokenPipeError):
                    pass
        self.took(near, far)
        self.assertEqual(self.links.show()[0, 1]["state"], "open")

    def test_line_too_long(self):
        with socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) as control:
            control.sendall(b"x" * 256)
            self.assertEqual(receive(control, 1000), b"error: the line is too long\n")

    def test_lines_in_pieces(self):
        with socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) as control:
            for part in (b"cut", b" 0 1\nlink 0 1 delay", b"_ms=1.5\r\nheal 0 1\n"):
                control.sendall(part)
                time.sleep(0.02)
            lines = control.makefile()
            self.assertEqual([lines.readline() for _ in range(3)], [
                "ok delay_ms=0 jitter_ms=0 loss=0 rate=0 cut\n", "ok delay_ms=1.5 jitter_ms=0 loss=0 rate=0 cut\n",
                "ok delay_ms=1.5 jitter_ms=0 loss=0 rate=0 open\n"])

    def test_deaf(self):
        """Who does not read its answers holds up itself only, and may still read all of them."""
        with socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) as control:
            control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            control.setblocking(False)
            line, sent = b"show" + b" " * 50 + b"\n", 0        # several of them are read at once
            while writable(control):
                sent += control.send((line * 200)[sent % len(line):])
            self.took(*self.connect())
            self.assertEqual(len(self.links.show()), 2)
            self.assertLess(self.status("VmRSS"), 64 << 20)
            control.setblocking(True)
            answers = control.makefile()
            for _ in range(sent // len(line)):
                self.assertEqual(answers.readline(), "ok 2\n")
                self.assertEqual([answers.readline()[:4] for _ in range(2)], ["0 1 ", "1 0 "])

    def test_too_many(self):
        held = [socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) for _ in range(15)]
        self.assertEqual(len(self.links.show()), 2)     # the 16th
        with socket.create_connection(("127.0.0.1", self.base), timeout=LATE_S) as one_more:
            self.assertEqual(receive(one_more, 1000), b"error: too many control connections\n")
        for end in held:
            end.close()


class Program(Case):
    def test_ends_at_once(self):
        near, far = self.connect()
        self.links.one_way(0, 1)
        near.sendall(b"x")
        started = time.monotonic()
        self.links.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.links.process.wait(LATE_S), 0)
        self.assertLess(time.monotonic() - started, AT_ONCE_S)
        with self.assertRaises(ConnectionResetError):
            near.recv(1)

    def test_bad_arguments(self):
        listen, control = ["--listen", "127.0.0.1"], ["--control", f"127.0.0.1:{self.base}"]
        pair = ["--pair", f"0:1:{self.base + 1}:127.0.0.1:{self.base + 2}"]
        for arguments, complaint in [
                ([], "needs --listen, --control and a --pair"), ([*listen, *control], "needs"),
                ([*control, *pair], "needs"), ([*listen, *pair], "needs"), (["--nonsense"], "nonsense"),
                ([*listen, *control, *pair, "more"], "what is more?"), ([*listen, *control, *pair, *pair], "already"),
                ([*listen, *control, "--pair", "0:0:1:127.0.0.1:2"], "0:0:1:127.0.0.1:2: not I:J"),
                ([*listen, *control, "--pair", "0:1:1:127.0.0.1"], "not I:J"),
                ([*listen, *control, "--pair", "0:64:1:127.0.0.1:2"], "not I:J"),
                ([*listen, *control, "--pair", "0:1:1:127.0.0.1:2:3"], "not I:J"),
                ([*listen, *control, "--pair", "0:1:99999:127.0.0.1:2"], "not a port: 99999"),
                (["--control", "127.0.0.1"], "not HOST:PORT"), (["--control", "127.0.0.1:0"], "not a port: 0"),
                ([*control, "--seed", "x"], "--seed x: not a number"),
                ([*listen, "--control", "127.0.0.1:1", *pair], f"port {self.base + 1} of pair 0:1: Address already in use"),
                ([*listen, *control, "--pair", f"0:1:{self.base + 2}:127.0.0.1:1"], "Address already in use")]:
            done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=LATE_S)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(complaint, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_sanitized(self):
        """When it is built with sanitizers: they have nothing to say at its end."""
        near, far = self.connect()
        self.took(near, far)
        self.links.process.terminate()
        self.assertEqual(self.links.process.communicate()[1], "")


class Words(unittest.TestCase):
    """What Links says to the relay."""

    def setUp(self):
        base = free_base_port(12)
        self.pairs = every_pair([("127.0.0.1", base + 11)] * 5, base + 1)
        self.links = Links([program], self.pairs, ("127.0.0.1", base))
        self.addCleanup(self.links.close)

    def cut(self):
        return {ends for ends, said in self.links.show().items() if said["state"] == "cut"}

    def test_pairs(self):
        self.assertEqual(len(self.pairs), 10)
        self.assertEqual(sorted(self.links.addresses(3)), [4])
        self.assertEqual(sorted(self.links.addresses(0)), [1, 2, 3, 4])
        self.assertEqual(self.links.addresses(4), {})

    def test_partition(self):
        self.links.partition([[0, 1, 4], [2, 3]])
        apart = {(a, b) for a in (0, 1, 4) for b in (2, 3)}
        self.assertEqual(self.cut(), apart | {(b, a) for a, b in apart})
        self.links.partition([[0]])
        self.assertEqual(self.cut(), {(0, b) for b in range(1, 5)} | {(b, 0) for b in range(1, 5)})
        self.links.heal()
        self.assertEqual(self.cut(), set())

    def test_one_way_and_isolate(self):
        self.links.one_way(3, 1)
        self.assertEqual(self.cut(), {(3, 1)})
        self.links.isolate(2)
        self.assertEqual(self.cut(), {(3, 1)} | {(2, b) for b in (0, 1, 3, 4)} | {(b, 2) for b in (0, 1, 3, 4)})

    def test_shape(self):
        self.links.shape(delay_ms=10, loss=1, between=(1, 4))
        shaped = {ends for ends, said in self.links.show().items() if (said["delay_ms"], said["loss"]) == (10, 1)}
        self.assertEqual(shaped, {(1, 4), (4, 1)})

    def test_regions(self):
        self.links.regions()
        delays = {ends: said["delay_ms"] for ends, said in self.links.show().items()}
        self.assertEqual(delays[0, 1], 38)      # us-east, us-west
        self.assertEqual(delays[2, 4], 121)     # eu-west, ap-northeast
        self.assertTrue(all(delays[a, b] == delays[b, a] > 0 for a, b in delays))
        self.links.regions({node: "eu-west" for node in range(5)})
        self.assertEqual({said["delay_ms"] for said in self.links.show().values()}, {0})


if __name__ == "__main__":
    chosen, rest = options()
    program = str(chosen.bin / "sluice-relay")
    os.environ.update(ENVIRONMENT)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
