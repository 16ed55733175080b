"""Real sluiced processes on loopback: start, kill -9, pause, restart, ask and scrape them.

    with Cluster(bin_dir, nodes=4) as cluster:      a temporary directory and free ports
        cluster.start()                             every node, until every node orders
        cluster.kill(2)
        cluster.start(2)
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

ORDER_S = 30     # longest wait for a node to order
STOP_S = 20      # longest wait for a node to end after SIGTERM
PORTS_PER_NODE = 10

# So that resident memory means something with AddressSanitizer, too: keep little of what was freed.
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", ""))


class Failed(Exception):
    """The scenario did not go as it must; the text says how."""


def wait_until(condition, seconds, what):
    """Polls `condition` until it is true and returns its value; Failed after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def free_base_port(nodes):
    """A first port such that the ports of all nodes are free (below the range of outgoing ones)."""
    for _ in range(200):
        base = random.randrange(10_000, 32_000 - PORTS_PER_NODE * nodes)
        if all(port_is_free(base + PORTS_PER_NODE * node + i) for node in range(nodes) for i in range(3)):
            return base
    raise Failed("no free ports")


def port_is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Cluster:
    def __init__(self, bin_dir, nodes=4, params=None, programs=None, base_port=None):
        """`programs`: {node: program}, of those that do not run sluiced. `base_port`: instead of free ones."""
        self.bin = pathlib.Path(bin_dir)
        self.nodes = nodes
        self.programs = programs or {}
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="sluice-"))
        self.dir = self.home / "cluster"
        self.base_port = base_port or free_base_port(nodes)
        self.processes = [None] * nodes
        self.run("genesis", "--nodes", nodes, "--dir", self.dir, "--base-port", self.base_port,
                 *(word for name, value in (params or {}).items() for word in ("--param", f"{name}={value}")))

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        for process in filter(None, self.processes):
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        if failure:
            for node in range(self.nodes):
                print(f"---- the end of node {node}'s log\n{self.log_tail(node)}")
        shutil.rmtree(self.home, ignore_errors=True)

    # ---- places ----

    def node_dir(self, node):
        return self.dir / f"node-{node}"

    def peer_port(self, node):
        return self.base_port + PORTS_PER_NODE * node

    def client_port(self, node):
        return self.peer_port(node) + 1

    def url(self, node):
        return f"tcp://127.0.0.1:{self.client_port(node)}"

    def log_tail(self, node, lines=15):
        log = self.node_dir(node) / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def configure(self, node, section, name, value):
        """Sets one field of a node's config file, in place of its line or at the end of its section."""
        path = self.node_dir(node) / "sluiced.conf"
        lines, where, within = path.read_text().splitlines(), None, False
        for i, line in enumerate(lines):
            if line.startswith("["):
                within = line.strip() == f"[{section}]"
            if within:
                where = where if where is not None and is_field(lines[where], name) else i
                if is_field(line, name):
                    where = i
        new = f"{name} = {value}"
        if where is None:
            lines += [f"[{section}]", new]
        elif is_field(lines[where], name):
            lines[where] = new
        else:
            lines.insert(where + 1, new)
        path.write_text("\n".join(lines) + "\n")

    # ---- processes ----

    def spawn(self, node):
        """Starts a node and returns at once."""
        if self.alive(node):
            raise Failed(f"node {node} runs already")
        with open(self.node_dir(node) / "log", "ab") as log:
            self.processes[node] = subprocess.Popen(
                [self.bin / self.programs.get(node, "sluiced"), "--config", self.node_dir(node) / "sluiced.conf"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)

    def start(self, *nodes):
        """Starts nodes (none named: all) and waits until each of them orders."""
        nodes = nodes or range(self.nodes)
        for node in nodes:
            self.spawn(node)
        self.wait_ordering(*nodes)

    def alive(self, node):
        process = self.processes[node]
        return process is not None and process.poll() is None

    def kill(self, node):
        self.processes[node].kill()
        self.processes[node].wait()

    def kill_all(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def stop(self, node):
        """SIGTERM; the node must end by itself, with exit code 0."""
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

    def check_alive(self):
        for node in range(self.nodes):
            if not self.alive(node):
                raise Failed(f"node {node} is gone")

    # ---- asking ----

    def run(self, *args, stdin=None, timeout=60, check=True):
        """Runs `sluice ARGS`; Failed on a non-zero exit when `check`. Returns the completed process."""
        done = subprocess.run([self.bin / "sluice", *map(str, args)], input=stdin, text=True,
                              stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, timeout=timeout)
        if check and done.returncode != 0:
            raise Failed(f"sluice {' '.join(map(str, args))[:300]}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def status(self, node):
        """What `sluice status` says; None when the node does not answer."""
        try:
            done = self.run("status", "--node", self.url(node), timeout=10, check=False)
        except subprocess.TimeoutExpired:
            return None
        return json.loads(done.stdout) if done.returncode == 0 else None

    def height(self, node):
        status = self.status(node)
        return status["height"] if status else 0

    def wait_height(self, node, height, seconds=ORDER_S):
        def reached():
            if self.processes[node].poll() is not None:
                raise Failed(f"node {node} ended with {self.processes[node].returncode}")
            return self.height(node) >= height
        wait_until(reached, seconds, f"node {node} at height {height}")

    def wait_ordering(self, *nodes):
        """Until each named node (none: all) has delivered a new height."""
        nodes = nodes or range(self.nodes)
        for node in nodes:
            self.wait_height(node, 0)
        heights = {node: self.height(node) for node in nodes}
        for node in nodes:
            self.wait_height(node, heights[node] + 1)

    def metrics(self, node):
        """/metrics as {name with labels: value}."""
        url = f"http://127.0.0.1:{self.peer_port(node) + 2}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}

    def resident_bytes(self, node):
        with open(f"/proc/{self.processes[node].pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_field(line, name):
    return line.split("=")[0].strip() == name and "=" in line
