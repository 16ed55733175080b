#!/usr/bin/env python3
"""Damage does what it says, and no more: to files as a node leaves them, and to what stands beside them."""
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import damage
from hostile import KINDS, Hostile

SYNCED = 3000       # bytes of the log that the mark vouches for
LOG_BYTES = 5000
MIB = 1 << 20


def mark(generation, logs):
    head = damage.SLOT_HEAD.pack(b"SLUMARK1", generation, 9, 1, 100, 0, len(logs))
    slot = head + b"".join(damage.EXTENT.pack(number, size, 0) for number, size in logs)
    return slot.ljust(damage.SLOT_BYTES, b"\0")


class Files(unittest.TestCase):
    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.node = pathlib.Path(home.name)
        self.data = self.node / "data"
        self.data.mkdir()
        self.before = {"000007.log": os.urandom(LOG_BYTES), "000003.log": os.urandom(400),
                       "000005.sst": os.urandom(1000), "000012.sst": os.urandom(1001), "000013.sst": b"small",
                       "000009.blob": os.urandom(700), "synced": mark(4, [(3, 400)]) + mark(5, [(3, 400), (7, SYNCED)])}
        for name, content in self.before.items():
            (self.data / name).write_bytes(content)

    def changed(self):
        """{name: content} of the files that are not what they were."""
        now = {path.name: path.read_bytes() for path in self.data.iterdir()}
        self.assertEqual(set(now), set(self.before))
        return {name: content for name, content in now.items() if content != self.before[name]}

    def test_one_bit_of_the_newest_file_of_a_kind(self):
        newest = (("sst", "000012.sst", 1001), ("blob", "000009.blob", 700), ("log", "000007.log", SYNCED))
        for what, name, until in newest:
            said = damage.flip_bit(self.node, what)
            content = self.changed()[name]
            self.assertEqual(len(self.changed()), 1)
            at = [i for i, byte in enumerate(content) if byte != self.before[name][i]]
            self.assertEqual([i.bit_count() for i in (content[at[0]] ^ self.before[name][at[0]],)], [1])
            self.assertEqual(at, [until // 2])
            self.assertIn(name, said)
            damage.flip_bit(self.node, what)        # twice: nothing has happened
            self.assertEqual(self.changed(), {})

    def test_nothing_to_flip(self):
        (self.data / "000009.blob").unlink()
        with self.assertRaisesRegex(ValueError, "no .*blob"):
            damage.flip_bit(self.node, "blob")

    def test_a_torn_tail_leaves_what_was_synced(self):
        damage.tear(self.node)
        self.assertEqual(self.changed(), {"000007.log": self.before["000007.log"][:SYNCED + (LOG_BYTES - SYNCED) // 2]})

    def test_without_a_tail_there_is_half_a_write(self):
        self.before["000007.log"] = self.before["000007.log"][:SYNCED]
        (self.data / "000007.log").write_bytes(self.before["000007.log"])
        damage.tear(self.node)
        content = self.changed()["000007.log"]
        self.assertEqual(content[:SYNCED], self.before["000007.log"])
        self.assertEqual(len(content), SYNCED + damage.SECTOR)

    def test_a_sector_of_what_was_synced(self):
        damage.tear(self.node, synced=True)
        self.assertEqual(self.changed(), {"000007.log": self.before["000007.log"][:SYNCED - damage.SECTOR]})

    def test_no_mark(self):
        (self.data / "synced").write_bytes(bytes(2 * damage.SLOT_BYTES))
        with self.assertRaisesRegex(ValueError, "no mark"):
            damage.tear(self.node)

    def test_wiped(self):
        (self.data / "lost").mkdir()
        (self.data / "lost" / "x").write_text("x")
        damage.wipe(self.node)
        self.assertEqual(list(self.data.iterdir()), [])

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_a_small_disk(self):
        self.data.chmod(0o750)
        self.addCleanup(damage.unmount_own)
        try:
            damage.small_disk(self.node, 2 * MIB)
        except damage.Needs as needs:
            self.skipTest(str(needs))
        self.assertTrue(self.data.is_mount())
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o750)
        self.assertEqual(self.changed(), {})
        damage.fill(self.node)
        with self.assertRaisesRegex(OSError, "No space left"):
            (self.data / "more").write_bytes(bytes(5000))
        (self.data / "more").unlink()
        damage.make_room(self.node)
        (self.data / "000009.blob").write_bytes(bytes(MIB))
        damage.unmount(self.node)
        self.assertFalse(self.data.is_mount())
        self.assertEqual(self.data.stat().st_mode & 0o777, 0o750)
        self.assertEqual(self.changed(), {"000009.blob": bytes(MIB)})
        self.assertEqual([path.name for path in self.node.iterdir()], ["data"])

    @unittest.skipUnless(os.geteuid() == 0, "mounting needs root")
    def test_small_disks_of_runs_that_are_gone(self):
        run = [sys.executable, "-c", f"import damage, os; damage.small_disk({str(self.node)!r}, {MIB}); os._exit(9)"]
        done = subprocess.run(run, env=dict(os.environ, PYTHONPATH=str(pathlib.Path(damage.__file__).parent)),
                              capture_output=True, text=True, check=False)
        if "Needs" in done.stderr:
            self.skipTest(done.stderr.splitlines()[-1])
        self.addCleanup(damage.unmount_leftovers)
        self.assertTrue(self.data.is_mount())
        damage.unmount_leftovers()
        self.assertFalse(self.data.is_mount())


class Clocks(unittest.TestCase):
    def time_under(self, environment):
        done = subprocess.run([sys.executable, "-c", "import time; print(time.time(), time.monotonic())"],
                              env=os.environ | environment, capture_output=True, text=True, check=True)
        return map(float, done.stdout.split())

    def test_off_by_an_hour(self):
        for offset in (3600, -3600):
            try:
                environment = damage.clock(offset)
            except damage.Needs as needs:
                self.skipTest(str(needs))
            wall, monotonic = self.time_under(environment)
            self.assertAlmostEqual(wall - time.time(), offset, delta=30)
            self.assertAlmostEqual(monotonic, time.monotonic(), delta=30)


class Clients(unittest.TestCase):
    def test_each_kind_comes_and_ends(self):
        for kind in KINDS:
            with socket.create_server(("127.0.0.1", 0), backlog=128) as server:     # with connections of this one only
                hostile = Hostile(kind, [server.getsockname()], rate=50, held=10, seconds=60, seed=1)
                server.settimeout(20)
                server.accept()[0].close()
                counts = hostile.stop()
                self.assertFalse(hostile.is_alive())
                self.assertGreater(counts["connections"], 0, kind)
                self.assertLessEqual(counts.get("held at most", 0), 10)

    def test_ends_by_itself(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            hostile = Hostile("slow_loris", [server.getsockname()], held=3, seconds=0.2)
            hostile.join(20)
            self.assertFalse(hostile.is_alive())

    def test_speaks_to_nobody_else(self):
        for address in ("93.184.216.34", "8.8.8.8"):
            with self.assertRaisesRegex(ValueError, "private"):
                Hostile("flood", [(address, 80)])
        with self.assertRaises(ValueError):
            Hostile("flod", [("127.0.0.1", 80)])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
