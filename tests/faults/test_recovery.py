#!/usr/bin/env python3
"""How long order stood still, out of made-up arrivals."""
import sys
import unittest

from checker import Submission
from recovery import Run

STEP_S = 0.1    # between heights


def kill(at, nodes=(0,), until=None, **more):
    return {"at": at, "until": until, "what": "kill", "kind": "kill", "nodes": list(nodes), **more}


class Recovered(unittest.TestCase):
    def setUp(self):
        """Heights 1..100 at 0.1 s, 0.2 s, ... at four readers, an entry in each, of which each waited for 0.05 s."""
        self.arrivals = {node: {h: h * STEP_S + 0.001 * node for h in range(1, 101)} for node in range(4)}
        self.journal = [Submission(7, f"0x{h:02x}", "accepted", f"0xid{h}", "", "ordered", h, 0, "plain",
                                   h * STEP_S - 0.05, h * STEP_S, 1) for h in range(1, 101)]
        self.entries = {h: [{"index": 0, "id": f"0xid{h}", "kind": "plain", "payload": f"0x{h:02x}"}]
                        for h in range(1, 101)}

    def run_of(self, *faults, ended=10.0):
        histories = {node: [{"height": h, "rollup": 7, "entries": self.entries[h], "at": at}
                            for h, at in sorted(arrivals.items())] for node, arrivals in self.arrivals.items()}
        return Run(histories, self.journal, faults, ended)

    def recoveries(self, *faults, ended=10.0):
        run = self.run_of(*faults, ended=ended)
        return [run.recovery(fault) for fault in faults]

    def after(self, *faults):
        return [recovery.after for recovery in self.recoveries(*faults)]

    def delay(self, since, by, nodes=range(4), waiting=True):
        """What came later than `since` comes later still; so was it sent, unless it was `waiting`."""
        for node in nodes:
            self.arrivals[node] = {h: at + by * (at > since) for h, at in self.arrivals[node].items()}
        for s in self.journal if not waiting else ():
            s.sent += by * (s.sent > since)

    def near(self, values, wanted):
        self.assertEqual(len(values), len(wanted))
        for value, each in zip(values, wanted):
            self.assertAlmostEqual(value, each, delta=0.011)

    # ---- plain cases ----

    def test_nothing_stood_still(self):
        self.near(self.after(kill(3.02)), [0.05])       # what waited: 0.05 s

    def test_stood_still_from_the_fault_on(self):
        self.delay(3.05, 2.0)
        self.near(self.after(kill(3.05)), [5.1 - 3.05])

    def test_stood_still_later(self):
        """Not at once, but because of it."""
        self.delay(4.05, 1.5)
        self.near(self.after(kill(3.05)), [5.6 - 4.05])     # since the first that waits was sent

    def test_the_longest_counts(self):
        self.delay(3.05, 0.5)
        self.delay(5.05, 1.0)
        self.near(self.after(kill(3.05)), [1.1])

    def test_a_standstill_before_is_not_its_own(self):
        self.delay(2.05, 1.0)       # 2.0 .. 3.1
        self.near(self.after(kill(3.15), kill(5.0)), [0.1, 0.1])

    def test_baseline(self):
        self.delay(1.05, 0.3)
        self.assertAlmostEqual(self.run_of(kill(3.0)).baseline(), 0.35, places=2)
        self.assertIsNone(self.run_of(kill(0.05)).baseline())

    # ---- readers ----

    def test_one_slow_reader_makes_no_standstill(self):
        self.delay(3.05, 4.0, nodes=[2])
        self.near(self.after(kill(3.02)), [0.05])

    def test_one_reader_hides_none(self):
        """Whoever is hit does not count: it may show what nobody else has."""
        self.delay(3.05, 4.0, nodes=[1, 2, 3])
        self.near(self.after(kill(3.05)), [4.05])

    def test_all_hit(self):
        self.delay(3.05, 4.0, nodes=[1, 2, 3])
        self.near(self.after(kill(3.02, nodes=[0, 1, 2, 3])), [0.05])

    def test_hit_by_a_fault_that_lasts(self):
        self.delay(5.05, 2.0, nodes=[1, 2, 3])
        self.near(self.after(kill(2.0, until=9.0), kill(5.05, nodes=[2]))[1:], [2.05])
        self.near(self.after(kill(2.0, until=3.0), kill(5.02, nodes=[2]))[1:], [0.05])    # 0 is back

    # ---- what waited ----

    def test_nothing_waited(self):
        """The load paused, order did not stand still."""
        self.delay(3.02, 5.0, waiting=False)
        self.near(self.after(kill(3.02)), [0.05])

    def test_what_waited_at_the_node_that_was_hit(self):
        self.delay(3.02, 5.0, waiting=False)
        self.journal[60].sent, self.journal[60].node = 3.5, 0
        self.near(self.after(kill(3.02)), [0.05])
        self.journal[60].node = None    # nobody knows
        self.near(self.after(kill(3.02)), [8.1 - 3.5])
        self.journal[60].node = 1
        self.near(self.after(kill(3.02)), [8.1 - 3.5])

    def test_forced_ones_wait_by_their_rule(self):
        self.delay(3.02, 5.0, waiting=False)
        self.journal[60].sent, self.journal[60].kind = 3.5, "forced"
        self.near(self.after(kill(3.02)), [0.05])

    def test_empty_heights_show_nothing(self):
        for h in range(31, 51):
            self.entries[h] = []
        self.entries[40] = [{"index": 0, "rollup": 0, "id": "0xe", "kind": "evidence", "payload": "0x"}]
        self.entries[45] = [{"index": 0, "id": "0xo", "kind": "opened", "payload": "0x77",
                             "ordered": {"height": 2, "index": 0}}]
        self.journal[50].sent = 3.02    # at height 51, which comes at 5.1
        self.near(self.after(kill(3.02)), [2.08])

    # ---- order is impossible ----

    def test_impossible_until(self):
        self.delay(3.05, 4.0)       # 7.1
        self.near(self.after(kill(3.05, range(4), stops=True, can_again=6.5)), [0.6])

    def test_impossible_to_the_end(self):
        self.arrivals = {node: {h: at for h, at in a.items() if at < 3.05} for node, a in self.arrivals.items()}
        recovery, = self.recoveries(kill(3.05, range(4), stops=True))
        self.assertEqual((recovery.after, recovery.failed, recovery.unknown), (None, False, False))

    def test_a_fault_while_order_is_impossible(self):
        self.delay(3.05, 4.0)
        self.near(self.after(kill(3.05, range(4), stops=True, can_again=6.5), kill(4.0, [1]), kill(9, [2])),
                  [0.6, 0.6, 0.1])        # whatever waited goes on to wait for its turn

    def test_impossible_twice_without_a_break(self):
        self.delay(3.05, 4.0)
        first, second = kill(3.05, stops=True, can_again=6.0), kill(5.0, stops=True, can_again=6.9)
        self.near(self.after(first, second), [0.2, 0.2])

    def test_stopped_by_the_next(self):
        """What stands still when the next fault makes order impossible is the next one's."""
        self.delay(4.05, 3.0)       # 4.0 .. 7.1
        self.near(self.after(kill(3.05), kill(4.5, range(4), stops=True, can_again=6.8)), [0.45, 0.3])

    def test_stopped_before_it_was_seen_again(self):
        self.delay(3.05, 4.0)
        recoveries = self.recoveries(kill(3.05), kill(4.5, range(4), stops=True, can_again=6.5))
        self.assertEqual(recoveries[0].after, None)
        self.assertIn("before it was seen", recoveries[0].said)
        self.assertFalse(recoveries[0].failed)

    # ---- several, and the end ----

    def test_overlapping(self):
        """A standstill that two faults overlap is both's."""
        self.delay(3.05, 2.0)       # 3.0 .. 5.1
        self.near(self.after(kill(3.05, until=4.5), kill(4.0, [2])), [2.05, 1.1])

    def test_each_its_own(self):
        self.delay(3.05, 1.0)
        self.delay(6.05, 0.5)
        self.near(self.after(kill(3.05), kill(6.05)), [1.05, 0.55])

    def test_a_later_one_is_the_next_ones(self):
        self.delay(3.05, 0.5)
        self.delay(6.05, 1.0)
        self.near(self.after(kill(3.05), kill(6.05)), [0.55, 1.05])

    def test_never_again_before_order_is_impossible(self):
        self.arrivals = {node: {h: at for h, at in a.items() if at < 3.05} for node, a in self.arrivals.items()}
        first, _ = self.recoveries(kill(3.05), kill(4.5, range(4), stops=True))
        self.assertEqual((first.after, first.failed), (None, False))
        self.assertIn("before it was seen", first.said)

    def test_never_again(self):
        self.arrivals = {node: {h: at for h, at in a.items() if at < 3.05} for node, a in self.arrivals.items()}
        recovery, = self.recoveries(kill(3.05))
        self.assertTrue(recovery.failed and recovery.after is None)

    def test_never_again_but_empty_ones(self):
        for h in range(31, 101):
            self.entries[h] = []
        self.assertTrue(self.recoveries(kill(3.05))[0].failed)

    def test_never_again_but_for_what_was_under_way(self):
        for h in range(32, 101):
            self.entries[h] = []
        recovery, = self.recoveries(kill(3.05))
        self.assertTrue(recovery.failed)
        self.assertIn("never ordered", recovery.said)

    def test_a_later_fault_is_to_blame(self):
        for h in range(62, 101):
            self.entries[h] = []
        first, second = self.recoveries(kill(3.02), kill(6.05))
        self.near([first.after], [0.05])
        self.assertEqual((first.failed, second.failed), (False, True))

    def test_nothing_submitted_any_more(self):
        for h in range(31, 101):
            self.entries[h] = []
        self.journal = self.journal[:30]
        recovery, = self.recoveries(kill(3.05))
        self.assertEqual((recovery.after, recovery.failed, recovery.unknown), (None, False, True))
        self.arrivals = {node: {h: at for h, at in a.items() if at < 3.05} for node, a in self.arrivals.items()}
        self.assertTrue(self.recoveries(kill(3.05))[0].failed)

    def test_nothing_waited_elsewhere(self):
        """All that waited did so at the node that is hit: nobody can say whether order went on."""
        recovery, = self.recoveries(kill(3.02, [1]))
        self.assertEqual((recovery.after, recovery.failed, recovery.unknown), (None, False, True))

    def test_refused_ones_wait_for_nothing(self):
        for h in range(31, 101):
            self.entries[h] = []
        for s in self.journal[30:]:
            s.status, s.outcome = "refused", ""
        self.assertFalse(self.recoveries(kill(3.05))[0].failed)

    def test_unheard_ones_wait_for_nothing(self):
        """Of the last that a client sent before it left a node that stood still."""
        last = self.journal[-1]
        for s in (last, self.journal[-2]):
            s.sent, self.entries[s.height] = 9.95, []
        self.arrivals = {node: {h: min(at, 9.7) for h, at in a.items()} for node, a in self.arrivals.items()}
        self.assertTrue(self.recoveries(kill(3.05))[0].failed)
        for s in self.journal[-2:]:
            s.status, s.outcome = "lost", ""
        self.assertFalse(self.recoveries(kill(3.05))[0].failed)

    def test_at_the_end(self):
        self.delay(9.85, 1.0)
        self.near(self.after(kill(9.9)), [1.0])
        recovery, = self.recoveries(kill(11.5), ended=11.4)
        self.assertEqual((recovery.after, recovery.failed, recovery.unknown), (None, False, True))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
