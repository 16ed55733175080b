"""Is what was sealed opened once, at the height that docs/PROTOCOL.md clauses 7.6 and 7.7 give? Worked out from a
stream of all rollups from the first height on, beside the node's own calendar.

Of whose lane an entry is the stream does not say. So the *parts* of clause 7.7, what a height opens of each queue, are
followed exactly for forced entries, whose queue is one; of lanes' entries what is late must have been ordered behind
so much that was opened there instead that it can have been of one lane and have taken that lane's part. Without `parts`
nothing may be late at all, which holds for loads below what heights open."""
from dataclasses import dataclass, field

from queue_check import envelope_bytes

OPENINGS = ("opened", "void")   # what becomes of an entry of kind sealed, under its id
CLASSES = ("forced", "locked", "unlocked")  # in the order in which a height opens what waited


@dataclass
class Parts:
    """Envelope bytes that a height opens of each queue; one entry always fits."""
    nodes: int
    forced: int
    locked: int     # of each lane
    unlocked: int   # of each lane

    @classmethod
    def of(cls, params, nodes):
        """`params`: of the genesis."""
        due = params["due_bytes_per_block"]
        return cls(nodes, due // 4, due // 4 // nodes, due // 4 * 2 // nodes)


@dataclass
class Waiting:
    """A commitment that is not opened yet."""
    height: int
    entry: dict

    @property
    def place(self):
        return (self.height, self.entry["index"])

    @property
    def bytes(self):
        return envelope_bytes(self.entry)

    @property
    def queue(self):
        return "forced" if self.entry.get("forced") else "locked" if self.entry["unlock"] else "unlocked"


@dataclass
class Opened:
    """What one height opens: commitments in the order in which they are opened."""
    waited: list = field(default_factory=list)
    in_place: list = field(default_factory=list)

    def of(self, queue):
        """What uses up the queue's part: forced entries that are due where they are delivered need none."""
        return [each for each in self.waited + (self.in_place if queue != "forced" else []) if each.queue == queue]


def check_openings(history, parts=None):
    """Faults in words. `parts`: Parts, for loads that a height may not open at once."""
    faults, waiting, opened_at = [], {}, {}
    if any(record.get("rollup") != 0 for record in history):
        return []
    for record in history:
        height, before, opened = record["height"], None, Opened()
        for entry in record["entries"]:
            id = entry["id"]
            if entry["kind"] == "sealed":
                waiting[id] = Waiting(height, entry)
            elif entry["kind"] in OPENINGS:
                commitment = waiting.pop(id, None)
                if commitment is None:
                    faults.append(f"{id} is opened at height {height}, not ordered before: {opened_at.get(id)}")
                    continue
                opened_at[id] = height
                faults += compare_opening(record, entry, commitment)
                in_place = is_opened_in_place(height, entry)
                (opened.in_place if in_place else opened.waited).append(commitment)
                if in_place and before is not commitment.entry:
                    faults.append(f"{id} is not opened right behind its commitment at height {height}")
            before = entry
        faults += check_order(record, opened.waited)
        faults += check_late(record, opened, waiting, parts)
        faults += check_room(record, opened, parts)
    return faults


def compare_opening(record, entry, commitment):
    """Faults of one opening against its commitment."""
    faults, height, sealed, id = [], record["height"], commitment.entry, entry["id"]
    if entry["ordered"] != {"height": commitment.height, "index": sealed["index"]}:
        faults.append(f"{id} was ordered at {commitment.height}, its opening says {entry['ordered']}")
    if is_opened_in_place(height, entry) and entry["index"] != sealed["index"]:
        faults.append(f"{id} is opened at index {entry['index']} where it was ordered at {sealed['index']}")
    if not is_unlocked(sealed, record):
        faults.append(f"{id} is opened at height {height}, before its unlock {sealed['unlock']}")
    if entry["kind"] == "opened" and entry["unlock"] != sealed["unlock"]:
        faults.append(f"{id} was to be unlocked at {sealed['unlock']}, its opening says {entry['unlock']}")
    if entry["kind"] == "opened" and any(text[2:] in sealed["payload"] for text in payloads(entry)):
        faults.append(f"the payload of {id} stands in its commitment")
    if entry["kind"] == "void" and (entry.get("rollup") or "payload" in entry or "legs" in entry):
        faults.append(f"{id} is void at height {height} and shows content, or a rollup")
    return faults


def check_order(record, waited):
    """Openings of what waited stand queue by queue: forced ones, lanes' with an unlock, lanes' without; each queue in
    the order in which its entries were ordered."""
    queues = [CLASSES.index(each.queue) for each in waited]
    forced = [each.place for each in waited if each.queue == "forced"]
    if queues != sorted(queues) or forced != sorted(forced):
        return [f"what waited is not opened in the order of its queues at height {record['height']}"]
    return []


def check_late(record, opened, waiting, parts):
    """What is due and not opened must have been kept waiting by what was ordered before it; one that breaks this is
    reported once."""
    faults, full, height = [], set(), record["height"]
    due = [each for each in waiting.values() if is_unlocked(each.entry, record)]
    for each in sorted(due, key=lambda one: one.place):
        used = opened.of(each.queue)
        ahead = sum(one.bytes for one in used if one.place < each.place)
        if parts and ahead and ahead + each.bytes > getattr(parts, each.queue):
            full.add(each.queue)    # whoever is behind it waits with it
        excused = each.queue in full
        if each.queue == "forced":  # where it is delivered it needs no part; and none goes before an earlier one
            excused &= each.height < height and not any(one.place > each.place for one in used)
        if not excused:
            faults.append(f"{each.entry['id']} is due at height {height} and not opened there")
            del waiting[each.entry["id"]]
    return faults


def check_room(record, opened, parts):
    """No queue is opened beyond its part; of lanes' queues, which look like one here, not beyond all of theirs."""
    faults = []
    for queue in CLASSES if parts else ():
        sizes = [each.bytes for each in opened.of(queue)]
        part, queues = getattr(parts, queue), 1 if queue == "forced" else parts.nodes
        if sizes and sum(sizes) > queues * max(part, max(sizes)):
            faults.append(f"{sum(sizes)} {queue} bytes are opened at height {record['height']}, beyond their part")
    return faults


def is_unlocked(commitment, record):
    """Whether the height reaches the unlock; what has none is due where it is ordered."""
    return all(record[name if name == "time_ms" else "height"] >= value
               for name, value in (commitment["unlock"] or {}).items())


def is_opened_in_place(height, entry):
    """Whether this is the opening of what was ordered at the same height, which has no index of its own."""
    return entry["kind"] in OPENINGS and entry["ordered"]["height"] == height


def payloads(entry):
    """The payload of an entry, or those of a bundle's legs."""
    return [leg["payload"] for leg in entry["legs"]] if "legs" in entry else [entry["payload"]]
