#!/usr/bin/env python3
"""sluice-relay between two ends of a connection: what it carries, what it does to it when told to, and what it takes.
A machine that stands still for a while makes everything later and nothing sooner: that something comes soon is shown by
the fastest of some.
Usage: test_relay.py --bin DIR"""
import argparse
import os
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

from cluster import Failed
from links import Links, every_pair
from processes import ENVIRONMENT, free_base_port

SOON_S = 0.2        # for so long is looked whether what must not come comes
LATE_S = 30         # within which what must come has come
TRIES = 8           # of which the fastest counts
HELD_MAX = 4 << 20  # RELAY_WINDOW_BYTES_MAX
KERNEL_MAX = 12 << 20   # what the sender's and the relay's sockets hold beside it
RESIDENT_MAX = 16 << 20     # growth by a full lane
RATE_MIN = 50e6     # bytes a second, plainly
RATE_PIECE = HELD_MAX + KERNEL_MAX  # bytes of which the rate is taken: more than may lie ready
TIMER_S = 0.2       # what is lost comes later by that, at least
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

    def fill(self, near):
        """Sends until the lane is full and all sockets before it; returns what was sent."""
        near.setblocking(False)
        data, deadline = random.Random(9).randbytes(HELD_MAX + 2 * KERNEL_MAX), time.monotonic() + LATE_S
        sent = 0
        while sent < len(data):
            if writable(near):
                sent += near.send(data[sent:sent + (1 << 16)])
            elif self.links.show()[0, 1]["held"] == HELD_MAX:
                break
            self.assertLess(time.monotonic(), deadline)
        return data[:sent]

    def has_connections(self, count):
        """Soon, as the relay sees it."""
        deadline = time.monotonic() + LATE_S
        while self.links.show()[0, 1]["connections"] != count:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def soon(self, seconds, measure):
        """The fastest of some tries takes less than that."""
        took = []
        while not took or min(took) >= seconds:
            self.assertLess(len(took), TRIES, took)
            took.append(measure())

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
        rates = []
        sending(near, bytes(TRIES * RATE_PIECE))
        for _ in range(TRIES):
            started = time.monotonic()
            self.assertEqual(len(receive(far, RATE_PIECE)), RATE_PIECE)
            rates.append(RATE_PIECE / (time.monotonic() - started))
        print(f"{min(rates) / 1e6:.0f} to {max(rates) / 1e6:.0f} MB/s", flush=True)
        self.assertGreater(max(rates), RATE_MIN)

    def test_idle(self):
        """It does not turn while nothing comes, whatever is held: full lanes, ends behind them, dialers that wait."""
        full, far = self.connect()
        ended, far_too = self.connect()
        self.links.one_way(0, 1)
        self.fill(full)
        ended.sendall(bytes(HELD_MAX + (1 << 16)))      # its end is in the relay's socket, which it does not read
        for end in (full, ended):
            end.shutdown(socket.SHUT_WR)
        for end in (far, far_too):
            end.close()
        self.dial().sendall(b"x")
        took, deadline = 1.0, time.monotonic() + LATE_S
        while took >= 0.05:     # until it has done what there was to do
            self.assertLess(time.monotonic(), deadline, took)
            before = self.processor_s()
            time.sleep(1)
            took = self.processor_s() - before


class Slow(Case):
    def test_delay(self):
        near, far = self.connect()
        self.links.command("link 0 1 delay_ms=60")
        there = [self.took(near, far) for _ in range(TRIES)]
        back = [self.took(far, near) for _ in range(TRIES)]
        self.assertGreaterEqual(min(there), 0.06)
        self.assertLess(min(there), 0.1)
        self.assertLess(min(back), 0.04)

    def test_delay_is_no_queue(self):
        """What is sent meanwhile is under way meanwhile."""
        near, far = self.connect()
        self.links.shape(delay_ms=100)

        def twenty():
            started = time.monotonic()
            for _ in range(20):
                near.sendall(b"x")
                time.sleep(0.005)
            self.assertEqual(len(receive(far, 20)), 20)
            return time.monotonic() - started
        self.soon(1, twenty)

    def test_jitter(self):
        near, far = self.connect()
        self.links.shape(delay_ms=10, jitter_ms=40)
        took = sorted(self.took(near, far) for _ in range(25))
        self.assertGreaterEqual(took[0], 0.01)
        self.assertGreater(took[-1] - took[0], 0.02)
        self.assertLess(took[6], 0.06)

    def test_loss(self):
        """Lone segments that are lost come by the timer; the same seed loses the same ones."""
        lost = []
        for _ in range(2):
            near, far = self.connect()
            self.links.shape(delay_ms=5)
            self.links.command("link 0 1 loss=30")
            lost.append([self.is_lost(near, far) for _ in range(12)])
            self.links.close()
            self.server.close()
            self.setUp()
        self.assertTrue(all(a == b for a, b in zip(*lost) if None not in (a, b)), lost)
        self.assertTrue({True, False} <= {*lost[0], *lost[1]}, lost)

    def is_lost(self, near, far):
        """Whether a byte has not come when others have, that went back behind it and take as long. None: that took so
        long that a lost one may have come, too."""
        started = time.monotonic()
        near.sendall(b"x")
        for _ in range(2):
            self.took(far, near)
        comes = readable(far, 0)
        in_time = time.monotonic() - started < TIMER_S
        self.assertEqual(far.recv(2), b"x")
        if not comes:
            self.assertGreaterEqual(time.monotonic() - started, TIMER_S)
        return not comes if in_time or not comes else None

    def test_rate(self):
        near, far = self.connect()
        self.links.shape(rate=1_000_000)

        def some():
            started = time.monotonic()
            sending(near, bytes(600_000))
            self.assertEqual(len(receive(far, 600_000)), 600_000)
            took = time.monotonic() - started
            self.assertGreater(took, 0.58)
            return took
        self.soon(1.5, some)


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
        sent = self.fill(near)
        self.assertGreater(len(sent), HELD_MAX)
        self.assertLess(len(sent), HELD_MAX + KERNEL_MAX)
        self.assertEqual(self.links.show()[0, 1]["held"], HELD_MAX)
        self.assertLess(self.status("VmRSS") - before, RESIDENT_MAX)
        self.links.heal()
        self.assertTrue(receive(far, len(sent)) == sent)

    def test_new_connections(self):
        """Are taken, and reach the other node once healed, if their dialer is still there."""
        self.links.one_way(0, 1)
        gone, stays = self.dial(), self.dial()
        gone.sendall(b"gone")
        stays.sendall(b"here")
        self.has_connections(2)
        gone.close()
        self.has_connections(1)
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
            deadline = time.monotonic() + LATE_S
            while time.monotonic() < deadline:
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

        def refused():
            started = time.monotonic()
            with self.assertRaises(ConnectionResetError):
                self.dial().recv(1)
            return time.monotonic() - started
        self.soon(1, refused)
        self.gone()
        self.server = self.listen()
        self.took(*self.connect())

    def gone(self):
        """The relay keeps nothing of a connection that has ended on both sides."""
        self.has_connections(0)


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
        def ends():
            near, _ = self.connect()
            self.links.one_way(0, 1)
            near.sendall(b"x")
            started = time.monotonic()
            self.links.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.links.process.wait(LATE_S), 0)
            took = time.monotonic() - started
            with self.assertRaises(ConnectionResetError):
                near.recv(1)
            self.links.close()
            self.server.close()
            self.setUp()
            return took
        self.soon(1, ends)

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
