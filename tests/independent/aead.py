"""XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha), encryption only, by the book."""
import struct


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & 0xffffffff
        value = s[z] ^ s[x]
        s[z] = (value << turn | value >> 32 - turn) & 0xffffffff


def rounds(state):
    for _ in range(10):
        for i in range(4):
            quarter(state, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(state, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)


def start(key, counter_and_nonce):
    return list(struct.unpack("<16I", b"expand 32-byte k" + key + counter_and_nonce))


def block(key, counter, nonce12):
    state = start(key, struct.pack("<I", counter) + nonce12)
    work = state[:]
    rounds(work)
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(work, state)))


def hchacha(key, nonce16):
    work = start(key, nonce16)
    rounds(work)
    return struct.pack("<8I", *(work[:4] + work[12:]))


def poly1305(key32, message):
    r = int.from_bytes(key32[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at:at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (total + int.from_bytes(key32[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


def padded(data):
    return data + bytes(-len(data) % 16)


def encrypt(key, nonce24, data, associated):
    key, nonce = hchacha(key, nonce24[:16]), bytes(4) + nonce24[16:]
    stream = b"".join(block(key, 1 + i, nonce) for i in range((len(data) + 63) // 64))
    cipher = bytes(a ^ b for a, b in zip(data, stream))
    lengths = struct.pack("<QQ", len(associated), len(cipher))
    return cipher + poly1305(block(key, 0, nonce)[:32], padded(associated) + padded(cipher) + lengths)
