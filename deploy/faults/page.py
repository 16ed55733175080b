#!/usr/bin/env python3
"""The report of a run of the fault suite as one HTML page that needs nothing else: what came of it, a table of the
scenarios, and each scenario's timeline, checks and counts. Everything in the report is taken for plain text.

    page.py REPORT.json > report.html"""
import html
import json
import math
import pathlib
import sys

from figures import DASH, count, finite, overall, plural, recovery, resumed, resumed_each, seconds, tally, text, verdict
from timeline import NARROW, WIDE, draw, readings

MARKS = {"passed": "✓", "failed": "✗", "skipped": "○"}
COUNTS = ("submitted", "accepted", "ordered", "refused", "unanswered", "expired", "sealed", "timelocked", "forced",
          "heights", "lost", "doubled")
FEW, MANY = 6, 30         # faults: the timeline alone tells them; too many to show unasked
DOTS = 150, 14             # the little plot of a row's recoveries
HERE = pathlib.Path(__file__).resolve().parent


def esc(value):
    return html.escape(text(value))


def title_of(scenario):
    return scenario.get("title") or scenario.get("name", "")


def anchor(number):
    """Names may be anything, so the address of a scenario's section is its number."""
    return f"scenario-{number}"


def classed(name, holds=True):
    """The attribute, for an element of which `holds` is true."""
    return f' class="{name}"' if holds else ""


def listed(names):
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


# ---- head ----

def headline(found):
    ran = found["passed"] + found["failed"]
    if found["failed"]:
        return f"{found['failed']} of {plural(ran, 'scenario')} failed"
    if not ran:
        return "No scenario ran"
    return f"All {plural(ran, 'scenario')} passed" if ran > 1 else "The scenario passed"


def lead(scenarios, found):
    """The verdict in words."""
    sums, said = overall(scenarios), []
    failed = [f'<a href="#{anchor(i)}">{esc(title_of(s))}</a>' for i, s in enumerate(scenarios)
              if verdict(s) == "failed"]
    if failed:
        said.append(f'<b class="failed">Failed:</b> {listed(failed)}.')
    if sums["worst"] is not None:
        said.append(f"{plural(sums['faults'], 'fault')}; order resumed <b>{seconds(sums['median'])}</b> after a fault "
                    f"at the median and <b>{seconds(sums['worst'])}</b> at worst.")
    if sums["ordered"] is not None:
        ends = [f'<b{classed("failed", sums[name])}>{count(sums[name]) if sums[name] else "none"} {name}</b>'
                for name in ("lost", "doubled") if sums[name] is not None]
        said.append(", ".join([f"<b>{plural(sums['ordered'], 'transaction')}</b> ordered"] + ends) + ".")
    if found["skipped"]:
        said.append(f"{plural(found['skipped'], 'scenario')} skipped.")
    return " ".join(said)


def head(report, scenarios):
    found = tally(scenarios)
    result = "failed" if found["failed"] else "passed" if found["passed"] else "skipped"
    took = sum(finite(s.get("seconds")) or 0 for s in scenarios)
    facts = {"nodes as": report.get("mode"), "machine": report.get("machine"), "sluice": report.get("sluice"),
             "started": str(report.get("started", "")).replace("T", " ").replace("Z", " UTC"), "took": seconds(took)}
    rows = "".join(f"<div><dt>{key}</dt><dd>{esc(value)}</dd></div>" for key, value in facts.items() if value)
    return (f'<header><div class="over">Sluice under faults</div>'
            f'<h1><span class="{result}">{MARKS[result]}</span> {headline(found)}</h1>'
            f'<p class="lead">{lead(scenarios, found)}</p><dl class="facts">{rows}</dl></header>')


# ---- summary ----

class Dots:
    """Every recovery of a scenario as a dot; all rows have one logarithmic scale."""
    LEAST = 0.01           # s; what is less stands here: nobody measures that finely

    def __init__(self, scenarios):
        every = [max(v, self.LEAST) for s in scenarios for v in resumed_each(s)]
        self.low, self.high = (math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))) if every else \
            (0, 0)
        self.high = max(self.high, self.low + 1)
        self.any = bool(every)

    def x(self, value):
        return 14 + (DOTS[0] - 28) * (math.log10(max(value, self.LEAST)) - self.low) / (self.high - self.low)

    def scale(self):
        words = "".join(f'<text x="{self.x(10.0 ** i):.1f}" y="10">{10.0 ** i:g} s</text>'
                        for i in range(self.low, self.high + 1))
        return f'<svg class="dots" viewBox="0 0 {DOTS[0]} {DOTS[1]}">{words}</svg>' if self.any else ""

    def row(self, scenario):
        values = resumed_each(scenario)
        if not values:
            return ""
        ticks = "".join(f"M{self.x(10.0 ** i):.1f} 2V12" for i in range(self.low, self.high + 1))
        dots = "".join(f'<circle cx="{self.x(v):.1f}" cy="7" r="3"{classed("worst", v == max(values))}>'
                       f"<title>{seconds(v)}</title></circle>" for v in sorted(values))
        return (f'<svg class="dots" viewBox="0 0 {DOTS[0]} {DOTS[1]}" role="img" aria-label="every recovery">'
                f'<path d="M14 7H{DOTS[0] - 14}{ticks}"/>{dots}</svg>')


def why(scenario):
    if scenario.get("skipped") is not None:
        return f'<span class="why">{esc(scenario["skipped"])}</span>'
    failures = scenario.get("failures") or []
    if not failures or verdict(scenario) == "passed":
        return ""
    more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    return f'<span class="why failed">{esc(failures[0])}{more}</span>'


def row(number, scenario, dots):
    result, counts = verdict(scenario), scenario.get("counts") or {}
    median, worst = resumed(scenario)

    def cell(name, words, hot=False, kind=""):
        kinds = " ".join(filter(None, ("num", kind, "hot" if hot else "", "none" if words == DASH else "")))
        return f'<td class="{kinds}" data-name="{name}">{words}</td>'
    return (f'<tr><td><a href="#{anchor(number)}">{esc(title_of(scenario))}</a>{why(scenario)}</td>'
            f'<td class="state {result}">{MARKS[result]} {result}</td>'
            '<td class="break"></td>'
            f'{cell("median", seconds(median))}{cell("worst", seconds(worst))}'
            f'<td class="when-wide">{dots.row(scenario)}</td>'
            f'{cell("lost", count(counts.get("lost")), counts.get("lost"))}'
            f'{cell("doubled", count(counts.get("doubled")), counts.get("doubled"))}'
            f'{cell("heights", count(counts.get("heights")))}{cell("transactions", count(counts.get("ordered")))}</tr>')


def summary(scenarios):
    dots = Dots(scenarios)
    rows = "\n".join(row(i, s, dots) for i, s in enumerate(scenarios))
    return ('<table class="summary"><thead><tr><th>Fault scenario</th><th>Verdict</th><th class="break"></th>'
            '<th class="num">Order resumed after,<br/>median</th><th class="num"><br/>worst</th>'
            f'<th class="when-wide">every fault {dots.scale()}</th>'
            '<th class="num">Lost</th><th class="num">Doubled</th><th class="num">Heights</th>'
            f'<th class="num">Transactions<br/>ordered</th></tr></thead><tbody>\n{rows}\n</tbody></table>')


def how_to_read():
    """The signs of the timelines, once for all of them."""
    frame = '<svg viewBox="0 0 26 10" aria-hidden="true">{}</svg>'
    signs = [('<rect class="band" width="26" height="10"/><path class="band-edge" d="M.5 0V10"/>',
              "a fault from its beginning to its end (▸: no end)"),
             ("", '<b class="mono">+0.52 s</b> order resumed so long after it, or after it was possible again'),
             ('<rect class="f0" y="1" width="26" height="8"/>', "node advances"),
             ('<rect class="f0 behind" y="1" width="26" height="8"/>', "lags behind"),
             ('<rect class="f0" y="4" width="26" height="2"/>', "stands still"),
             ('<rect class="f0" y="1" width="6" height="8"/><rect class="f0" x="20" y="1" width="6" height="8"/>',
              "does not answer")]
    drawn = "".join(f"<span>{sign and frame.format(sign)}{words}</span>" for sign, words in signs)
    return f'<div class="how">{drawn}</div>'


# ---- a scenario ----

def timeline(scenario):
    wide = draw(scenario, WIDE)
    if not wide:
        return ""
    # In a script element "<" could end it; as an escape of JSON it cannot, nor does XML mind it.
    data = json.dumps(readings(scenario), ensure_ascii=False, separators=(",", ":"))
    data = data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return (f'<div class="plot">{wide}\n{draw(scenario, NARROW)}\n'
            f'<script type="application/json">{data}</script></div>')


def faults(scenario):
    """Every fault in figures."""
    rows = []
    for number, fault in enumerate(scenario.get("faults") or [], 1):
        at, until = finite(fault.get("at")), finite(fault.get("until"))
        rows.append(f'<tr><td class="num">{number}</td><td>{esc(fault.get("what", ""))}</td>'
                    f'<td class="num">{seconds(at)}</td>'
                    f'<td class="num">{seconds(until - at) if None not in (at, until) else DASH}</td>'
                    f'<td class="num">{seconds(fault.get("resumed_after"))}</td></tr>')
    if not rows:
        return ""
    opened = ' open="open"' if FEW < len(rows) <= MANY else ""
    return (f'<details{opened}><summary>{plural(len(rows), "fault")} in figures'
            '</summary><table><thead><tr><th class="num">#</th><th>What</th><th class="num">At</th>'
            '<th class="num">Lasted</th><th class="num">Order resumed after</th></tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></details>')


def checks(scenario):
    """What failed comes first."""
    rows = []
    for check in sorted(scenario.get("checks") or [], key=lambda c: bool(c.get("passed"))):
        result = "passed" if check.get("passed") else "failed"
        said = f'<span class="said">{esc(check["said"])}</span>' if check.get("said") else ""
        rows.append(f'<li{classed("bad", result == "failed")}><span class="{result}">{MARKS[result]}</span>'
                    f'<b>{esc(check.get("name", ""))}</b>{said}</li>')
    return f'<div><h3>Checks</h3><ul class="checks">{"".join(rows)}</ul></div>' if rows else ""


def counts(scenario):
    known = scenario.get("counts") or {}
    rows = "".join(f'<div{classed("hot", name in ("lost", "doubled") and known[name])}><dt>{esc(name)}</dt>'
                   f"<dd>{count(known[name])}</dd></div>"
                   for name in [n for n in COUNTS if n in known] + sorted(set(known) - set(COUNTS)))
    return f'<div><h3>Counts</h3><dl class="counts">{rows}</dl></div>' if rows else ""


def section(number, scenario):
    result = verdict(scenario)
    facts = []
    if result != "skipped":
        facts.append(f"took {seconds(scenario.get('seconds'))}")
    if scenario.get("seed") is not None:
        facts.append(f"seed {esc(scenario['seed'])}")
    facts.append(recovery(*resumed(scenario)))
    failures = "".join(f"<li>{esc(failure)}</li>" for failure in scenario.get("failures") or [])
    failures = failures and f'<ul class="failures">{failures}</ul>'
    skipped = f'<p class="skipped">{esc(scenario["skipped"])}</p>' if result == "skipped" else ""
    below = checks(scenario) + counts(scenario)
    below = below and f'<div class="below">{below}</div>'
    return (f'<section id="{anchor(number)}"><div class="title"><h2>{esc(title_of(scenario))}</h2>'
            f'<span class="badge {result}">{MARKS[result]} {result}</span><code>{esc(scenario.get("name", ""))}</code>'
            f'<span class="short">{" · ".join(filter(None, facts))}</span></div>{skipped}'
            f"{failures}{timeline(scenario)}{below}{faults(scenario)}</section>")


def page(report):
    """The whole page."""
    scenarios = report.get("scenarios") or []
    sections = "\n".join(section(i, s) for i, s in enumerate(scenarios))
    style, script = (HERE / "page.css").read_text(), (HERE / "page.js").read_text()
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Sluice under faults: {headline(tally(scenarios))}</title>
<style>
{style}</style></head><body>
{head(report, scenarios)}
<main>{summary(scenarios)}
{how_to_read()}
{sections}</main>
<script>//<![CDATA[
{script}//]]></script>
</body></html>
"""


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(page(json.loads(pathlib.Path(sys.argv[1]).read_text())))
