#!/usr/bin/env python3
"""The live table on terminals of all sizes and without one, and the README's summary to the letter."""
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading
import unittest
from unittest import mock

import sample_reports
from figures import cells
from table import Table, markdown

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\n\tname"


class Screen:
    """A terminal of `columns` x `lines` behind a pseudo terminal: what was written to it, and what stands on it.
    Written past its last column, it complains instead of wrapping."""

    def __init__(self, columns=100, lines=24):
        self.columns, self.lines, self.rows, self.x, self.y = columns, lines, [[]], 0, 0
        self.raw, self.visible, self.widest = "", True, 0
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        settings = termios.tcgetattr(terminal)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(terminal, termios.TCSANOW, settings)
        self.controller, self.terminal = controller, terminal
        self.out = os.fdopen(terminal, "w", encoding="utf-8")
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        got = b""
        while True:
            try:
                piece = os.read(self.controller, 65536)
            except OSError:
                break
            if not piece:
                break
            got += piece
        self.raw = got.decode()
        os.close(self.controller)

    def resize(self, columns, lines):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def close(self):
        """Ends the writing, and plays what was written."""
        self.out.close()
        self.reader.join()
        for part in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\x1b.|[^\x1b]", self.raw, re.S):
            self._play(part)
        return ["".join(row).rstrip() for row in self.rows]

    def _play(self, part):
        if part == "\n":
            self.x, self.y = 0, self.y + 1
            if self.y == len(self.rows):
                self.rows.append([])
        elif part == "\r":
            self.x = 0
        elif part[0] != "\x1b":
            row = self.rows[self.y]
            row += " " * (self.x + 1 - len(row))
            row[self.x] = part
            self.x += 1
            self.widest = max(self.widest, cells("".join(row[:self.x])))
        elif part[-1] == "A":
            if int(part[2:-1]) >= self.lines:
                raise AssertionError("goes up to where the terminal has scrolled away")
            self.y -= int(part[2:-1])
        elif part == "\x1b[K":
            del self.rows[self.y][self.x:]
        elif part == "\x1b[J":
            del self.rows[self.y][self.x:], self.rows[self.y + 1:]
        elif part == "\x1b[H":
            self.x, self.y = 0, max(0, len(self.rows) - self.lines)
        elif part in ("\x1b[?25l", "\x1b[?25h"):
            self.visible = part[-1] == "h"
        elif part[-1] != "m":
            raise AssertionError(f"unknown: {part!r}")


def on_screen(work, columns=100, lines=24, **environment):
    """(the lines on the screen, the screen) after work(table's out, screen)."""
    screen = Screen(columns, lines)
    with mock.patch.dict(os.environ, {"TERM": "xterm", **environment}):
        if "NO_COLOR" not in environment:
            os.environ.pop("NO_COLOR", None)
        try:
            work(screen.out, screen)
        finally:
            shown = screen.close()
    return shown, screen


def whole_run(out, report=None):
    scenarios = (report or sample_reports.everything())["scenarios"]
    with Table([scenario["name"] for scenario in scenarios], out) as table:
        for scenario in scenarios:
            table.begin(scenario["name"], scenario["title"])
            taken = scenario.get("samples") or {"at": []}
            for i in range(0, min(len(taken["at"]), 40), 8):
                table.show(scenario["name"], now="kill -9 node 2", seconds=taken["at"][i], ordered=98 * i,
                           per_s=taken["ordered_per_s"][i], heights=[series[i] for series in taken["heights"]])
            table.end(scenario["name"], scenario)


class OnATerminal(unittest.TestCase):
    def test_while_it_runs(self):
        def work(out, _):
            table = Table(["kill-each", "partition"], out)
            table.begin("kill-each", "kill -9 of each")
            table.show("kill-each", now="load", seconds=1.0, ordered=10, per_s=9.0, heights=[1, 2, 3, 4])
            table.show("kill-each", now="kill -9 node 2", seconds=3.2, ordered=1234, per_s=98.0,
                       heights=[312, 312, None, 309])
        shown, screen = on_screen(work, 110)
        self.assertRegex(shown[0], r"^  scenario +took +ordered +tx/s +heights +resumed$")
        self.assertRegex(shown[1], r"^▸ kill-each  kill -9 node 2 +3\.20 s +1,234 +98 +312 312 – 309$")
        self.assertEqual(shown[2:], ["· 1 scenario to come", ""])
        self.assertFalse(screen.visible)

    def test_at_the_end(self):
        shown, screen = on_screen(lambda out, _: whole_run(out), 130, 30)
        self.assertRegex(shown[1], r"^✓ kill-each +passed +30\.0 s +2,677 +0\.60 s$")
        self.assertRegex(shown[4], r"^✗ clock +failed: 2 accepted transactions.*… +30\.0 s +2,427 +4\.81 s$")
        self.assertRegex(shown[5], r"^○ upgrade +skipped: needs a container engine$")
        self.assertRegex(shown[9], r"^✓ soak ")
        self.assertRegex(shown[10], r"^clock: 2 accepted transactions are not in any reader's stream")
        self.assertRegex(shown[12], r"^7 passed, 1 failed, 1 skipped of 9 scenarios; order resumed after .*; "
                                    r"190,442 ordered, 2 lost, 0 doubled$")
        self.assertEqual(shown[13:], [""])
        self.assertTrue(screen.visible)

    def test_no_line_wraps(self):
        good = [scenario for scenario in sample_reports.everything()["scenarios"] if not scenario["failures"]]
        wide = sample_reports.scenario("漢字" * 20, "漢字" * 50, [])
        for columns in (10, 20, 40, 60, 80, 100, 130, 250):
            for lines in (3, 6, 24):
                def work(out, _):
                    scenarios = [*good, wide]
                    table = Table([scenario["name"] for scenario in scenarios], out)
                    for scenario in scenarios:
                        table.begin(scenario["name"], scenario["title"])
                        table.show(scenario["name"], "漢字" * 30, 1e6, 10 ** 12, 1e9, [10 ** 9, None] * 5)
                        table.end(scenario["name"], scenario)
                _, screen = on_screen(work, columns, lines)
                self.assertLess(screen.widest, columns)

    def test_on_a_low_terminal_earlier_ones_are_a_number(self):
        def work(out, _):
            table = Table([f"s{i}" for i in range(12)], out)
            for i in range(9):
                table.begin(f"s{i}", "title")
                if i < 8:
                    table.end(f"s{i}", {"name": f"s{i}", "passed": i != 3, "failures": ["bad"] * (i == 3)})
        shown, _ = on_screen(work, 80, 8)
        self.assertEqual([line.split()[:2] for line in shown[1:-1]],
                         [["earlier:", "4"], ["✓", "s5"], ["✓", "s6"], ["✓", "s7"], ["▸", "s8"], ["·", "3"]])
        self.assertIn("earlier: 4 passed, 1 failed", shown[1])

    def test_another_size_draws_anew(self):
        def work(out, screen):
            table = Table(["one"], out)
            table.begin("one", "first")
            screen.resize(50, 24)
            table.show("one", now="second")
        shown, screen = on_screen(work, 80)
        self.assertEqual(len(shown), 3)
        self.assertIn("\x1b[H\x1b[J", screen.raw)

    def test_colours_only_where_they_are_wanted(self):
        self.assertIn("\x1b[32m", on_screen(lambda out, _: whole_run(out))[1].raw)
        self.assertIn("\x1b[32m", on_screen(lambda out, _: whole_run(out), NO_COLOR="")[1].raw)
        self.assertNotRegex(on_screen(lambda out, _: whole_run(out), NO_COLOR="1")[1].raw, r"\x1b\[[\d;]*m")

    def test_a_dumb_terminal_gets_lines(self):
        self.assertNotIn("\x1b", on_screen(lambda out, _: whole_run(out), TERM="dumb")[1].raw)

    def test_text_stays_text(self):
        def work(out, _):
            made = sample_reports.scenario(HOSTILE, HOSTILE, [], failures=[HOSTILE])
            with Table([HOSTILE], out) as table:
                table.begin(HOSTILE, HOSTILE)
                table.show(HOSTILE, now=HOSTILE)
                table.end(HOSTILE, made)
        _, screen = on_screen(work)
        self.assertNotRegex(screen.raw, "\x1b\\]|\x1b\\[2J|\x07|\t")

    def test_cursor_comes_back_after_a_failure(self):
        def work(out, _):
            with self.assertRaises(ZeroDivisionError), Table(["one"], out) as table:
                table.begin("one", "title")
                raise ZeroDivisionError
        shown, screen = on_screen(work)
        self.assertTrue(screen.visible)
        self.assertIn("0 passed of 1 scenario", shown)


class WithoutATerminal(unittest.TestCase):
    def test_two_lines_a_scenario_and_a_summary(self):
        out = io.StringIO()
        whole_run(out, sample_reports.run([sample_reports.kill_each(), sample_reports.failing(), sample_reports.partition(),
                                    sample_reports.skipped("upgrade", "rolling upgrade", "needs a container engine")]))
        self.assertEqual(out.getvalue().split("\n"), [
            "kill-each: kill -9 of each node in turn, under load ...",
            "kill-each: passed in 30.0 s; order resumed after 0.52 s (median), 0.60 s at worst; "
            "2,677 ordered, 0 lost, 0 doubled",
            "clock: a clock that is off by an hour ...",
            "clock: failed in 30.0 s; order resumed after 4.81 s; 2,427 ordered, 2 lost, 0 doubled",
            "clock: 2 accepted transactions are not in any reader's stream: 0x5ad1…, 0x77c0…",
            "clock: order resumed 4.81 s after 'clock of node 2 -1 h'; 1 s is allowed",
            "partition-2-2: partition 2|2 and heal ...",
            "partition-2-2: passed in 45.0 s; order resumed after 0.71 s; 2,694 ordered, 0 lost, 0 doubled",
            "upgrade: rolling upgrade ...",
            "upgrade: skipped: needs a container engine",
            "2 passed, 1 failed, 1 skipped of 4 scenarios; order resumed after 0.52 s (median), 4.81 s at worst; "
            "7,798 ordered, 2 lost, 0 doubled", ""])

    def test_where_only_ascii_can_be_written(self):
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        whole_run(out, sample_reports.run([sample_reports.kill_each(), sample_reports.failing()]))
        out.flush()
        self.assertIn(b"0x5ad1~", out.buffer.getvalue())

    def test_nothing_ran(self):
        out = io.StringIO()
        table = Table([], out)
        table.close()
        table.close()
        self.assertEqual(out.getvalue(), "0 passed of 0 scenarios\n")


class Markdown(unittest.TestCase):
    def test_to_the_letter(self):
        partition = sample_reports.partition()
        partition["title"] = "partition 2|2 and <heal>"
        report = sample_reports.run([sample_reports.kill_each(), partition, sample_reports.failing(),
                              sample_reports.skipped("upgrade", "rolling upgrade", "no engine"),
                              {"name": "bare", "passed": True}])
        self.assertEqual(markdown(report), """\
| Fault | Order resumed after, median | Worst | Lost | Doubled |
|---|---:|---:|---:|---:|
| kill -9 of each node in turn, under load | 0.52 s | 0.60 s | 0 | 0 |
| partition 2\\|2 and &lt;heal> | 0.71 s | 0.71 s | 0 | 0 |
| a clock that is off by an hour (failed) | 4.81 s | 4.81 s | 2 | 0 |
| rolling upgrade (skipped) | – | – | – | – |
| bare | – | – | – | – |
""")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
