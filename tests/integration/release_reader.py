"""A reader that believes no node, written anew from docs/PROTOCOL.md clauses 8.4 to 8.8: releases in a chain, a
quorum's signatures, each height's entries against the spaces of its release."""
import ctypes
import json
import struct

from cluster import Failed
from raw_client import RawClient, digest, field, fields, sodium

RELEASE = struct.Struct("<QQ32s32s32s32s32s")   # height, time, block, previous, ordered, opened, state
ENTRY = struct.Struct("<IQQ32sBI")              # index, rollup, valid_until, id, kind, bytes of payload
LEAF = struct.Struct("<QI32s")                  # rollup, entries, root of its list
BUNDLE, OPENED, VOID, FORCED = 1, 66, 67, 128
OPENING_HEAD_BYTES = 12 + 32 + 1 + 8 + 8 + 16 + 32 + 32
SUBSCRIBE, HEIGHT, END, RELEASES = 4, 4, 7, 12


def legs_of(body):
    """The rollups of a bundle."""
    found, at = set(), 1
    for _ in range(body[0]):
        rollup, size = struct.unpack_from("<QI", body, at)
        found.add(rollup)
        at += 12 + size
    return found


def left_of(count):
    left = 1
    while left < count - left:
        left *= 2
    return left


class ReleaseReader:
    def __init__(self, cluster, node):
        genesis = json.loads((cluster.dir / "genesis.json").read_text())
        self.keys = [bytes.fromhex(each["public_key"]) for each in genesis["nodes"]]
        self.quorum = len(self.keys) - (len(self.keys) - 1) // 3
        self.port, self.chain_id = cluster.client_port(node), None
        self.certificates = []      # heights of those that came

    # ---- trees ----

    def node(self, left, right):
        return digest(b"node", self.chain_id, left, right)

    def root(self, leaves):
        if len(leaves) == 1:
            return leaves[0]
        left = left_of(len(leaves))
        return self.node(self.root(leaves[:left]), self.root(leaves[left:]))

    def replay(self, count, first, shown, hashes, at=0):
        """The root over `count` leaves, of which these are known from `first` on."""
        if at + count <= first or at >= first + len(shown):
            return hashes.pop(0)
        if count == 1:
            return shown[at - first]
        left = left_of(count)
        low = self.replay(left, first, shown, hashes, at)
        return self.node(low, self.replay(count - left, first, shown, hashes, at + left))

    def space(self, count, tree):
        return digest(b"space", self.chain_id, struct.pack("<I", count), tree) if count else bytes(32)

    def check_proof(self, proof, root, rollup, leaves):
        """Of a rollup's list in a space; returns what is left of the bytes."""
        count, first, shown = struct.unpack_from("<IIB", proof)
        at = 9 + shown * LEAF.size
        found = [LEAF.unpack_from(proof, 9 + i * LEAF.size) for i in range(shown)]
        hashes, spare = [proof[i:i + 32] for i in range(at, len(proof), 32)], 0
        if count:
            known = len(hashes)
            tree = self.replay(count, first, [digest(b"rollup", self.chain_id, LEAF.pack(*leaf)) for leaf in found],
                               hashes)
            spare = known - len(hashes)
        if self.space(count, count and tree) != root:
            raise Failed("a proof of another space")
        mine = [leaf for leaf in found if leaf[0] == rollup]
        if mine and (mine[0][1:] != (len(leaves), self.root(leaves))):
            raise Failed("not the list that is proven")
        if not mine:
            low, high = [leaf for leaf in found if leaf[0] < rollup], [leaf for leaf in found if leaf[0] > rollup]
            if leaves or (count and not low and first > 0) or (count and not high and first + shown < count):
                raise Failed("a list where none is proven, or nothing is")
        return proof[at + spare * 32:]

    def check_entries(self, release, rollup, entries, proof):
        lists = [{}, {}]
        for index, of, _, entry_id, kind, payload in entries:
            late = kind in (OPENED, VOID)
            content = digest(b"content", self.chain_id, payload) if late else b""
            leaf = digest(b"entry", self.chain_id, struct.pack("<IB", index, kind), entry_id, content)
            body = payload if (kind & ~FORCED) == BUNDLE and not late else \
                payload[OPENING_HEAD_BYTES:] if kind == OPENED and of == 0 else None
            for each in {of} if body is None else legs_of(body):
                lists[late].setdefault(each, []).append(leaf)
        for late in (0, 1):
            if rollup:
                proof = self.check_proof(proof, release[4 + late], rollup, lists[late].get(rollup, []))
                continue
            leaves = [digest(b"rollup", self.chain_id, LEAF.pack(of, len(each), self.root(each)))
                      for of, each in sorted(lists[late].items())]
            if self.space(len(leaves), leaves and self.root(leaves)) != release[4 + late]:
                raise Failed(f"height {release[0]}: not the entries that were released")
        if proof:
            raise Failed("bytes behind a proof")

    # ---- releases ----

    def check_certificate(self, certificate):
        said = digest(b"release", self.chain_id, certificate[:RELEASE.size])
        count, at, last = struct.unpack_from("<H", certificate, RELEASE.size)[0], RELEASE.size + 2, -1
        for _ in range(count):
            node = struct.unpack_from("<H", certificate, at)[0]
            signature, at = certificate[at + 2:at + 66], at + 66
            if node <= last or sodium.crypto_sign_verify_detached(signature, said, ctypes.c_ulonglong(32),
                                                                  self.keys[node]) != 0:
                raise Failed("a signature of a certificate does not hold")
            last = node
        if count != self.quorum or at != len(certificate):
            raise Failed("a certificate that is none")

    def take_releases(self, message, run, previous):
        """Adds to the run; returns the digest of the last."""
        data = message.get(1, b"") + message.get(2, b"")[:RELEASE.size]
        for at in range(0, len(data), RELEASE.size):
            release = RELEASE.unpack_from(data, at)
            if previous is not None and release[3] != previous:
                raise Failed(f"release {release[0]} does not follow on the one below")
            previous = digest(b"release", self.chain_id, data[at:at + RELEASE.size])
            run[release[0]] = release
        if 2 in message:
            self.check_certificate(message[2])
            self.certificates.append(max(run))
        return previous

    def read(self, rollup, first, last):
        """{height: entries} of a verified stream; Failed when anything does not hold."""
        found, run, previous, entries, certified = {}, {}, None, [], False
        with RawClient(self.port) as client:
            self.chain_id = client.chain_id
            client.send(field(1, 9) + field(SUBSCRIBE, field(1, rollup) + field(2, first) + field(3, last) + field(5, 1)))
            for reply in client.replies():
                if RELEASES in reply:
                    message = dict(fields(reply[RELEASES]))
                    previous, certified = self.take_releases(message, run, previous), 2 in message
                elif HEIGHT in reply:
                    part = dict(fields(reply[HEIGHT]))
                    height, at = part[1], 0
                    while at < len(part.get(6, b"")):
                        *head, size = ENTRY.unpack_from(part[6], at)
                        entries.append((*head, part[6][at + ENTRY.size:at + ENTRY.size + size]))
                        at += ENTRY.size + size
                    if part.get(7):
                        continue
                    release = run.get(height)
                    if height != first + len(found) or not certified or release is None:
                        raise Failed(f"height {height} comes unasked or uncovered")
                    if release[1:3] != (part[2], part[3]):
                        raise Failed(f"height {height} has another time or block than its release")
                    self.check_entries(release, rollup, entries, part.get(8, b""))
                    found[height], entries = entries, []
                elif END in reply:
                    break
                else:
                    raise Failed(f"an unexpected reply: {reply}")
        if len(found) != last - first + 1:
            raise Failed(f"the stream ends after {len(found)} heights")
        return found
