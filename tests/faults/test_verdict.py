#!/usr/bin/env python3
"""What goes into the verdict, and that each part of it counts: on a made-up run, with a cluster that only answers."""
import json
import subprocess
import sys
import types
import unittest
import unittest.mock

import queue_check
from audits import LIE, RULES
from checker import Submission
from cluster import Failed
from queue_check import envelope_bytes
from verdict import judge, judge_forced, Verdict
from world import ROLLUP, made_up


class Answers:
    """A cluster that says what the world says; `broken`: {node: (exit code, words)} of audits."""

    def __init__(self, world):
        self.world, self.nodes, self.genesis = world, world.nodes, "genesis.json"
        self.down, self.audited, self.broken, self.idle, self.stuck = set(), {}, {}, [], set()
        self.unchecked, self.was_away = 0, set()     # of `idle` rules; nodes that alone are idle, where there are some

    def parameters(self):
        return self.world.params

    def alive(self, node):
        return node not in self.down

    def stop(self, node):
        if node in self.stuck or node in self.down:
            raise Failed(f"node {node} stopped with 1")
        self.down.add(node)

    def url(self, node):
        return f"tcp://{node}"

    def data_dir(self, node):
        return f"data-{node}"

    def run(self, word, *args, timeout=60, check=True):
        if word == "receipt":
            node = int(args[-1][-1])
            rows = [self.world.told[node][id] for id in args[:-2]]
            return subprocess.CompletedProcess(args, 0, "".join(json.dumps(row) + "\n" for row in rows), "")
        if self.down != set(range(self.nodes)):
            raise Failed("a node is running")
        dirs = args[args.index("--data") + 1].split(",")
        self.audited[int(dirs[0][-1])] = dirs
        code, words = self.broken.get(int(dirs[0][-1]), (0, ""))
        idle = self.idle if not self.was_away or int(dirs[0][-1]) in self.was_away else []
        lines = [{"rule": rule, "held": True, "checked": 0 if rule in idle else 5,
                  "unchecked": self.unchecked if rule in idle else 0} for rule in RULES]
        if code == LIE:
            lines[6].update(held=False, height=9, why=words)
        return subprocess.CompletedProcess(args, code, "".join(json.dumps(line) + "\n" for line in lines), words)


class Judged(unittest.TestCase):
    def setUp(self):
        self.world = made_up()
        self.cluster = Answers(self.world)
        self.byzantine, self.expect, self.away, self.patience = [], {"resumed_s": 1.0}, set(), 1
        self.stalls = []

    def judge(self):
        self.cluster.down, self.cluster.audited = set(self.away), {}
        world, scenario = self.world, types.SimpleNamespace(nodes=4, byzantine=self.byzantine, expect=self.expect)
        return judge(self.cluster, scenario, world.histories, world.journal, world.faults, world.ends, self.patience,
                     self.stalls)

    def passes(self):
        report = self.judge()
        self.assertEqual(report["failures"], [])
        self.assertTrue(all(check["passed"] for check in report["checks"]))
        return report

    def fails(self, name, words):
        report = self.judge()
        self.assertTrue(any(f.startswith(name) and words in f for f in report["failures"]), report["failures"])
        self.assertEqual([check["name"] for check in report["checks"] if not check["passed"]], [name])
        return report

    def one(self, kind="plain", **more):
        return next(s for s in self.world.journal
                    if s.kind == kind and all(getattr(s, name) == value for name, value in more.items()))

    def take_out(self, s, outcome):
        def change(history):
            for record in history:
                record["entries"] = [entry for entry in record["entries"] if entry["id"] != s.id]
        self.world.everywhere(change)
        s.outcome, s.height, s.index = outcome, 0, 0

    # ---- the whole ----

    def test_passes(self):
        report = self.passes()
        self.assertEqual([check["name"] for check in report["checks"]],
                         ["one order", "nothing double", "openings", "nothing lost", "forced heights", "order resumed",
                          "audit"])
        self.assertEqual(report["counts"], {
            "heights": 60, "submitted": 198, "accepted": 198, "ordered": 198, "refused": 0, "unanswered": 0,
            "expired": 0, "sealed": 8, "timelocked": 4, "forced": 6, "lost": 0, "doubled": 0})
        fault, = self.world.faults
        self.assertEqual(report["resumed"], {"median": fault["resumed_after"], "worst": fault["resumed_after"]})
        self.assertEqual({node: dirs[0] for node, dirs in self.cluster.audited.items()},
                         {node: f"data-{node}" for node in range(4)})
        self.assertEqual(sorted(self.cluster.audited[2]), [f"data-{node}" for node in range(4)])

    def test_counts(self):
        self.take_out(self.one(node=1), "ordered")                                                  # lost
        late = self.one(node=0)
        late.sent = 3.0
        self.take_out(late, "expired")
        self.world.journal += [Submission(ROLLUP, "0xaa", "refused"), Submission(ROLLUP, "0xbb", "lost")]
        for history in self.world.histories.values():
            history[-1]["entries"].append(dict(history[-2]["entries"][0], index=len(history[-1]["entries"])))  # double
        counts = self.judge()["counts"]
        self.assertEqual({name: counts[name] for name in ("accepted", "ordered", "refused", "unanswered", "expired",
                                                          "lost", "doubled")},
                         {"accepted": 198, "ordered": 196, "refused": 1, "unanswered": 1, "expired": 1, "lost": 1,
                          "doubled": 1})

    def test_many_faults_are_counted(self):
        for s in self.world.journal[:20]:
            s.index += 1
        failures = self.judge()["failures"]
        self.assertEqual((len(failures), failures[-1]), (9, "nothing lost: and 12 more"))

    # ---- accepted means ordered ----

    def expire(self, node, sent):
        s = self.one(node=node)
        s.sent = sent
        self.take_out(s, "expired")

    def test_may_expire_with_its_node(self):
        self.expire(0, 3.2)                     # the fault: node 0, 3.05 to 3.6
        self.assertIn("1 expired", self.passes()["checks"][3]["said"])

    def test_may_expire_when_the_fault_comes_in_time(self):
        self.expire(0, -26.9)
        self.passes()

    def test_may_not_expire_before_the_fault(self):
        self.expire(0, -27.1)                   # its time was over
        self.fails("nothing lost", "although nothing was done to its node")

    def test_may_not_expire_after_the_fault(self):
        self.expire(0, 3.7)
        self.fails("nothing lost", "although nothing was done to its node")

    def test_may_expire_while_the_fault_lasts(self):
        self.expire(0, 3.7)
        self.world.faults[0]["until"] = None
        self.passes()

    def test_may_not_expire_with_another_node(self):
        self.expire(1, 3.2)
        self.fails("nothing lost", "although nothing was done to its node")

    def test_may_expire_when_order_stopped(self):
        self.expire(1, 3.2)
        self.world.faults[0].update(stops=True, can_again=3.1)
        self.passes()

    def test_may_expire_when_nobody_knows_its_node(self):
        self.expire(1, 3.2)
        next(s for s in self.world.journal if s.outcome == "expired").node = None
        self.passes()

    # ---- forced ----

    def test_bytes_of_an_envelope(self):
        """As `wire/tx.h` and docs/PROTOCOL.md clause 8.9 have them."""
        self.assertEqual(envelope_bytes({"payload": "0x" + "aa" * 10}), 31)
        self.assertEqual(envelope_bytes({"legs": [{"payload": "0xaa"}, {"payload": "0xbbcc"}]}), 21 + 1 + 13 + 14)

    def test_nobody_to_ask(self):
        self.away = {0, 1, 2, 3}
        self.fails("forced heights", "no node is there")

    def test_node_that_does_not_know(self):
        del self.world.told[2]["0xf3"]
        for node in self.world.told:
            self.cluster.world.told[node].setdefault("0xf3", {"id": "0xf3", "state": "unknown"})
        self.fails("forced heights", "different things of 0xf3")

    def test_byzantine_ones_are_not_asked(self):
        self.world.told[3]["0xf3"]["queued_at"] = 1
        self.byzantine = [3]
        self.passes()

    def test_ask_that_fails(self):
        def ask(_):
            raise Failed("no answer")
        verdict = Verdict()
        judge_forced(verdict, self.world.histories[0], self.world.journal, [], self.world.params, 4, ask)
        self.assertEqual(verdict.faults, [("forced heights", "no answer")])

    def test_at_a_running_cluster(self):
        """As tests of forced entries ask it: it raises what is wrong."""
        entries = [entry for record in self.world.histories[0] for entry in queue_check.forced_of(record)]
        with unittest.mock.patch.object(queue_check, "forced_entries", lambda *_: entries):
            self.assertEqual(queue_check.check_heights(self.cluster, range(4), 60), (entries, self.world.told[0]))
            self.world.told[2]["0xf3"]["queued_at"] += 1
            self.assertRaises(Failed, queue_check.check_heights, self.cluster, range(4), 60)

    def test_order_of_the_queue(self):
        """Two that one height queued and one height delivers, the other way round."""
        def swap(history):
            entries = history[11]["entries"]
            entries[0], entries[1] = entries[1], entries[0]
        self.world.everywhere(swap)
        self.fails("forced heights", "does not follow the order of the queue")

    def held(self, at_ms, id="0xf5", nodes=(2, 3)):
        """Held by two since then; it is queued at height 30, 1,003,000 ms; heights come every 100 ms."""
        s = next(s for s in self.world.journal if s.id == id)
        s.receipts = [{"node": node, "time_ms": at_ms, "height": 1} for node in nodes]
        s.sent, s.answered = -5, -4     # undisturbed
        return s

    def test_queued_at_once(self):
        self.held(1_002_200)    # + 400 ms: height 26, and four under way
        self.passes()

    def test_queued_not_at_once(self):
        self.held(1_002_199 - 100)
        self.fails("forced heights", "queued at height 30, not up to 29")

    def test_queued_not_at_once_on_a_busy_machine(self):
        self.held(1_002_199 - 100)
        self.patience = 2
        self.passes()
        self.held(1_002_199 - 500)
        self.fails("forced heights", "queued at height 30, not up to 29")

    def test_queued_late_over_links_beyond_delta(self):
        s = self.held(1_001_000)
        s.sent, s.answered = 0, 2.0
        self.world.faults += [{"at": -9, "until": 2.5, "what": "loss", "kind": "shape", "nodes": [0, 1, 2, 3]}]
        self.fails("forced heights", "queued at height 30")
        self.world.faults[-1]["beyond_delta"] = True
        self.passes()
        self.world.faults[-1]["until"] = None
        self.passes()

    def test_queued_late_beside_a_fault(self):
        """Whatever begins or ends while it is under way excuses it, or a second before; what lasts does not."""
        s = self.held(1_001_000)
        s.sent, s.answered = -3, -1
        for moment in ("at", "until", "can_again"):
            for when, disturbs in ((-4.1, False), (-3.9, True), (-1.1, True), (-0.9, False)):
                self.world.faults[0].update({"at": -9, "until": 3.6, "can_again": None, moment: when})
                self.passes() if disturbs else self.fails("forced heights", "queued at height 30")

    def test_f_receipts_say_nothing(self):
        self.held(1_001_000, nodes=(2, 2))
        self.passes()

    # ---- recovery ----

    def stand_still(self, seconds):
        for history in self.world.histories.values():
            for record in history:
                record["at"] += seconds * (record["at"] > 3.05)

    def test_resumed_too_late(self):
        self.stand_still(1.2)
        self.fails("order resumed", "resumed after 1.2")
        self.expect = {}
        self.passes()

    def test_resumed_when_the_machine_did(self):
        """What the machine stood still itself does not count; what order stood still beside that does."""
        self.stand_still(1.7)
        self.stalls = [(3.2, 3.9), (3.1, 3.8), (4.0, 4.2), (9, 12)]     # two processors
        self.assertIn("the machine stood still for 1.00 s", self.passes()["checks"][5]["said"])
        self.stalls = [(3.2, 3.9)]
        self.fails("order resumed", "stood still for 0.70 s of it")

    def test_resumed_in_time(self):
        self.stand_still(0.9)
        self.assertAlmostEqual(self.passes()["resumed"]["worst"], 0.95, places=2)

    def test_not_measured(self):
        self.world.faults[0].update(at=50)
        self.fails("order resumed", "at 50.0 s: it came at the end")
        self.expect = {}
        self.assertIsNone(self.passes()["resumed"])

    def test_median(self):
        self.stand_still(0.6)
        self.world.faults += [dict(self.world.faults[0], at=4.5), dict(self.world.faults[0], at=5)]
        resumed = self.passes()["resumed"]
        self.assertAlmostEqual(resumed["worst"], 0.65, places=2)
        self.assertAlmostEqual(resumed["median"], 0.1, places=2)

    # ---- audits ----

    def test_audit_that_finds_a_lie(self):
        self.cluster.broken[2] = (LIE, "not in order")
        self.fails("audit", "node 2: the audit ends with 3")

    def test_audit_that_cannot_read(self):
        self.cluster.broken[1] = (1, "half of it is missing")
        self.fails("audit", "half of it is missing")

    def test_audit_with_nothing_to_check(self):
        self.cluster.idle = ["evidence"]
        self.passes()
        for rule, kinds in (("cuts", ()), ("queue", ["forced"]), ("forced", ["forced"]),
                            ("openings", ["sealed", "timelocked"]), ("calendar", ["sealed", "timelocked"])):
            self.cluster.idle = [rule]
            self.fails("audit", f"nothing to check of {rule}")
            if kinds:
                kept = [s.kind for s in self.world.journal]
                for s in self.world.journal:
                    s.kind = "plain" if s.kind in kinds else s.kind
                self.passes()
                for s, kind in zip(self.world.journal, kept):
                    s.kind = kind

    def test_audit_of_a_node_that_was_away(self):
        """It has no reports of the heights that it caught up with; somebody must have some."""
        self.cluster.idle, self.cluster.unchecked, self.cluster.was_away = ["queue", "cuts"], 5, {3, 1}
        self.passes()
        self.cluster.was_away = set()
        self.fails("audit", "no node could check cuts, queue")
        self.cluster.unchecked, self.cluster.was_away = 0, {3}
        self.fails("audit", "node 3: it had nothing to check of cuts, queue")

    def test_damaged_and_byzantine_ones_are_not_audited(self):
        self.byzantine = [1]
        for kind in ("damage", "wipe"):
            self.world.faults[0].update(kind=kind, until=None)
            self.passes()
            self.assertEqual(sorted(self.cluster.audited), [2, 3])
            self.assertEqual(sorted(self.cluster.audited[2]), ["data-2", "data-3"])
        self.world.faults[0].update(until=3.6)
        self.passes()
        self.assertEqual(sorted(self.cluster.audited), [0, 2, 3])

    def test_nodes_that_are_down_already(self):
        self.away = {2}
        self.passes()

    def test_node_that_does_not_stop(self):
        self.cluster.stuck.add(2)
        self.fails("audit", "node 2 stopped with 1")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
