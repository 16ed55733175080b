#!/usr/bin/env python3
"""The page of a run is whole whatever the report says: it is XML and HTML, text stays text, every coordinate is a
number and within the picture, labels do not overlap, extremes and gaps of long series can be seen, colours contrast."""
import html.parser
import json
import math
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import labels
import sample_reports
import series
import timeline
from figures import cells, milliseconds, rate, seconds
from page import HERE, page

HOSTILE = '</script><script>alert(1)</script><img src="x" onerror=\'y()\'>&amp;\x1b[2J\x00\ud800]]> --> ünï 漢字'
HOSTILE_SEEN = HOSTILE.replace("\x1b", "\ufffd").replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
NUMBER = re.compile(r"-?\d+(\.\d+)?")
SVG = "{http://www.w3.org/1999/xhtml}"


def parsed(words):
    """The page as XML, and by the way as HTML."""
    root = ElementTree.fromstring(words.removeprefix("<!DOCTYPE html>").encode())
    Balanced().check(words)
    return root


class Balanced(html.parser.HTMLParser):
    """Every element that begins ends, as HTML sees it."""

    def check(self, words):
        self.open = []
        self.feed(words)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag


def pictures(root):
    """The timelines."""
    return [svg for svg in root.iter("svg") if svg.get("class") in ("wide", "narrow")]


def drawn(scenario):
    return [ElementTree.fromstring(timeline.draw(scenario, width)) for width in (timeline.WIDE, timeline.NARROW)]


def points(path):
    """Those of a path that has absolute pairs only."""
    numbers = [float(n) for n in re.split(r"[ML ]+", re.split("[VHZ]", path.get("d"))[0]) if n]
    return list(zip(numbers[::2], numbers[1::2]))


def of_class(svg, name):
    return [element for element in svg.iter() if name in (element.get("class") or "").split()]


def hostile():
    """A scenario that says HOSTILE wherever a scenario can say anything."""
    made = sample_reports.kill_each()
    made.update(name=HOSTILE, title=HOSTILE, seed=HOSTILE, failures=[HOSTILE], passed=False)
    made["counts"][HOSTILE] = 1
    made["checks"] = [{"name": HOSTILE, "passed": False, "said": HOSTILE}]
    for fault in made["faults"]:
        fault.update(what=HOSTILE, kind=HOSTILE)
    return made


def broken():
    """Samples as no run should give them."""
    nan, inf = float("nan"), float("inf")
    made = sample_reports.kill_each()
    made["samples"] = {"at": [0, 0.5, 1, 1, 2], "ordered_per_s": [nan, inf, -inf, None, 1e18],
                       "latency_ms": [[0, -5, None, nan, 1e-9], [None, 0, inf, 1e12, 3]],
                       "heights": [[None] * 5, [1, nan, "x", True, 2], [0, 0, 0, 0, 0], [7, 3]]}
    made["faults"][0].update(at=-3, until=-1, resumed_after=nan)
    made["faults"][1].update(at=nan, until=inf)
    made["faults"][2].update(at=50, until=40)
    made["faults"][3].update(at=1, until=None)
    return made


def variants():
    """Scenarios in which nearly everything is missing."""
    bare = {"name": "bare"}
    return [bare, {**bare, "passed": True, "samples": {}}, {**bare, "faults": [{}], "checks": [{}], "counts": {}},
            {**bare, "samples": {"at": [0.0], "ordered_per_s": [5.0], "latency_ms": [[1.0], [1.0]], "heights": [[4]]}},
            {**bare, "samples": {"at": [0.0, 0.5], "ordered_per_s": [0, 0], "latency_ms": [[None] * 2] * 2,
                                 "heights": [[None, None]]}},
            {**bare, "seconds": 0, "samples": {"at": [0.0, 0.0, 0.0]}},
            {**bare, "skipped": ""}, sample_reports.empty(), sample_reports.skipped("s", "t", "no engine"), broken(), hostile()]


class Page(unittest.TestCase):
    def test_is_xml_and_html(self):
        for report in (sample_reports.everything(), sample_reports.run([]), sample_reports.run(variants()), {},
                       *(sample_reports.run([scenario]) for scenario in variants())):
            root = parsed(page(report))
            self.assertEqual(len(list(root.iter("section"))), len(report.get("scenarios") or []))

    def test_text_stays_text(self):
        root = parsed(page(sample_reports.run([hostile(), sample_reports.skipped(HOSTILE, HOSTILE, HOSTILE)],
                                       machine=HOSTILE, mode=HOSTILE, sluice=HOSTILE, started=HOSTILE)))
        self.assertEqual([e.get("type") for e in root.iter("script")], ["application/json", None])
        self.assertFalse(list(root.iter("img")))
        for element in root.iter():
            self.assertFalse([name for name in element.keys() if name.startswith("on")], element)
        seen = [words for words in root.itertext() if HOSTILE_SEEN.replace("T", " ") in words.replace("T", " ")]
        # machine, mode, version, time; twice in the lead and the summary; titles, names, failures, checks, ...
        self.assertGreaterEqual(len(seen), 20)
        self.assertTrue(page(sample_reports.run([hostile()])).encode())

    def test_needs_nothing_else(self):
        words = page(sample_reports.everything())
        self.assertNotRegex(words, r"https?://|url\(|@import|\bsrc=|<link")
        targets = {element.get("id") for element in parsed(words).iter() if element.get("id")}
        for element in parsed(words).iter("a"):
            self.assertIn(element.get("href").removeprefix("#"), targets)

    def test_says_the_verdict(self):
        def said(*scenarios):
            root = parsed(page(sample_reports.run(list(scenarios))))
            return "".join(next(root.iter("h1")).itertext()), "".join(next(root.iter("header")).itertext())
        good, bad, none = sample_reports.kill_each(), sample_reports.failing(), sample_reports.skipped("u", "upgrade", "no engine")
        self.assertEqual(said(good, good)[0], "✓ All 2 scenarios passed")
        self.assertEqual(said(good, bad, none)[0], "✗ 1 of 2 scenarios failed")
        self.assertEqual(said(none)[0], "○ No scenario ran")
        self.assertIn("Failed: a clock that is off by an hour.", said(good, bad)[1])
        self.assertIn("5,104 transactions ordered, 2 lost, none doubled. 1 scenario skipped.", said(good, bad, none)[1])
        self.assertIn("4 faults; order resumed 0.42 s after a fault at the median and 0.60 s at worst.", said(good)[1])

    def test_failed_checks_first(self):
        root = parsed(page(sample_reports.run([sample_reports.failing()])))
        checks = [e for e in root.iter("ul") if e.get("class") == "checks"][0]
        self.assertIn("nothing lost", "".join(checks[0].itertext()))
        self.assertEqual(checks[0].get("class"), "bad")
        self.assertEqual([c.get("class") for c in checks[1:]], [None] * 5)
        failures = [e for e in root.iter("ul") if e.get("class") == "failures"][0]
        self.assertEqual(len(failures), 2)

    def test_stays_small(self):
        self.assertLess(len(page(sample_reports.run([sample_reports.soak()])).encode()), 200_000)
        self.assertLess(len(page(sample_reports.run([sample_reports.kill_each()] * 20)).encode()), 700_000)

    def test_as_program(self):
        report = sample_reports.everything()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            path.write_text(json.dumps(report))
            done = subprocess.run([sys.executable, HERE / "page.py", path], capture_output=True, check=True,
                                  env={"LC_ALL": "C"})
        self.assertEqual(done.stdout.decode(), page(report))


class Coordinates(unittest.TestCase):
    def test_are_numbers_within_the_picture(self):
        for scenario in sample_reports.everything()["scenarios"] + variants():
            text = page(sample_reports.run([scenario]))
            for svg in pictures(parsed(text)):
                _, _, width, height = map(float, svg.get("viewBox").split())
                for element in svg.iter():
                    for name in ("x", "y", "width", "height"):
                        if element is not svg and element.get(name) is not None:
                            self.assertRegex(element.get(name), rf"^{NUMBER.pattern}$")
                            self.assertLessEqual(float(element.get(name)), max(width, height))
                    d = element.get("d")
                    if d is not None:
                        self.assertRegex(d, rf"^([MLHVhvzZ ]|{NUMBER.pattern})+$", element.get("class"))
                        if not re.search("[hvHVzZ]", d):
                            for x, y in points(element):
                                self.assertTrue(-1 <= x <= width + 1 and -1 <= y <= height + 1, (x, y))

    def test_readings_are_words(self):
        for scenario in sample_reports.everything()["scenarios"] + variants():
            rows = timeline.readings(scenario)
            self.assertLessEqual(len(rows), timeline.READINGS)
            json.dumps(rows, allow_nan=False)
            for row in rows:
                self.assertEqual([type(value) for value in row[1:]], [str] * 3)
                self.assertNotIn("nan", " ".join(row[1:]))


class Labels(unittest.TestCase):
    def overlaps(self, scenario):
        """Looks at what is drawn, not at what was planned."""
        for svg in drawn(scenario):
            left, right = float(svg.get("data-left")), float(svg.get("data-right"))
            lanes = {}
            for group in of_class(svg, "fault"):
                bar = next(e for e in group if e.get("class") == "fault-bar")
                xs = [float(n) for n in re.findall(r"[MHL](-?[\d.]+)", bar.get("d"))]
                y = float(re.search(r"[ ](-?[\d.]+)", bar.get("d"))[1])
                boxes = [(min(xs), max(xs))]
                for text in of_class(group, "what"):
                    start = float(text.get("x"))
                    boxes.append((start, start + cells("".join(text.itertext())) * labels.CHAR_PX))
                self.assertGreaterEqual(min(a for a, _ in boxes), left - 0.1)
                self.assertLessEqual(max(b for _, b in boxes), right + 0.1)
                if len(boxes) > 1:
                    lanes.setdefault(round(y / timeline.LANE), []).append(
                        (min(a for a, _ in boxes), max(b for _, b in boxes)))
            for boxes in lanes.values():
                boxes.sort()
                for (_, end), (start, _) in zip(boxes, boxes[1:]):
                    self.assertLessEqual(end + 1, start, scenario["name"])
            self.assertEqual(len(of_class(svg, "fault")), len(scenario["faults"]))

    def test_of_the_samples(self):
        for scenario in sample_reports.everything()["scenarios"]:
            if scenario["faults"]:
                self.overlaps(scenario)

    def test_of_chance(self):
        for seed in range(150):
            draw = random.Random(seed)
            span = draw.choice((1, 30, 1800))
            faults = []
            for _ in range(draw.choice((1, 3, 8, 20, 100, 400))):
                at = draw.uniform(0, span)
                faults.append({"at": at, "until": draw.choice((None, draw.uniform(at, span))), "nodes": [],
                               "what": draw.choice("x漢") * draw.randrange(60), "kind": "kill",
                               "resumed_after": draw.choice((None, draw.uniform(0, 4000)))})
            self.overlaps({"name": f"seed {seed}", "seconds": span, "faults": faults})

    def test_few_are_in_words_many_are_numbers(self):
        def said(scenario):
            return ["".join(t.itertext()) for t in of_class(drawn(scenario)[0], "what")]
        self.assertEqual(said(sample_reports.kill_each())[0], "kill -9 node 0 +0.52 s")
        self.assertIn("2 +0.05 s", said(sample_reports.flapping()))


class LongSeries(unittest.TestCase):
    def long(self):
        number = 3600
        return {"name": "long", "seconds": number / 2, "faults": [],
                "samples": {"at": [i / 2 for i in range(number)], "ordered_per_s": [100] * number,
                            "latency_ms": [[20] * number, [30] * number],
                            "heights": [[5 * i for i in range(number)] for _ in range(4)]}}

    def test_a_spike_is_seen(self):
        scenario = self.long()
        scenario["samples"]["ordered_per_s"][1777] = 0
        scenario["samples"]["ordered_per_s"][2222] = 200
        scenario["samples"]["latency_ms"][1][1234] = 3000
        for svg in drawn(scenario):
            (line,), (high,) = of_class(svg, "rate"), of_class(svg, "max")
            ys = [y for _, y in points(line)]
            self.assertAlmostEqual(max(ys) - min(ys), timeline.PLOT, delta=0.2)
            self.assertLess(len(ys), 2 * (float(svg.get("data-right")) - float(svg.get("data-left"))) / 2 + 3)
            ys = [y for _, y in points(high)]
            # two decades of those from 10 ms to 3 s
            self.assertAlmostEqual(max(ys) - min(ys), timeline.PLOT * 2 / math.log10(300), delta=0.2)

    def test_a_gap_is_seen(self):
        scenario = self.long()
        whole = [len(of_class(svg, "n2")) for svg in drawn(scenario)]
        scenario["samples"]["heights"][2][2000] = None
        for svg, before in zip(drawn(scenario), whole):
            self.assertEqual(len(of_class(svg, "n2")), before + 1)
            bars = [path.get("d").count("M") for path in of_class(svg, "advances")]
            self.assertEqual(bars, [1, 1, 2, 1])


class Doings(unittest.TestCase):
    def test_of_a_node(self):
        at = [i / 2 for i in range(40)]
        going = [10 * i for i in range(40)]
        late = going[:10] + [None] * 4 + [95 + 13 * i for i in range(26)]
        stands = going[:20] + [200] * 20
        late_doing, stands_doing, going_doing = series.doings(at, [late, stands, going])
        self.assertEqual(going_doing, [series.ADVANCES] * 40)
        self.assertEqual(stands_doing, [series.ADVANCES] * 20 + [series.STILL] * 20)
        self.assertEqual(late_doing[8:16], [series.ADVANCES] * 2 + [series.AWAY] * 4 + [series.BEHIND] * 2)
        self.assertEqual(late_doing[-1], series.ADVANCES)

    def test_an_idle_chain_does_not_stand_still(self):
        at = [i / 2 for i in range(60)]
        self.assertEqual(set(series.doings(at, [[i // 2 for i in range(60)]])[0]), {series.ADVANCES})

    def test_the_worst_of_a_column_is_shown(self):
        doing = [series.ADVANCES] * 1000
        doing[503] = series.AWAY
        runs = series.columns(list(range(1000)), doing, 1000, 100)
        self.assertEqual(runs, [(0, 50, series.ADVANCES), (50, 1, series.AWAY), (51, 49, series.ADVANCES)])


class Figures(unittest.TestCase):
    def test_are_written(self):
        for value, words in ((0.524, "0.52 s"), (9.994, "9.99 s"), (9.996, "10.0 s"), (31.24, "31.2 s"),
                             (119.96, "2 min 00 s"), (1800, "30 min 00 s"), (3599.6, "1 h 00 min"), (None, "–"),
                             (float("nan"), "–"), (True, "–")):
            self.assertEqual(seconds(value), words)
        for value, words in ((0.84, "0.8 ms"), (9.96, "10 ms"), (999.4, "999 ms"), (999.6, "1.00 s")):
            self.assertEqual(milliseconds(value), words)
        for value, words in ((0, "0"), (0.44, "0.4"), (9.96, "10"), (1234, "1,234")):
            self.assertEqual(rate(value), words)


# ---- colours ----

def linear(part):
    part /= 255
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def luminance(colour):
    return sum(weight * linear(part) for weight, part in zip((0.2126, 0.7152, 0.0722), colour))


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def over(ground, colour, alpha):
    return tuple(g + (c - g) * alpha for g, c in zip(ground, colour))


# Machado, Oliveira, Fernandes 2009, severity 1: protanopia, deuteranopia, tritanopia.
BLIND = (((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
         ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
         ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)))


def lab(colour, matrix):
    """CIE L*a*b* of what somebody sees."""
    r, g, b = (sum(m * linear(part) for m, part in zip(line, colour)) for line in matrix)
    xyz = ((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505, 0.2126 * r + 0.7152 * g + 0.0722 * b,
           (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089)
    x, y, z = (max(v, 0) ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


class Colours(unittest.TestCase):
    def themes(self):
        css = (HERE / "page.css").read_text()
        for block in re.findall(r":root \{(.*?)\}", css, re.S):
            yield {name: tuple(int(value[i:i + 2], 16) for i in (0, 2, 4))
                   for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6})", block)}, \
                [float(n) for n in re.search(r"--band: rgba\((.*?)\)", block)[1].split(",")]

    def test_contrast(self):
        themes = list(self.themes())
        self.assertEqual(len(themes), 2)
        self.assertEqual(*(theme.keys() for theme, _ in themes))
        for colours, (*band, alpha) in themes:
            grounds = [colours["bg"], over(colours["bg"], band, alpha)]
            for ground in grounds:
                for name in ("ink", "soft"):
                    self.assertGreaterEqual(contrast(colours[name], ground), 4.5, name)
                for name in ["rate", "p50", "fault"] + [f"n{i}" for i in range(timeline.COLOURS)]:
                    self.assertGreaterEqual(contrast(colours[name], ground), 3, name)
            for name in ("ok", "bad", "skip", "link", "fault-ink"):
                self.assertGreaterEqual(contrast(colours[name], colours["bg"]), 4.5, name)
            self.assertGreaterEqual(contrast(colours["ink"], colours["bad-bg"]), 7)

    def test_four_nodes_differ_for_the_colour_blind(self):
        for colours, _ in self.themes():
            for matrix in BLIND:
                seen = [lab(colours[f"n{i}"], matrix) for i in range(4)]
                for i, a in enumerate(seen):
                    for b in seen[:i]:
                        self.assertGreater(sum((p - q) ** 2 for p, q in zip(a, b)) ** 0.5, 15)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
