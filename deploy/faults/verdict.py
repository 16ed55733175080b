"""The verdict on a fault scenario once its load has ended: checks with a name, and in words what is wrong. What readers
and clients wrote down is judged first, then what the running nodes say of the forced entries, then, stopped, their
data. docs/FAULTS.md says what each check demands."""
import statistics
from dataclasses import dataclass, field

from audits import audit_nodes, counts as audit_counts
from checker import OPENINGS, check_heights_follow, check_journal, check_once, compare
from cluster import Failed
from openings_check import Parts, check_openings
from pulse import stood_still
from queue_check import check_at_once, check_forced, compare_places, forced_of, places_of
from recovery import Run

SHOWN = 8           # faults of one check in the report; the rest are counted
DISTURBED_S = 1.0   # after a fault's begin or end: holds and receipts may still lag
ALWAYS = ["chain", "reports", "cuts", "clock", "order", "ids", "releases"]  # rules with something to check in any run
QUEUE = ["queue", "forced"]                                                 # with something forced
SEALED = ["calendar", "openings"]                                           # with something sealed


@dataclass
class Verdict:
    checks: list = field(default_factory=list)
    faults: list = field(default_factory=list)      # (name of the check, in words)

    def add(self, name, faults, said):
        """One check; it passed when there are no faults. `said`: what was looked at."""
        self.checks.append({"name": name, "passed": not faults, "said": said})
        self.faults += [(name, fault) for fault in faults]

    def report(self, **more):
        """`failures`: the first few of each check."""
        failures = []
        for check in self.checks:
            faults = [fault for name, fault in self.faults if name == check["name"]]
            failures += [f"{check['name']}: {fault}" for fault in faults[:SHOWN]]
            if len(faults) > SHOWN:
                failures.append(f"{check['name']}: and {len(faults) - SHOWN} more")
        return {"checks": self.checks, "failures": failures, **more}


def judge(cluster, scenario, histories, journal, faults, ends, patience=1, stalls=()):
    """The scenario's "checks", "failures", "counts" and "resumed"; each fault gets its "resumed_after" (s, or None).
    `cluster`: its nodes run, and are stopped here. `scenario`: `nodes`, `byzantine` and `expect` of it count. `ends`:
    when the last step was over. `patience`: times that a message may take, on a machine that does other things; `stalls`:
    when that stood still. Times in s on the clock of `record["at"]`, `sent` and the faults."""
    verdict, params = Verdict(), cluster.parameters()
    longest = max(histories.values(), key=len, default=[])
    honest = [node for node in range(scenario.nodes) if node not in scenario.byzantine]
    judge_stream(verdict, histories, params, scenario.nodes)
    judge_accepted(verdict, longest, journal, faults, params)
    judge_forced(verdict, longest, journal, faults, params, scenario.nodes,
                 lambda ids: {node: places_of(cluster, node, ids) for node in honest if cluster.alive(node)}, patience)
    resumed = judge_recovery(verdict, histories, journal, faults, ends, scenario.expect.get("resumed_s"), stalls)
    judge_data(verdict, cluster, [node for node in honest if is_whole(node, faults)], wanted_rules(journal))
    return verdict.report(counts=counts(longest, journal), resumed=resumed)


# ---- what readers and clients wrote down ----

def judge_stream(verdict, histories, params, nodes):
    """One order, nothing twice, and the sealed opened where it was due."""
    longest = max(histories.values(), key=len, default=[])
    differ = compare(histories)
    looked_at = histories if differ else dict(list(histories.items())[:1])    # alike: one shows what is wrong with all
    faults = [fault for node, history in histories.items() for fault in check_arrivals(node, history)] + differ
    faults += [fault for node, history in looked_at.items() for fault in check_heights_follow(node, history)]
    if not longest:
        faults.append("nobody read anything")
    verdict.add("one order", faults, f"{len(histories)} readers, {len(longest)} heights")
    faults = [fault for node, history in looked_at.items() for fault in check_once(node, history)]
    verdict.add("nothing double", faults, f"{sum(len(record['entries']) for record in longest)} entries")
    faults = [f"node {node}: {fault}" for node, history in looked_at.items()
              for fault in check_openings(history, Parts.of(params, nodes))]
    opened = [(record, entry) for record in longest for entry in record["entries"] if entry["kind"] in OPENINGS]
    later = sum(entry["ordered"]["height"] < record["height"] for record, entry in opened)
    void = sum(entry["kind"] == "void" for _, entry in opened)
    verdict.add("openings", faults, f"{len(opened)} at their heights, {later} of them later than ordered, {void} void")


def check_arrivals(node, history):
    """A reader gets heights one after the other."""
    return [f"node {node}: height {b['height']} came to its reader before the one below"
            for a, b in zip(history, history[1:]) if b["at"] < a["at"]]


def judge_accepted(verdict, history, journal, faults, params):
    """Accepted means ordered (docs/PROTOCOL.md clause 5.2), once, where the client was told, as it was submitted."""
    wrong = check_journal(history, journal, set())
    for s in journal:
        if s.status == "accepted" and s.outcome == "dropped":
            wrong.append(f"accepted {s.id} was dropped: {s.reason or 'nobody says why'}")
        elif s.status == "accepted" and s.outcome == "expired" and not may_expire(s, faults, params):
            wrong.append(f"accepted {s.id} expired, although nothing was done to its node")
    accepted = sum(s.status == "accepted" for s in journal)
    expired = sum(s.status == "accepted" and s.outcome == "expired" for s in journal)
    verdict.add("nothing lost", wrong,
                f"{accepted} accepted of {len(journal)}" + (f", {expired} expired" if expired else ""))


def may_expire(s, faults, params):
    """Whether a fault kept an accepted one's node, or all, from ordering it in its time: what is durable only there
    comes into the stream when that node is back, and then its valid_until may be past (docs/PROTOCOL.md clause 4.2)."""
    return any((s.node is None or s.node in fault["nodes"] or fault.get("stops"))
               and fault["at"] <= s.sent + params["dedup_window_ms"] / 1000
               and (fault.get("until") is None or fault["until"] >= s.sent) for fault in faults)


def counts(history, journal):
    """Of the report. Lost: accepted, neither ordered nor expired."""
    there = {entry["id"] for record in history for entry in record["entries"]}
    accepted = [s for s in journal if s.status == "accepted"]
    return {"heights": len(history), "submitted": len(journal), "accepted": len(accepted),
            "ordered": sum(s.id in there for s in journal if s.id),
            "refused": sum(s.status == "refused" for s in journal),
            "unanswered": sum(s.status == "lost" for s in journal),
            "expired": sum(s.outcome == "expired" for s in accepted),
            **{kind: sum(s.kind == kind for s in journal) for kind in ("sealed", "timelocked", "forced")},
            "lost": sum(s.id not in there and s.outcome != "expired" for s in accepted),
            "doubled": len(check_once(0, history))}


# ---- forced entries ----

def judge_forced(verdict, history, journal, faults, params, nodes, ask, patience=1):
    """Each at the height that docs/PROTOCOL.md clause 6.5 gives, and queued at once. `ask(ids)`: {node: {id: what it
    says}}."""
    forced = [s for s in journal if s.kind == "forced"]
    entries = [entry for record in history for entry in forced_of(record)]
    wrong, looked_at = check_forced(forced, entries), 0
    if entries:
        try:
            told = ask([entry.id for entry in entries])
            if not told:
                raise Failed("no node is there to say where they were queued")
            wrong += compare_places(params, entries, told)
            late, looked_at = check_at_once(params, nodes, history, [s for s in forced if is_calm(s, faults)],
                                            next(iter(told.values())), patience)
            wrong += late
        except Failed as failure:
            wrong.append(str(failure))
    verdict.add("forced heights", wrong, f"{len(entries)} out of the queue, {len(forced)} forced by clients, "
                                         f"{looked_at} of them queued at once by their receipts")


def is_calm(s, faults):
    """Whether no fault began or ended while it was under way, and no links were worse than the genesis has them."""
    return not any(at is not None and s.sent - DISTURBED_S < at < s.answered
                   for fault in faults for at in (fault["at"], fault.get("until"), fault.get("can_again"))
                   ) and not any(fault.get("beyond_delta") and fault["at"] < s.answered
                                 and (fault["until"] is None or fault["until"] > s.sent) for fault in faults)


# ---- recovery ----

def judge_recovery(verdict, histories, journal, faults, ends, resumed_s, stalls=()):
    """Sets "resumed_after" of each fault. Returns "resumed" of the report."""
    run, wrong, measured, machine_s = Run(histories, journal, faults, ends), [], [], 0
    for fault in faults:
        recovery = run.recovery(fault)
        fault["resumed_after"] = recovery.after
        where = f"{fault['what']} at {fault['at']:.1f} s"
        if recovery.after is not None:
            measured.append(recovery.after)
        if recovery.failed or (resumed_s is not None and recovery.unknown):
            wrong.append(f"{where}: {recovery.said}")
        elif resumed_s is not None and recovery.after is not None and recovery.after > resumed_s:
            still_s = stood_still(stalls, recovery.since, recovery.since + recovery.after)
            machine_s += still_s
            if recovery.after - still_s > resumed_s:
                wrong.append(f"{where}: resumed after {recovery.after:.2f} s, not within {resumed_s} s ({recovery.said}; "
                             f"the machine stood still for {still_s:.2f} s of it)")
    before = run.baseline()
    said = f"{len(measured)} of {len(faults)} faults measured"
    if measured:
        said += f", median {statistics.median(measured):.2f} s, worst {max(measured):.2f} s"
    if machine_s:
        said += f"; the machine stood still for {machine_s:.2f} s of what was longer than it may be"
    verdict.add("order resumed", wrong, said + (f"; without faults {before:.2f} s" if before is not None else ""))
    return {"median": round(statistics.median(measured), 3), "worst": max(measured)} if measured else None


# ---- the nodes' data ----

def wanted_rules(journal):
    """Rules of an audit that must have had something to check."""
    ordered = {s.kind for s in journal if s.outcome == "ordered"}
    return ALWAYS + (QUEUE if "forced" in ordered else []) + (SEALED if ordered & {"sealed", "timelocked"} else [])


def is_whole(node, faults):
    """Whether nothing is done to its data, at the end."""
    return not any(node in fault["nodes"] and fault["kind"] in ("damage", "wipe") and fault.get("until") is None
                   for fault in faults)


def judge_data(verdict, cluster, nodes, wanted):
    """`sluice audit` over the data of `nodes`, which are stopped for it, with one another's shares."""
    wrong, said = [], []
    for node in range(cluster.nodes):
        try:
            if cluster.alive(node):
                cluster.stop(node)
        except Failed as failure:
            wrong.append(str(failure))
    for node, lines in (audit_nodes(cluster, nodes, wanted) if not wrong else {}).items():
        if isinstance(lines, Failed):
            wrong.append(f"node {node}: {lines}")
        else:
            said.append(f"node {node}: {audit_counts(lines)}")
    verdict.add("audit", wrong, "; ".join(said) or "none passed")
