"""Sealed transactions on a cluster: submitted here, read back there, judged by the checker."""
import itertools
import json
import random

from checker import Submission, check
from cluster import ORDER_S, Failed, wait_until
from load import EVERY_ROLLUP, ROLLUP
from test_keygen import wait_key

PAYLOAD_BYTES = [24, 100, 300, 2000]
FORCED = {"postage_base": 2000}     # work enough to be checked, little enough to wait for
PATIENT = {"dedup_window_ms": 300_000}  # what is sealed stays valid for five minutes, not half of one

serial = itertools.count()


def start(cluster):
    """Starts all nodes and waits for the committee's key."""
    cluster.start()
    wait_key(cluster, range(cluster.nodes), 3)


def payloads(count):
    return [f"0x{next(serial):016x}" + random.randbytes(random.choice(PAYLOAD_BYTES)).hex() for _ in range(count)]


def seal(cluster, node, count, *options, rollup=ROLLUP):
    """Submits `count` through one node and waits until all are ordered. Returns [Submission] and their JSON."""
    texts = payloads(count)
    done = cluster.run("submit", "--node", cluster.url(node), "--rollup", rollup, "--hex", "-", "--wait",
                       *sealed(cluster, *options), stdin="\n".join(texts) + "\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    if len(rows) != count or any(row.get("outcome") != "ordered" or not row["sealed"] for row in rows):
        raise Failed(f"not all were ordered: {done.stdout}")
    return [Submission(rollup, text, "accepted", row["id"], "", "ordered", row["height"], row["index"])
            for text, row in zip(texts, rows)], rows


def sealed(cluster, *options):
    """Options that make a Submitter or a Load seal what it submits."""
    return ["--sealed", "--genesis", cluster.dir / "genesis.json", *options]


def read(cluster, node, to, rollup=EVERY_ROLLUP, first=1):
    """Heights from `first` on up to `to`, as one node's subscriber gets them, who believes nothing; without a rollup's name every height."""
    done = cluster.run("subscribe", "--node", cluster.url(node), "--rollup", rollup, "--from", first, "--to", to,
                       "--genesis", cluster.dir / "genesis.json", *(["--all"] if rollup == EVERY_ROLLUP else []))
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_all(cluster, journal, to, nodes=None):
    """Every node shows the same heights up to `to`, in which all of the journal is opened where it was due and
    nothing else is. Returns one history."""
    histories = {node: read(cluster, node, to) for node in nodes or range(cluster.nodes)}
    faults = check(histories, journal)
    if faults:
        raise Failed("\n".join([f"{len(faults)} faults:"] + faults[:20]))
    return next(iter(histories.values()))


def wait_opened(cluster, journal=(), node=0):
    """Until this node has all of the journal, and all that was sealed is opened or void there. Returns a height of
    then."""
    cluster.wait_height(node, max((submission.height for submission in journal), default=0))

    def all_opened():
        height, closed = cluster.wait_status(node)["height"], set()
        for entry in (entry for record in read(cluster, node, height) for entry in record["entries"]):
            closed.add(entry["id"]) if entry["kind"] == "sealed" else closed.discard(entry["id"])
        return not closed and height
    return wait_until(all_opened, ORDER_S, "everything is opened")


def openings(history):
    """{id: (record, entry)} of all that a history shows opened."""
    return {entry["id"]: (record, entry) for record in history for entry in record["entries"]
            if entry["kind"] == "opened"}
