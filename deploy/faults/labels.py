"""Where the labels of faults stand above a timeline: in lanes, each label with the bar of its fault, and no two of
them ever overlap. Labels are in a monospaced face, so that their width is known without measuring: CHAR_PX a cell."""
from dataclasses import dataclass

from figures import cells, finite, seconds, shortened, text

FONT_PX = 10.5
CHAR_PX = FONT_PX * 0.61   # widest of the faces that the page names; most have 0.60
GAP_PX = 7                 # between two labels of a lane
LONGEST = 34               # cells of a label; the whole text is in its tooltip
LANES = 6, 8, 8            # at most, for each of the three wordings


@dataclass
class Label:
    fault: int             # its index
    lane: int
    x: float               # of the text
    what: str              # "" when there was no room
    after: str             # "+0.52 s", or ""
    bar: tuple             # x from, x to

    @property
    def words(self):
        return " ".join(filter(None, (self.what, self.after)))

    @property
    def box(self):
        return min(self.x, self.bar[0]), max(self.x + CHAR_PX * cells(self.words), self.bar[1])


def wordings(fault, number):
    """What a label may say, the best first; the number is that of the list of faults."""
    after = finite(fault.get("resumed_after"))
    after = "" if after is None else "+" + seconds(after)
    return (shortened(text(fault.get("what", "")), LONGEST), after), (str(number), after), (str(number), "")


def place(faults, spans, left, right):
    """(labels, lanes, wording) of `faults`, whose bars are `spans` [(x from, x to)], between `left` and `right`: with
    the best wording that needs no more than its LANES. What even numbers have no room for keeps its bar, in a lane
    of bars."""
    order = sorted(range(len(faults)), key=lambda i: spans[i])
    words = [wordings(fault, i + 1) for i, fault in enumerate(faults)]
    for wording in range(3):
        placed, ends, left_over = [], [], []
        for i in order:
            what, after = words[i][wording]
            label = Label(i, 0, spans[i][0] + 3, what, after, spans[i])
            label.x = max(left, min(label.x, right - CHAR_PX * cells(label.words)))
            start, end = label.box
            lane = next((n for n, taken in enumerate(ends) if taken + GAP_PX <= start), len(ends))
            if lane == LANES[wording]:
                left_over.append(i)
                continue
            ends[lane:lane + 1] = [end]
            label.lane = lane
            placed.append(label)
        if not left_over:
            return placed, len(ends), wording
    placed += [Label(i, len(ends), spans[i][0], "", "", spans[i]) for i in left_over]
    return placed, len(ends) + 1, wording
