"""Audits of stopped nodes' data (docs/PROTOCOL.md clause 8.10)."""
import concurrent.futures
import json
import os

from cluster import Failed

RULES = ["chain", "reports", "cuts", "clock", "queue", "forced", "order", "ids", "calendar", "openings", "releases",
         "evidence"]
HELD, LIE = 0, 3
AUDIT_S = 300   # longest wait for one


def audit(cluster, *options, code=HELD):
    """{rule: line} of `sluice audit`, which must end with `code`."""
    done = cluster.run("audit", "--genesis", cluster.genesis, *options, timeout=AUDIT_S, check=False)
    if done.returncode != code:
        lie = done.stdout.splitlines()[-1] if done.returncode == LIE and done.stdout else ""
        raise Failed(f"the audit ends with {done.returncode}, not {code}: {done.stderr.strip()[-1000:]} {lie}".rstrip())
    lines = {line["rule"]: line for line in map(json.loads, done.stdout.splitlines())}
    if list(lines) != RULES or (code == HELD) != all(line["held"] for line in lines.values()):
        raise Failed(f"these are not the lines of an audit: {done.stdout}")
    return lines


def audit_node(cluster, node, others, wanted):
    """{rule: line} of one node's data, with the others' shares. Each rule of `wanted` must have met something, be it
    that this node has no record of it: one that was away has no reports of the heights that it caught up with."""
    dirs = [cluster.data_dir(node)] + [cluster.data_dir(other) for other in others if other != node]
    lines = audit(cluster, "--data", ",".join(map(str, dirs)))
    empty = [rule for rule in RULES if rule in wanted and not lines[rule]["checked"] + lines[rule]["unchecked"]]
    if empty:
        raise Failed(f"it had nothing to check of {', '.join(empty)}: {lines}")
    return lines


def audit_nodes(cluster, nodes, wanted=RULES):
    """Of each node {rule: line}, or what is wrong as a Failed; as many at once as there are processors. Each rule of
    `wanted` must have been checked at one of them at least."""
    def one(node):
        try:
            return audit_node(cluster, node, nodes, wanted)
        except Failed as failure:
            return failure
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as workers:
        found = dict(zip(nodes, workers.map(one, nodes)))
    if any(isinstance(lines, Failed) for lines in found.values()):
        return found
    unseen = [rule for rule in RULES if rule in wanted and not any(lines[rule]["checked"] for lines in found.values())]
    return dict.fromkeys(nodes, Failed(f"no node could check {', '.join(unseen)}")) if unseen else found


def audit_all(cluster, idle=()):
    """Every node's data. Each rule but those in `idle` must have had something to check, as audit_nodes has it."""
    found = audit_nodes(cluster, range(cluster.nodes), [rule for rule in RULES if rule not in idle])
    for node, lines in found.items():
        if isinstance(lines, Failed):
            raise Failed(f"the audit of node {node}: {lines}")
        print(f"  node {node}: {counts(lines)}", flush=True)


def counts(lines):
    """What was checked, in words."""
    return ", ".join(f"{line['checked']} {rule}" + (f" ({line['unchecked']} not)" if line["unchecked"] else "")
                     for rule, line in lines.items())
