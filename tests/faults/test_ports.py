#!/usr/bin/env python3
"""Ports of clusters that nobody has started yet are theirs all the same."""
import subprocess
import sys
import unittest

from processes import free_base_port

PORTS = 40
CLUSTERS = 100      # of some 550 that there are ports for
OTHER = f"""
import sys
from processes import free_base_port
print(*(free_base_port({PORTS}) for _ in range({CLUSTERS})), flush=True)
sys.stdin.read()
"""


class Ports(unittest.TestCase):
    def test_no_two_clusters_have_the_same(self):
        with subprocess.Popen([sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as other:
            bases = [free_base_port(PORTS) for _ in range(CLUSTERS)]
            bases += map(int, other.stdout.readline().split())
            other.stdin.close()
        bases.sort()
        self.assertEqual(len(bases), 2 * CLUSTERS)
        self.assertTrue(all(one + PORTS <= next_one for one, next_one in zip(bases, bases[1:])), bases)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
