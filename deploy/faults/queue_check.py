"""The heights of forced entries, worked out as a client can: by docs/PROTOCOL.md clause 6.5 from the
heights that queued them, what a subscriber reads, and the genesis' parameters; not by what a node says
to be due. In a chain of which no forced entry was skipped as a duplicate."""
import bisect
import json
import subprocess
from dataclasses import dataclass

from cluster import Failed

HEAD_BYTES = 21     # of an envelope: rollup, valid_until, kind, length
LEG_BYTES = 12      # of a bundle's leg, beside its payload; the bundle has a byte more, their number
TUPLE_BYTES = 48
ASKED_AT_ONCE = 500
HEIGHTS_UNDER_WAY = 4   # above the delivered one: their reports are made already
WORDS = ("state", "certified", "queued_at", "due_height", "delivered_at", "index")  # of a receipt, alike at all nodes


@dataclass
class Entry:
    id: str
    height: int
    index: int
    bytes: int      # of its envelope
    time_ms: int    # of its height


def envelope_bytes(entry):
    """Of an entry as a reader of all rollups gets it."""
    if "legs" in entry:
        return HEAD_BYTES + 1 + sum(LEG_BYTES + (len(leg["payload"]) - 2) // 2 for leg in entry["legs"])
    return HEAD_BYTES + (len(entry["payload"]) - 2) // 2


def forced_of(record):
    """Every forced entry of a height."""
    return [Entry(e["id"], record["height"], e["index"], envelope_bytes(e), record["time_ms"])
            for e in record["entries"] if e.get("forced")]


def forced_entries(cluster, node, to, rollup=0):
    """Every forced entry that the node's subscriber gets, in the order of the stream; `rollup`: of the only one
    that has some."""
    entries = []
    command = cluster.client("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", to)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as reader:
        for line in reader.stdout:
            if '"forced":true' in line:
                entries += forced_of(json.loads(line))
    if reader.returncode != 0:
        raise Failed(f"subscribe at node {node}: exit {reader.returncode}")
    return entries


def places_of(cluster, node, ids):
    """{id: what `sluice receipt` says of it at this node}."""
    places = {}
    for at in range(0, len(ids), ASKED_AT_ONCE):
        done = cluster.run("receipt", *ids[at:at + ASKED_AT_ONCE], "--node", cluster.url(node))
        places.update((place["id"], place) for place in map(json.loads, done.stdout.splitlines()))
    return places


def book(params, queued):
    """{id: delivery height} of all that was ever queued: (height that queued it, id, envelope bytes) each."""
    due, tail, used = {}, 0, 0
    for height, wanted, size in sorted(queued):
        cost = size + TUPLE_BYTES
        if tail < height + params["forced_delay"]:
            tail, used = height + params["forced_delay"], 0
        if used + cost > params["forced_bytes_per_block"]:
            tail, used = tail + 1, 0
        used += cost
        due[wanted] = tail
    return due


def compare_places(params, entries, told):
    """Faults in words. `entries`: every forced one of a stream up to some height, in its order; `told`: {node: {id:
    what it says}}. Each was queued somewhere, of which every node says the same; it stands where its queueing put it,
    in the order of the queue, and the nodes say that height to be due."""
    faults, queued = [], []
    for entry in entries:
        places = {node: {word: of.get(entry.id, {}).get(word) for word in WORDS} for node, of in told.items()}
        place = next(iter(places.values()))
        if any(other != place for other in places.values()):
            faults.append(f"nodes say different things of {entry.id}: {places}")
        elif place["state"] != "final" or not place["certified"] or not place["queued_at"]:
            faults.append(f"{entry.id} is at height {entry.height}, and nobody says where it was queued: {place}")
        elif (place["delivered_at"], place["index"]) != (entry.height, entry.index):
            faults.append(f"{entry.id} is at height {entry.height}, index {entry.index}, told is {place}")
        else:
            queued.append((place["queued_at"], entry.id, entry.bytes))
    if faults:
        return faults
    due, first = book(params, queued), next(iter(told.values()))
    for entry in entries:
        said = first[entry.id]["due_height"]
        if entry.height != due[entry.id] or said != due[entry.id]:
            faults.append(f"{entry.id}, queued at {first[entry.id]['queued_at']}, belongs to height {due[entry.id]}, "
                          f"is at {entry.height}, told is {said}")
    if not faults and [entry.id for entry in entries] != [wanted for _, wanted, _ in sorted(queued)]:
        faults.append("the stream does not follow the order of the queue")
    return faults


def check_forced(forced, entries):
    """Faults in words: what was submitted as forced and is ordered came through the queue, at the height that its
    client was told. `forced`: those Submissions."""
    faults, queued = [], {entry.id: entry for entry in entries}
    for s in forced:
        entry = queued.get(s.id)
        if s.outcome == "ordered" and entry is None:
            faults.append(f"{s.id} was forced and did not come out of the queue")
        elif entry and s.due_height and s.due_height != entry.height:
            faults.append(f"{s.id} is at height {entry.height}, its client was told {s.due_height}")
    return faults


def check_at_once(params, nodes, history, forced, places, patience=1):
    """What f+1 nodes held was queued at once. `forced`: Submissions that no fault disturbed; `places`: {id: what a
    node says}; `patience`: times that a hold may take. Returns faults and how many were looked at."""
    faults, looked_at = [], 0
    for s in forced:
        queued_at, last = places.get(s.id, {}).get("queued_at"), at_once(params, nodes, history, s, patience)
        if not queued_at or last is None:
            continue
        looked_at += 1
        if queued_at > last:
            faults.append(f"{s.id} was held by f+1 nodes, {s.receipts}, and queued at height {queued_at}, not up to "
                          f"{last}")
    return faults, looked_at


def at_once(params, nodes, history, s, patience=1):
    """The height up to which a Submission must be queued, by its receipts: that of the time that a hold needs to all
    (asked for after Δ, sent again after `resend_ms`), and the next block whose reports are not made yet. None: they are
    not f+1."""
    needed = (nodes - 1) // 3 + 1
    held = sorted({receipt["node"]: receipt["time_ms"] for receipt in s.receipts}.values())
    if len(held) < needed:
        return None
    grace_ms = patience * (4 * params["delta_ms"] + params["resend_ms"])
    next_one = bisect.bisect_left(history, held[needed - 1] + grace_ms, key=lambda record: record["time_ms"])
    return history[min(next_one, len(history) - 1)]["height"] + HEIGHTS_UNDER_WAY


def check_heights(cluster, nodes, top, rollup=0):
    """Failed unless each forced entry up to `top` is where it belongs. Returns the entries and {id: place}."""
    entries = forced_entries(cluster, nodes[0], top, rollup)
    told = {node: places_of(cluster, node, [entry.id for entry in entries]) for node in nodes}
    faults = compare_places(cluster.parameters(), entries, told)
    if faults:
        raise Failed("; ".join(faults[:5]))
    return entries, told[nodes[0]]
