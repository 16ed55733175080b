"""What each word of a scenario does to a cluster, and the account of it: which faults there were, from when until when,
and whether order was possible meanwhile."""
import datetime
import itertools
import json
import re
import time

import damage
from cluster import Failed, wait_until
from hostile import Hostile
from plan import ALL, LEADER, SAME

AWAIT_S = 120       # longest wait for a node to be back in step
CLOCK_S = 300       # how old the last word of a log may be, that tells what its node takes for the time
HARMED = 20         # connections that a hostile client must at least make ...
HARMED_S = 60       # ... by then
IN_STEP = 8         # heights behind the others at most
ENDED_S = 180       # longest wait for a node to end by itself
EVIDENCE_S = 60     # longest wait for what is provable to be in evidence
BACK = {"kill", "stop", "end", "wipe", "memory", "damage"}      # faults that end with a start
CUTS = {"partition", "one_way", "isolate", "shape"}             # faults that end with a heal
AWAY = (BACK | CUTS | {"pause", "unplug"}) - {"shape"}          # what a node has may come late into the stream


class Stage:
    """A cluster on which steps are performed. `faults` is the account, as the report has it."""

    def __init__(self, cluster, scenario, clock, links=None):
        self.cluster, self.scenario, self.clock, self.links = cluster, scenario, clock, links
        self.faults, self.hostiles = [], []
        self.down, self.paused, self.apart = set(), set(), set()
        self.now = ""       # what is done at this moment, for the table
        self.named = []     # the nodes of the last step that named some
        self.offsets = {}   # {node: s}, of wrong clocks
        self.awaited = 0    # faults that an await is behind
        self.longest_s = 0  # from a fault on until all that were awaited were back in step

    # ---- the account ----

    def begin(self, kind, what, nodes):
        self.faults.append({"at": self.clock(), "until": None, "what": what, "kind": kind, "nodes": sorted(nodes),
                            "stops": False, "stopped_ms": None, "can_again": None})

    def end(self, kinds, nodes=None):
        for fault in self.faults:
            if fault["until"] is None and fault["kind"] in kinds and (nodes is None or set(fault["nodes"]) <= set(nodes)):
                fault["until"] = self.clock()

    def quorum_meets(self):
        """Whether n - f nodes run that reach one another."""
        n = self.cluster.nodes
        well = [node for node in range(n) if node not in self.down | self.paused]
        quorum = n - (n - 1) // 3
        return any(all((i, j) not in self.apart and (j, i) not in self.apart
                       for i, j in itertools.combinations(group, 2))
                   for group in itertools.combinations(well, quorum))

    def perform(self, step):
        args = dict(step.args)
        if "nodes" in args:
            self.named = args["nodes"] = self.resolve(args["nodes"])
        self.now = str(step)
        if step.do != "ended":
            self.check_alive()
        count, could, begun = len(self.faults), self.quorum_meets(), self.clock()
        getattr(self, f"do_{step.do}")(**{name + "_" if name == "from" else name: value for name, value in args.items()})
        can = self.quorum_meets()
        if could and not can:
            for fault in self.faults[count:]:
                fault.update(stops=True, stopped_ms=1000 * time.time())     # by now, and on the nodes' own clock
        if can:     # while the step is done already, not when this program gets its turn again
            for fault in self.faults:
                if fault["stops"] and fault["can_again"] is None:
                    fault["can_again"] = begun

    def resolve(self, nodes):
        return ([self.leader()] if nodes == LEADER else self.named if nodes == SAME
                else list(range(self.cluster.nodes)) if nodes == ALL else nodes)

    def leader(self):
        """Who leads the next view (docs/PROTOCOL.md clause 4.1): the nodes take turns."""
        for node in range(self.cluster.nodes):
            if node not in self.down | self.paused:
                return (int(self.cluster.metrics(node)["sluice_view"]) + 1) % self.cluster.nodes
        raise Failed("no node is there to say who leads")

    def check_alive(self):
        """Nobody ends unseen: a crash before a `kill` would else be taken for it."""
        for node in self.well():
            if not self.cluster.alive(node):
                raise Failed(f"node {node} ended by itself, with {self.cluster.exit_code(node)}: "
                             f"{self.cluster.log_tail(node, 3)}")

    # ---- nodes ----

    def do_kill(self, nodes):
        self.begin("kill", f"kill -9 node {words(nodes)}", nodes)
        self.cluster.kill(*nodes)
        self.down |= set(nodes)

    def do_stop(self, nodes):
        self.begin("stop", f"stop node {words(nodes)}", nodes)
        for node in nodes:
            self.cluster.stop(node)
        self.down |= set(nodes)

    def do_start(self, nodes):
        for node in nodes:
            self.cluster.spawn(node)
        self.down -= set(nodes)
        self.end(BACK, nodes)

    def do_await(self, nodes):
        """Until each is back: it orders, votes, has caught up, and is linked with all others, so that the next fault is
        one by itself."""
        for node in nodes:
            if node not in self.well():
                raise Failed(f"node {node} cannot be awaited: it is not there")
            wait_until(lambda n=node: self.in_step(n), AWAIT_S, f"node {node} is back in step")
            self.check_clock(node)
        self.longest_s = max([self.longest_s] + [self.clock() - fault["at"] for fault in self.faults[self.awaited:]
                                                 if fault["until"] is not None and fault["kind"] in AWAY])
        self.awaited = len(self.faults)

    def in_step(self, node):
        self.check_alive()
        everyone = [each for each in self.well() if each != node]
        try:    # itself last: while one asks, the others go on
            said = {each: self.cluster.metrics(each, timeout=1) for each in [*everyone, node]}
        except OSError:
            return False
        mine = said[node]
        others = [each for each in everyone if (node, each) not in self.apart and (each, node) not in self.apart]
        if any(mine[f'sluice_peer_connected{{peer="{each}"}}'] != 1 for each in others):
            return False
        return (mine["sluice_ordering"] == 1 and mine["sluice_rejoining"] == 0
                and max(m["sluice_height"] for m in said.values()) - mine["sluice_height"] <= IN_STEP)

    def check_clock(self, node):
        """Whether it really believes the time that it was given: its log tells."""
        offset_s = self.offsets.get(node, 0)
        if not offset_s:
            return
        stamps = re.findall(r"^ts=(\S+)", self.cluster.log_tail(node), re.MULTILINE)
        believed = datetime.datetime.fromisoformat(stamps[-1])
        off_s = (believed - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        if abs(off_s - offset_s) > CLOCK_S:
            raise Failed(f"the clock of node {node} is off by {off_s:.0f} s, not by {offset_s}")

    def well(self):
        return [node for node in range(self.cluster.nodes) if node not in self.down | self.paused]

    def do_pause(self, nodes):
        self.begin("pause", f"pause node {words(nodes)}", nodes)
        for node in nodes:
            self.cluster.pause(node)
        self.paused |= set(nodes)

    def do_resume(self, nodes):
        for node in nodes:
            self.cluster.resume(node)
        self.paused -= set(nodes)
        self.end({"pause"}, nodes)

    def do_ended(self, nodes, code=None, said=None):
        """Each of them has ended by itself, or does so now."""
        for node in nodes:
            wait_until(lambda n=node: not self.cluster.alive(n), ENDED_S, f"node {node} ends")
            if code is not None and self.cluster.exit_code(node) != code:
                raise Failed(f"node {node} ended with {self.cluster.exit_code(node)}, not {code}")
            last = self.cluster.log_tail(node, 3)
            if said is not None and said not in last:
                raise Failed(f"node {node} does not say \"{said}\" at its end: {last}")
            self.down.add(node)
            self.begin("end", f"node {node} ended by itself", [node])

    def do_upgrade(self, nodes):
        for node in nodes:
            self.begin("stop", f"upgrade node {node}", [node])
            self.cluster.stop(node)
            self.down.add(node)
            self.cluster.upgrade(node)
            self.do_start([node])

    def do_behave(self, nodes, behaviour, value="yes"):
        """From now on, after a restart, it deviates so and in no other way (byzantine/behaviour.h); none: honest. The
        value `clients` is the host that clients come from."""
        value = self.cluster.clients_host if value == "clients" else value
        self.end({"byzantine"}, nodes)
        for node in nodes:
            path = self.cluster.node_dir(node) / "sluiced.conf"
            deviates = [] if behaviour == "none" else ["[byzantine]\n", f"{behaviour} = {value}\n"]
            path.write_text("".join([path.read_text().split("[byzantine]")[0], *deviates]))
            self.cluster.stop(node)
            self.cluster.spawn(node)
            wait_until(lambda n=node: self.answers(n), AWAIT_S, f"node {node} answers")
        if behaviour != "none":
            self.begin("byzantine", f"node {words(nodes)}: {behaviour.replace('_', ' ')}", nodes)

    def answers(self, node):
        self.check_alive()
        try:
            return self.cluster.metrics(node, timeout=1)
        except OSError:
            return None

    # ---- links ----

    def do_partition(self, groups):
        self.begin("partition", "partition " + " | ".join(words(group) for group in groups), min(groups, key=len))
        self.links.partition(groups)
        rest = [node for node in range(self.cluster.nodes) if node not in itertools.chain(*groups)]
        self.apart.clear()
        for one, other in itertools.permutations([*groups, rest], 2):
            self.apart |= set(itertools.product(one, other))

    def do_one_way(self, from_, to):
        self.begin("one_way", f"nothing from {from_} to {to}", [from_])
        self.links.one_way(from_, to)
        self.apart.add((from_, to))

    def do_isolate(self, nodes):
        self.begin("isolate", f"isolate node {words(nodes)}", nodes)
        for node in nodes:
            self.links.isolate(node)
            for other in range(self.cluster.nodes):
                self.apart |= {(node, other), (other, node)}

    def do_heal(self):
        self.links.heal()
        self.apart.clear()
        self.end(CUTS)

    def do_shape(self, delay_ms=0, jitter_ms=0, loss=0):
        self.end({"shape"})
        self.links.shape(delay_ms, jitter_ms, loss)
        if delay_ms or jitter_ms or loss:
            self.begin("shape", f"{delay_ms} ms ± {jitter_ms}, {loss} % lost", range(self.cluster.nodes))
            self.faults[-1]["beyond_delta"] = loss > 0 or delay_ms + jitter_ms > self.cluster.parameters()["delta_ms"]

    def do_regions(self):
        self.links.regions()
        self.begin("shape", "regions", range(self.cluster.nodes))

    def do_unplug(self, nodes):
        self.begin("unplug", f"unplug node {words(nodes)}", nodes)
        for node in nodes:
            self.cluster.unplug(node)
        self.paused |= set(nodes)

    def do_plug(self, nodes):
        for node in nodes:
            self.cluster.plug(node)
        self.paused -= set(nodes)
        self.end({"unplug"}, nodes)

    # ---- disks, clocks, memory ----

    def do_fill_disk(self, nodes):
        self.begin("disk", f"disk of node {words(nodes)} full", nodes)
        for node in nodes:
            damage.fill(self.cluster.node_dir(node))

    def do_make_room(self, nodes):
        for node in nodes:
            damage.make_room(self.cluster.node_dir(node))
        self.end({"disk"}, nodes)

    def do_flip_bit(self, nodes, file):
        self.begin("damage", f"a bit flipped at node {words(nodes)}, {file}", nodes)
        for node in nodes:
            damage.flip_bit(self.cluster.node_dir(node), file)

    def do_tear(self, nodes):
        self.begin("damage", f"last write of node {words(nodes)} torn", nodes)
        for node in nodes:
            damage.tear(self.cluster.node_dir(node))

    def do_wipe(self, nodes):
        self.begin("wipe", f"data of node {words(nodes)} gone", nodes)
        for node in nodes:
            damage.wipe(self.cluster.node_dir(node))

    def do_clock(self, nodes, offset_s):
        """From its next start on."""
        self.end({"clock"}, nodes)
        self.offsets.update(dict.fromkeys(nodes, offset_s))
        for node in nodes:
            self.cluster.environments[node] = damage.clock(offset_s, here=self.cluster.here) if offset_s else {}
        if offset_s:
            self.begin("clock", f"clock of node {words(nodes)} off by {offset_s:+} s", nodes)

    def do_memory(self, nodes, mib):
        """0: no limit any more."""
        for node in nodes:
            self.cluster.limit_memory(node, mib)
        if mib:
            self.begin("memory", f"node {words(nodes)} gets {mib} MiB", nodes)

    # ---- clients ----

    def do_hostile(self, kind, nodes):
        self.begin("hostile", f"{kind.replace('_', ' ')} at node {words(nodes)}", [])
        self.hostiles += [Hostile(kind, [self.cluster.client_address(node), self.cluster.peer_address(node)])
                          for node in nodes]

    def do_calm(self):
        for hostile in self.hostiles:
            wait_until(lambda h=hostile: not h.is_alive() or h.counts["connections"] + h.counts["handshakes"] >= HARMED,
                       HARMED_S, f"hostile clients harm somebody, {HARMED} times")
        hostiles, self.hostiles = self.hostiles, []
        for hostile in hostiles:
            hostile.stop()
        self.end({"hostile"})

    # ---- evidence ----

    def do_evidence(self, offences):
        """Until every honest node that is there holds evidence of each of these."""
        for node in set(self.well()) - set(self.scenario.byzantine):
            wait_until(lambda n=node: set(offences) <= {found["offence"] for found in self.evidence(n)}, EVIDENCE_S,
                       f"{', '.join(offences)} in evidence at node {node}")

    def evidence(self, node):
        """What a node holds in evidence: [{offence, offender, at}]."""
        def told():
            said = self.cluster.run("evidence", "--node", self.cluster.url(node), check=False)
            return said if said.returncode == 0 else None
        done = wait_until(told, EVIDENCE_S, f"node {node} tells its evidence")
        return [json.loads(line) for line in done.stdout.splitlines()]


def words(nodes):
    return ", ".join(map(str, nodes))
