#!/usr/bin/env python3
"""The vectors that the nodes' code wrote (tests/unit/test_wire_proof.c), computed again and checked by an implementation of
its own; what is doctored must be refused. Usage: vectors.py ROOT"""
import pathlib
import random
import sys

from sluice import (Bytes, Genesis, Proof, Wrong, ZERO, check_certificate, check_space, entry_leaf, read_release,
                    space_root, tree)

faults = 0


def expect(what, name, got, wanted):
    global faults
    if got != wanted:
        faults += 1
        print(f"{what} {name}: {got!r} instead of {wanted!r}"[:300])


def read(path):
    """{what: {name: bytes}}"""
    out = {}
    for line in path.read_text().splitlines():
        what, name, text = line.split()
        out.setdefault(what, {})[name] = bytes.fromhex(text)
    return out


def check_spaces(h, vectors):
    leaves = [entry_leaf(h, i, i % 3, bytes([i]) + bytes(31), bytes([0xcc, i]) + bytes(30) if i % 2 else b"")
              for i in range(70)]
    lists = [(3 * i, i + 1, tree(h, leaves[:i + 1])) for i in range(70)]
    roots = {count: space_root(h, lists[:count]) for count in range(71)}
    expect("space", 0, roots[0], ZERO)
    for i, leaf in enumerate(leaves):
        expect("leaf", i, leaf, vectors["leaf"][str(i)])
        expect("list", i + 1, lists[i][2], vectors["list"][str(i + 1)])
        expect("space", i + 1, roots[i + 1], vectors["space"][str(i + 1)])
    for name, proof in vectors["shows"].items():
        count, rollup = map(int, name.split(":"))
        there = rollup % 3 == 0 and rollup // 3 < count
        expect("shows", name, check_space(h, proof, roots[count], rollup), lists[rollup // 3][1:] if there else None)
        for doctored in doctor(proof, 8):
            expect("doctored", name, refused(lambda data=doctored: check_space(h, data, roots[count], rollup)), True)
        expect("other root", name, refused(lambda: check_space(h, proof, roots[count - 1], rollup)), True)


def check_releases(genesis, vectors):
    below = ZERO
    for height in range(1, len(vectors["release"]) + 1):
        name = str(height)
        state = genesis.hash("state", vectors["parts"][name])
        expect("state", name, state, vectors["state"][name])
        release = read_release(genesis.hash, Bytes(vectors["release"][name]))
        expect("release", name, (release.height, release.previous, release.state), (height, below, state))
        expect("digest", name, release.digest, vectors["digest"][name])
        below = release.digest
    for name, certificate in vectors["certificate"].items():
        expect("certificate", name, check_certificate(genesis, certificate).digest, vectors["digest"][name])
        for doctored in doctor(certificate, 12):
            expect("doctored certificate", name, refused(lambda data=doctored: check_certificate(genesis, data)), True)


def check_proofs(genesis, vectors):
    for name, data in vectors["proof"].items():
        expect("proof", name, Proof(genesis, data).id, vectors["id"][name])
        for doctored in doctor(data, 6):
            expect("doctored proof", name, refused(lambda bad=doctored: Proof(genesis, bad)), True)
    for name, data in vectors["refused"].items():
        expect("refused", name, refused(lambda bad=data: Proof(genesis, bad)), True)


def doctor(data, count):
    """`count` copies with one byte changed, one cut short and one with a byte more."""
    for at in random.Random(len(data)).sample(range(len(data)), min(count, len(data))):
        yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]
    yield data[:-1]
    yield data + b"\0"


def refused(check):
    try:
        check()
    except Wrong:
        return True
    return False


def main(root):
    folder = root / "tests" / "vectors"
    genesis = Genesis(folder / "genesis.json")
    spaces, proofs = read(folder / "space.txt"), read(folder / "proof.txt")
    expect("chain", "id", genesis.chain, spaces["chain"]["id"])
    check_spaces(genesis.hash, spaces)
    check_releases(genesis, spaces)
    check_proofs(genesis, proofs)
    print(f"{sum(map(len, spaces.values())) + sum(map(len, proofs.values()))} vectors, {faults} faults")
    sys.exit(faults > 0)


main(pathlib.Path(sys.argv[1]))
