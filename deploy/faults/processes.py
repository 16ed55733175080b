"""A cluster of real sluiced processes on loopback.

    with Processes(bin_dir, nodes=4) as cluster:    a temporary directory and free ports
        cluster.start()                             every node, until every node orders
        cluster.kill(2)
        cluster.start(2)
"""
import os
import pathlib
import random
import signal
import socket
import subprocess

from cluster import STOP_S, Cluster, Failed
from links import Links, every_pair

PORTS_PER_NODE = 10
RANGE = 200             # ports in a row, of which the last one is bound by whoever has the range
FIRST, LAST = 10_000, 32_000    # below the range of outgoing connections

ranges = {}     # {first port: the socket that keeps the range}

# With AddressSanitizer: keep little of what was freed, so that resident memory means something, and let a library be
# preloaded that sets the clock wrong.
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=8:verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", ""))


def free_base_port(count):
    """A first port such that it and the `count` - 1 behind it are free, and stay so for whoever asked until
    give_back(): a node that is down for a while has its ports free, and nobody else who asks here may get them."""
    if count >= RANGE:
        raise ValueError(f"{count} ports: a range has {RANGE - 1}")
    bases = list(range(FIRST, LAST, RANGE))
    for base in random.sample(bases, len(bases)):
        keeper = socket.socket()
        try:
            keeper.bind(("127.0.0.1", base + RANGE - 1))
        except OSError:
            keeper.close()
            continue
        if all(port_is_free(base + i) for i in range(count)):
            ranges[base] = keeper
            return base
        keeper.close()
    raise Failed("no free ports")


def give_back(base):
    """A range of ports from free_base_port(), if it is one."""
    keeper = ranges.pop(base, None)
    if keeper:
        keeper.close()


def port_is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Processes(Cluster):
    def __init__(self, bin_dir, nodes=4, params=None, programs=None, base_port=None):
        """`programs`: {node: program}, of those that do not run sluiced. `base_port`: instead of free ones."""
        super().__init__(nodes)
        self.bin = pathlib.Path(bin_dir)
        self.programs = programs or {}
        self.base_port = base_port or free_base_port(PORTS_PER_NODE * nodes)
        self.processes = [None] * nodes
        self.run("genesis", "--nodes", nodes, "--dir", self.dir, "--base-port", self.base_port,
                 *(word for name, value in (params or {}).items() for word in ("--param", f"{name}={value}")))

    @classmethod
    def of(cls, scenario, bin_dir):
        """The cluster that a scenario wants."""
        cluster = cls(bin_dir, scenario.nodes, scenario.genesis,
                      {node: "sluiced_byzantine" for node in scenario.byzantine})
        try:
            if "links" in scenario.needs:
                cluster.relay()
        except BaseException:
            cluster.__exit__(None)
            raise
        return cluster

    def relay(self):
        """Has the links between nodes go through a relay that can hurt them. Before the first start."""
        pairs = self.nodes * (self.nodes - 1) // 2
        port = free_base_port(1 + pairs)
        self.links = Links([self.bin / "sluice-relay"],
                           every_pair([self.peer_address(node) for node in range(self.nodes)], port + 1),
                           ("127.0.0.1", port))
        for node in range(self.nodes):
            for other, url in self.links.addresses(node).items():
                self.configure(node, "peers", other, url)

    def close(self):
        for process in filter(None, self.processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        if self.links:
            self.links.close()
            give_back(self.links.pairs[0][2] - 1)
        give_back(self.base_port)

    # ---- places ----

    def peer_port(self, node):
        return self.base_port + PORTS_PER_NODE * node

    def client_port(self, node):
        return self.peer_port(node) + 1

    def url(self, node):
        return f"tcp://127.0.0.1:{self.client_port(node)}"

    def http_address(self, node):
        return f"127.0.0.1:{self.peer_port(node) + 2}"

    @property
    def clients_host(self):
        return "127.0.0.1"

    def client_address(self, node):
        return "127.0.0.1", self.client_port(node)

    def peer_address(self, node):
        return "127.0.0.1", self.peer_port(node)

    def client(self, *args):
        return [str(self.bin / "sluice"), *map(str, args)]

    # ---- nodes ----

    def spawn(self, node):
        if self.alive(node):
            raise Failed(f"node {node} runs already")
        with open(self.node_dir(node) / "log", "ab") as log:
            self.processes[node] = subprocess.Popen(
                [self.bin / self.programs.get(node, "sluiced"), "--config", self.node_dir(node) / "sluiced.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT | self.environments.get(node, {}))

    def exit_code(self, node):
        process = self.processes[node]
        return None if process is None else process.poll()

    def alive(self, node):
        return self.processes[node] is not None and self.exit_code(node) is None

    def kill(self, *nodes):
        for node in nodes:
            self.processes[node].kill()
        for node in nodes:
            self.processes[node].wait()

    def stop(self, node):
        process = self.processes[node]
        process.terminate()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"node {node} did not stop in {STOP_S} s") from None
        if code != 0:
            raise Failed(f"node {node} stopped with {code}")

    def pause(self, node):
        self.processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node):
        self.processes[node].send_signal(signal.SIGCONT)

    def resident_bytes(self, node):
        with open(f"/proc/{self.processes[node].pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
