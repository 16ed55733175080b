"""How long order stood still because of a fault: worked out from when independent readers had each height.

    fault at 3.0      heights with entries arrive ...  2.98   2.99          3.52   3.53 ...
                                                              └─ 3.0 ─ 0.52 ─┘ resumed after 0.52 s

What counts are heights in which something submitted was ordered (an empty height shows only that blocks go on), and
of each the first arrival at any reader of a node that the fault does not hit (at any reader, when it hits all): one
slow reader neither makes a standstill nor hides one. A *standstill* is the time between two such arrivals, as far as
something waited: from the moment on at which the first of what is ordered after it was sent, through a node that is
not hit. So a load with pauses does not look like a standstill, and a fault that keeps everything waiting does.

A fault answers for [its begin, the next fault's begin, or the end of the run): the longest standstill within it; and,
when nothing was ordered in it at all, for that beyond its end, unless the later fault stops order. Where order is
impossible (`stops`: no quorum is left, or is connected) it begins when order is possible again, `can_again`."""
import bisect
import itertools
from dataclasses import dataclass

from checker import COMMITTEE, COMMITTEE_KINDS, OPENINGS, content, entry_rollup

NEVER = float("inf")


@dataclass
class Recovery:
    after: float | None     # s; None: not measured
    said: str               # why not, or when
    failed: bool = False    # order never came back
    unknown: bool = False   # it could have been measured with more load, or a longer run
    since: float = 0        # when what was measured began


class Arrivals:
    """When heights were first had by any of some readers; rising."""

    def __init__(self, histories, wanted):
        first = {}
        for history in histories:
            for record in history:
                if wanted(record):
                    first[record["height"]] = min(record["at"], first.get(record["height"], NEVER))
        self.heights = sorted(first)
        # what came later can be first heard of only then: a reader may have a height later than one above it
        self.times = list(reversed(list(itertools.accumulate((first[h] for h in reversed(self.heights)), min))))

    def after(self, at):
        """Index of the first that arrived later than `at`."""
        return bisect.bisect_right(self.times, at)


class Waiting:
    """Since when something waits that is ordered at a height or above it."""

    def __init__(self, placed):
        """`placed`: [(height, sent)] of what was ordered."""
        placed = sorted(placed)
        self.heights = [height for height, _ in placed]
        self.since = list(reversed(list(itertools.accumulate((sent for _, sent in reversed(placed)), min))))

    def before(self, height):
        at = bisect.bisect_left(self.heights, height)
        return self.since[at] if at < len(self.since) else NEVER


def carries(record):
    """Whether something that was submitted is ordered there."""
    return any(entry["kind"] not in OPENINGS
               and (entry_rollup(record, entry) != COMMITTEE or entry["kind"] not in COMMITTEE_KINDS)
               for entry in record["entries"])


def places(history):
    """{id or (rollup, content): height that ordered it}."""
    found = {}
    for record in history:
        for entry in record["entries"]:
            height = entry["ordered"]["height"] if entry["kind"] in OPENINGS else record["height"]
            found[entry["id"]] = found[(entry_rollup(record, entry), content(entry))] = height
    return found


class Run:
    """What was read, what was submitted, and what was done to the nodes."""

    def __init__(self, histories, journal, faults, ended):
        """`histories` with "at", `journal` with `node`, `kind`, `sent`; `faults`: [{"at", "until", "nodes", "stops",
        "can_again"}]; `ended`: when the last step was over; what arrived later counts, too. All in s."""
        self.histories, self.faults = histories, sorted(faults, key=lambda fault: fault["at"])
        self.ended = max([ended] + [history[-1]["at"] for history in histories.values() if history])
        self.views = {}
        longest = max(histories.values(), key=len, default=[])
        self.carrying = {record["height"] for record in longest if carries(record)}
        where = places(longest)
        # a forced one pays postage first, and its height is fixed ahead
        self.submitted = [(s, where.get(s.id) or where.get((s.rollup, s.payload)))
                          for s in journal if s.kind != "forced" and s.status != "refused"]
        self.stopped = sorted((fault["at"], NEVER if fault.get("can_again") is None else fault["can_again"])
                              for fault in faults if fault.get("stops"))

    def possible(self, at):
        """When order is first possible from `at` on."""
        for begin, end in self.stopped:
            if begin <= at < end:
                at = end
        return at

    def view(self, hit):
        """Arrivals of heights that carry something, at readers of nodes that are not hit; what waited for them; and
        what was sent behind the last of them and never ordered, [sent] (what got no answer may never have been heard)."""
        key = frozenset(hit)
        if key not in self.views:
            spared = [history for node, history in self.histories.items() if node not in key]
            arrivals = Arrivals(spared or self.histories.values(), lambda record: record["height"] in self.carrying)
            theirs = [(s, height) for s, height in self.submitted if not spared or s.node not in key]
            last = arrivals.times[-1] if arrivals.times else -NEVER
            self.views[key] = (arrivals, Waiting([(height, s.sent) for s, height in theirs if height]),
                               sorted(s.sent for s, height in theirs
                                      if not height and s.sent > last and s.status != "lost"))
        return self.views[key]

    def baseline(self):
        """The longest standstill before the first fault: what is ordinary here. None without two heights there."""
        first = min((fault["at"] for fault in self.faults), default=self.ended)
        arrivals, waiting, _ = self.view(())
        count = arrivals.after(first)
        gaps = [max(0.0, arrivals.times[i] - max(arrivals.times[i - 1], waiting.before(arrivals.heights[i])))
                for i in range(1, count)]
        return max(gaps, default=None)

    def hit_during(self, begin, end):
        """Nodes that any fault hits which lasts into [begin, end)."""
        return {node for fault in self.faults for node in fault["nodes"]
                if fault["at"] < end and (NEVER if fault.get("until") is None else fault["until"]) > begin}

    def recovery(self, fault):
        begin = self.possible(fault["at"])
        if begin >= self.ended:
            return Recovery(None, "order was impossible up to the end" if begin > fault["at"] else "it came at the end",
                            unknown=begin == fault["at"])
        later = [other["at"] for other in self.faults if other["at"] > begin]
        cut = min((at for at, _ in self.stopped if at > begin), default=NEVER)  # what follows is another fault's
        end = min(later, default=self.ended)
        arrivals, waiting, lost = self.view(self.hit_during(fault["at"], end) | set(fault["nodes"]))
        first = arrivals.after(begin)
        if first == len(arrivals.times):
            return self.silence(begin, cut, lost)
        longest, since_when = None, begin
        for i in range(first, len(arrivals.times)):
            since = max(arrivals.times[i - 1] if i else begin, begin)
            if since >= end:
                break
            since = max(since, waiting.before(arrivals.heights[i]))
            if i == first and arrivals.times[i] > cut:
                return Recovery(None, "order became impossible before it was seen again")
            # of a later one what is beyond the next fault's begin may be that one's doing
            stood_still = min(arrivals.times[i], cut if i == first else end) - since
            if stood_still > (longest or 0):
                longest, since_when = stood_still, since
        else:   # the last that was ordered: what was sent behind it and is not there?
            if lost and lost[0] < min(self.ended, end):
                return Recovery(None, f"what was sent from {lost[0]:.1f} s on was never ordered", failed=True)
        if longest is None:
            return Recovery(None, "nothing waited for order at a node that is not hit", unknown=True)
        return Recovery(round(longest, 3), f"from {since_when:.2f} s on", since=since_when)

    def silence(self, begin, cut, lost):
        """Nothing that was submitted was ordered any more."""
        if cut < self.ended:
            return Recovery(None, "order became impossible before it was seen again")
        everything = Arrivals(self.histories.values(), lambda record: True)
        if not lost and everything.after(begin) < len(everything.times):
            return Recovery(None, "nothing was submitted any more", unknown=True)
        return Recovery(None, f"from {begin:.1f} s on nothing was ever ordered again", failed=True)
