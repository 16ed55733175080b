"""Releases, spaces and proof files as docs/PROTOCOL.md clauses 8.4, 8.5, 8.9 and 9.4 have them, and openings as docs/CRYPTO.md
clauses 4 and 6.4: an implementation of its own, of hashlib and nothing else, that shares no line with the nodes'."""
import hashlib
import json
import struct

import aead
import curve25519 as curve

PARAMETERS = """batch_bytes_max batch_linger_ms ack_tick_ms lane_window_bytes lane_window_batches lane_quota_bytes
    entries_per_block_max heartbeat_ms heartbeat_idle_ms delta_ms resend_ms standstill_ms timer_cap_ms skip_ms tx_bytes_max
    dedup_window_ms dedup_entries_max release_lag_max forced_delay forced_bytes_per_block postage_base postage_age_ms
    inbox_items_max inbox_bytes_max inbox_ids_max due_bytes_per_block sealing seal_threshold seal_threshold_min
    keygen_window_ms keygen_retry_ms""".split()
ZERO = bytes(32)
FORCED, EVIDENCE, KEYGEN, OPENED, VOID = 128, 64, 65, 66, 67
BUNDLE, SEALED = 1, 2
QUEUED_PART, OPENED_PART = 1, 2


class Wrong(Exception):
    """It does not prove what it claims; the text says where."""


def require(condition, words):
    if not condition:
        raise Wrong(words)


class Bytes:
    """A cursor that never passes the end."""
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        require(count <= len(self.data) - self.at, "bytes are missing")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, width):
        return int.from_bytes(self.take(width), "little")

    def done(self):
        require(self.at == len(self.data), "bytes are left over")


class Hasher:
    """Clause 1.4."""
    def __init__(self, chain):
        self.chain = chain

    def wide(self, role, *parts, size=64):
        tag = b"sluice/1/" + role.encode()
        return hashlib.blake2b(bytes([len(tag)]) + tag + self.chain + b"".join(parts), digest_size=size).digest()

    def __call__(self, role, *parts):
        return self.wide(role, *parts, size=32)

    def scalar(self, role, *parts):
        return int.from_bytes(self.wide(role, *parts), "little") % curve.ORDER


def number(value, width):
    return value.to_bytes(width, "little")


# ---- the genesis ----

class Genesis:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            text = json.load(file)
        self.n, self.created_ms = len(text["nodes"]), text.get("created_ms", 0)
        self.f = (self.n - 1) // 3
        self.q = self.n - self.f
        self.parameters = text["parameters"]
        self.keys = [bytes.fromhex(node["public_key"]) for node in text["nodes"]]
        self.seal_keys = [bytes.fromhex(node["seal_key"]) for node in text["nodes"]]
        self.chain = Hasher(ZERO)("genesis", self.form(text))
        self.hash = Hasher(self.chain)

    @staticmethod
    def form(text):
        """Clause 9.4."""
        def words(value):
            return number(len(value.encode()), 2) + value.encode()
        rollups = [] if text["rollups"] == "open" else text["rollups"]
        out = number(text["version"], 4) + words(text["name"]) + number(text.get("created_ms", 0), 8)
        out += number(len(text["nodes"]), 2)
        for node in text["nodes"]:
            out += bytes.fromhex(node["public_key"]) + words(node["address"]) + bytes.fromhex(node["seal_key"])
            out += bytes.fromhex(node["seal_proof"]) + number(node.get("stake", 1), 8)
        out += number(text["rollups"] == "open", 1) + number(len(rollups), 2)
        for row in rollups:
            out += number(row["id"], 8) + words(row["name"]) + number(row.get("sealed_only", False), 1)
            out += number(row.get("ethereum_chain_id", 0), 8) + number(row.get("rate_share", 1), 4)
        for name in PARAMETERS:
            out += number(text["parameters"][name], 4)
        return out + b"".join(number(text["parameters"][name], 8) for name in ("unlock_horizon_ms", "calendar_bytes_max"))


# ---- trees and spaces: clause 8.5 ----

def split(count):
    """Leaves of the left subtree: the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def tree(h, leaves):
    if len(leaves) == 1:
        return leaves[0]
    left = split(len(leaves))
    return h("node", tree(h, leaves[:left]), tree(h, leaves[left:]))


def replay(h, shown, first, count, r):
    """The root of a tree of `count` in which `shown` stand from `first` on; hashes come from the cursor, left to right."""
    require(shown and 0 <= first and first + len(shown) <= count, "no such places in a tree")

    def walk(at, size):
        if at + size <= first or at >= first + len(shown):
            return r.take(32)
        if size == 1:
            return shown[at - first]
        left = split(size)
        one = walk(at, left)
        return h("node", one, walk(at + left, size - left))
    return walk(0, count)


def entry_leaf(h, index, kind, id32, content32=b""):
    return h("entry", number(index, 4), number(kind, 1), id32, content32)


def rollup_leaf(h, rollup, count, root):
    return h("rollup", number(rollup, 8), number(count, 4), root)


def space_root(h, lists):
    """`lists`: (rollup, count, root), rollups rising."""
    if not lists:
        return ZERO
    return h("space", number(len(lists), 4), tree(h, [rollup_leaf(h, *each) for each in lists]))


def read_space_proof(h, r):
    """(the root that it proves, rollups, place of the first shown, the leaves shown)."""
    rollups, first, count = r.number(4), r.number(4), r.number(1)
    shown = [(r.number(8), r.number(4), r.take(32)) for _ in range(count)]
    if rollups == 0:
        require(count == 0 and first == 0, "leaves of an empty space")
        return ZERO, 0, 0, []
    require(count in (1, 2), "nothing is shown, or too much")
    root = replay(h, [rollup_leaf(h, *leaf) for leaf in shown], first, rollups, r)
    return h("space", number(rollups, 4), root), rollups, first, shown


def check_space(h, proof, root, rollup):
    """The rollup's list as (count, root), or None: it has none."""
    r = Bytes(proof)
    proven, rollups, first, shown = read_space_proof(h, r)
    r.done()
    require(proven == root, "it is of another space")
    ids = [leaf[0] for leaf in shown]
    if ids == [rollup]:
        return shown[0][1:]
    if len(ids) == 2:
        require(ids[0] < rollup < ids[1], "the rollup is not between these")
    elif ids:
        require(first == 0 and rollup < ids[0] or first == rollups - 1 and rollup > ids[0], "the rollup may be beside it")
    return None


# ---- releases: clauses 8.4, 8.6 ----

class Release:
    FIELDS = ("block", "previous", "ordered", "opened", "state")

    def __init__(self, h, height, time_ms, **digests):
        self.height, self.time_ms = height, time_ms
        self.__dict__.update(digests)
        self.bytes = number(height, 8) + number(time_ms, 8) + b"".join(digests[name] for name in self.FIELDS)
        self.digest = h("release", self.bytes)


def read_release(h, r):
    return Release(h, r.number(8), r.number(8), **{name: r.take(32) for name in Release.FIELDS})


def read_next_release(h, r, below):
    fields = {"time_ms": r.number(8)}
    fields.update({name: r.take(32) for name in Release.FIELDS if name != "previous"})
    return Release(h, below.height + 1, previous=below.digest, **fields)


def check_signers(genesis, r, digest):
    count = r.number(2)
    signers = [(r.number(2), r.take(64)) for _ in range(count)]
    nodes = [node for node, _ in signers]
    require(count == genesis.q and nodes == sorted(set(nodes)) and nodes[-1] < genesis.n, "not a quorum of the committee")
    require(all(curve.verify(genesis.keys[node], digest, signature) for node, signature in signers),
            "a signature does not hold")


def check_certificate(genesis, certificate):
    r = Bytes(certificate)
    release = read_release(genesis.hash, r)
    check_signers(genesis, r, release.digest)
    r.done()
    return release


# ---- sealing again: docs/CRYPTO.md clauses 4, 6.4 ----

GBAR = curve.one_way_map(hashlib.sha512(b"sluice/1/tdh2/gbar").digest())


def bucket(length):
    size = 128
    while size < length:
        size = size * 3 // 2 if size & size - 1 == 0 else size * 4 // 3
    return size


class Opening:
    def __init__(self, payload):
        r = Bytes(payload)
        self.height, self.index, self.key_id = r.number(8), r.number(4), r.take(32)
        self.unlock_kind, self.unlock, self.valid_until = r.number(1), r.number(8), r.number(8)
        self.e, self.z, self.rho = r.take(16), r.take(32), r.take(32)
        self.content = r.take(len(r.data) - r.at)
        require(self.unlock_kind <= 2 and (self.unlock_kind or not self.unlock), "no such unlock")


def seal_again(h, opening, rollup, y):
    """The body of the envelope that this was in."""
    message = number(0, 1) + number(rollup, 8) + number(len(opening.content), 4) + opening.content
    message += bytes(bucket(len(message)) - len(message))
    length = 48 + len(message)
    unlock = number(opening.unlock_kind, 1) + number(opening.unlock, 8)
    label = h("seal-label", b"\1\1", h.chain, opening.key_id, unlock, number(opening.valid_until, 8), number(length, 4))
    z, e = int.from_bytes(opening.z, "little"), int.from_bytes(opening.e, "little")
    require(z < curve.ORDER, "z is no scalar")
    r = h.scalar("seal-r", opening.key_id, label, opening.rho, h("seal-message", message))
    s = (z - e * r) % curve.ORDER

    def point(scalar, base):
        return curve.ristretto_encode(curve.multiply(scalar, base))
    big_r, big_r_bar, shared = point(r, curve.BASE), point(r, GBAR), point(r, curve.ristretto_decode(y))
    key = h("seal-key", shared, big_r, label, opening.key_id)
    c = aead.encrypt(key, bytes(24), opening.rho + message, label)
    proven = h.wide("seal-proof", opening.key_id, y, label, h("seal-body", c), big_r, big_r_bar, point(s, curve.BASE),
                    point(s, GBAR))[:16]
    z = (s + int.from_bytes(proven, "little") * r) % curve.ORDER
    return b"\1\1" + opening.key_id + unlock + big_r + big_r_bar + proven + number(z, 32) + c


def check_key(genesis, certificate):
    """The key's id and Y: clause 7.12."""
    h, r = genesis.hash, Bytes(certificate)
    attempt, k, dealers, y = r.number(4), r.number(2), r.take(8), r.take(32)
    shares, count = r.take(32 * genesis.n), r.number(2)
    low, high = genesis.parameters["seal_threshold_min"] or genesis.f + 1, genesis.parameters["seal_threshold"] or genesis.q
    require(low <= k <= high and count == k + genesis.f and any(dealers), "no key of this committee")
    require(int.from_bytes(dealers, "little") < 1 << genesis.n, "dealers that are none")
    for at in range(0, 32 * genesis.n, 32):
        require(curve.ristretto_decode(shares[at:at + 32]), "a Y_i is no element")
    require(curve.ristretto_decode(y), "Y is no element")
    sid = h("dkg-sid", number(0, 8), number(attempt, 4), number(genesis.n, 2), number(k, 2), *genesis.seal_keys)
    ready = h("dkg-ready", sid, dealers, y, shares)
    last = -1
    for _ in range(count):
        node, valid_until, signature = r.number(2), r.take(8), r.take(64)
        require(last < node < genesis.n, "signers of the key do not rise")
        digest = h("keygen", bytes(8), valid_until, number(3, 1), number(132, 4), b"\1\2", number(node, 2), sid, ready)
        require(curve.verify(genesis.keys[node], digest, signature), "a signature of the key does not hold")
        last = node
    r.done()
    return h("key-id", y, sid), y


# ---- the queue: clause 6.5 ----

class Block:
    def __init__(self, genesis, data):
        r = Bytes(data)
        epoch, _, self.height, self.parent = r.number(4), r.number(8), r.number(8), r.take(32)
        r.take(8 + 4)
        require(epoch == 0 and r.number(2) == genesis.n, "a block of another committee")
        r.take(40 * genesis.n)
        self.tail = r.number(8), r.number(4)
        r.take(5 * 8 + 32)
        self.tuples = []
        for _ in range(r.number(2)):
            one = {"id": r.take(32), "kind": r.number(1), "offence": r.take(3), "bytes": r.number(4)}
            r.take(8)
            require(not self.tuples or self.tuples[-1]["id"][:16] < one["id"][:16], "tuples do not rise")
            self.tuples.append(one)
        r.done()
        self.digest = genesis.hash("block", data)

    def due(self, genesis, tail, id32):
        """(tuple, the height where its entry is delivered)."""
        height, used = tail
        for one in self.tuples:
            if one["kind"] != 2:
                cost = one["bytes"] + 48
                if height < self.height + genesis.parameters["forced_delay"]:
                    height, used = self.height + genesis.parameters["forced_delay"], 0
                if used + cost > genesis.parameters["forced_bytes_per_block"]:
                    height, used = height + 1, 0
                used += cost
            if one["id"] == id32:
                return one, self.height if one["kind"] == 2 else height
        raise Wrong("the block does not queue it")


# ---- proof files: clause 8.9 ----

class Place:
    def __init__(self, h, r, opened):
        self.height, self.index, self.kind, self.rollup = r.number(8), r.number(4), r.number(1), r.number(8)
        self.id = r.take(32) if opened else None
        self.valid_until = 0 if opened else r.number(8)
        self.payload = r.take(r.number(4))
        self.space, _, _, shown = read_space_proof(h, r)
        require(len(shown) == 1, "not the list's own leaf")
        self.list, self.count, self.root = shown[0]
        self.position, self.walk = r.number(4), r
        self.path_at = r.at
        replay(h, [ZERO], self.position, self.count, r)     # for its length

    def check(self, h, space, leaf):
        require(self.space == space, "the list is not in the space")
        path = Bytes(self.walk.data)
        path.at = self.path_at
        require(replay(h, [leaf], self.position, self.count, path) == self.root, "the entry is not in the list")


def legs(body):
    r = Bytes(body)
    out = []
    for _ in range(r.number(1)):
        rollup = r.number(8)
        out.append((rollup, r.take(r.number(4))))
    r.done()
    return out


class Proof:
    """Raises Wrong unless all of it holds; then its attributes say what is so."""

    def __init__(self, genesis, data):
        self.genesis, self.h = genesis, genesis.hash
        r = Bytes(data)
        require(r.take(7) == b"SLPROOF" and r.number(1) == 1, "this is no proof")
        require(r.take(32) == genesis.chain, "it is of another chain")
        parts, runs = r.number(1), r.number(1)
        require(parts <= 3 and 1 <= runs <= 3, "parts or runs out of bounds")
        self.releases, firsts = {}, []
        for _ in range(runs):
            firsts.append(self.read_run(r))
        self.ordered, self.queued, self.opened = Place(self.h, r, False), None, None
        if parts & QUEUED_PART:
            height, parent = r.number(8), r.take(r.number(4))
            self.queued = height, parent, r.take(r.number(4))
        if parts & OPENED_PART:
            self.opened = Place(self.h, r, True)
            self.certificate = r.take(r.number(2))
        r.done()
        heights = {self.ordered.height} | ({self.queued[0]} if self.queued else set())
        heights |= {self.opened.height} if self.opened else set()
        require(heights <= self.releases.keys() and set(firsts) <= heights, "not exactly the releases of its heights")
        self.kind, self.forced = self.ordered.kind & ~FORCED, self.ordered.kind >= FORCED
        self.check_ordered()
        if self.queued:
            self.check_queued()
        if self.opened:
            self.check_opened()

    def read_run(self, r):
        count, release = r.number(2), None
        require(0 < count <= 4096, "a run of no length")
        for i in range(count):
            release = read_next_release(self.h, r, release) if i else read_release(self.h, r)
            require(release.height > max(self.releases, default=0), "releases do not rise")
            self.releases[release.height] = release
        check_signers(self.genesis, r, release.digest)
        return release.height - count + 1

    def name(self):
        """The entry's id, and the length of what has it."""
        place, body = self.ordered, self.ordered.payload
        if place.kind == EVIDENCE:
            require(place.valid_until == 0, "evidence has no end")
            return self.h("evidence", body), len(body)
        require(place.kind == KEYGEN or self.kind <= SEALED, "no such kind")
        if self.opened and self.opened.kind == OPENED:
            require(self.kind == SEALED and not body, "the body of what is opened is not shown")
            self.opening = Opening(self.opened.payload)
            key_id, y = check_key(self.genesis, self.certificate)
            require(key_id == self.opening.key_id, "it is under another key")
            body = seal_again(self.h, self.opening, self.opened.rollup, y)
        else:
            require(body, "there is no body")
        kind = 3 if place.kind == KEYGEN else self.kind
        envelope = number(place.rollup, 8) + number(place.valid_until, 8) + number(kind, 1) + number(len(body), 4) + body
        return self.h("tx", envelope), len(envelope)

    def check_ordered(self):
        place = self.ordered
        self.id, self.length = self.name()
        if self.kind == BUNDLE:
            require(place.rollup == 0 and place.list in [leg[0] for leg in legs(place.payload)], "not of this list's rollup")
        else:
            require(place.list == place.rollup and (place.rollup == 0) == (self.kind != 0), "not of this list's rollup")
        place.check(self.h, self.releases[place.height].ordered, entry_leaf(self.h, place.index, place.kind, self.id))

    def check_queued(self):
        height, parent, data = self.queued
        require(self.forced or self.ordered.kind in (EVIDENCE, KEYGEN), "it did not come out of the queue")
        block = Block(self.genesis, data)
        require(block.digest == self.releases[height].block and block.height == height, "not the block that was released")
        require((height == 1) == (not parent), "a parent where there is none, or none")
        tail = (0, 0)
        if parent:
            above = Block(self.genesis, parent)
            require(above.digest == block.parent, "not the block's parent")
            tail = above.tail
        one, due = block.due(self.genesis, tail, self.id)
        kind = {EVIDENCE: 2, KEYGEN: 3}.get(self.ordered.kind, 1)
        require(one["kind"] == kind and one["bytes"] == self.length, "the block queues something else")
        require(due == self.ordered.height, f"due at {due}, delivered at {self.ordered.height}")

    def check_opened(self):
        place = self.opened
        require(self.kind == SEALED and place.kind in (OPENED, VOID), "only what is sealed is opened")
        require(place.id == self.id and place.height >= self.ordered.height, "what is opened is something else")
        if place.kind == OPENED:
            at = self.opening.height, self.opening.index
            rollups = [leg[0] for leg in legs(self.opening.content)] if place.rollup == 0 else [place.rollup]
            reached = {0: 0, 1: place.height, 2: self.releases[place.height].time_ms}[self.opening.unlock_kind]
            require(reached >= self.opening.unlock, "opened before its unlock")
        else:
            r = Bytes(place.payload)
            self.reason, at = r.number(1), (r.number(8), r.number(4))
            r.done()
            require(self.reason > 0 and not self.certificate and place.rollup == 0, "no form of a void one")
            rollups = [0]
        require(at == (self.ordered.height, self.ordered.index), "it is of another place")
        require(place.list in rollups, "not of this list's rollup")
        content = self.h("content", place.payload)
        place.check(self.h, self.releases[place.height].opened,
                    entry_leaf(self.h, place.index, place.kind, self.id, content))

    def facts(self):
        out = {"id": self.id.hex(), "height": self.ordered.height, "index": self.ordered.index,
               "time_ms": self.releases[self.ordered.height].time_ms, "forced": self.forced,
               "rollup": self.opened.list if self.opened else self.ordered.list, "certified": max(self.releases)}
        opened = self.opened and self.opened.kind == OPENED
        out["payload"] = "0x" + (self.opening.content if opened else self.ordered.payload).hex()
        if self.queued:
            out["queued_at"] = self.queued[0]
        if self.opened:
            out["opened"] = {"height": self.opened.height, "index": self.opened.index,
                             "time_ms": self.releases[self.opened.height].time_ms}
        return out
