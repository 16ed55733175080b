#!/usr/bin/env python3
"""What a trial demands of faults, on made-up runs and a made-up cluster: what a slow machine does is no fault."""
import sys
import time
import types
import unittest

from plan import Step
from pulse import EVERY_S, LATE_S, Pulse, stood_still
from steps import Stage
from trial import ordered_all_the_same

EPOCH_MS = 1_700_000_000_000    # the wall clock when the run's began


def record(height, made_s, came_s, entries=("plain",)):
    """Reports for it were made at `made_s`; a reader had it at `came_s`."""
    return {"height": height, "time_ms": EPOCH_MS + 1000 * made_s, "at": came_s, "rollup": 7,
            "entries": [{"kind": kind} for kind in entries]}


class OrderedAllTheSame(unittest.TestCase):
    """Order is impossible from 3 s to 9 s."""

    def said(self, *records, **more):
        fault = {"what": "partition", "at": 2.9, "stops": True, "stopped_ms": EPOCH_MS + 3000, "can_again": 9.0, **more}
        return ordered_all_the_same({0: [record(1, 1, 1), *records], 1: [record(1, 1, 1.5)]}, [fault])

    def test_nothing_was(self):
        self.assertEqual(self.said(), [])

    def test_under_way(self):
        """However late its reader has it."""
        self.assertEqual(self.said(record(2, 2.99, 8.5)), [])

    def test_made_meanwhile(self):
        self.assertEqual(self.said(record(2, 3.2, 3.5), record(3, 3.3, 3.6)),
                         ["partition: something was ordered at 3.5 s all the same"])

    def test_empty_heights_show_nothing(self):
        self.assertEqual(self.said(record(2, 3.2, 3.5, ())), [])

    def test_stream_time_that_catches_up(self):
        self.assertEqual(self.said(record(2, 8.0, 9.2), record(3, 13.0, 9.3)), [])

    def test_never_possible_again(self):
        self.assertEqual(self.said(record(2, 3.2, 3.5), can_again=None), [])
        self.assertEqual(self.said(record(2, 3.2, 3.5), stops=False, stopped_ms=None), [])


class Beats(unittest.TestCase):
    def test_a_clock_that_jumps(self):
        """As it looks to a program that stands still."""
        skipped = [0.0]
        pulse = Pulse(lambda: time.monotonic() + skipped[0])
        time.sleep(4 * EVERY_S)
        skipped[0] = 3.0
        deadline = time.monotonic() + 60
        while not any(end - begin > 2.9 for begin, end in pulse.stalls):
            self.assertLess(time.monotonic(), deadline, pulse.stalls)
            time.sleep(EVERY_S)
        pulse.stop()
        self.assertTrue(all(end - begin > LATE_S for begin, end in pulse.stalls))

    def test_overlap(self):
        stalls = [(5, 6), (1, 3), (2, 4), (2.5, 2.6)]
        self.assertEqual([stood_still(stalls, *span) for span in ((0, 10), (3.5, 5.5), (4, 5), (6, 9))], [4, 1, 0, 0])
        self.assertEqual(stood_still([], 0, 10), 0)


class Nodes:
    """A cluster whose nodes take `takes` s of `clock` to be killed or started."""
    nodes, links = 4, None

    def __init__(self):
        self.now, self.takes = 0.0, 0.0

    def clock(self):
        return self.now

    def alive(self, node):
        return True

    def kill(self, *nodes):
        self.now += self.takes

    spawn = kill


class Account(unittest.TestCase):
    def test_a_step_that_takes_its_time(self):
        """Order may end only when a step is over, and begin again when the next one has only begun."""
        cluster = Nodes()
        stage = Stage(cluster, types.SimpleNamespace(byzantine=[]), cluster.clock)
        cluster.now, cluster.takes = 3.0, 1.0
        before_ms = 1000 * time.time()
        stage.perform(Step("kill", 0, {"nodes": "all"}))
        after_ms = 1000 * time.time()
        fault, = stage.faults
        self.assertEqual((fault["at"], fault["stops"], fault["can_again"]), (3.0, True, None))
        self.assertTrue(before_ms <= fault["stopped_ms"] <= after_ms)
        self.assertEqual(cluster.now, 4.0)
        stage.perform(Step("start", 0, {"nodes": [0, 1]}))
        self.assertIsNone(fault["can_again"])
        cluster.now = 7.0
        stage.perform(Step("start", 0, {"nodes": [2]}))
        self.assertEqual((fault["can_again"], cluster.now), (7.0, 8.0))

    def test_how_long_nodes_were_away(self):
        """From a fault that took one away until all are back; what was awaited before does not count again."""
        cluster = Nodes()
        stage = Stage(cluster, types.SimpleNamespace(byzantine=[]), cluster.clock)
        stage.in_step = lambda node: True
        for begin, end, back in ((1, 3, 4), (20, 25, 27), (40, 41, 42)):
            cluster.now = begin
            stage.begin("byzantine", "lasts", [3])
            stage.perform(Step("kill", 0, {"nodes": [1]}))
            cluster.now = end
            stage.perform(Step("start", 0, {"nodes": [1]}))
            stage.end({"byzantine"})
            cluster.now = back
            stage.perform(Step("await", 0, {"nodes": "all"}))
        self.assertEqual(stage.longest_s, 7)

    def test_one_of_four_stops_nothing(self):
        cluster = Nodes()
        stage = Stage(cluster, types.SimpleNamespace(byzantine=[]), cluster.clock)
        stage.perform(Step("kill", 0, {"nodes": [1]}))
        self.assertFalse(stage.faults[0]["stops"])
        stage.perform(Step("kill", 0, {"nodes": [2]}))
        self.assertEqual([fault["stops"] for fault in stage.faults], [False, True])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
