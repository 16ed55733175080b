#!/usr/bin/env python3
"""Dependencies point one way: every #include of a room must be in the table. Usage: includes.py ROOT"""
import pathlib
import re
import sys

# Room -> rooms that it may include beside itself. include/ is open to all.
ROOMS = {
    "include": [],
    "base": [],
    "crypto": ["base"],
    "wire": ["base", "crypto"],
    "consensus": ["base", "crypto", "wire"],
    "byzantine": ["base", "crypto", "wire", "consensus"],
    "audit": ["base", "crypto", "wire", "consensus"],
    "proto": ["base", "wire"],
    "config": ["base", "crypto", "wire"],
    "link": ["base", "crypto"],
    "client": ["base", "crypto", "wire", "proto", "config", "link"],
    "node": ["base", "crypto", "wire", "consensus", "proto", "config", "link"],
    "inspect": ["base", "crypto", "wire", "consensus", "audit", "proto", "config", "link", "client", "node"],
}

# Libraries, by a pattern of their headers -> rooms that may use them.
LIBRARIES = {
    r"sodium\.h": ["crypto", "wire", "consensus", "audit", "config", "link", "client", "node"],
    r"nng/": ["link", "client", "node"],
    r"protobuf-c/": ["proto"],
    r"jansson\.h": ["config", "client", "node"],
    r"ini\.h": ["config"],
    r"rocksdb/|microhttpd\.h|ck_": ["node"],
}

# What a public header may use beside others: it must compile anywhere, without our folders.
PUBLIC = r"(sluice/\w+|stdbool|stddef|stdint)\.h$"

# The core has no I/O, clock, thread or heap, and neither has who deviates at its door.
PURE = ["consensus", "byzantine"]
IMPURE = r"(stdlib|time|threads|pthread|stdatomic|signal|unistd|fcntl|errno|poll)\.h|sys/|netinet/"

# Generated from proto/*.proto: its structs travel through codec.h, its code does not.
GENERATED = r"proto/\w+\.pb-c\.h"

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def fault(room, header):
    """Why `room` may not include `header`; None when it may."""
    if re.match(GENERATED, header):
        return None if room == "proto" else "only proto/ includes generated code"
    if room == "include":
        return None if re.match(PUBLIC, header) else "a public header stands alone"
    first = header.split("/")[0]
    if first in ROOMS and first != "include":
        return None if first == room or first in ROOMS[room] else f"{room}/ may not use {first}/"
    for pattern, rooms in LIBRARIES.items():
        if re.match(pattern, header) and room not in rooms:
            return f"{room}/ may not use this library"
    if room in PURE and re.match(IMPURE, header):
        return f"{room}/ is pure"
    if first in ("tests", "deploy"):
        return "tests stand above all rooms"
    return None


def main(root):
    faults = files = 0
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.[ch]")):
            files += 1
            for header in INCLUDE.findall(path.read_text()):
                why = fault(room, header)
                if why:
                    faults += 1
                    print(f"{path.relative_to(root)}: #include {header}: {why}")
    unknown = {path.parts[0] for path in (p.relative_to(root) for p in root.glob("*/*.[ch]"))} - set(ROOMS)
    for room in sorted(unknown - {"build", "tests"}):
        faults += 1
        print(f"{room}/: not in the table of rooms")
    print(f"{files} files, {faults} faults")
    sys.exit(faults > 0)


main(pathlib.Path(sys.argv[1]))
