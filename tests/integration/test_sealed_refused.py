#!/usr/bin/env python3
"""What is no good sealed transaction is refused with its reason; what is sealed for a rollup that the table does not
know is void everywhere; a rollup that takes sealed ones only takes no other."""
import json
import struct

import scenario
from checker import Submission
from cluster import Failed
from processes import Processes
from raw_client import RawClient
from sealing import FORCED, PATIENT, check_all, openings, payloads, read, seal, start, wait_opened

ENVELOPE = struct.Struct("<QQBI")   # rollup, valid_until_ms, kind, length of the body
SEALED = 2
# Of the body (docs/CRYPTO.md clause 4.5): a place, and why it is refused with a bit of that changed.
VERSION, SUITE, KEY_ID, UNLOCK_KIND, UNLOCK, R = 0, 1, 2, 34, 35, 43
CHANGED = [(VERSION, "sealing"), (SUITE, "sealing"), (KEY_ID, "seal_key"), (UNLOCK_KIND, "sealing"),
           (UNLOCK, "sealing"), (R, "sealing"), (R + 32, "sealing"), (R + 64, "sealing"), (R + 80, "sealing"),
           (R + 112, "sealing"), (-1, "sealing")]
PLAIN, STRICT, UNKNOWN = 1, 2, 9    # rollups


def envelope_of(history, id):
    """The envelope of what was sealed and opened, put together out of the stream."""
    body, = (bytes.fromhex(entry["payload"][2:]) for record in history for entry in record["entries"]
             if entry["id"] == id and entry["kind"] == "sealed")
    return ENVELOPE.pack(0, openings(history)[id][1]["valid_until_ms"], SEALED, len(body)) + body


def change(envelope, at):
    changed = bytearray(envelope)
    changed[at] ^= 1
    return bytes(changed)


def scenario_changed(bin_dir):
    """Every bit of an envelope counts: another key, unlock, validity or content has no proof."""
    with Processes(bin_dir, params=PATIENT) as cluster:
        start(cluster)
        journal = seal(cluster, 0, 1)[0]
        history = check_all(cluster, journal, journal[0].height)
        good = envelope_of(history, journal[0].id)
        bad = [(change(good, ENVELOPE.size + at if at >= 0 else at), reason) for at, reason in CHANGED]
        bad.append((change(good, 8), "sealing"))        # valid_until
        bad.append((change(good, 0), "unknown_rollup"))
        for node in range(cluster.nodes):
            with RawClient(cluster.client_port(node)) as client:
                if client.id_of(good) != journal[0].id:
                    raise Failed("this is not the envelope that was submitted")
                answers = client.submit([envelope for envelope, _ in bad])
                if answers != [(False, reason) for _, reason in bad]:
                    raise Failed(f"node {node} answers {answers}")
                (accepted, reason), = client.submit([good])
                if not accepted and reason != "duplicate":
                    raise Failed(f"node {node} refuses the good one: {reason}: this shows nothing")
        journal += seal(cluster, 1, 1)[0]
        check_all(cluster, journal, journal[-1].height)


def write_table(cluster, *rows):
    genesis = cluster.dir / "genesis.json"
    content = json.loads(genesis.read_text())
    content["rollups"] = list(rows)
    genesis.write_text(json.dumps(content))


def refused(cluster, rollup, reason, *options):
    done = cluster.run("submit", "--node", cluster.url(1), "--rollup", rollup, "--hex", "-", *options,
                       stdin=payloads(1)[0] + "\n", check=False)
    row = json.loads(done.stdout)
    if done.returncode != 2 or (row["status"], row["reason"]) != ("refused", reason):
        raise Failed(f"rollup {rollup}, {options}: exit {done.returncode}, {row}")


def scenario_table(bin_dir):
    with Processes(bin_dir, params=FORCED) as cluster:
        write_table(cluster, {"id": PLAIN, "name": "plain"}, {"id": STRICT, "name": "strict", "sealed_only": True})
        start(cluster)
        for options in ((), ("--forced",)):
            refused(cluster, STRICT, "sealed_only", *options)
            refused(cluster, UNKNOWN, "unknown_rollup", *options)
        journal = []
        for turn, options in enumerate([(), ("--forced",), ("--unlock-in", 1), ("--forced", "--unlock-in", 1)]):
            journal += seal(cluster, turn, 2, *options, rollup=STRICT)[0]
            journal += seal(cluster, turn, 2, *options, rollup=PLAIN)[0]
            for nowhere in seal(cluster, turn, 2, *options, rollup=UNKNOWN)[0]:
                nowhere.rollup, nowhere.payload = 0, "void"
                journal.append(nowhere)
        journal += submit_plain(cluster)
        height = wait_opened(cluster, journal)
        history = check_all(cluster, journal, height)
        reasons = [entry["reason"] for record in history for entry in record["entries"] if entry["kind"] == "void"]
        if reasons != ["rollup"] * 8:
            raise Failed(f"void, and why: {reasons}")
        if read(cluster, 3, height, UNKNOWN):
            raise Failed("there is something in a rollup that the table does not know")


def submit_plain(cluster):
    text, = payloads(1)
    done = cluster.run("submit", "--node", cluster.url(2), "--rollup", PLAIN, "--hex", "-", "--wait", stdin=text + "\n")
    row = json.loads(done.stdout)
    return [Submission(PLAIN, text, "accepted", row["id"], "", row["outcome"], row["height"], row["index"])]


if __name__ == "__main__":
    scenario.main(globals())
