"""What of a series of samples can be seen at a width: gaps stay gaps, extremes stay, everything else may go."""
import math
import statistics

from figures import finite

# What a node does in a piece of time, worst last: of a column of the strip the worst is shown.
ADVANCES, BEHIND, STILL, AWAY = range(4)


def stretches(at, values):
    """The stretches without a gap, each a list of (time, value)."""
    found, current = [], []
    for time, value in zip(at, values):
        value = finite(value)
        if value is None:
            if current:
                found.append(current)
            current = []
        else:
            current.append((time, value))
    return found + [current] if current else found


def thin(points, width, highest_only=False):
    """Of each `width` of time the lowest and the highest point, in the order in which they came."""
    columns = {}
    for point in points:
        columns.setdefault(math.floor(point[0] / width), []).append(point)
    kept = []
    for column in columns.values():
        low, high = min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1])
        kept += [high] if highest_only or low == high else sorted((low, high))
    return kept


def straighten(points, tolerance):
    """Leaves out what lies within `tolerance` of the line through those that stay (Ramer, Douglas, Peucker)."""
    if len(points) < 3:
        return points
    keep, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        (x0, y0), (x1, y1) = points[first], points[last]
        length = math.hypot(x1 - x0, y1 - y0) or 1
        far, farthest = tolerance, None
        for i in range(first + 1, last):
            x, y = points[i]
            distance = abs((x1 - x0) * (y0 - y) - (x0 - x) * (y1 - y0)) / length
            if distance > far:
                far, farthest = distance, i
        if farthest:
            keep.add(farthest)
            spans += [(first, farthest), (farthest, last)]
    return [points[i] for i in sorted(keep)]


def step_of(at):
    """The usual time between two samples."""
    return statistics.median(b - a for a, b in zip(at, at[1:])) if len(at) > 1 else 0.5


def doings(at, heights):
    """What each node does at each sample: it is AWAY without an answer, STILL when its height stays for longer than
    four heights usually take (1.5 s at least: an idle chain makes one a second), BEHIND when it lags by more than the
    cluster usually makes in 1.5 s."""
    heights = [[finite(value) for value in series] for series in heights]
    best = [max((v for v in row if v is not None), default=None) for row in zip(*heights)]
    known = [(t, v) for t, v in zip(at, best) if v is not None]
    grown = known[-1][1] - known[0][1] if known else 0
    per_s = grown / ((known[-1][0] - known[0][0]) or 1) if known else 0
    patience = max(1.5, 4 / per_s) if per_s > 0 else 1.5
    lag = max(3, 1.5 * per_s)
    result = []
    for series in heights:
        node = [AWAY if v is None else BEHIND if top - v > lag else ADVANCES for v, top in zip(series, best)]
        first = 0
        for i in range(1, len(node) + 1):
            if i == len(node) or series[i] != series[first]:
                if series[first] is not None and at[i - 1] - at[first] >= patience:
                    node[first:i] = [STILL] * (i - first)
                first = i
        result.append(node)
    return result


def columns(at, doing, span, number):
    """`doing` over the time 0..span in `number` columns, the worst of each, as (first column, columns, what)."""
    worst = [None] * number
    ends = at[1:] + [at[-1] + step_of(at)]
    for start, end, what in zip(at, ends, doing):
        first = max(0, math.floor(start / span * number))
        last = min(number, max(first + 1, math.floor(end / span * number)))
        for i in range(first, last):
            worst[i] = what if worst[i] is None else max(worst[i], what)
    found = []
    for i, what in enumerate(worst):
        if found and found[-1][2] == what:
            found[-1][1] += 1
        else:
            found.append([i, 1, what])
    return [tuple(run) for run in found if run[2] is not None]
