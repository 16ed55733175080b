#!/usr/bin/env python3
"""Every clause that a source quotes must exist in the page that it quotes. Usage: clauses.py ROOT

A quote reads "clause 3.13" or "clauses 2.7, 3.12"; it means docs/PROTOCOL.md unless a page is named
right before it ("docs/STORAGE.md clause 2"). A clause is a line of that page that starts with its
number: "## 3. Views", "**3.13** ..."."""
import pathlib
import re
import sys

QUOTE = re.compile(r"(?:docs/(\w+\.md),? )?\bclauses? ((?:\d+(?:\.\d+)*)(?:(?:, | and |, and )\d+(?:\.\d+)*)*)")
NUMBER = re.compile(r"\d+(?:\.\d+)*")
CLAUSE = re.compile(r"^[\s#*>-]*(\d+(?:\.\d+)*)(?=[\s.*:)])", re.MULTILINE)


def clauses(page):
    return set(CLAUSE.findall(page.read_text())) if page.exists() else set()


def main(root):
    pages = {}
    quotes = faults = 0
    sources = [path for path in root.rglob("*.[ch]") if "build" not in path.relative_to(root).parts]
    for path in sorted(sources):
        # A quote may be broken over lines of a comment.
        text = re.sub(r"\s*\n\s*(\*|//)?\s*", " ", path.read_text())
        for match in QUOTE.finditer(text):
            name = match[1] or "PROTOCOL.md"
            known = pages.setdefault(name, clauses(root / "docs" / name))
            for number in NUMBER.findall(match[2]):
                quotes += 1
                if number not in known:
                    faults += 1
                    print(f"{path.relative_to(root)}: clause {number} is not in docs/{name}")
    print(f"{quotes} quotes, {faults} stale")
    sys.exit(faults > 0)


main(pathlib.Path(sys.argv[1]))
