"""The heights of forced entries, worked out as a client can: by docs/PROTOCOL.md clause 6.5 from the
heights that queued them, what a subscriber reads, and the genesis' parameters; not by what a node says
to be due. In a chain of which no forced entry was skipped as a duplicate."""
import json
import subprocess
from dataclasses import dataclass

from cluster import Failed

HEAD_BYTES = 21     # of an envelope: rollup, valid_until, kind, length
TUPLE_BYTES = 48
ASKED_AT_ONCE = 500


@dataclass
class Entry:
    id: str
    height: int
    index: int
    bytes: int      # of its envelope
    time_ms: int    # of its height


def forced_entries(cluster, node, to, rollup=0):
    """Every forced entry that the node's subscriber gets, in the order of the stream; `rollup`: of the only one
    that has some."""
    entries = []
    command = cluster.client("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", 1, "--to", to)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as reader:
        for line in reader.stdout:
            if '"forced":true' not in line:
                continue
            height = json.loads(line)
            entries += [Entry(e["id"], height["height"], e["index"], HEAD_BYTES + (len(e["payload"]) - 2) // 2,
                              height["time_ms"]) for e in height["entries"] if e.get("forced")]
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


def check_heights(cluster, nodes, top, rollup=0):
    """Each forced entry up to `top` was queued somewhere, of which every node says the same; it stands in the
    stream where its queueing put it, in the order of the queue, and the nodes say that height to be due. Returns
    the entries and {id: place}."""
    params = cluster.parameters()
    entries = forced_entries(cluster, nodes[0], top, rollup)
    told = {node: places_of(cluster, node, [entry.id for entry in entries]) for node in nodes}
    queued = []
    for entry in entries:
        places = [told[node][entry.id] for node in nodes]
        place = places[0]
        words = ("state", "certified", "queued_at", "due_height", "delivered_at", "index")
        if any({word: other.get(word) for word in words} != {word: place.get(word) for word in words}
               for other in places):
            raise Failed(f"nodes {nodes} differ: {places}")
        if place["state"] != "final" or not place["certified"] or not place.get("queued_at"):
            raise Failed(f"it is not told that and where it was queued: {place}")
        if (place["delivered_at"], place["index"]) != (entry.height, entry.index):
            raise Failed(f"delivered at {entry.height}, {entry.index}, told: {place}")
        queued.append((place["queued_at"], entry.id, entry.bytes))
    due = book(params, queued)
    for entry in entries:
        place = told[nodes[0]][entry.id]
        if entry.height != due[entry.id] or place["due_height"] != due[entry.id]:
            raise Failed(f"it belongs to height {due[entry.id]}, is at {entry.height}, told: {place}")
    if [entry.id for entry in entries] != [wanted for _, wanted, _ in sorted(queued)]:
        raise Failed("the stream does not follow the order of the queue")
    return entries, told[nodes[0]]
