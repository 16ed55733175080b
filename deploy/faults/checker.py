"""Did all nodes give one order, and is everything there that was accepted, the sealed opened where it was due?

A history is what one independent reader got from one node: a list of heights as `sluice subscribe
--all` prints them. A journal is what the submitters know: a list of Submissions. `check` returns the
faults that it finds, in words; an empty list means that all is well."""
from dataclasses import dataclass


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


DEFINITE = ("ordered", "expired", "dropped")

COMMITTEE = 0                               # the nodes' own rollup ...
COMMITTEE_KINDS = ("evidence", "keygen")    # ... and what they put there
OPENINGS = ("opened", "void")               # what becomes of an entry of kind sealed, under its id


def check(histories, journal, foreign=()):
    """`histories`: {node: [height record]}, each read up to the same height. `foreign`: rollups whose
    entries may come from elsewhere than the journal."""
    faults = []
    for node, history in histories.items():
        faults += check_history(node, history)
    faults += compare(histories)
    if not faults:
        longest = max(histories.values(), key=len, default=[])
        faults += check_journal(longest, journal, set(foreign))
    return faults


def check_history(node, history):
    """Heights without gap, times rising, indexes without hole, nothing twice."""
    faults, seen, previous = [], {}, None
    for record in history:
        height = record["height"]
        if previous and height != previous["height"] + 1:
            faults.append(f"node {node}: height {height} follows {previous['height']}")
        if previous and record["time_ms"] <= previous["time_ms"]:
            faults.append(f"node {node}: time does not rise at height {height}")
        indexes = [entry["index"] for entry in record["entries"] if not is_opened_in_place(height, entry)]
        if indexes != list(range(len(indexes))):
            faults.append(f"node {node}: indexes of height {height} have a hole: {indexes}")
        for entry in record["entries"]:
            for key in ((entry["id"], entry["kind"] in OPENINGS),
                        (entry_rollup(record, entry), content(entry) or entry["id"])):
                if key in seen:
                    faults.append(f"node {node}: {entry['id']} at height {height} came at {seen[key]} already")
                    break
                seen[key] = height
        previous = record
    return faults + [f"node {node}: {fault}" for fault in check_openings(history)]


def check_openings(history):
    """What is sealed is opened once, at the first height that reaches its unlock (no other, so the load must be less
    than what heights open), right behind its commitment when that is where it was ordered; not a byte of it before.
    For histories of all rollups from the first height on."""
    faults, waiting, opened_at = [], {}, {}
    if any(record.get("rollup") != COMMITTEE for record in history):
        return []
    for record in history:
        height, before = record["height"], None
        for entry in record["entries"]:
            id = entry["id"]
            if entry["kind"] == "sealed":
                waiting[id] = (height, entry)
            elif entry["kind"] in OPENINGS:
                ordered_at, commitment = waiting.pop(id, (0, None))
                if commitment is None:
                    faults.append(f"{id} is opened at height {height}, not ordered before: {opened_at.get(id)}")
                    continue
                opened_at[id] = height
                faults += compare_opening(record, entry, ordered_at, commitment)
                if is_opened_in_place(height, entry) and before is not commitment:
                    faults.append(f"{id} is not opened right behind its commitment at height {height}")
            before = entry
        for id in [id for id, (_, entry) in waiting.items() if is_unlocked(entry, record)]:
            faults.append(f"{id} is due at height {height} and not opened there")
            del waiting[id]
    return faults


def compare_opening(record, entry, ordered_at, commitment):
    """Faults of one opening against its commitment."""
    faults, height = [], record["height"]
    if entry["ordered"] != {"height": ordered_at, "index": commitment["index"]}:
        faults.append(f"{entry['id']} was ordered at {ordered_at}, its opening says {entry['ordered']}")
    if not is_unlocked(commitment, record):
        faults.append(f"{entry['id']} is opened at height {height}, before its unlock {commitment['unlock']}")
    if entry["kind"] == "opened" and entry["unlock"] != commitment["unlock"]:
        faults.append(f"{entry['id']} was to be unlocked at {commitment['unlock']}, its opening says {entry['unlock']}")
    if entry["kind"] == "opened" and any(text[2:] in commitment["payload"] for text in payloads(entry)):
        faults.append(f"the payload of {entry['id']} stands in its commitment")
    return faults


def is_unlocked(commitment, record):
    """Whether the height reaches the unlock; what has none is due where it is ordered."""
    return all(record[name if name == "time_ms" else "height"] >= value
               for name, value in (commitment["unlock"] or {}).items())


def is_opened_in_place(height, entry):
    """Whether this is the opening of what was ordered at the same height, which has no index of its own."""
    return entry["kind"] in OPENINGS and entry["ordered"]["height"] == height


def compare(histories):
    """All histories hold the same heights with the same content."""
    faults = []
    nodes = sorted(histories)
    for node in nodes[1:]:
        one, other = histories[nodes[0]], histories[node]
        for a, b in zip(one, other):
            if a != b:
                fields = [name for name in a.keys() | b.keys() if a.get(name) != b.get(name)]
                faults.append(f"nodes {nodes[0]} and {node} differ at height {a['height']}: {', '.join(sorted(fields))}")
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


def payloads(entry):
    """The payload of an entry, or those of a bundle's legs."""
    return [leg["payload"] for leg in entry["legs"]] if "legs" in entry else [entry["payload"]]


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
