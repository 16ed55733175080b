"""Clients that mean harm, as a thread: they speak to a node's addresses for clients and for peers, and to nobody but
this machine and its private networks. Bounded in rate, in connections held, and in time.

    hostile = Hostile("reset_storm", [("127.0.0.1", 7001), ("127.0.0.1", 7000)])
    ...
    print(hostile.stop())           what it did, as counts

A node limits the failures of one address, unless that is loopback: honest clients beside these, behind the same address
of a private network, are turned away with them.
"""
import collections
import errno
import ipaddress
import random
import select
import socket
import struct
import threading
import time

KINDS = ("garbage", "reset_storm", "slow_loris", "flood")
HELD_MAX = 300          # connections that one of these holds at once
RATE_MAX = 500          # new connections a second
SECONDS_MAX = 600
CONNECT_S = 2           # longest wait of a blocking connect, send or read
LORIS_S = 1.0           # between two bytes of one connection
FLOOD_S = 3.0           # how long a flood's connection says nothing before it goes
RESET = struct.pack("ii", 1, 0)     # SO_LINGER of 0 s: closing sends a reset


class Hostile(threading.Thread):
    def __init__(self, kind, addresses, rate=200, held=HELD_MAX, seconds=SECONDS_MAX, seed=None):
        """Begins at once. `addresses`: (host, port) of listeners, taken in turn. `rate`: new connections a second.
        `held`: at once. `seconds`: after them it ends by itself. `seed`: of its random bytes."""
        super().__init__(daemon=True)
        if kind not in KINDS or not addresses:
            raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}, or nobody to speak to")
        self.addresses = [(near(host), port) for host, port in addresses]
        self.attack = getattr(self, kind)
        self.rate, self.held = min(rate, RATE_MAX), min(held, HELD_MAX)
        self.until = time.monotonic() + min(seconds, SECONDS_MAX)
        self.random = random.Random(seed)
        self.counts = collections.Counter()
        self.failure = None
        self.turn = 0
        self.ending = threading.Event()
        self.start()

    def run(self):
        try:
            self.attack()
        except Exception as failure:    # told by stop()
            self.failure = failure

    def stop(self):
        """Ends it, closes what it holds, and returns its counts. Raises what ended it before."""
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure
        return dict(self.counts)

    def going(self):
        return not self.ending.is_set() and time.monotonic() < self.until

    def paced(self):
        """The next address, again and again, at most `rate` times a second until the end."""
        due = time.monotonic()
        while self.going():
            self.turn += 1
            yield self.addresses[self.turn % len(self.addresses)]
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            self.ending.wait(max(0, due - time.monotonic()))

    def hello(self):
        """A well-formed beginning of an anonymous client's handshake (link/handshake.h)."""
        return b"SLNK" + struct.pack("<HBBH", 1, 1, 0, 0xFFFF) + bytes(32) + self.random.randbytes(32)

    # ---- one connection after the other ----

    def garbage(self):
        """Bytes of every kind that is none: random, half a hello, lengths of 4 GiB, a hello and then random."""
        pieces = [lambda: self.random.randbytes(self.random.randrange(1, 5000)),
                  lambda: b"SLNK" + self.random.randbytes(200),
                  lambda: self.hello()[:self.random.randrange(1, 70)],
                  lambda: b"\xff\xff\xff\xff" + bytes(100_000),
                  lambda: self.hello() + b"\xff\xff\xff\xff" + bytes(100_000),
                  lambda: self.hello() + self.random.randbytes(400)]
        for address in self.paced():
            if self.random.random() < 0.1:
                self.speak_then_garbage(address)
            else:
                self.say(address, self.random.choice(pieces)(), linger=False)

    def speak_then_garbage(self, address):
        """The handshake as it must be, and then records or requests that are none."""
        from raw_client import RawClient    # only here is libsodium needed
        from cluster import Failed
        try:
            with RawClient(address[1], address[0], CONNECT_S) as client:
                self.counts["handshakes"] += 1
                kind = self.random.randrange(3)
                if kind == 0:
                    client.socket.sendall(self.random.randbytes(3000))
                elif kind == 1:
                    client.send(self.random.randbytes(self.random.randrange(1, 3000)))
                else:
                    client.socket.sendall(b"\xff\xff\xff\x7f" + bytes(1000))
        except (OSError, Failed):
            self.counts["refused"] += 1     # also at a peers' address: it lets no clients in

    def reset_storm(self):
        """A connection, a few bytes, a reset."""
        for address in self.paced():
            self.say(address, self.hello()[:self.random.randrange(1, 74)], linger=True)

    def say(self, address, data, linger):
        """Sends what it can and looks at no answer: the node may shut the door at any time."""
        try:
            with socket.create_connection(address, timeout=CONNECT_S) as s:
                self.counts["connections"] += 1
                if linger:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                s.sendall(data)
                self.counts["bytes"] += len(data)
        except OSError as error:
            self.counts["refused" if error.errno == errno.ECONNREFUSED else "cut off"] += 1

    # ---- many at once ----

    def slow_loris(self):
        """As many connections as it may hold; each sends a byte of a hello now and then, and never the last one. One
        that is hung up on is replaced."""
        self.hold(LORIS_S, self.one_byte)

    def flood(self):
        """As many connections as it may hold, that say nothing, and go to come again."""
        self.hold(FLOOD_S, lambda connection: False)

    def one_byte(self, connection):
        if connection.sent == len(connection.hello) - 1:
            return True
        connection.socket.send(connection.hello[connection.sent:connection.sent + 1])
        connection.sent += 1
        self.counts["bytes"] += 1
        return True

    def hold(self, every_s, due):
        """Keeps connections open. `due(connection)`, every `every_s`: False closes it."""
        held, poll = {}, select.poll()

        def drop(number, why):
            poll.unregister(number)
            held.pop(number).socket.close()
            self.counts[why] += 1
        for address in self.paced():
            if len(held) < self.held:
                connection = Held(address, self.hello(), time.monotonic() + self.random.random() * every_s)
                held[connection.socket.fileno()] = connection
                poll.register(connection.socket, select.POLLIN)
                self.counts["connections"] += 1
            for number, _ in poll.poll(0):
                if not held[number].quiet():
                    drop(number, "hung up on")
            now = time.monotonic()
            for number, connection in list(held.items()):
                if connection.due <= now:
                    connection.due = now + every_s
                    try:
                        goes_on = due(connection)
                    except OSError:     # not connected yet, or no more
                        goes_on = True
                    if not goes_on:
                        drop(number, "gone")
            self.counts["held at most"] = max(self.counts["held at most"], len(held))
        for connection in held.values():
            connection.socket.close()


class Held:
    """One connection of many, which never blocks."""

    def __init__(self, address, hello, due):
        self.socket = socket.socket(socket.AF_INET)
        self.socket.setblocking(False)
        self.socket.connect_ex(address)
        self.hello, self.sent, self.due = hello, 0, due

    def quiet(self):
        """False once the other side has closed or said anything."""
        try:
            return self.socket.recv(1) is None
        except BlockingIOError:
            return True
        except OSError:
            return False


def near(host):
    """The host's address, if it is of this machine or of a private network."""
    address = socket.gethostbyname(host)
    if not ipaddress.ip_address(address).is_private:
        raise ValueError(f"{host} is neither of this machine nor of a private network")
    return address
