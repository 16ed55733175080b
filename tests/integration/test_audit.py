#!/usr/bin/env python3
"""What four real nodes did, under load, with forced, sealed and timelocked entries and a kill -9, is audited: all of it
held. Doctored in each way that tests/audit knows, the audit finds the height and the rule."""
import time

import scenario
from audit_cases import cases, doctor
from audits import LIE, audit, audit_all
from cluster import Failed
from processes import Processes
from load import ROLLUP, Load
from raw_client import RawClient
from sealing import FORCED, payloads, seal, sealed, start, wait_opened
from test_bundle import PLAIN, envelope_of, ordered_at, valid_until

NO_NODE, WRONG = 1, 2
FAR = 10    # heights, of a timelock
BATCHES = 8
VOID = "opened_shown_void"  # only others' shares show it


def fill_lane(cluster, node, until, texts):
    """Batch after batch of one transaction: what is accepted is in a batch on disk. Returns the last one's id."""
    with RawClient(cluster.client_port(node)) as client:
        for body in (bytes.fromhex(text[2:]) for text in texts):
            envelope = envelope_of(until, body, ROLLUP + 1, PLAIN)
            answer, = client.submit([envelope])
            if answer != (True, ""):
                raise Failed(f"node {node} refuses: {answer}")
        return client.id_of(envelope)


def crowd(cluster):
    """What the run of the machine may not bring about: while half of the nodes stand still nothing is certified, and
    no height passes. So blocks get several batches of a lane at once, ids that are in two lanes, and a timelock whose
    height is not there yet when it is ordered."""
    with cluster.paused(2, 3):
        last = [fill_lane(cluster, node, valid_until(cluster, 0), payloads(BATCHES)) for node in (0, 1)]
        cluster.run("submit", *sealed(cluster, "--unlock-height", cluster.height(0) + FAR), "--node", cluster.url(0),
                    "--rollup", ROLLUP + 1, "--hex", "-", stdin="\n".join(payloads(2)) + "\n")
    for node, id in enumerate(last):    # what is dropped comes in heights of its own
        ordered_at(cluster, node, id)
    with cluster.paused(2, 3):
        same, until = payloads(BATCHES), valid_until(cluster, 0)
        for node in (0, 1):
            fill_lane(cluster, node, until, same)


def live(cluster):
    """Something of everything."""
    start(cluster)
    load = Load(cluster, nodes=[0, 2])
    load.wait_ordered(200)
    crowd(cluster)
    journal = seal(cluster, 1, 4)[0]
    journal += seal(cluster, 2, 3, "--unlock-height", cluster.height(0) + FAR)[0]
    journal += seal(cluster, 3, 2, "--unlock-at", int(time.time() * 1000) + 1500)[0]
    journal += seal(cluster, 0, 2, "--forced")[0]
    journal += seal(cluster, 0, 1, "--forced", "--unlock-height", cluster.height(0) + 2 * FAR)[0]
    cluster.run("submit", "--forced", "--node", cluster.url(1), "--rollup", ROLLUP + 1, "--hex", "-", "--wait",
                "--genesis", cluster.dir / "genesis.json", stdin="\n".join(payloads(5)) + "\n")
    cluster.kill(1)
    load.wait_ordered(200)
    cluster.start(1)
    load.wait_ordered(200)
    load.submitters[0].journal += journal + seal(cluster, 1, 2, "--unlock-height", cluster.height(0) + FAR)[0]
    load.finish(foreign=[ROLLUP + 1])


def refuses_running(cluster):
    done = cluster.run("audit", "--data", cluster.data_dir(0), "--genesis", cluster.dir / "genesis.json", check=False)
    if done.returncode != NO_NODE or "is running" not in done.stderr:
        raise Failed(f"a running node's data is audited: {done.returncode} {done.stderr}")


def audit_running(cluster):
    """Over the wire, while more is ordered."""
    for node in range(cluster.nodes):
        lines = audit(cluster, "--node", cluster.url(node))
        if not all(line["checked"] for rule, line in lines.items() if rule != "evidence"):
            raise Failed(f"the audit of node {node} had nothing to check: {lines}")
    done = cluster.run("audit", "--node", "tcp://127.0.0.1:1", "--genesis", cluster.dir / "genesis.json", check=False)
    if done.returncode != NO_NODE:
        raise Failed(f"a node that is not there is audited: {done.returncode} {done.stderr}")


def audit_parts(cluster):
    """Ranges: what is not known of before is said, nothing is found wrong."""
    whole = audit(cluster, "--data", cluster.data_dir(0))
    top = whole["chain"]["checked"]
    for first, last in ((2, top), (top // 2, top), (top - 3, top), (1, top // 2), (top // 3, top // 2)):
        lines = audit(cluster, "--data", cluster.data_dir(0), "--from", first, "--to", last)
        if lines["chain"]["checked"] != last - first + 1:
            raise Failed(f"heights {first} to {last} are {lines['chain']['checked']} blocks")
    done = cluster.run("audit", "--data", cluster.data_dir(0), "--genesis", cluster.dir / "genesis.json",
                       "--to", top + 100, check=False)
    if done.returncode != WRONG:
        raise Failed(f"heights that are not there are audited: {done.returncode} {done.stderr}")


def find(cluster, case):
    copy, wanted = doctor(cluster, 0, case)
    dirs = [copy]
    if case == VOID:    # with one node's shares nobody can tell
        dirs += [cluster.data_dir(node) for node in (1, 2, 3)]
        lines = audit(cluster, "--data", copy)
        if not lines["openings"]["unchecked"]:
            raise Failed(f"an opening was checked without shares: {lines['openings']}")
    line = audit(cluster, "--data", ",".join(map(str, dirs)), code=LIE)[wanted["rule"]]
    if line["held"] or line["height"] != wanted["height"]:
        raise Failed(f"{case}: {wanted} is not what is found: {line}")
    print(f"  {case}: height {line['height']}: {line['rule']}: {line['why']}", flush=True)


def scenario_held_and_doctored(bin_dir):
    with Processes(bin_dir, params=FORCED) as cluster:
        live(cluster)
        wait_opened(cluster)
        refuses_running(cluster)
        audit_running(cluster)
        for node in range(cluster.nodes):
            cluster.stop(node)
        audit_all(cluster, idle=["evidence"])
        audit_parts(cluster)
        for case in cases(cluster):
            find(cluster, case)


if __name__ == "__main__":
    scenario.main(globals())
