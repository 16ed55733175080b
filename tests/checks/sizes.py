#!/usr/bin/env python3
"""Files and functions stay small. Usage: sizes.py ROOT

A file past 600 lines is named, past 700 it fails; a function past 80 lines fails. In tests both are only
named."""
import pathlib
import sys

FILE_NAMED, FILE_MAX, FUNCTION_MAX = 600, 700, 80
FOLDERS = ["include", "base", "crypto", "wire", "consensus", "byzantine", "proto", "config", "link", "client", "node",
           "tests", "deploy"]


def functions(lines):
    """(line number of the opening brace, length) of each; braces of functions stand in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            yield start, number - start - 1
            start = None


def main(root):
    faults = 0
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*")):
        if path.suffix not in (".c", ".h", ".py"):
            continue
        name = path.relative_to(root)
        strict = name.parts[0] != "tests"
        lines = path.read_text().splitlines()
        if len(lines) > FILE_NAMED:
            faults += strict and len(lines) > FILE_MAX
            print(f"{name}: {len(lines)} lines")
        for start, length in functions(lines):
            if length > FUNCTION_MAX:
                faults += strict
                print(f"{name}:{start}: a function of {length} lines")
    print(f"{faults} over the limit")
    sys.exit(faults > 0)


main(pathlib.Path(sys.argv[1]))
