"""The links between nodes, through sluice-relay, and what can be done to them.

    pairs = every_pair([("127.0.0.1", 21000), ("127.0.0.1", 21010), ...], 21500)
    with Links(["bin/sluice-relay"], pairs, ("127.0.0.1", 21499)) as links:
        links.addresses(0)                      what node 0's config says in [peers]
        links.partition([[0, 1], [2, 3]])
        links.heal()

What a bad link does to a connection stands in deploy/relay/lane.h and carrier.h. Failed: the relay does not start, or refuses a command."""
import itertools
import pathlib
import socket
import subprocess
import tomllib

from cluster import Failed

ANSWER_S = 10
REGIONS = pathlib.Path(__file__).with_name("regions.toml")


def every_pair(targets, first_port):
    """Of each two nodes the lower one dials the other: (i, j, port where the relay listens, host and port of j).
    `targets`: (host, port) of each node. Takes the ports from `first_port` on, one a pair."""
    pairs = itertools.combinations(range(len(targets)), 2)
    return [(i, j, first_port + k, *targets[j]) for k, (i, j) in enumerate(pairs)]


class Links:
    def __init__(self, command, pairs, control, listen="127.0.0.1", seed=1):
        """`command` starts the relay; None: one runs, with the same `pairs`. `control`: its (host, port).
        `listen`: the host where it listens, as nodes know it."""
        self.pairs, self.listen, self.process, self.control = pairs, listen, None, None
        self.nodes = sorted({node for i, j, *_ in pairs for node in (i, j)})
        if command:
            self.start(command, control, seed)
        try:
            self.control = socket.create_connection(control, timeout=ANSWER_S)
        except OSError as error:
            self.close()
            raise Failed(f"the relay's control port {control}: {error}") from error
        self.answers = self.control.makefile()

    def start(self, command, control, seed):
        pairs = [word for pair in self.pairs for word in ("--pair", ":".join(map(str, pair)))]
        self.process = subprocess.Popen(
            [*command, "--listen", self.listen, "--control", "{}:{}".format(*control), "--seed", str(seed), *pairs],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.wait()
            raise Failed(self.process.stderr.read())

    def close(self):
        """Ends the relay if it was started here."""
        if self.control:
            self.answers.close()
            self.control.close()
        if self.process:
            self.process.terminate()
            self.process.communicate()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def addresses(self, node):
        """{other node: the address where `node` dials it}, for [peers]."""
        return {j: f"tcp://{self.listen}:{port}" for i, j, port, *_ in self.pairs if i == node}

    # ---- faults; of each, what is not named stays as it is ----

    def partition(self, groups):
        """Cuts all links between nodes of different groups, both ways, and heals those within. Nodes in none of the
        groups make up one more."""
        rest = [node for node in self.nodes if node not in itertools.chain(*groups)]
        group_of = {node: k for k, group in enumerate([*groups, rest]) for node in group}
        for a, b in itertools.permutations(self.nodes, 2):
            self.command(f"{'heal' if group_of[a] == group_of[b] else 'cut'} {a} {b}")

    def one_way(self, a, b):
        """Nothing gets from a to b any more."""
        self.command(f"cut {a} {b}")

    def isolate(self, node):
        """Nothing gets to or from the node."""
        for other in self.nodes:
            if other != node:
                self.command(f"cut {node} {other}")
                self.command(f"cut {other} {node}")

    def heal(self):
        """All links as at first, cut or shaped. Connections stay, and what was held back flows on."""
        self.command("clear")

    def reset(self, a, b):
        """Resets the connections between two nodes."""
        self.command(f"reset {a} {b}")

    def shape(self, delay_ms=0, jitter_ms=0, loss=0, rate=0, between=None):
        """What each way takes: a delay and up to that much jitter more, percent of segments lost, bytes per second
        (0: no limit). `between`: two nodes instead of all."""
        for a, b in itertools.permutations(between or self.nodes, 2):
            self.command(f"link {a} {b} delay_ms={delay_ms} jitter_ms={jitter_ms} loss={loss} rate={rate}")

    def regions(self, names=None, table=REGIONS):
        """Gives each link the delay between its nodes' regions. `names`: {node: region}; none: node i is in the i-th of
        the table."""
        table = tomllib.loads(table.read_text())
        names = names or dict(zip(self.nodes, itertools.cycle(table["regions"])))
        for a, b in itertools.combinations(self.nodes, 2):
            self.shape(one_way_ms(table, names[a], names[b]), table["jitter_ms"], between=(a, b))

    def show(self):
        """{(a, b): {"bytes": ..., "held": ..., "connections": ..., "state": "open" or "cut"}}"""
        said = {}
        for _ in range(int(self.command("show").split()[0])):
            a, b, *fields, state = self.answers.readline().split()
            said[int(a), int(b)] = {name: float(value) for name, value in (each.split("=") for each in fields)}
            said[int(a), int(b)]["state"] = state
        return said

    def command(self, line):
        """Has the relay do what a line of deploy/relay/control.h says; the answer behind its "ok"."""
        try:
            self.control.sendall(line.encode() + b"\n")
            answer = self.answers.readline()
        except OSError as error:
            raise Failed(f"{line}: {error}") from error
        if not answer.startswith("ok"):
            raise Failed(f"{line}: {answer.strip() or 'the relay has gone'}")
        return answer[2:].strip()


def one_way_ms(table, region, other):
    """Half of a round trip; 0 within a region."""
    trips = table["round_trip_ms"]
    if region == other:
        return 0
    return (trips.get(region, {}).get(other) or trips[other][region]) / 2
