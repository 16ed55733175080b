#!/usr/bin/env python3
"""Checks a proof file with nothing but the genesis: verify.py FILE GENESIS. Prints what is so; exit 3 when it is not."""
import json
import pathlib
import sys

from sluice import Genesis, Proof, Wrong


def main(path, genesis):
    try:
        print(json.dumps(Proof(Genesis(genesis), pathlib.Path(path).read_bytes()).facts()))
    except Wrong as wrong:
        print(json.dumps({"valid": False, "reason": str(wrong)}))
        sys.exit(3)


if __name__ == "__main__":
    main(*sys.argv[1:])
