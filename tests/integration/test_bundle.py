#!/usr/bin/env python3
"""Bundles over real nodes, plain, forced, sealed and timelocked: each leg's rollup sees the whole of it at one height,
index and id, nobody else sees anything, with one bad leg there is nothing anywhere, and the same one comes once, whoever
is killed meanwhile."""
import itertools
import json
import random
import struct

import scenario
from checker import Submission, legs_text
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import Load
from raw_client import RawClient
from sealing import FORCED, check_all, read, sealed, start, wait_opened
from test_sealed_refused import ENVELOPE, write_table

ONE, TWO, OTHER, STRICT, UNKNOWN = 1, 2, 3, 4, 9    # rollups
LEG = struct.Struct("<QI")
BUNDLE, PLAIN = 1, 0
TIMELOCK_S = 2
TABLE = [{"id": ONE, "name": "one"}, {"id": TWO, "name": "two"}, {"id": OTHER, "name": "other"},
         {"id": STRICT, "name": "strict", "sealed_only": True}]

serial = itertools.count()


def make_legs(*rollups):
    """[(rollup, 0x-hex)]; every payload is another one."""
    return [(rollup, f"0xb0{next(serial):014x}" + random.randbytes(random.choice([4, 40, 400])).hex())
            for rollup in rollups]


def ways(cluster):
    """What `sluice bundle` can be told of how a bundle goes in."""
    closed = sealed(cluster)
    return [[], ["--forced"], closed, closed + ["--forced"], closed + ["--unlock-in", TIMELOCK_S],
            closed + ["--forced", "--unlock-in", TIMELOCK_S]]


def give(cluster, node, legs, *options):
    """`sluice bundle`: exit code and what it says."""
    done = cluster.run("bundle", "--node", cluster.url(node), "--wait",
                       *(word for rollup, payload in legs for word in ("--leg", f"{rollup}:{payload}")),
                       *options, check=False)
    if not done.stdout:
        raise Failed(f"bundle {options}: exit {done.returncode}, {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def bundle(cluster, node, legs, *options):
    """A bundle that is ordered, as a Submission."""
    code, row = give(cluster, node, legs, *options)
    if code != 0 or row.get("outcome") != "ordered":
        raise Failed(f"bundle {options}: exit {code}, {row}")
    return Submission(0, legs_text(legs), "accepted", row["id"], "", "ordered", row["height"], row["index"])


def seen_by(cluster, node, rollup, to):
    """{id: (height, index, kind, legs)} of the bundles that a rollup's reader gets from one node; and how many entries
    it gets in all."""
    entries = [(record["height"], entry) for record in read(cluster, node, to, rollup) for entry in record["entries"]]
    return {entry["id"]: (height, entry["index"], entry["kind"], legs_text((leg["rollup"], leg["payload"])
                                                                           for leg in entry["legs"]))
            for height, entry in entries if "legs" in entry}, len(entries)


def check_readers(cluster, journal, to):
    """Each rollup's reader gets exactly the bundles with a leg of it, all of them the same way, from every node."""
    for node in range(cluster.nodes):
        everything, _ = seen_by(cluster, node, 0, to)
        if {s.id for s in journal} != everything.keys():
            raise Failed(f"node {node} shows {len(everything)} bundles of {len(journal)}")
        for rollup in (ONE, TWO, OTHER, STRICT):
            mine = {s.id for s in journal if any(leg.startswith(f"{rollup}:") for leg in s.payload.split())}
            seen, count = seen_by(cluster, node, rollup, to)
            if seen != {id: everything[id] for id in mine} or count != len(mine):
                raise Failed(f"node {node}, rollup {rollup}: {len(seen)} bundles of {len(mine)}, {count} entries")


def scenario_every_way(bin_dir):
    with Processes(bin_dir, params=FORCED) as cluster:
        write_table(cluster, *TABLE)
        start(cluster)
        journal = []
        for turn, options in enumerate(ways(cluster)):
            journal.append(bundle(cluster, turn % 4, make_legs(ONE, TWO), *options))
            journal.append(bundle(cluster, (turn + 1) % 4, make_legs(TWO, ONE, TWO), *options))
            journal.append(bundle(cluster, (turn + 2) % 4, make_legs(*[ONE, TWO, OTHER, ONE] * 4), *options))
            if "--sealed" in options:
                journal.append(bundle(cluster, (turn + 3) % 4, make_legs(STRICT, OTHER), *options))
        height = wait_opened(cluster, journal)
        check_all(cluster, journal, height)
        check_readers(cluster, journal, height)
        for s in journal[:6]:       # the first two of three ways: in a lane, forced
            state = json.loads(cluster.run("tx", s.id, "--node", cluster.url(2)).stdout)
            if (state["state"], state["height"], state["index"]) != ("final", s.height, s.index):
                raise Failed(f"tx says {state}")
        receipt = json.loads(cluster.run("receipt", journal[3].id, "--node", cluster.url(1)).stdout)
        if (receipt["state"], receipt["delivered_at"], receipt["index"]) != ("final", journal[3].height, journal[3].index):
            raise Failed(f"receipt says {receipt}")


def body_of(legs):
    return bytes([len(legs)]) + b"".join(LEG.pack(rollup, len(payload) // 2 - 1) + bytes.fromhex(payload[2:])
                                         for rollup, payload in legs)


def valid_until(cluster, node):
    return cluster.wait_status(node)["stream_time_ms"] // 1000 * 1000 + 20_000


def envelope_of(until, body, rollup=0, kind=BUNDLE):
    """An envelope of a client's own."""
    return ENVELOPE.pack(rollup, until, kind, len(body)) + body


def scenario_nothing_of_a_bad_one(bin_dir):
    """One leg that is bad, or a body that is none: refused everywhere, with the reason, and not a leg of it is seen. Sealed
    nobody can see it; then it is void where it would have opened."""
    with Processes(bin_dir, params=FORCED) as cluster:
        write_table(cluster, *TABLE)
        start(cluster)
        for options in ([], ["--forced"]):
            for rollups, reason in (((ONE, UNKNOWN), "unknown_rollup"), ((ONE, TWO, STRICT), "sealed_only")):
                code, row = give(cluster, 1, make_legs(*rollups), *options)
                if code != 2 or (row["status"], row["reason"]) != ("refused", reason):
                    raise Failed(f"{rollups}, {options}: exit {code}, {row}")
        good = body_of(make_legs(ONE, TWO))
        one, many, none = body_of(make_legs(ONE)), body_of(make_legs(*[ONE] * 17)), b"\0"
        empty = bytes([2]) + LEG.pack(ONE, 0) + LEG.pack(TWO, 1) + b"x"
        bad = [(body, 0, "bundle") for body in (one, many, none, empty, good[:-1], good + b"x")]
        bad += [(good, ONE, "unknown_rollup"), (body_of([(0, "0x01"), (ONE, "0x02")]), 0, "unknown_rollup")]
        for node in range(cluster.nodes):
            until = valid_until(cluster, node)
            with RawClient(cluster.client_port(node)) as client:
                answers = client.submit([envelope_of(until, body, rollup) for body, rollup, _ in bad])
                if answers != [(False, reason) for _, _, reason in bad]:
                    raise Failed(f"node {node} answers {answers}")
                plain, = client.submit([envelope_of(until, good, 0, PLAIN)])
                if plain != (False, "unknown_rollup"):
                    raise Failed(f"node {node} answers {plain} to a plain one for rollup 0")
        journal = [bundle(cluster, 2, make_legs(ONE, TWO))]     # so that there is something
        for options in ways(cluster)[2:]:
            nowhere = bundle(cluster, 3, make_legs(ONE, UNKNOWN, TWO), *options)
            nowhere.payload = "void"
            journal.append(nowhere)
        height = wait_opened(cluster, journal)
        history = check_all(cluster, journal, height)
        reasons = [entry["reason"] for record in history for entry in record["entries"] if entry["kind"] == "void"]
        if reasons != ["rollup"] * 4:
            raise Failed(f"void, and why: {reasons}")
        check_readers(cluster, journal[:1], height)


def ordered_at(cluster, node, id):
    """The height of what a node accepted or has, once it is ordered."""
    def final():
        state = json.loads(cluster.run("tx", id, "--node", cluster.url(node), check=False).stdout)
        return state["state"] == "final" and state["height"]
    return wait_until(final, ORDER_S, f"{id} is ordered")


def scenario_once(bin_dir):
    """The same bundle through every node's lane, twice, comes once; in another envelope it is another."""
    with Processes(bin_dir) as cluster:
        cluster.start()
        legs = make_legs(ONE, TWO)
        envelope = envelope_of(valid_until(cluster, 0), body_of(legs))
        for node in [0, 1, 2, 3] * 2:
            with RawClient(cluster.client_port(node)) as client:
                id = client.id_of(envelope)
                (accepted, reason), = client.submit([envelope])
                if not accepted and reason != "duplicate":
                    raise Failed(f"node {node}: {reason}")
        again = bundle(cluster, 1, legs, "--valid-for", 25)     # longer than the envelope above, however late it is
        height = max(again.height, ordered_at(cluster, 1, id))
        for node in range(cluster.nodes):
            cluster.wait_height(node, height)
            seen, count = seen_by(cluster, node, TWO, height)
            if seen.keys() != {id, again.id} or count != 2:
                raise Failed(f"node {node} shows {count} entries, {len(seen)} bundles")


def scenario_killed(bin_dir):
    """Through kills of each node in turn, and of all: what was said to be ordered stays there, whole."""
    with Processes(bin_dir, params=FORCED) as cluster:
        start(cluster)
        load = Load(cluster, nodes=[0, 2])
        journal = []

        def give_some(node, some):
            for options in some:
                journal.append(bundle(cluster, node, make_legs(ONE, TWO), *options))
        give_some(1, ways(cluster))
        for node in range(cluster.nodes):
            cluster.kill(node)
            give_some((node + 1) % cluster.nodes, ways(cluster)[node % 2::2])
            cluster.start(node)
        cluster.kill_all()
        cluster.start()
        load.wait_ordered(20)
        load.submitters[0].journal += journal
        load.finish()
        height = wait_opened(cluster, journal)
        for node in range(cluster.nodes):
            cluster.wait_height(node, height)
            for rollup in (ONE, TWO):
                seen, count = seen_by(cluster, node, rollup, height)
                if seen.keys() != {s.id for s in journal} or count != len(journal):
                    raise Failed(f"node {node}, rollup {rollup}: {len(seen)} of {len(journal)}, {count} entries")


if __name__ == "__main__":
    scenario.main(globals())
