#!/usr/bin/env python3
"""The checker must reject every kind of doctored history, and accept the honest one."""
import copy
import sys
import unittest

from checker import Submission, check

HONEST = [
    {"height": h, "time_ms": 1000 * h, "block": f"0xb{h}", "rollup": 7,
     "entries": [{"index": i, "id": f"0xid{h}{i}", "kind": "plain", "payload": f"0x{h}{i}"} for i in range(h % 3)]}
    for h in range(1, 9)]

JOURNAL = [Submission(7, e["payload"], "accepted", e["id"], "", "ordered", r["height"], e["index"])
           for r in HONEST for e in r["entries"]] + [
    Submission(7, "0xaaaa", "accepted", "0xida", outcome="expired"),
    Submission(7, "0xbbbb", "refused"),
    Submission(7, "0xcccc", "lost")]


def commitment(id, index, body, unlock=None):
    return {"index": index, "rollup": 0, "id": id, "kind": "sealed", "unlock": unlock, "payload": body}


def opening(id, index, payload, height, ordered_index, unlock=None):
    return {"index": index, "rollup": 7, "id": id, "kind": "opened", "unlock": unlock, "payload": payload,
            "ordered": {"height": height, "index": ordered_index}}


class Doctored(unittest.TestCase):
    def setUp(self):
        self.histories = {node: copy.deepcopy(HONEST) for node in range(3)}
        self.journal = copy.deepcopy(JOURNAL)
        self.two = self.histories[2]                     # heights 2, 5 and 8 have two entries
        self.everywhere = self.histories.values()

    def rejected(self, word):
        faults = check(self.histories, self.journal)
        self.assertTrue(any(word in fault for fault in faults), f"'{word}' not in {faults}")

    def test_honest_is_accepted(self):
        self.assertEqual(check(self.histories, self.journal), [])

    def test_lost_answer_may_be_ordered(self):
        self.journal[0] = Submission(7, self.journal[0].payload)
        self.assertEqual(check(self.histories, self.journal), [])

    # ---- one reader against the others ----

    def test_missing_entry(self):
        del self.two[4]["entries"][1]
        self.rejected("differ at height 5: entries")

    def test_swapped_entries(self):
        a, b = self.two[4]["entries"]
        a["index"], b["index"] = 1, 0
        self.two[4]["entries"] = [b, a]
        self.rejected("differ at height 5: entries")

    def test_swapped_heights(self):
        for name in ("entries", "block"):
            self.two[4][name], self.two[5][name] = self.two[5][name], self.two[4][name]
        self.rejected("differ at height 5")

    def test_other_payload(self):
        self.two[4]["entries"][0]["payload"] = "0xff"
        self.rejected("differ at height 5: entries")

    def test_other_block(self):
        self.two[4]["block"] = "0xevil"
        self.rejected("differ at height 5: block")

    def test_other_time(self):
        self.two[4]["time_ms"] += 1
        self.rejected("differ at height 5: time_ms")

    def test_extra_height_at_the_end(self):
        self.two.append(dict(HONEST[0], height=9, time_ms=9000, entries=[]))
        self.rejected("node 2 has 9")

    def test_short_history(self):
        self.two.pop()
        self.rejected("node 2 has 7")

    # ---- all readers alike ----

    def test_extra_height(self):
        for history in self.everywhere:
            history.insert(4, dict(history[4], time_ms=4500, entries=[]))
        self.rejected("height 5 follows 5")

    def test_height_gap(self):
        for history in self.everywhere:
            del history[2]
        self.rejected("height 4 follows 2")

    def test_heights_out_of_order(self):
        for history in self.everywhere:
            history[2], history[3] = history[3], history[2]
        self.rejected("height 4 follows 2")

    def test_time_going_backward(self):
        for history in self.everywhere:
            history[4]["time_ms"] = 3500
        self.rejected("time does not rise at height 5")

    def test_time_standing_still(self):
        for history in self.everywhere:
            history[4]["time_ms"] = history[3]["time_ms"]
        self.rejected("time does not rise at height 5")

    def test_index_hole(self):
        for history in self.everywhere:
            history[4]["entries"][1]["index"] = 2
        self.rejected("indexes of height 5 have a hole")

    def test_double_in_a_height(self):
        for history in self.everywhere:
            history[4]["entries"].append(dict(history[4]["entries"][0], index=2))
        self.rejected("came at 5 already")

    def test_double_in_another_height(self):
        for history in self.everywhere:
            history[5]["entries"].append(dict(history[4]["entries"][0]))
        self.rejected("came at 5 already")

    def test_same_payload_under_another_id(self):
        for history in self.everywhere:
            history[5]["entries"].append(dict(history[4]["entries"][0], id="0xother"))
        self.rejected("came at 5 already")

    def test_accepted_missing(self):
        for history in self.everywhere:
            history[4]["entries"].pop()
        self.rejected("accepted 0xid51 is missing")

    def test_accepted_changed(self):
        for history in self.everywhere:
            history[4]["entries"][0]["payload"] = "0xff"
        self.rejected("not what or where it was said to be")

    def test_never_submitted(self):
        for history in self.everywhere:
            history[5]["entries"].append({"index": 0, "id": "0xnew", "kind": "plain", "payload": "0x01"})
        self.rejected("0xnew at height 6 was never submitted")

    def test_what_nodes_put_there_themselves(self):
        for history in self.everywhere:
            history[5]["entries"].append({"index": 0, "rollup": 0, "id": "0xown", "kind": "keygen", "payload": "0x01"})
        self.assertEqual(check(self.histories, self.journal), [])

    def test_rollup_0_is_for_nodes_only(self):
        for history in self.everywhere:
            history[5]["entries"].append({"index": 0, "rollup": 0, "id": "0xnew", "kind": "plain", "payload": "0x01"})
        self.rejected("0xnew at height 6 was never submitted")

    # ---- what was sealed ----

    def test_sealed_is_accepted(self):
        self.seal()
        self.assertEqual(check(self.histories, self.journal), [])

    def test_sealed_waits_beyond_the_history(self):
        self.seal()
        for history in self.everywhere:
            history[5]["entries"].append(dict(commitment("0xfar", 0, "0xeeee"), unlock={"height": 9}))
        self.assertEqual(check(self.histories, self.journal), [])

    def test_sealed_elsewhere(self):
        self.seal()
        self.journal[-1].index = 0
        self.rejected("not what or where it was said to be")

    def test_sealed_other_content(self):
        self.seal()
        self.doctor(6, "0xlate", "payload", "0x99")
        self.rejected("not what or where it was said to be")

    def test_sealed_never_submitted(self):
        self.seal()
        self.journal.pop()
        self.rejected("0xlate at height 4 was never submitted")

    def test_opened_too_late(self):
        self.seal()
        for history in self.everywhere:
            history[6]["entries"][0:1], history[7]["entries"][2:] = [], [history[6]["entries"][0]]
            history[7]["entries"][2]["index"] = 2
            history[6]["entries"][0]["index"] = 0
        self.rejected("0xlate is due at height 7 and not opened there")

    def test_opened_too_early(self):
        self.seal()
        self.doctor(3, "0xlate", "unlock", {"time_ms": 7001})
        self.rejected("0xlate is opened at height 7, before its unlock")

    def test_never_opened(self):
        self.seal()
        for history in self.everywhere:
            history[4]["entries"].pop()
        self.rejected("0xnow is due at height 5 and not opened there")

    def test_opened_twice(self):
        self.seal()
        for history in self.everywhere:
            history[7]["entries"].append(dict(history[6]["entries"][0], index=2, payload="0x98"))
        self.rejected("0xlate at height 8 came at 7 already")

    def test_opened_without_commitment(self):
        self.seal()
        for history in self.everywhere:
            history[3]["entries"].pop()
        self.rejected("0xlate is opened at height 7, not ordered before")

    def test_opened_not_behind_its_commitment(self):
        self.seal()
        for history in self.everywhere:
            between = {"index": 3, "rollup": 7, "id": "0xplain", "kind": "plain", "payload": "0xee"}
            history[4]["entries"].insert(-1, between)
        self.rejected("not opened right behind its commitment at height 5")

    def test_opening_names_another_place(self):
        self.seal()
        self.doctor(6, "0xlate", "ordered", {"height": 4, "index": 0})
        self.rejected("0xlate was ordered at 4, its opening says")

    def test_opening_names_another_unlock(self):
        self.seal()
        self.doctor(6, "0xlate", "unlock", None)
        self.rejected("its opening says None")

    def test_content_in_commitment(self):
        self.seal()
        self.doctor(3, "0xlate", "payload", "0xddd97ddd")
        self.rejected("the payload of 0xlate stands in its commitment")

    def test_void_is_not_what_was_submitted(self):
        self.seal()
        for history in self.everywhere:
            history[6]["entries"][0].update(kind="void", rollup=0, reason="tag")
            del history[6]["entries"][0]["payload"]
        self.rejected("accepted 0xlate is not what or where it was said to be")

    def test_bundles_are_compared_leg_by_leg(self):
        self.bundle()
        self.assertEqual(check(self.histories, self.journal), [])
        self.everywhere_legs(3, lambda legs: legs.pop())
        self.rejected("accepted 0xbundle is not what or where it was said to be")
        self.rejected("0xbundle at height 4 was never submitted")

    def test_legs_that_swapped(self):
        self.bundle()
        self.everywhere_legs(3, lambda legs: legs.reverse())
        self.rejected("accepted 0xbundle is not what or where it was said to be")

    def test_leg_in_commitment(self):
        self.bundle()
        for history in self.everywhere:
            history[3]["entries"][-2]["payload"] = "0xdd94dd"
        self.rejected("the payload of 0xclosed stands in its commitment")

    def bundle(self):
        """Two bundles at height 4, one of them sealed and opened there."""
        legs = [{"rollup": 5, "payload": "0x91"}, {"rollup": 7, "payload": "0x92"}]
        closed = [{"rollup": 7, "payload": "0x93"}, {"rollup": 5, "payload": "0x94"}]
        for history in self.everywhere:
            for record in history:
                record["rollup"] = 0
                for entry in record["entries"]:
                    entry["rollup"] = 7
            opened = dict(opening("0xclosed", 2, "", 4, 2), rollup=0, legs=copy.deepcopy(closed))
            del opened["payload"]
            history[3]["entries"] += [{"index": 1, "rollup": 0, "id": "0xbundle", "kind": "bundle",
                                       "legs": copy.deepcopy(legs)}, commitment("0xclosed", 2, "0xdddd"), opened]
        self.journal += [Submission(0, "5:0x91 7:0x92", "accepted", "0xbundle", "", "ordered", 4, 1),
                         Submission(0, "7:0x93 5:0x94", "accepted", "0xclosed", "", "ordered", 4, 2)]

    def everywhere_legs(self, at, change):
        for history in self.everywhere:
            for entry in history[at]["entries"]:
                if entry["kind"] == "bundle":
                    change(entry["legs"])

    def seal(self):
        """All rollups; one is opened where it is ordered, at 5, and one waits from 4 to 7."""
        for history in self.everywhere:
            for record in history:
                record["rollup"] = 0
                for entry in record["entries"]:
                    entry["rollup"] = 7
            history[3]["entries"].append(commitment("0xlate", 1, "0xdddd", {"time_ms": 6001}))
            history[4]["entries"] += [commitment("0xnow", 2, "0xcccc"), opening("0xnow", 2, "0x96", 5, 2)]
            for entry in history[6]["entries"]:
                entry["index"] += 1
            history[6]["entries"].insert(0, opening("0xlate", 0, "0x97", 4, 1, {"time_ms": 6001}))
        for submission in self.journal:
            submission.index += submission.height == 7
        self.journal += [Submission(7, "0x96", "accepted", "0xnow", "", "ordered", 5, 2),
                         Submission(7, "0x97", "accepted", "0xlate", "", "ordered", 4, 1)]

    def doctor(self, at, id, name, value):
        for history in self.everywhere:
            for entry in history[at]["entries"]:
                if entry["id"] == id:
                    entry[name] = value

    # ---- the journal ----

    def test_accepted_never_definite(self):
        self.journal[0].outcome = "unknown"
        self.rejected("no definite outcome")

    def test_ordered_elsewhere(self):
        self.journal[0].height += 1
        self.rejected("not what or where it was said to be")

    def test_expired_but_there(self):
        self.journal[0].outcome = "expired"
        self.rejected("was expired and is at height")

    def test_refused_but_there(self):
        self.journal[0].status, self.journal[0].outcome = "refused", ""
        self.rejected("was refused and is at height")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
