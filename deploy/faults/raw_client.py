"""A client that sends envelopes as they are given, also such as `sluice` never makes: the handshake and the records
of link/handshake.h and link/record.h, and as much of proto/client.proto as a submission needs."""
import ctypes
import ctypes.util
import hashlib
import os
import socket
import struct

from cluster import Failed

HEAD = struct.Struct("<4sHBB")
REPLY_CORE_BYTES, HEADER_BYTES, SIGNATURE_BYTES = HEAD.size + 32 + 2 + 32 + 32, 24, 64
MAC_BYTES = 17              # of a secretstream message: tag byte and MAC
STREAM_BYTES = 256          # of a secretstream's state, at least
BYTES, NUMBER = 2, 0        # protobuf's types of fields

sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
sodium.sodium_init()


def digest(role, chain_id, *parts):
    domain = b"sluice/1/" + role
    return hashlib.blake2b(bytes([len(domain)]) + domain + chain_id + b"".join(parts), digest_size=32).digest()


# ---- protobuf ----

def number(value):
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + number(rest) if rest else bytes([low])


def field(tag, value):
    if isinstance(value, int):
        return number(tag << 3 | NUMBER) + number(value)
    return number(tag << 3 | BYTES) + number(len(value)) + value


def fields(data):
    """[(tag, number or bytes)] of a message of nothing else."""
    found, at = [], 0

    def take():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        key, value = take(), take()
        if key & 7 == BYTES:
            value, at = data[at:at + value], at + value
        found.append((key >> 3, value))
    return found


class RawClient:
    def __init__(self, port, host="127.0.0.1", timeout=30):
        """`timeout`: seconds, of the connection and of every read."""
        self.socket = socket.create_connection((host, port), timeout=timeout)
        secret, ephemeral, shared = os.urandom(32), bytes(32), bytes(32)
        sodium.crypto_scalarmult_base(ephemeral, secret)
        hello = HEAD.pack(b"SLNK", 1, 1, 0) + b"\xff\xff" + bytes(32) + ephemeral
        self.socket.sendall(hello)
        reply = self.receive(REPLY_CORE_BYTES + HEADER_BYTES + SIGNATURE_BYTES)
        core, header = reply[:REPLY_CORE_BYTES], reply[REPLY_CORE_BYTES:-SIGNATURE_BYTES]
        self.chain_id = core[HEAD.size:HEAD.size + 32]
        sodium.crypto_scalarmult(shared, secret, core[-32:])
        tx_key, rx_key = (digest(b"link-key", self.chain_id, side, shared, hello, core) for side in (b"I", b"R"))
        self.tx, self.rx, own_header = bytes(STREAM_BYTES), bytes(STREAM_BYTES), bytes(HEADER_BYTES)
        sodium.crypto_secretstream_xchacha20poly1305_init_push(self.tx, own_header, tx_key)
        sodium.crypto_secretstream_xchacha20poly1305_init_pull(self.rx, header, rx_key)
        said = digest(b"link", self.chain_id, b"I", hello, reply, own_header)
        self.socket.sendall(own_header + digest(b"link-mac", self.chain_id, tx_key, said) + bytes(32))
        if self.receive_record() != b"":
            raise Failed("the node does not confirm the handshake")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def receive(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise Failed(f"the node hung up: {data}")
            data += piece
        return data

    def receive_record(self):
        data = self.receive(struct.unpack("<I", self.receive(4))[0])
        text = bytes(len(data))
        if sodium.crypto_secretstream_xchacha20poly1305_pull(self.rx, text, None, bytes(1), data,
                                                             ctypes.c_ulonglong(len(data)), None,
                                                             ctypes.c_ulonglong(0)) != 0:
            raise Failed("a record does not open")
        return text[:len(data) - MAC_BYTES]

    def id_of(self, envelope):
        return digest(b"tx", self.chain_id, envelope).hex()

    def send(self, request):
        """A request's fields, its id among them."""
        text = struct.pack("<I", len(request)) + request
        wire = bytes(len(text) + MAC_BYTES)
        sodium.crypto_secretstream_xchacha20poly1305_push(self.tx, wire, None, text, ctypes.c_ulonglong(len(text)),
                                                          None, ctypes.c_ulonglong(0), 0)
        self.socket.sendall(struct.pack("<I", len(wire)) + wire)

    def replies(self):
        """Replies as {tag: value}, for ever. Several may come in one record, and one in several."""
        data = b""
        while True:
            while len(data) < 4 or len(data) < 4 + struct.unpack_from("<I", data)[0]:
                data += self.receive_record()   # a keepalive is an empty one
            end = 4 + struct.unpack_from("<I", data)[0]
            reply, data = data[4:end], data[end:]
            yield dict(fields(reply))

    def submit(self, envelopes):
        """[(accepted, reason)] of complete envelopes."""
        self.send(field(1, 1) + field(2, b"".join(field(4, envelope) for envelope in envelopes)))
        reply = next(self.replies())
        results = [dict(fields(result)) for tag, result in fields(reply[2]) if tag == 1]
        return [(result.get(2, 0) == 1, result.get(3, b"").decode()) for result in results]
