"""A run of a fault scenario as its readers, clients and nodes tell it: made up by the rules, or read from a real
cluster, to be doctored. `told`: {node: {id: what `sluice receipt` says}}."""
import copy
import pickle
from dataclasses import dataclass, field

from checker import OPENINGS, Submission
from verdict import Verdict, judge_accepted, judge_forced, judge_recovery, judge_stream

ROLLUP = 7
HEIGHT_S = 0.1
PARAMS = {"forced_delay": 2, "forced_bytes_per_block": 300, "due_bytes_per_block": 40_000, "delta_ms": 50,
          "resend_ms": 200, "dedup_window_ms": 30_000}


@dataclass
class World:
    histories: dict
    journal: list
    told: dict
    params: dict
    nodes: int = 4
    faults: list = field(default_factory=list)
    ends: float = 0
    resumed_s: float = 1.0
    patience: float = 1

    def copy(self):
        return pickle.loads(pickle.dumps(self))

    def judged(self):
        """Faults in words, without those of an audit."""
        verdict, longest = Verdict(), max(self.histories.values(), key=len)
        judge_stream(verdict, self.histories, self.params, self.nodes)
        judge_accepted(verdict, longest, self.journal, self.faults, self.params)
        judge_forced(verdict, longest, self.journal, self.faults, self.params, self.nodes, lambda ids: self.told,
                     self.patience)
        judge_recovery(verdict, self.histories, self.journal, self.faults, self.ends, self.resumed_s)
        return [fault for _, fault in verdict.faults]

    def everywhere(self, change):
        """The same change to every reader's history, after which all else that is told fits it: indexes, where things
        were ordered, what clients heard and what nodes say. Only what a check works out is then wrong."""
        for history in self.histories.values():
            change(history)
            number(history)
        places = commitments(next(iter(self.histories.values())))
        for s in self.journal:
            if s.id in places and s.outcome == "ordered":
                s.height, s.index = places[s.id]
                s.due_height = s.height if s.kind == "forced" else 0
        for of in self.told.values():
            for id, place in of.items():
                if id in places:
                    place["delivered_at"], place["index"] = places[id]
                    place["due_height"] = place["delivered_at"]


def commitments(history):
    """{id: (height, index)} of what is ordered."""
    return {entry["id"]: (record["height"], entry["index"])
            for record in history for entry in record["entries"] if entry["kind"] not in OPENINGS}


def number(history):
    """Gives entries their indexes, and openings the place of their commitments."""
    for record in history:
        index, own = 0, {}
        for entry in record["entries"]:
            if entry["kind"] in OPENINGS and entry["id"] in own:
                entry["index"] = own[entry["id"]]
            else:
                entry["index"] = own[entry["id"]] = index
                index += 1
    places = commitments(history)
    for record in history:
        for entry in record["entries"]:
            if entry["kind"] in OPENINGS and entry["id"] in places:
                entry["ordered"] = dict(zip(("height", "index"), places[entry["id"]]))


# ---- made up ----

def plain(id, bytes=20, **more):
    payload = "0x" + (id.encode().hex() * bytes)[:2 * bytes]
    return {"rollup": ROLLUP, "id": f"0x{id}", "kind": "plain", "payload": payload, **more}


def sealed(id, unlock=None, bytes=60, **more):
    payload = "0x" + (b"sealed" + id.encode()).hex().ljust(2 * bytes, "e")
    return {"rollup": 0, "id": f"0x{id}", "kind": "sealed", "unlock": unlock, "payload": payload, **more}


def opened(id, unlock=None):
    return {"rollup": ROLLUP, "id": f"0x{id}", "kind": "opened", "unlock": unlock,
            "payload": "0x" + id.encode().hex() * 9, "ordered": {"height": 0, "index": 0}}


def made_up(heights=60):
    """Two plain ones a height, now and then one sealed, timelocked or forced, by the rules."""
    stream = {h: [] for h in range(1, heights + 1)}
    journal, queued, booked, forced = [], {}, {}, {}
    # 129 bytes each with its tuple, two to a height: f3 has no room where f1 and f2 are, and f4 comes behind it
    for id, at, due in (("f1", 10, 12), ("f2", 10, 12), ("f3", 10, 13), ("f4", 11, 13), ("f5", 30, 32), ("f6", 30, 32)):
        forced[f"0x{id}"] = plain(id, 60, forced=True)
        queued[f"0x{id}"], booked[f"0x{id}"] = at, due
        stream[due].append(forced[f"0x{id}"])
    openings = {}
    for id, at, unlock, height in (("t1", 5, {"height": 22}, 22), ("t2", 6, {"time_ms": 1_003_150}, 32),
                                   ("t3", 40, {"height": 3}, 40), ("t4", 44, {"time_ms": 1_005_000}, 50)):
        openings[id] = (at, unlock, height)
        if height > at:
            stream[height].append(opened(id, unlock))
    for h, entries in stream.items():
        entries += [plain(f"a{h}"), plain(f"b{h}")]
        if h % 7 == 0:
            entries += [sealed(f"s{h}"), opened(f"s{h}")]
        for id, (at, unlock, height) in openings.items():
            if at == h:
                entries += [sealed(id, unlock)] + ([opened(id, unlock)] if height == at else [])
        entries.append(plain(f"z{h}"))
    history = [{"height": h, "time_ms": 1_000_000 + 100 * h, "block": f"0xb{h}", "rollup": 0, "entries": entries}
               for h, entries in stream.items()]
    number(history)
    places = commitments(history)
    for id, (height, index) in places.items():
        entry = next(e for r in history for e in r["entries"] if e["id"] == id and e["kind"] != "sealed")
        kind = "forced" if id in forced else {"s": "sealed", "t": "timelocked"}.get(id[2], "plain")
        sent = (queued.get(id, height)) * HEIGHT_S - 0.15
        journal.append(Submission(ROLLUP, entry["payload"], "accepted", id, "", "ordered", height, index, kind=kind,
                                  sent=sent, answered=height * HEIGHT_S + 0.02, node=len(journal) % 4,
                                  due_height=height if kind == "forced" else 0))
        if kind == "forced":
            journal[-1].receipts = [{"node": n, "time_ms": 1_000_000 + 100 * (queued[id] - 2), "height": queued[id] - 2}
                                    for n in (0, 1)]
    place_of = {id: {"id": id, "state": "final", "certified": True, "queued_at": queued[id], "due_height": booked[id],
                     "delivered_at": places[id][0], "index": places[id][1]} for id in forced}
    histories = {node: [{**copy.deepcopy(record), "at": record["height"] * HEIGHT_S + 0.001 * node}
                        for record in history] for node in range(4)}
    return World(histories, journal, {node: copy.deepcopy(place_of) for node in range(4)}, PARAMS,
                 faults=[{"at": 3.05, "until": 3.6, "what": "kill -9 node 0", "kind": "kill", "nodes": [0]}],
                 ends=heights * HEIGHT_S)
