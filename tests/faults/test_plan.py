#!/usr/bin/env python3
"""Scenario files: all that ship are read; what says no scenario is refused in words that name the place."""
import pathlib
import sys
import tempfile
import unittest

import plan
import soak

SCENARIOS = pathlib.Path(plan.__file__).parent / "scenarios"
HEAD = 'title = "t"\n'

REFUSED = [     # text, words of the complaint
    ("", "title: missing"),
    ("title = ", "Invalid value"),
    (HEAD + "color = 1", "no such word: color"),
    (HEAD + "nodes = 0", "nodes: not in 1..16"),
    (HEAD + 'nodes = "4"', "nodes: not in 1..16"),
    (HEAD + "steps = 3", "steps: not a list of steps"),
    (HEAD + "steps = [{ do = 'kil', nodes = [0] }]", "steps: step 1: no such word: kil"),
    (HEAD + "steps = [{ do = 'kill' }]", "steps: step 1: kill needs nodes"),
    (HEAD + "steps = [{ do = 'heal' }, { do = 'kill', nodes = [4] }]", "steps: step 2: nodes: not nodes: [4]"),
    (HEAD + "steps = [{ do = 'kill', nodes = [1, 1] }]", "not nodes"),
    (HEAD + "steps = [{ do = 'kill', nodes = [true] }]", "not nodes"),
    (HEAD + "steps = [{ do = 'kill', nodes = 'boss' }]", "not nodes"),
    (HEAD + "steps = [{ do = 'kill', nodes = [0], hard = 1 }]", "no such word: hard"),
    (HEAD + "steps = [{ do = 'heal', after = -1 }]", "after: not seconds"),
    (HEAD + "steps = [{ do = 'one_way', from = 0, to = [1] }]", "to: not a node"),
    (HEAD + "steps = [{ do = 'partition', groups = [0, 1] }]", "groups: not groups of nodes"),
    (HEAD + "steps = [{ do = 'shape', loss = 'much' }]", "loss: not a number"),
    (HEAD + "steps = [{ do = 'evidence', offences = 'x' }]", "offences: not a list of texts"),
    (HEAD + "steps = [{ each = [0], then = [] }]", "steps: step 1: no such word: then"),
    (HEAD + "steps = [{ each = [0, 9], steps = [{ do = 'kill', nodes = ['each'] }] }]", "step 1: step 1: nodes"),
    (HEAD + "[load]\nplain = -1", "load: rates are numbers"),
    (HEAD + "[load]\nodd = 1", "load: no such word: odd"),
    (HEAD + "[load]\npayload_bytes = 0.5", "load: payload_bytes: not in"),
    (HEAD + "load = 3", "load: not a table"),
    (HEAD + "[byzantine]\nnodes = [7]", "byzantine: nodes: not a list of nodes"),
    (HEAD + "steps = [{ do = 'flip_bit', nodes = [0], file = 'lgo' }]", "file: not log, sst or blob: lgo"),
    (HEAD + "steps = [{ do = 'hostile', nodes = [0], kind = 'garbge' }]", "kind: not one of garbage"),
    (HEAD + "[expect]\nresumed_s = '1'", "expect: resumed_s: not a number"),
    (HEAD + "[expect]\nluck = 1", "expect: no such word: luck"),
    (HEAD + "[small_disk]\n9 = 64", "small_disk: not a list of nodes"),
    (HEAD + "[small_disk]\nc = 64", "small_disk: not a list of nodes"),
    (HEAD + "[small_disk]\n1 = 'small'", "small_disk: not a number"),
    (HEAD + "steps = [{ each = 3, steps = [] }]", "steps: step 1: each: not a list"),
    (HEAD + "through = [5]", "through: not a list of nodes"),
    (HEAD + "through = 'all'", "through: not a list of nodes"),
    (HEAD + "through = []", "through: no node is left for clients"),
    ("title = \"a\\u001b[2J\"", "title: not one line of text"),
    (HEAD + "nodes = true", "nodes: not in 1..16"),
    (HEAD + "[load]\nplain = true", "load: rates are numbers"),
    (HEAD + "steps = [{ do = [1], nodes = [0] }]", "steps: step 1: no such word: [1]"),
    (HEAD + "steps = [{ do = 'heal', after = nan }]", "after: not seconds"),
    (HEAD + "steps = [{ do = 'heal', after = inf }]", "after: not seconds"),
    (HEAD + "steps = [{ do = 'heal', after = true }]", "after: not seconds"),
    (HEAD + "steps = [{ do = 'start', nodes = 'same' }]", "nodes: no step before it has any"),
    (HEAD + "steps = [{ do = 'partition', groups = [[0, 1], [1, 2]] }]", "groups: not groups of nodes"),
    (HEAD + "steps = [{ do = 'shape', delay_ms = -1 }]", "delay_ms: not a number from 0 on"),
    (HEAD + "steps = [{ do = 'clock', nodes = [0], offset_s = nan }]", "offset_s: not a number"),
    (HEAD + "steps = [{ do = 'memory', nodes = [0], mib = -1 }]", "mib: not a number from 0 on"),
    (HEAD + "steps = [{ do = 'behave', nodes = [0], behaviour = 'silent_leader' }]", "behave: not of [byzantine] nodes"),
    (HEAD + "[expect]\nresumed_s = -1", "expect: resumed_s: not a number from 0 on"),
    (HEAD + "[small_disk]\n1 = 0", "small_disk: not a number of MiB"),
    (HEAD + "[small_disk]\n\"\u00b2\" = 64", "small_disk: not a list of nodes"),
    (HEAD + "steps = [" + "{ each = [1], steps = [" * 400 + "] }" * 400 + "]", ""),
]


class Plan(unittest.TestCase):
    def test_shipped(self):
        files = sorted(SCENARIOS.glob("*.toml"))
        self.assertGreater(len(files), 20)
        for file in files:
            scenario = plan.read(file)
            self.assertTrue(scenario.steps and scenario.title, file)
            self.assertEqual(scenario.name, file.stem)

    def test_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "a.toml"
            for text, complaint in REFUSED:
                file.write_text(text)
                with self.assertRaises(plan.Unreadable, msg=text) as raised:
                    plan.read(file)
                self.assertIn(complaint, str(raised.exception))
                self.assertTrue(str(raised.exception).startswith(str(file)), raised.exception)
            with self.assertRaises(plan.Unreadable):
                plan.read(folder)

    def test_each(self):
        said = {"title": "t", "steps": [{"each": [2, 0], "steps": [{"after": 1, "do": "kill", "nodes": ["each"]},
                                                                   {"do": "start", "nodes": "same"}]}]}
        steps = plan.scenario("t", said).steps
        self.assertEqual([(s.do, s.after, s.args["nodes"]) for s in steps],
                         [("kill", 1, [2]), ("start", 0, "same"), ("kill", 1, [0]), ("start", 0, "same")])

    def test_needs(self):
        def needs(*words, **more):
            steps = [{"do": word, **({"nodes": [0]} if "nodes" in plan.WORDS[word] else {})} for word in words]
            return plan.scenario("t", {"title": "t", "steps": steps, **more}).needs
        self.assertEqual(needs("kill"), set())
        self.assertEqual(needs("isolate", "heal"), {"links"})
        self.assertEqual(needs("upgrade", "fill_disk"), {"engine", "root"})
        self.assertEqual(needs("kill", byzantine={"nodes": [3]}), {"byzantine"})


class Soak(unittest.TestCase):
    def test_same_seed_same_faults(self):
        self.assertEqual(soak.steps(5, 600, 4, True), soak.steps(5, 600, 4, True))
        self.assertNotEqual(soak.steps(5, 600, 4, True), soak.steps(6, 600, 4, True))

    def test_everybody_is_back_before_the_next_fault(self):
        """What hurts is undone before anything else hurts, and the words are words of scenario files."""
        undo = {"kill": "start", "stop": "start", "pause": "resume", "partition": "heal", "isolate": "heal",
                "one_way": "heal", "shape": "heal"}
        words = set()
        for seed in range(20):
            hurt = None
            for step in soak.steps(seed, 300, 4, True):
                plan.one({"do": step.do, "after": step.after, **step.args}, 4, "soak")
                words.add(step.do)
                if step.do in undo:
                    self.assertIsNone(hurt)
                    hurt = undo[step.do]
                elif step.do == "await":
                    self.assertIsNone(hurt)
                elif step.do == hurt:
                    hurt = None
            self.assertIsNone(hurt)
        self.assertLessEqual(set(undo) | {"wipe"}, words)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
