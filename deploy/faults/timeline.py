"""The timeline of a scenario as SVG: labels of the faults in lanes; below them, on one time axis and behind them the
faults as bands, three panels: transactions ordered per second, latency, heights; and a strip per node, in which a
node that stands still or does not answer shows even when its line lies under the others'."""
import html
import math
import statistics
from dataclasses import dataclass, field

import labels
from figures import DASH, count, finite, milliseconds, rate, seconds, text
from series import ADVANCES, AWAY, BEHIND, STILL, columns, doings, straighten, stretches, thin

COLOURS = 10                # of nodes, in page.css
LANE, HEAD, PLOT, ROW, AXIS = 17, 26, 76, 13, 20    # heights of the parts
ARROW = 9                   # width of what stands for a fault without an end
WIDE, NARROW = 1120, 380
READINGS = 400              # at most, for the crosshair


@dataclass
class Canvas:
    """A scenario, how its time lies on the page, and what is drawn so far."""
    scenario: dict
    width: int
    left: float = 0
    right: float = 0
    span: float = 1
    y: float = 0
    parts: list = field(default_factory=list)

    def __post_init__(self):
        samples = self.scenario.get("samples") or {}
        self.at = [finite(t) or 0 for t in samples.get("at") or []]
        self.rates = samples.get("ordered_per_s") or []
        self.p50, self.worst = (list(samples.get("latency_ms") or []) + [[], []])[:2]
        self.heights = samples.get("heights") or []
        self.faults = self.scenario.get("faults") or []
        ends = [finite(fault.get(end)) for fault in self.faults for end in ("at", "until")]
        self.span = max([finite(self.scenario.get("seconds")) or 0, 0.001] + self.at + [e for e in ends if e])
        self.left, self.right = (52, self.width - 10) if self.width > 600 else (42, self.width - 6)

    def x(self, time):
        return self.left + (self.right - self.left) * min(max(time, 0), self.span) / self.span

    @property
    def second(self):
        """In units of x."""
        return (self.right - self.left) / self.span

    def add(self, part):
        self.parts.append(part)

    def line(self, kind, points, fill_to=None):
        """`points` in x and y as a path of the class `kind`; down to fill_to, with the area below it."""
        if len(points) == 1:
            points = [points[0], (points[0][0] + 0.5, points[0][1])]
        path = "M" + " ".join(f"{_n(x)} {_n(y)}" for x, y in points)
        if fill_to is not None:
            self.add(f'<path class="{kind}-area" d="{path}V{_n(fill_to)}H{_n(points[0][0])}Z"/>')
        self.add(f'<path class="{kind}" d="{path}"/>')

    def text(self, kind, x, y, words, more=""):
        self.add(f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}"{more}>{esc(words)}</text>')


def esc(value):
    return html.escape(text(value))


def _n(value):
    """A coordinate: one decimal is a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def steps(high, number, bases=(1, 2, 5)):
    """The smallest round step that needs at most `number` of it to reach `high`."""
    power = 10 ** math.floor(math.log10(high / number)) if high > 0 else 1
    return next(step for step in [b * power for b in bases] + [10 * power] if step * number >= high * 0.999999)


def time_ticks(span, number):
    tens = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
    step = next((s for s in tens if s * number >= span), None) if span >= number else steps(span, number)
    step = step or steps(span, number)
    ticks = [i * step for i in range(int(span / step + 1e-9) + 1)]
    if span < 120:
        return [(t, f"{t:g} s") for t in ticks]
    return [(t, f"{int(t) // 60}:{int(t) % 60:02}") for t in ticks]


# ---- faults ----

def fault_words(fault, number):
    """The tooltip of a fault."""
    at, until, again, after = (finite(fault.get(key)) for key in ("at", "until", "can_again", "resumed_after"))
    said = f"{number}. {text(fault.get('what', ''))}: at {seconds(at)}"
    said += "" if until is None else f", until {seconds(until)}"
    said += "" if again is None else f", order possible again at {seconds(again)}"
    return said + ("" if after is None else f"; order resumed after {seconds(after)}")


def lanes(canvas):
    """The labels, each with its bar, which is an arrow when the fault has no end; returns (every bar's y, its span in
    x), in the order of the faults."""
    spans = []
    for fault in canvas.faults:
        at = finite(fault.get("at")) or 0
        until = finite(fault.get("until"))
        start = min(canvas.x(at), canvas.right - ARROW)
        spans.append((start, start + ARROW if until is None else max(start + 2, canvas.x(until))))
    placed, number, _ = labels.place(canvas.faults, spans, canvas.left, canvas.right)
    for label in placed:
        fault, y = canvas.faults[label.fault], canvas.y + LANE * label.lane
        start, end = label.bar
        bar = f"M{_n(start)} {_n(y + 12.5)}H{_n(end)}v3H{_n(start)}z"
        if finite(fault.get("until")) is None:
            bar = f"M{_n(start)} {_n(y + 11)}L{_n(end)} {_n(y + 14)}L{_n(start)} {_n(y + 17)}z"
        canvas.add(f'<g class="fault"><title>{esc(fault_words(fault, label.fault + 1))}</title>'
                   f'<path class="fault-bar" d="{bar}"/>')
        if label.words:
            after = f'<tspan class="after">{esc(label.after)}</tspan>' if label.after else ""
            canvas.add(f'<text class="what" x="{_n(label.x)}" y="{_n(y + 9.5)}">'
                       f'{esc(label.what)}{" " if label.what and after else ""}{after}</text>')
        canvas.add("</g>")
    tops = {label.fault: canvas.y + LANE * label.lane + 12.5 for label in placed}
    canvas.y += LANE * number + (4 if number else 0)
    return [tops[i] for i in range(len(spans))], spans


def bands(canvas, tops, spans, top, bottom):
    """Over the panels; only the beginning of each goes up to the bar in its lane, so that labels stay readable."""
    for i, (lane, (start, end)) in enumerate(zip(tops, spans)):
        if finite(canvas.faults[i].get("until")) is not None:
            canvas.add(f'<rect class="band" x="{_n(start)}" y="{_n(top)}" width="{_n(end - start)}" '
                       f'height="{_n(bottom - top)}"><title>{esc(fault_words(canvas.faults[i], i + 1))}</title></rect>')
        canvas.add(f'<path class="band-edge" d="M{_n(start)} {_n(lane)}V{_n(bottom)}"/>')


# ---- panels ----

def head(canvas, name, unit, reading, panel):
    canvas.add(f'<text class="panel" x="{_n(canvas.left)}" y="{_n(canvas.y + HEAD - 9)}">{esc(name)}'
               f'<tspan class="unit"> {esc(unit)}</tspan></text>')
    canvas.text("reading", canvas.right, canvas.y + HEAD - 9, reading, f' data-panel="{panel}"')
    canvas.y += HEAD


def grid(canvas, ticks):
    """Lines at [(y, label)], and the panel's floor."""
    for y, label in ticks:
        canvas.add(f'<path class="grid" d="M{_n(canvas.left)} {_n(y)}H{_n(canvas.right)}"/>')
        canvas.text("tick", canvas.left - 6, y + 3.5, label)


def linear(canvas, low, high, number=3):
    """(a scale from value to y, ticks) from low to the next round number above high."""
    step = steps(max(high - low, 1e-9), number)
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    bottom = canvas.y + PLOT

    def scale(value):
        return bottom - PLOT * (value / step - first) / (last - first)
    return scale, [(scale(i * step), i * step) for i in range(first, last + 1)]


def logarithmic(canvas, low, high):
    """The same from the power of ten below low to high itself: a decade that is nearly empty only takes room."""
    first, last = math.floor(math.log10(low)), math.log10(high)
    bottom = canvas.y + PLOT

    def scale(value):
        return bottom - PLOT * (math.log10(max(value, 10 ** first)) - first) / (last - first)
    return scale, [(scale(10 ** i), 10 ** i) for i in range(first, math.floor(last) + 1)]


def pixels(canvas, points, scale, highest_only=False):
    """Points in time as they are seen: of more than one a pixel, two in two pixels."""
    points = [(canvas.x(t), v) for t, v in points]
    if len(points) > points[-1][0] - points[0][0] + 2:
        points = thin(points, 2, highest_only)
    return [(x, scale(v)) for x, v in points]


def throughput(canvas):
    known = [v for v in map(finite, canvas.rates) if v is not None]
    ordered = f"median {rate(statistics.median(known))}, peak {rate(max(known))}" if known else "not measured"
    head(canvas, "ordered", "tx/s", ordered, 0)
    scale, ticks = linear(canvas, 0, max(known, default=1) or 1)
    grid(canvas, [(y, rate(v)) for y, v in ticks])
    for stretch in stretches(canvas.at, canvas.rates):
        canvas.line("rate", pixels(canvas, stretch, scale), scale(0))
    canvas.y += PLOT


def latency(canvas):
    values = [v for v in map(finite, list(canvas.p50) + list(canvas.worst)) if v is not None and v > 0]
    middle = [v for v in map(finite, canvas.p50) if v is not None]
    said = f"p50 {milliseconds(statistics.median(middle))}, max {milliseconds(max(values))}" if middle and values else \
        "not measured"
    head(canvas, "latency", "p50, max", said, 1)
    low, high = max(min(values, default=1), 0.1), max(values, default=10)
    # Three tenths and more are only told apart by their logarithms.
    scale, ticks = logarithmic(canvas, low, high) if high > 12 * low else linear(canvas, 0, high)
    ticks = [t for i, t in enumerate(ticks) if len(ticks) < 6 or i % 2 == 0]
    grid(canvas, [(y, (f"{v:g} ms" if v < 1000 else f"{v / 1000:g} s") if v else "0") for y, v in ticks])
    both = [None if finite(p) is None or finite(w) is None else (p, w) for p, w in zip(canvas.p50, canvas.worst)]
    lower = [pair and pair[0] for pair in both]
    upper = [pair and pair[1] for pair in both]
    for low_stretch, high_stretch in zip(stretches(canvas.at, lower), stretches(canvas.at, upper)):
        outline = pixels(canvas, high_stretch, scale, True) + pixels(canvas, low_stretch, scale)[::-1]
        canvas.add(f'<path class="max-area" d="M{" ".join(f"{_n(x)} {_n(y)}" for x, y in outline)}Z"/>')
    for stretch in stretches(canvas.at, canvas.worst):
        canvas.line("max", pixels(canvas, stretch, scale, True))
    for stretch in stretches(canvas.at, canvas.p50):
        canvas.line("p50", pixels(canvas, stretch, scale))
    canvas.y += PLOT


def heights(canvas):
    known = [v for series in canvas.heights for v in map(finite, series) if v is not None]
    head(canvas, "height", "per node", count(max(known)) if known else "not measured", 2)
    scale, ticks = linear(canvas, min(known, default=0), max(known, default=1))
    grid(canvas, [(y, count(v)) for y, v in ticks])
    for node, series in enumerate(canvas.heights):
        for stretch in stretches(canvas.at, series):
            canvas.line(f"height n{node % COLOURS}", straighten(pixels(canvas, stretch, scale), 0.3))
    canvas.y += PLOT + 9


def strip(canvas, node, series, hurt):
    """What one node does: a thick bar while it advances, a pale one while it lags, a thin line while it stands still,
    nothing while it does not answer; its own faults behind it."""
    middle, width = canvas.y + ROW / 2, canvas.right - canvas.left
    canvas.text("tick", canvas.left - 6, middle + 3.5, f"node {node}" if canvas.width > 600 else f"{node}")
    for start, end in hurt:
        canvas.add(f'<rect class="hurt" x="{_n(start)}" y="{_n(canvas.y)}" width="{_n(end - start)}" '
                   f'height="{ROW}"/>')
    number = int(width / 2)
    paths = {ADVANCES: "", BEHIND: "", STILL: ""}
    for first, length, what in columns(canvas.at, series, canvas.span, number):
        if what != AWAY:
            half = 1 if what == STILL else 4
            paths[what] += (f"M{_n(canvas.left + first * width / number)} {_n(middle - half)}"
                            f"h{_n(length * width / number)}v{2 * half}h{_n(-length * width / number)}z")
    for what, kind in ((ADVANCES, "advances"), (BEHIND, "behind"), (STILL, "still")):
        if paths[what]:
            canvas.add(f'<path class="{kind} f{node % COLOURS}" d="{paths[what]}"/>')
    canvas.y += ROW


def strips(canvas, spans):
    for node, series in enumerate(doings(canvas.at, canvas.heights)):
        hurt = [span for fault, span in zip(canvas.faults, spans) if node in (fault.get("nodes") or [])]
        strip(canvas, node, series, hurt)
    canvas.y += 4


def axis(canvas, top):
    """The time axis below everything, its ticks through all panels from `top` on."""
    narrow = canvas.width < 600
    for time, label in time_ticks(canvas.span, 6 if narrow else 14):
        x = canvas.x(time)
        canvas.add(f'<path class="grid time" d="M{_n(x)} {_n(top)}V{_n(canvas.y + 4)}"/>')
        if x < canvas.right - 12 or not narrow:
            canvas.text("time", min(x, canvas.right - 10), canvas.y + 15, label)
    canvas.y += AXIS


def draw(scenario, width):
    """The SVG of the scenario, `width` units wide; "" when there is nothing to draw."""
    canvas = Canvas(scenario, width)
    if not canvas.at and not canvas.faults:
        return ""
    tops, spans = lanes(canvas)
    top, label_parts, canvas.parts = canvas.y, canvas.parts, []
    if canvas.at:
        throughput(canvas)
        latency(canvas)
        heights(canvas)
        strips(canvas, spans)
    else:
        canvas.text("reading", canvas.right, canvas.y + 14, "no samples were taken")
        canvas.y += 24
    panels, bottom, canvas.parts = canvas.parts, canvas.y, []
    axis(canvas, top)
    axis_parts, canvas.parts = canvas.parts, []
    bands(canvas, tops, spans, top, bottom)
    name = esc(f"Timeline of {text(scenario.get('title') or scenario.get('name', ''))}")
    inside = "\n".join(axis_parts + canvas.parts + label_parts + panels)
    return (f'<svg class="{"wide" if width > 600 else "narrow"}" viewBox="0 0 {width} {_n(canvas.y)}" role="img" '
            f'aria-label="{name}" data-left="{_n(canvas.left)}" data-right="{_n(canvas.right)}" '
            f'data-span="{canvas.span:.3f}" data-top="{_n(top)}" data-bottom="{_n(bottom)}">\n{inside}\n</svg>')


# ---- what the crosshair reads ----

def _range(values, write):
    values = [v for v in map(finite, values) if v is not None]
    if not values:
        return DASH
    low, high = write(min(values)), write(max(values))
    return low if low == high else f"{low} to {high}"


def reading_of_heights(row):
    """All of them when they fit, otherwise the highest, who is behind it and who does not answer."""
    if len(row) <= 5:
        return "  ".join(count(v) for v in row)
    top = max((v for v in row if v is not None), default=None)
    far = [f"{node}: {DASH if v is None else f'−{top - v:,.0f}'}" for node, v in enumerate(row)
           if v is None or top - v > 20]
    return count(top) + ("  (" + ", ".join(far) + ")" if far else "")


def readings(scenario):
    """[[time, throughput, latency, heights]] in words; of a long series, of equal parts of it."""
    canvas = Canvas(scenario, WIDE)
    size = math.ceil(len(canvas.at) / READINGS)
    found = []
    for i in range(0, len(canvas.at), size or 1):
        piece, middle = slice(i, i + size), min(i + size // 2, len(canvas.at) - 1)
        found.append([round(canvas.at[middle], 3),
                      _range(canvas.rates[piece], rate),
                      f"p50 {_range(canvas.p50[piece], milliseconds)}, max {_range(canvas.worst[piece], milliseconds)}",
                      reading_of_heights([finite(series[middle]) if middle < len(series) else None
                                          for series in canvas.heights])])
    return found
