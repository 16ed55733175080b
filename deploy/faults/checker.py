"""Did all nodes give one order, and is everything there that was accepted, the sealed opened where it was due?

A history is what one independent reader got from one node: a list of heights as `sluice subscribe
--all` prints them. A journal is what the submitters know: a list of Submissions. `check` returns the
faults that it finds, in words; an empty list means that all is well."""
from dataclasses import dataclass

from openings_check import OPENINGS, check_openings, is_opened_in_place


@dataclass
class Submission:
    rollup: int
    payload: str            # 0x-hex; every submission of a test has another one
    status: str = "lost"    # accepted, refused; lost: the answer never came
    id: str = ""
    reason: str = ""        # of a refusal
    outcome: str = ""       # ordered, expired, dropped; anything else is not definite
    height: int = 0
    index: int = 0
    kind: str = "plain"     # sealed, timelocked, forced
    sent: float = 0         # seconds, on the clock of the run
    answered: float = 0
    node: int | None = None     # through which it went, where that is known
    due_height: int = 0         # of a forced one: as the client was told while it was queued, ...
    receipts: tuple = ()        # ... and the receipts of those who hold it, {"node", "time_ms", "height"}

    def told(self, answer):
        """What `sluice submit` answered, as JSON."""
        self.reason = answer.get("reason") or ""
        lost = self.reason == "connection_lost"     # it may be ordered all the same
        self.status, self.id = "lost" if lost else answer["status"], answer.get("id") or ""
        self.outcome = answer.get("outcome") or ""
        self.height, self.index = answer.get("height") or 0, answer.get("index") or 0
        self.due_height = answer.get("due_height") or 0
        self.receipts = tuple(answer.get("receipts") or ())


DEFINITE = ("ordered", "expired", "dropped")

COMMITTEE = 0                               # the nodes' own rollup ...
COMMITTEE_KINDS = ("evidence", "keygen")    # ... and what they put there
OF_THE_READER = {"at"}                      # in a record, of the one who read it: when it had it


def check(histories, journal, foreign=(), parts=None):
    """`histories`: {node: [height record]}, each read up to the same height. `foreign`: rollups whose
    entries may come from elsewhere than the journal. `parts`: of check_openings."""
    faults = []
    for node, history in histories.items():
        faults += check_heights_follow(node, history) + check_once(node, history)
        faults += [f"node {node}: {fault}" for fault in check_openings(history, parts)]
    faults += compare(histories)
    if not faults:
        longest = max(histories.values(), key=len, default=[])
        faults += check_journal(longest, journal, set(foreign))
    return faults


def check_heights_follow(node, history):
    """Heights without gap, times rising, indexes without hole."""
    faults, previous = [], None
    for record in history:
        height = record["height"]
        if previous and height != previous["height"] + 1:
            faults.append(f"node {node}: height {height} follows {previous['height']}")
        if previous and record["time_ms"] <= previous["time_ms"]:
            faults.append(f"node {node}: time does not rise at height {height}")
        indexes = [entry["index"] for entry in record["entries"] if not is_opened_in_place(height, entry)]
        if indexes != list(range(len(indexes))):
            faults.append(f"node {node}: indexes of height {height} have a hole: {indexes}")
        previous = record
    return faults


def check_once(node, history):
    """Nothing is there twice: no id, no content. A commitment and its opening share an id."""
    faults, seen = [], {}
    for record in history:
        height = record["height"]
        for entry in record["entries"]:
            for key in ((entry["id"], entry["kind"] in OPENINGS),
                        (entry_rollup(record, entry), content(entry) or entry["id"])):
                if key in seen:
                    faults.append(f"node {node}: {entry['id']} at height {height} came at {seen[key]} already")
                    break
                seen[key] = height
    return faults


def compare(histories):
    """All histories hold the same heights with the same content."""
    faults = []
    nodes = sorted(histories)
    for node in nodes[1:]:
        one, other = histories[nodes[0]], histories[node]
        for a, b in zip(one, other):
            fields = [name for name in (a.keys() | b.keys()) - OF_THE_READER if a.get(name) != b.get(name)]
            if fields:
                faults.append(f"nodes {nodes[0]} and {node} differ at height {a['height']}: "
                              + ", ".join(sorted(fields)))
                break
        if len(one) != len(other):
            faults.append(f"node {nodes[0]} has {len(one)} heights, node {node} has {len(other)}")
    return faults


def check_journal(history, journal, foreign):
    """What was accepted is there once and as submitted, or definitely is not; nothing else is there."""
    faults, places = [], {}
    for record in history:
        for entry in record["entries"]:
            rollup, height, index = entry_rollup(record, entry), record["height"], entry["index"]
            if rollup == COMMITTEE and entry["kind"] in COMMITTEE_KINDS + ("sealed",):
                continue
            if entry["kind"] in OPENINGS:
                height, index = entry["ordered"]["height"], entry["ordered"]["index"]
            places[entry["id"]] = (height, index, rollup, content(entry) or entry["kind"])
    submitted = {(s.rollup, s.payload) for s in journal}
    for s in journal:
        place = places.get(s.id) if s.id else None
        if s.status == "accepted" and s.outcome not in DEFINITE:
            faults.append(f"accepted {s.id} has no definite outcome: '{s.outcome}'")
        elif s.status == "accepted" and s.outcome == "ordered":
            if place is None:
                faults.append(f"accepted {s.id} is missing")
            elif place != (s.height, s.index, s.rollup, s.payload):
                faults.append(f"accepted {s.id} is not what or where it was said to be: {str(place)[:60]}")
        elif s.status != "lost" and place:
            faults.append(f"{s.id} was {s.outcome or s.status} and is at height {place[0]}")
    for id, (height, _, rollup, payload) in places.items():
        if rollup not in foreign and (rollup, payload) not in submitted:
            faults.append(f"{id} at height {height} was never submitted")
    return faults


def legs_text(legs):
    """A bundle's legs, [(rollup, 0x-hex)], as the payload of its Submission, which is for rollup 0."""
    return " ".join(f"{rollup}:{payload}" for rollup, payload in legs)


def content(entry):
    """What was submitted; None when the entry has none."""
    if "legs" in entry:
        return legs_text((leg["rollup"], leg["payload"]) for leg in entry["legs"])
    return entry.get("payload")


def entry_rollup(record, entry):
    """An entry's own rollup where the reader follows all of them, else the record's."""
    return entry.get("rollup", record.get("rollup"))
