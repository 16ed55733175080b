#!/usr/bin/env python3
"""The verdict must reject every kind of doctored run, made up here, and accept the honest one. Each way of doctor.py is
tried at several places."""
import random
import sys
import unittest

from doctor import WAYS
from world import made_up

PLACES = 5      # tried of each way


class Doctored(unittest.TestCase):
    def test_honest_is_accepted(self):
        self.assertEqual(made_up().judged(), [])

    def test_every_way_is_seen(self):
        honest = made_up()
        for name, (way, words) in WAYS.items():
            with self.subTest(name):
                done = 0
                for seed in range(PLACES):
                    world = honest.copy()
                    if way(world, random.Random(seed)) is False:
                        continue
                    done += 1
                    failures = world.judged()
                    self.assertTrue(any(word in failure for word in words for failure in failures),
                                    f"{name}, seed {seed}: none of {words} in {failures}")
                self.assertTrue(done, f"{name} was nowhere possible")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
