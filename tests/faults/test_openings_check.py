#!/usr/bin/env python3
"""What waits is opened by the parts of docs/PROTOCOL.md clause 7.7, and whoever opens otherwise is seen."""
import sys
import unittest

from openings_check import Parts, check_openings
from world import number

NODES = 4
PARTS = Parts(NODES, forced=1000, locked=300, unlocked=500)
ENVELOPE = 21
DUE = 5     # the height that all here wait for


def entry(id, bytes, unlock=None, forced=False):
    """A commitment of `bytes` in its envelope."""
    return {"rollup": 0, "id": id, "kind": "sealed", "unlock": unlock, "payload": "0x" + "ee" * (bytes - ENVELOPE),
            **({"forced": True} if forced else {})}


def locked(id, bytes, forced=False):
    return entry(id, bytes, {"height": DUE}, forced)


def chain(ordered, opened, heights=10):
    """`ordered`: {height: commitments}, `opened`: {height: ids}; one that is opened where it is ordered stands behind
    it."""
    history, sealed = [], {e["id"]: e for entries in ordered.values() for e in entries}
    for h in range(1, heights + 1):
        here = ordered.get(h, [])
        record = {"height": h, "time_ms": 100 * h, "rollup": 0, "entries": []}
        for id in opened.get(h, []):
            if id not in [e["id"] for e in here]:
                record["entries"].append(opening(id, sealed[id]))
        for commitment in here:
            record["entries"].append(commitment)
            if commitment["id"] in opened.get(h, []):
                record["entries"].append(opening(commitment["id"], commitment))
        history.append(record)
    number(history)
    return history


def opening(id, commitment):
    payload = f"0x{id.encode().hex()}"
    return {"rollup": 7, "id": id, "kind": "opened", "unlock": commitment["unlock"], "payload": payload,
            "ordered": {"height": 0, "index": 0}}


class Spilled(unittest.TestCase):
    def faults(self, ordered, opened, parts=PARTS):
        return check_openings(chain(ordered, opened), parts)

    def holds(self, ordered, opened):
        self.assertEqual(self.faults(ordered, opened), [])

    def breaks(self, ordered, opened, words, parts=PARTS):
        faults = self.faults(ordered, opened, parts)
        self.assertTrue(any(words in fault for fault in faults), f"'{words}' not in {faults}")

    # ---- forced ones: one queue, exactly ----

    def test_forced_spill(self):
        ordered = {1: [locked("a", 600, True), locked("b", 400, True), locked("c", 200, True)]}
        self.holds(ordered, {DUE: ["a", "b"], DUE + 1: ["c"]})
        self.breaks(ordered, {DUE: ["a"], DUE + 1: ["b", "c"]}, "b is due at height 5 and not")      # it fits
        self.breaks(ordered, {DUE: ["a", "b", "c"]}, "1200 forced bytes are opened at height 5")
        self.breaks(ordered, {DUE: ["a", "b"], DUE + 2: ["c"]}, "c is due at height 6 and not")

    def test_forced_do_not_overtake(self):
        ordered = {1: [locked("a", 600, True), locked("b", 500, True), locked("c", 200, True)]}
        self.holds(ordered, {DUE: ["a"], DUE + 1: ["b", "c"]})
        self.breaks(ordered, {DUE: ["a", "c"], DUE + 1: ["b"]}, "b is due at height 5 and not")
        self.breaks({1: [locked("a", 100, True), locked("b", 100, True)]}, {DUE: ["b", "a"]}, "order of its queues")

    def test_one_always_fits(self):
        ordered = {1: [locked("a", 5000, True), locked("b", 5000, True)]}
        self.holds(ordered, {DUE: ["a"], DUE + 1: ["b"]})

    def test_forced_need_no_part_where_they_are_delivered(self):
        waits, here = locked("a", 1000, True), [entry("b", 900, forced=True), entry("c", 900, forced=True)]
        self.holds({1: [waits], DUE: here}, {DUE: ["a", "b", "c"]})
        self.breaks({1: [waits], DUE: here}, {DUE: ["a", "b"], DUE + 1: ["c"]}, "c is due at height 5 and not")

    # ---- lanes: whose they are is not known ----

    def test_lanes_spill(self):
        ordered = {1: [locked("a", 200), locked("b", 200)]}
        self.holds(ordered, {DUE: ["a"], DUE + 1: ["b"]})       # of one lane
        self.holds(ordered, {DUE: ["a", "b"]})                  # of two
        self.breaks(ordered, {DUE: ["b"], DUE + 1: ["a"]}, "a is due at height 5 and not")  # nothing is ahead of it
        small = {1: [locked("a", 100), locked("b", 100)]}
        self.breaks(small, {DUE: ["a"], DUE + 1: ["b"]}, "b is due at height 5 and not")    # there is room in any case
        self.breaks(ordered, {DUE: ["a"], DUE + 1: ["b"]}, "b is due at height 5 and not", parts=None)

    def test_who_is_behind_waits_with_it(self):
        self.holds({1: [locked("a", 200), locked("b", 200), locked("c", 50)]}, {DUE: ["a"], DUE + 1: ["b", "c"]})

    def test_all_lanes_together(self):
        ids = [f"l{i}" for i in range(NODES + 1)]
        self.breaks({1: [locked(id, 300) for id in ids]}, {DUE: ids}, "1500 locked bytes are opened")
        self.holds({1: [locked(id, 300) for id in ids]}, {DUE: ids[:-1], DUE + 1: ids[-1:]})

    def test_without_an_unlock(self):
        ordered = {3: [entry("a", 400), entry("b", 400)]}
        self.holds(ordered, {3: ["a"], 4: ["b"]})
        self.breaks(ordered, {3: ["a"], 5: ["b"]}, "b is due at height 4 and not")
        self.breaks({3: [entry("a", 100), entry("b", 100)]}, {3: ["a"], 4: ["b"]}, "b is due at height 3 and not")
        self.breaks({1: [locked("a", 250)], DUE: [entry("b", 400)]}, {DUE: ["a"], DUE + 1: ["b"]},
                    "b is due at height 5 and not")     # another part

    def test_order_of_queues(self):
        ordered = {1: [locked("a", 100), locked("f", 100, True)]}
        self.holds(ordered, {DUE: ["f", "a"]})
        self.breaks(ordered, {DUE: ["a", "f"]}, "order of its queues at height 5")

    def test_one_rollup_shows_no_commitments(self):
        history = chain({1: [locked("a", 100)]}, {DUE: ["a"]})
        for record in history:
            record.update(rollup=7, entries=[e for e in record["entries"] if e["rollup"] == 7])
        self.assertEqual(check_openings(history, PARTS), [])

    def test_parts_are_of_the_genesis(self):
        parts = Parts.of({"due_bytes_per_block": 4 << 20}, NODES)
        self.assertEqual(parts, Parts(NODES, 1 << 20, 1 << 18, 1 << 19))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
