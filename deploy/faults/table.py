"""The live table of a run of the fault suite, and its summary for the README.

On a terminal the table is redrawn in place: a line per scenario that began, the rest as a number. Anywhere else there
is a line when a scenario begins, one when it ends. Both end with the same summary. NO_COLOR is respected, no line is
longer than the terminal is wide, and nothing that a scenario says reaches the terminal but as text."""
import os
import sys

from figures import (DASH, cells, count, overall, plural, rate, recovery, resumed, seconds, shortened, tally, text,
                     verdict)

COLOURS = {"passed": "32", "failed": "31", "skipped": "33", "running": "36", "soft": "2", "strong": "1"}
MARKS = {"passed": "✓", "failed": "✗", "skipped": "○", "running": "▸"}
PLAIN = str.maketrans({"✓": "+", "✗": "x", "○": "o", "▸": ">", "–": "-", "…": "~", "·": "-", "−": "-",
                       "▇": "#", "▃": "_"})
WIDEST = 130               # a wider table is hard to follow along a line
STATE = 24                 # cells that the state of a scenario has at least, before a column is left out
GONE_FIRST = ("resumed", "ordered", "heights", "per_s", "seconds")   # when the terminal is narrow
WIDTHS = {"seconds": 11, "ordered": 9, "per_s": 7, "heights": 23, "resumed": 8}
HEADS = {"seconds": "took", "ordered": "ordered", "per_s": "tx/s", "heights": "heights", "resumed": "resumed"}


def padded(words, width, right=False):
    words = shortened(words, width)
    space = " " * (width - cells(words))
    return space + words if right else words + space


def heights_in(heights, width):
    """Every node's height when there is room, otherwise the highest and a sign per node: at the top, behind, away."""
    words = " ".join(DASH if h is None else str(h) for h in heights)
    if cells(words) <= width:
        return words
    top = max((h for h in heights if h is not None), default=None)
    signs = "".join(DASH if h is None else "▇" if top - h <= 20 else "▃" for h in heights)
    return f"{DASH if top is None else top} {signs}"


def sentence(result):
    """What came of a scenario, in words."""
    if verdict(result) == "skipped":
        return f"skipped: {text(result['skipped'])}"
    took = f"{verdict(result)} in {seconds(result.get('seconds'))}"
    return joined(took, recovery(*resumed(result)), result.get("counts") or {})


def joined(first, recovered, counts):
    ordered = ""
    if counts.get("ordered") is not None:
        ordered = ", ".join(f"{count(counts.get(name))} {name}" for name in ("ordered", "lost", "doubled"))
    return "; ".join(filter(None, (first, recovered, ordered)))


class Table:
    """names: of all scenarios that are to run, in their order. `show` may come as often as one likes; a terminal is
    redrawn at each."""

    def __init__(self, names, out=None):
        self.out = sys.stdout if out is None else out
        self.names = list(names)
        self.live = self.out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and not os.environ.get("NO_COLOR")
        self.ascii = not (self.out.encoding or "utf-8").lower().replace("-", "").startswith("utf")
        self.rows = {}         # name -> what is known of it, of those that began
        self.results = {}      # name -> its result
        self.drawn = 0         # lines that stand on the terminal
        self.size = None       # of the terminal, when they were drawn
        if self.live:
            self._write("\033[?25l")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def begin(self, name, title):
        self.rows[name] = {"now": text(title)}
        if self.live:
            self._draw()
        else:
            self._write(f"{text(name)}: {text(title)} ...\n")

    def show(self, name, now="", seconds=None, ordered=None, per_s=None, heights=()):
        self.rows[name].update(now=text(now), seconds=seconds, ordered=ordered, per_s=per_s, heights=list(heights))
        if self.live:
            self._draw()

    def end(self, name, result):
        self.results[name] = result
        row = self.rows.setdefault(name, {})
        counts, failures = result.get("counts") or {}, result.get("failures") or []
        state = verdict(result)
        # Of one that ended there is no rate or height of the moment; of one that was skipped only why.
        if state == "skipped":
            row.update(now=f"skipped: {text(result['skipped'])}", seconds=None, ordered=None)
        else:
            row.update(now=f"{state}: {text(failures[0])}" if failures else state, seconds=result.get("seconds"),
                       ordered=counts.get("ordered"), resumed=resumed(result)[1])
        row.update(per_s=None, heights=[])
        if self.live:
            self._draw()
        else:
            self._write("".join(f"{text(name)}: {line}\n" for line in [sentence(result), *map(text, failures)]))

    def close(self):
        """The summary; may be called again."""
        if self.out is None:
            return
        if self.live:
            self._draw(last=True)
        results = list(self.results.values())
        found, sums = tally(results), overall(results)
        said = ", ".join(f"{number} {name}" for name, number in found.items() if number or name == "passed")
        said = f"{said} of {plural(len(self.names), 'scenario')}"
        if self.live:
            failed = [(name, failure) for name, result in self.results.items()
                      for failure in map(text, result.get("failures") or [])]
            for name, failure in failed:
                self._write(self._painted("failed", f"{text(name)}: {failure}") + "\n")
        kind = "failed" if found["failed"] else "passed" if found["passed"] else "skipped"
        self._write(joined(self._painted(kind, said), recovery(sums["median"], sums["worst"]), sums) + "\n")
        if self.live:
            self._write("\033[?25h")
        self.out = None

    # ---- drawing ----

    def _write(self, words):
        self.out.write(words.translate(PLAIN) if self.ascii else words)
        self.out.flush()

    def _painted(self, kind, words):
        return f"\033[{COLOURS[kind]}m{words}\033[0m" if self.colour else words

    def _columns(self, width, name_width):
        """The columns for which there is room beside mark, name and state."""
        columns = list(WIDTHS)
        for name in GONE_FIRST:
            if width - name_width - 4 - sum(WIDTHS[c] + 2 for c in columns) >= STATE:
                break
            columns = [c for c in columns if c != name]
        return columns

    def _line(self, name, columns, width, name_width):
        row = self.rows[name]
        state = verdict(self.results[name]) if name in self.results else "running"
        written = {"seconds": seconds(row.get("seconds")) if row.get("seconds") is not None else "",
                   "ordered": count(row["ordered"]) if row.get("ordered") is not None else "",
                   "per_s": rate(row["per_s"]) if row.get("per_s") is not None else "",
                   "resumed": seconds(row["resumed"]) if row.get("resumed") is not None else "",
                   "heights": heights_in(row.get("heights") or [], WIDTHS["heights"]) if row.get("heights") else ""}
        right = "".join("  " + padded(written[c], WIDTHS[c], right=True) for c in columns)
        now = padded(row.get("now", ""), max(width - 4 - name_width - len(right), 0))
        return (self._painted(state, MARKS[state]) + " " + padded(text(name), name_width) + "  "
                + (now if state == "running" else self._painted(state, now)) + right)

    def _draw(self, last=False):
        size = os.get_terminal_size(self.out.fileno())
        if self.size not in (None, size):
            # What stands there was wrapped anew: nobody knows how many lines it has now.
            self._write("\033[H\033[J")
            self.drawn = 0
        self.size = size
        # The last column stays free: a terminal may wrap when it is written to.
        width, height = max(min(size.columns - 1, WIDEST), 1), max(size.lines - 1, 2)
        name_width = min(max(map(cells, self.names), default=8), max(8, width // 4), max(width - 4, 0))
        columns = self._columns(width, name_width)
        head = "".join("  " + HEADS[c].rjust(WIDTHS[c]) for c in columns)
        lines = [self._painted("soft", padded("  scenario", max(width - len(head), 0)) + head)]
        shown, waiting = list(self.rows), len(self.names) - len(self.rows)
        room = height - 1 - bool(waiting)
        if len(shown) > room and not last:
            keep = max(room - 1, 1)
            earlier, shown = shown[:-keep], shown[-keep:]
            found = tally([self.results[name] for name in earlier if name in self.results])
            words = ", ".join(f"{number} {name}" for name, number in found.items() if number)
            lines.append(self._painted("soft", shortened(f"  earlier: {words}", width)))
        lines += [self._line(name, columns, width, name_width) for name in shown]
        if waiting:
            lines.append(self._painted("soft", shortened(f"· {plural(waiting, 'scenario')} to come", width)))
        lines = lines if last else lines[-height:]
        up = f"\033[{self.drawn}A" if self.drawn else ""
        self._write("\r" + up + "".join(f"{line}\033[K\n" for line in lines) + "\033[J")
        self.drawn = len(lines)


def markdown(report):
    """The summary for the README."""
    rows = ["| Fault | Order resumed after, median | Worst | Lost | Doubled |", "|---|---:|---:|---:|---:|"]
    for scenario in report.get("scenarios") or []:
        counts = scenario.get("counts") or {}
        title = text(scenario.get("title") or scenario.get("name", "")).replace("\\", "\\\\").replace("|", "\\|")
        title = title.replace("<", "&lt;")
        if verdict(scenario) != "passed":
            title += f" ({verdict(scenario)})"
        cells = [title, *map(seconds, resumed(scenario)), count(counts.get("lost")), count(counts.get("doubled"))]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"
