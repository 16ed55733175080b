"""How the page and the table write a figure, so that both say the same: seconds, milliseconds, counts, rates, and
text of any origin. What was not measured is a dash. Also which verdict a scenario of the report has."""
import math
import re
import statistics
import unicodedata

DASH = "–"


def finite(value):
    """The number, or None for what is none: a report may hold null, and a broken one NaN."""
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if good else None


def seconds(value):
    """0.52 s, 31.2 s, 4 min 05 s, 1 h 02 min"""
    value = finite(value)
    if value is None:
        return DASH
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 119.95:
        return f"{value:.1f} s"
    if value < 3599.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest:02} s"
    hours, rest = divmod(round(value / 60), 60)
    return f"{hours} h {rest:02} min"


def milliseconds(value):
    """0.8 ms, 12 ms, 1.50 s"""
    value = finite(value)
    if value is None:
        return DASH
    if value < 9.95:
        return f"{value:.1f} ms"
    return f"{value:.0f} ms" if value < 999.5 else seconds(value / 1000)


def count(value):
    value = finite(value)
    return DASH if value is None else f"{value:,.0f}"


def rate(value):
    """Per second: 0.4, 98, 1,234"""
    value = finite(value)
    if value is None:
        return DASH
    return f"{value:,.0f}" if value >= 9.95 or value == 0 else f"{value:.1f}"


def plural(number, word):
    return f"{count(number)} {word}{'' if number == 1 else 's'}"


def text(value):
    """One line of text without what a terminal or XML could take for more than text."""
    return re.sub(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", " ".join(str(value).split()))


def cells(words):
    """The width of `words` in a monospaced face or on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)


def shortened(words, longest):
    """`words`, or their beginning and an ellipsis, in no more than `longest` cells."""
    if cells(words) <= longest:
        return words
    kept, room = "", longest - 1
    for c in words:
        room -= cells(c)
        if room < 0:
            break
        kept += c
    return kept.rstrip() + "…" if longest > 0 else ""


def verdict(scenario):
    if scenario.get("skipped") is not None:
        return "skipped"
    return "passed" if scenario.get("passed") else "failed"


def tally(scenarios):
    """How many passed, failed and were skipped."""
    verdicts = [verdict(scenario) for scenario in scenarios]
    return {name: verdicts.count(name) for name in ("passed", "failed", "skipped")}


def resumed(scenario):
    """(median, worst) of how long after its faults order was there again; (None, None) when not measured."""
    both = scenario.get("resumed") or {}
    return finite(both.get("median")), finite(both.get("worst"))


def resumed_each(scenario):
    measured = (finite(fault.get("resumed_after")) for fault in scenario.get("faults") or [])
    return [value for value in measured if value is not None]


def recovery(median, worst):
    """The sentence for both, or "" when they were not measured."""
    if worst is None:
        return ""
    more = "" if worst == median else f" (median), {seconds(worst)} at worst"
    return f"order resumed after {seconds(median)}{more}"


def overall(scenarios):
    """The run as a whole: the sums of what the scenarios count (None: nobody counted) and the recovery of every
    single fault."""
    sums = {}
    for name in ("ordered", "lost", "doubled", "heights"):
        counted = [finite((scenario.get("counts") or {}).get(name)) for scenario in scenarios]
        counted = [value for value in counted if value is not None]
        sums[name] = sum(counted) if counted else None
    each = [value for scenario in scenarios for value in resumed_each(scenario)]
    sums["faults"] = sum(len(scenario.get("faults") or []) for scenario in scenarios)
    sums["median"], sums["worst"] = (statistics.median(each), max(each)) if each else (None, None)
    return sums
