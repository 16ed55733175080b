"""Audits of stopped nodes' data."""
import json
import shutil
import subprocess

from cluster import Failed

RULES = ["chain", "reports", "cuts", "clock", "queue", "forced", "order", "ids", "calendar", "openings", "releases",
         "evidence"]
HELD, LIE = 0, 3


def data_of(cluster, node):
    return cluster.node_dir(node) / "data"


def audit(cluster, *options, code=HELD):
    """{rule: line} of `sluice audit`, which must end with `code`."""
    done = cluster.run("audit", "--genesis", cluster.dir / "genesis.json", *options, timeout=120, check=False)
    if done.returncode != code:
        raise Failed(f"the audit ends with {done.returncode}, not {code}: {done.stderr.strip()[-1000:]}")
    lines = {line["rule"]: line for line in map(json.loads, done.stdout.splitlines())}
    if list(lines) != RULES or (code == HELD) != all(line["held"] for line in lines.values()):
        raise Failed(f"these are not the lines of an audit: {done.stdout}")
    return lines


def audit_all(cluster, idle=()):
    """Every node's data, with the others' shares. Each rule but those in `idle` must have had something to check."""
    for node in range(cluster.nodes):
        dirs = [data_of(cluster, node)] + [data_of(cluster, other) for other in range(cluster.nodes) if other != node]
        lines = audit(cluster, "--data", ",".join(map(str, dirs)))
        empty = [rule for rule, line in lines.items() if not line["checked"] and rule not in idle]
        if empty:
            raise Failed(f"the audit of node {node} had nothing to check of {', '.join(empty)}: {lines}")
        print(f"  node {node}: " + ", ".join(
            f"{line['checked']} {rule}" + (f" ({line['unchecked']} not)" if line["unchecked"] else "")
            for rule, line in lines.items()), flush=True)


def doctor(cluster, node, case, *options):
    """A doctored copy of a node's data: its place, and what an audit must find."""
    copy = cluster.home / "doctored"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data_of(cluster, node), copy)
    done = subprocess.run([cluster.bin / "audit_doctor", case, "--data", copy, "--cluster", cluster.dir, *options],
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{case} cannot be doctored: {done.stderr.strip()}")
    return copy, json.loads(done.stdout)


def cases(cluster):
    done = subprocess.run([cluster.bin / "audit_doctor", "list"], capture_output=True, text=True, check=True)
    return done.stdout.split()
