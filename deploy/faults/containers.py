"""A cluster whose nodes are the services of deploy/docker-compose.yml, as docker-compose.yml here changes them.

    Containers.prepare()                    an engine and the images, once; says what it waits for
    with Containers(nodes=4) as cluster:    a project and a private network of its own
        cluster.start()
        cluster.upgrade(2)                  what only containers can: also unplug, plug, limit_memory

Compose makes the containers; what then happens to them is left to the quicker docker command. `sluice` runs in a
container `client`. The cluster's files are on this machine, where nodes and client see them, too. What a run that was
killed left behind, the next prepare() removes."""
import http.client
import itertools
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys

from cluster import STOP_S, Cluster, Failed, wait_until
from links import Links, every_pair

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROJECT = "sluice-faults"
IMAGE, NEXT = f"{PROJECT}:one", f"{PROJECT}:next"
NEXT_VERSION = "0.1.1"          # that nodes of the other image say
COMMAND_S = 120                 # longest wait for a docker command
SILENT_S = 5                    # that prepare() says nothing
NODES_MAX = 7                   # of docker-compose.yml
PEERS, CLIENTS, HTTP = 7600, 7601, 7602
FIRST_NODE, RELAY, CLIENT = 10, 9, 8    # last numbers of their addresses
CONTROL, FIRST_PAIR = 7590, 7700        # the relay's ports
NETWORKS = 8                    # that are tried
RELAY_S = 60
ASK_S = 2
MEMORY_USED = ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"]     # cgroup 2, 1
UNLIMITED = "1t"                # memory cannot be had back without any limit
GROWTH = 256 << 10              # bytes a node gets beside what it uses, where it uses more than its limit already

serial = itertools.count(1)


class Containers(Cluster):
    here = False

    def __init__(self, nodes=4, params=None, programs=None, links=False):
        """`programs`: {node: program}, of those that do not run sluiced. `links`: all links go through a relay."""
        super().__init__(nodes)
        if nodes > NODES_MAX:
            raise Failed(f"{nodes} nodes: deploy/faults/docker-compose.yml has {NODES_MAX}")
        self.programs = programs or {}
        self.image = IMAGE
        self.processes = [None] * nodes     # `docker start --attach`, which ends as the node does
        self.project = f"{PROJECT}-{os.getpid()}-{next(serial)}"
        try:
            self.make(params or {}, links)
        except BaseException:
            self.close()
            shutil.rmtree(self.home, ignore_errors=True)
            raise

    @classmethod
    def of(cls, scenario):
        """The cluster that a scenario wants."""
        return cls(scenario.nodes, scenario.genesis, {node: "sluiced_byzantine" for node in scenario.byzantine},
                   links="links" in scenario.needs)

    @staticmethod
    def prepare():
        """Sees to an engine and to the images. Ends the program with exit code 2 where there can be none."""
        compiled, node = f"{PROJECT}:compiled", f"{PROJECT}:node"
        steps = [("an engine", [ROOT / "deploy" / "docker-engine"]),
                 ("the image to build on", [ROOT / "deploy" / "base-image"]),
                 ("the programs", build("deploy/Dockerfile", compiled, "--target", "compiled"))]
        for image, version in [(IMAGE, ""), (NEXT, NEXT_VERSION)]:
            steps += [(f"the image {image}", command) for command in (
                build("deploy/Dockerfile", node, "--build-arg", f"SLUICE_VERSION={version}"),
                build("deploy/faults/Dockerfile", image, "--build-arg", f"COMPILED={compiled}",
                      "--build-arg", f"RUNTIME={node}"))]
        for what, command in steps:
            code, said = patiently(what, command)
            if code != 0:
                print(f"{said[-3000:]}\nfaults: no containers: {what} cannot be had", file=sys.stderr)
                sys.exit(2)
        sweep()

    # ---- making and removing ----

    def make(self, params, links):
        for node in range(self.nodes):
            self.node_dir(node).mkdir(parents=True)
        services = [*(f"node-{node}" for node in range(self.nodes)), "client", *(["relay"] if links else [])]
        for self.net in random_networks():
            pairs = every_pair([self.peer_address(node) for node in range(self.nodes)], FIRST_PAIR)
            self.relay_command = " ".join([f"--listen {self.address(RELAY)} --control {self.address(RELAY)}:{CONTROL}",
                                           *(f"--pair {':'.join(map(str, pair))}" for pair in pairs)])
            done = self.compose("up", "--no-start", "--no-deps", *services)
            if done.returncode == 0:
                break
            if not re.search("overlap|pool", done.stderr, re.IGNORECASE):
                raise Failed(f"docker-compose up: {done.stderr.strip()[-1500:]}")
            self.remove()
        else:
            raise Failed(f"no free private network among {NETWORKS}")
        docker("start", *(self.container(name) for name in services[self.nodes:]))
        self.run("genesis", "--nodes", self.nodes, "--dir", self.dir, "--base-port", PEERS,
                 "--hosts", ",".join(self.address(FIRST_NODE + node) for node in range(self.nodes)),
                 *(word for name, value in params.items() for word in ("--param", f"{name}={value}")))
        if links:
            self.relay(pairs)

    def relay(self, pairs):
        """Has the links between nodes go through the relay, which runs."""
        control = (self.address(RELAY), CONTROL)
        wait_until(lambda: listens(control), RELAY_S, "the relay listens")
        self.links = Links(None, pairs, control, self.address(RELAY))
        for node in range(self.nodes):
            for other, url in self.links.addresses(node).items():
                self.configure(node, "peers", other, url)

    def compose(self, *args):
        """The completed process of a Compose command on this project."""
        settings = {"COMPOSE_PROJECT_NAME": self.project, "SLUICE_RUN": self.project, "SLUICE_IMAGE": self.image,
                    "SLUICE_NET": self.net, "SLUICE_DIR": str(self.dir), "SLUICE_RELAY": self.relay_command,
                    "SLUICE_USER": user(), **{f"SLUICE_PORT_{i}": "" for i in range(4)}}
        return subprocess.run([*compose_command(), "-f", ROOT / "deploy" / "docker-compose.yml",
                               "-f", HERE / "docker-compose.yml", *args], env={**os.environ, **settings},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S)

    def close(self):
        if self.links:
            self.links.close()
        self.remove()
        for process in filter(None, self.processes):
            process.wait()

    def remove(self):
        remove(self.project)

    # ---- places ----

    def container(self, service):
        return f"{self.project}-{service}"

    def node(self, node):
        return self.container(f"node-{node}")

    def address(self, last):
        return f"{self.net}.{last}"

    @property
    def clients_host(self):
        return self.address(CLIENT)

    def client_address(self, node):
        return self.address(FIRST_NODE + node), CLIENTS

    def peer_address(self, node):
        return self.address(FIRST_NODE + node), PEERS

    def url(self, node):
        return "tcp://{}:{}".format(*self.client_address(node))

    def http_address(self, node):
        return f"{self.address(FIRST_NODE + node)}:{HTTP}"

    def client(self, *args):
        if "--data" in args:
            # What was mounted for a node since `client` began is not seen in there.
            return ["docker", "run", "--rm", "-i", "--label", f"com.docker.compose.project={self.project}",
                    "--user", user(), "--network", "none", "--read-only", "--cap-drop", "ALL",
                    "--volume", f"{self.dir}:{self.dir}", "--entrypoint", "sluice", IMAGE, *map(str, args)]
        return ["docker", "exec", "-i", self.container("client"), "sluice", *map(str, args)]

    # ---- nodes ----

    def spawn(self, node):
        if self.alive(node):
            raise Failed(f"node {node} runs already")
        environment = {"SLUICE_PROGRAM": self.programs.get(node, "sluiced"), **self.environments.get(node, {})}
        (self.node_dir(node) / "environment").write_text(
            "".join(f"{name}='{value}'\n" for name, value in environment.items()))
        # In a session of its own: Ctrl-C is for the runner, who then ends it.
        self.processes[node] = subprocess.Popen(
            ["docker", "start", "--attach", self.node(node)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.home / f"start-{node}", "w"), start_new_session=True)

    def exit_code(self, node):
        process = self.processes[node]
        return None if process is None else process.poll()

    def alive(self, node):
        return self.processes[node] is not None and self.exit_code(node) is None

    def kill(self, *nodes):
        running = [self.node(node) for node in nodes if self.alive(node)]
        if running:
            docker("kill", *running, check=False)
        for node in nodes:
            self.processes[node].wait()

    def stop(self, node):
        docker("stop", "-t", STOP_S, self.node(node))
        code = self.processes[node].wait()
        if code != 0:
            raise Failed(f"node {node} stopped with {code}")

    def pause(self, node):
        docker("pause", self.node(node))

    def resume(self, node):
        docker("unpause", self.node(node))

    def height(self, node):
        """As `status` says it, but without a program in a container: this is asked often."""
        try:
            return int(self.metrics(node, timeout=ASK_S)["sluice_height"])
        except (OSError, http.client.HTTPException, KeyError):
            return 0

    # ---- what only containers can ----

    def unplug(self, node):
        """Takes its network away while it runs."""
        docker("network", "disconnect", f"{self.project}_nodes", self.node(node))

    def plug(self, node):
        """Gives it back, with the same address."""
        docker("network", "connect", "--ip", self.address(FIRST_NODE + node), f"{self.project}_nodes", self.node(node))

    def limit_memory(self, node, mib):
        """What it may use from now on, the files that it reads included; when it needs more, the kernel ends it. Where
        it uses more already, hardly more than that. 0: as much as it wants."""
        if mib and not set_memory(self.node(node), f"{mib}m"):
            used = int(docker("exec", self.node(node), "sh", "-c", f"cat {' || cat '.join(MEMORY_USED)}"))
            for spare in (GROWTH, 4 * GROWTH, 16 * GROWTH):
                if set_memory(self.node(node), used + spare):
                    return
            raise Failed(f"the memory of node {node} cannot be limited")
        if not mib:
            set_memory(self.node(node), UNLIMITED)

    def upgrade(self, node):
        """A stopped node goes on, at its next start, in a container of the other image."""
        self.image = NEXT
        docker("rm", "-v", self.node(node))
        done = self.compose("up", "--no-start", "--no-deps", "--no-recreate", f"node-{node}")
        if done.returncode != 0:
            raise Failed(f"docker-compose up: {done.stderr.strip()[-1500:]}")


def patiently(what, command):
    """Exit code and output of a command; says what is waited for when it takes a while."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = process.communicate(timeout=SILENT_S)
    except subprocess.TimeoutExpired:
        print(f"making {what} ...", flush=True)
        said, _ = process.communicate()
    return process.returncode, said


def build(dockerfile, tag, *args):
    return ["docker", "build", "-q", "-f", dockerfile, "-t", tag, *args, "."]


def docker(*args, check=True):
    """What a docker command prints; Failed when it fails, with `check`."""
    done = subprocess.run(["docker", *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=COMMAND_S)
    if check and done.returncode != 0:
        raise Failed(f"docker {' '.join(map(str, args))}: {done.stderr.strip()[-500:]}")
    return done.stdout


def compose_command():
    return ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]


def user():
    """The runner, who owns the files, as containers know users."""
    return f"{os.getuid()}:{os.getgid()}"


def set_memory(container, limit):
    done = subprocess.run(["docker", "update", "--memory", str(limit), "--memory-swap", str(limit), container],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_S)
    return done.returncode == 0


def listens(address):
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


def random_networks():
    """First three numbers of private networks, at random, so that several runs get along."""
    for _ in range(NETWORKS):
        yield f"10.{random.randrange(128, 254)}.{random.randrange(1, 255)}"


def remove(project):
    """Removes all that a project made, running or not."""
    label = f"label=com.docker.compose.project={project}"
    for find, drop in [(["ps", "-aq"], ["rm", "-fv"]), (["network", "ls", "-q"], ["network", "rm"]),
                       (["volume", "ls", "-q"], ["volume", "rm", "-f"])]:
        found = docker(*find, "--filter", label, check=False).split()
        if found:
            docker(*drop, *found, check=False)


def sweep():
    """Removes what runs left that are no more."""
    names = docker("ps", "-a", "--filter", f"name=^{PROJECT}-", "--format", "{{.Names}}").split()
    names += docker("network", "ls", "--filter", f"name=^{PROJECT}-", "--format", "{{.Name}}").split()
    for project, pid in sorted({match.groups() for name in names
                                if (match := re.match(rf"({PROJECT}-(\d+)-\d+)[-_]", name))}):
        if not pathlib.Path(f"/proc/{pid}").exists():
            remove(project)
