"""A cluster of Sluice nodes as tests see it, whatever its nodes run in: its files, its nodes' lives, and what they
answer. `Processes` and `Containers` are the two kinds."""
import abc
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.request

# Long enough for a busy machine with sanitizers: who waits this long stands still.
ORDER_S = 60     # longest wait for a node to order
STOP_S = 40      # longest wait for a node to end after SIGTERM
RUN_S = 90       # longest wait for a command, which gives up by itself after a minute
HOME = "sluice-" # what clusters' directories are called, before the pid of whoever made them


class Failed(Exception):
    """The scenario did not go as it must; the text says how."""


def wait_until(condition, seconds, what):
    """Polls `condition` until it is true and returns its value; Failed when it is not after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline  # looked at before: all of this may be paused in between
        value = condition()
        if value:
            return value
        if late:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class Cluster(abc.ABC):
    """Leaving it by `with` ends its nodes and removes its files, after showing the ends of their logs on a failure."""

    here = True     # nodes use this machine's programs and libraries

    def __init__(self, nodes):
        self.nodes = nodes
        self.links = None           # Links, where they can be hurt
        self.environments = {}      # {node: {name: value}} from its next start on
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"{HOME}{os.getpid()}-"))
        self.dir = self.home / "cluster"        # as deploy/cluster lays it out

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure and issubclass(failure, Exception):      # not when somebody ended it
            for node in range(self.nodes):
                print(f"---- the end of node {node}'s log\n{self.log_tail(node)}")
        self.close()
        shutil.rmtree(self.home, ignore_errors=True)

    # ---- what each kind does in its way ----

    @abc.abstractmethod
    def close(self):
        """Ends every node at once."""

    @abc.abstractmethod
    def client(self, *args):
        """The command line of `sluice ARGS`, where it reaches url(node) and the files below."""

    @abc.abstractmethod
    def url(self, node):
        """Where clients reach a node."""

    @abc.abstractmethod
    def http_address(self, node):
        """HOST:PORT of its HTTP, from here."""

    @property
    @abc.abstractmethod
    def clients_host(self):
        """The host that client() comes from, as nodes see it."""

    @abc.abstractmethod
    def client_address(self, node):
        """(HOST, PORT) where it listens for clients, from here."""

    @abc.abstractmethod
    def peer_address(self, node):
        """(HOST, PORT) where it listens for other nodes, from here."""

    @abc.abstractmethod
    def spawn(self, node):
        """Starts a node and returns at once."""

    @abc.abstractmethod
    def exit_code(self, node):
        """None while it runs, or before its first start."""

    @abc.abstractmethod
    def alive(self, node):
        """Whether it runs (a paused one does)."""

    @abc.abstractmethod
    def kill(self, *nodes):
        """SIGKILL to all of them at once; returns when they are gone."""

    @abc.abstractmethod
    def stop(self, node):
        """SIGTERM; the node must end by itself, with exit code 0."""

    @abc.abstractmethod
    def pause(self, node):
        """It stands still, with its connections open."""

    @abc.abstractmethod
    def resume(self, node):
        """It goes on."""

    # ---- files ----

    @property
    def genesis(self):
        """The genesis file, as client() finds it."""
        return self.dir / "genesis.json"

    def node_dir(self, node):
        return self.dir / f"node-{node}"

    def data_dir(self, node):
        """A node's data, as client() finds it."""
        return self.node_dir(node) / "data"

    def log_tail(self, node, lines=15):
        """The last lines of its log."""
        log = self.node_dir(node) / "log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def parameters(self):
        return json.loads((self.dir / "genesis.json").read_text())["parameters"]

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

    # ---- nodes ----

    def start(self, *nodes):
        """Starts nodes (none named: all) and waits until each of them orders."""
        nodes = nodes or range(self.nodes)
        for node in nodes:
            self.spawn(node)
        self.wait_ordering(*nodes)

    def kill_all(self):
        self.kill(*range(self.nodes))

    def check_alive(self):
        for node in range(self.nodes):
            if not self.alive(node):
                raise Failed(f"node {node} is gone")

    # ---- asking ----

    def run(self, *args, stdin=None, timeout=RUN_S, check=True):
        """Runs `sluice ARGS`; Failed on a non-zero exit when `check`. Returns the completed process."""
        done = subprocess.run(self.client(*args), input=stdin, text=True,
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

    def wait_status(self, node, wanted=lambda status: True, seconds=ORDER_S, what="answers"):
        """What it says, once it answers and that is as `wanted`."""
        def answer():
            if not self.alive(node):
                raise Failed(f"node {node} ended with {self.exit_code(node)}")
            status = self.status(node)
            return status if status and wanted(status) else None
        return wait_until(answer, seconds, f"node {node} {what}")

    def wait_height(self, node, height, seconds=ORDER_S):
        self.wait_status(node, lambda status: status["height"] >= height, seconds, f"is at height {height}")

    def wait_ordering(self, *nodes):
        """Until each named node (none: all) has delivered a new height."""
        nodes = nodes or range(self.nodes)
        heights = {node: self.wait_status(node)["height"] for node in nodes}
        for node in nodes:
            self.wait_height(node, heights[node] + 1)

    @contextlib.contextmanager
    def paused(self, *nodes):
        """These stand still meanwhile. With more than f of them nothing more is ordered, and the others answer."""
        try:
            for node in nodes:
                self.pause(node)
            yield
        finally:
            for node in nodes:
                self.resume(node)

    def metrics(self, node, timeout=10):
        """/metrics as {name with labels: value}. OSError when it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.http_address(node)}/metrics", timeout=timeout) as answer:
                lines = answer.read().decode().splitlines()
        except http.client.HTTPException as cut:    # it died while it spoke
            raise ConnectionError(str(cut)) from cut
        return {name: float(value) for name, value in
                (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))}


def sweep():
    """Removes the directories of clusters whose makers are no more."""
    for home in pathlib.Path(tempfile.gettempdir()).glob(f"{HOME}*-*"):
        pid = home.name.removeprefix(HOME).split("-")[0]
        if pid.isdigit() and not pathlib.Path(f"/proc/{pid}").exists():
            shutil.rmtree(home, ignore_errors=True)


def is_field(line, name):
    return line.split("=")[0].strip() == name and "=" in line
