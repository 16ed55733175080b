#!/usr/bin/env python3
"""One of four real nodes deviates, in each way that byzantine/behaviour.h knows, under load: the honest
ones go on, agree, and order everything that they accepted. And sluiced itself holds none of it."""
import threading
import time

import scenario
from cluster import ORDER_S, Failed, wait_until
from processes import Processes
from load import ROLLUP, Load, Submitter
from test_config import refuses

LIAR = 3
HONEST = [0, 1, 2]
LIARS_ROLLUP = ROLLUP + 1   # what clients submit to the liar: it may refuse or lose it
PERIOD_S = 1.0              # of one behaviour, at least
GAP_MAX_S = 20.0            # without a new height: f+1 views of timer_cap_ms, and as much for a busy machine

# refuse_forced has test_censor.py. What ends in evidence comes last: the slashed one has no turns as leader, and its
# lane is no longer acked; so of those that need either, each has a cluster of its own.
BEHAVIOURS = [("refuse_rollup", ROLLUP), ("refuse_client", "127.0.0.1"), ("worst_quorum", "yes"),
              ("silent_leader", "yes"), ("delay_ms", 300), ("certificates_to_leader", "yes"),
              ("garbage_answers", "yes"), ("stale_answers", "yes"), ("equivocate_batches", "yes"),
              ("vote_twice", "yes")]


class Pulse(threading.Thread):
    """The longest time for which an honest node delivered nothing."""

    def __init__(self, cluster, node):
        super().__init__(daemon=True)
        self.cluster, self.node, self.longest_s = cluster, node, 0
        self.stopping = False
        self.start()

    def run(self):
        height, since = 0, time.monotonic()
        while not self.stopping:
            now = self.cluster.height(self.node)
            self.longest_s = max(self.longest_s, time.monotonic() - since)
            if now > height:
                height, since = now, time.monotonic()
            time.sleep(0.2)

    def stop(self):
        self.stopping = True
        self.join()
        return self.longest_s


def become(cluster, behaviours):
    """Restarts the liar with these behaviours and no others."""
    conf = cluster.node_dir(LIAR) / "sluiced.conf"
    conf.write_text(conf.read_text().split("[byzantine]")[0]
                    + "".join(["[byzantine]\n"] + [f"{name} = {value}\n" for name, value in behaviours]))
    if cluster.alive(LIAR):
        cluster.stop(LIAR)
    (cluster.node_dir(LIAR) / "log").write_text("")
    cluster.spawn(LIAR)


def deviated(cluster, name):
    return f"event=deviates behaviour={name}" in cluster.log_tail(LIAR, 10_000)


def is_caught(cluster):
    """Whether it is slashed already: what it signed in its life before, and signs otherwise in this one, may be
    evidence, too; then nobody acks its lane any more, and it has no turns."""
    status = cluster.status(HONEST[1])
    return status is not None and LIAR in status["inbox"]["slashed"]


def be_asked(cluster, load, name):
    """A node that was away asks for what it lacks, but whom it asks is drawn: it is away until it was the liar, which
    votes in its place."""
    for _ in range(10):
        cluster.wait_ordering(LIAR)
        cluster.kill(0)
        load.wait_ordered(50)
        cluster.start(0)
        if deviated(cluster, name):
            break


def live_with(cluster, load, name, value):
    become(cluster, [(name, value)])
    started = time.monotonic()
    if name in ("garbage_answers", "stale_answers"):
        be_asked(cluster, load, name)
    wait_until(lambda: deviated(cluster, name) or is_caught(cluster), ORDER_S, f"the liar does what it is for: {name}")
    load.wait_ordered(100)
    time.sleep(max(0, started + PERIOD_S - time.monotonic()))
    if not cluster.alive(LIAR):
        raise Failed(f"the liar is gone: {name}")
    print(f"  {name}: {time.monotonic() - started:.1f} s", flush=True)


def endure(bin_dir, behaviours):
    with Processes(bin_dir, programs={LIAR: "sluiced_byzantine"}) as cluster:
        cluster.start()
        load = Load(cluster, nodes=HONEST, readers=HONEST)
        tempter = Submitter(cluster, LIAR, LIARS_ROLLUP)
        pulse = Pulse(cluster, 1)
        for name, value in behaviours:
            live_with(cluster, load, name, value)
        become(cluster, [(name, value) for name, value in behaviours if name != "silent_leader"])
        load.wait_ordered(100)
        longest_s = pulse.stop()
        tempter.stopping.set()
        print(f"an honest node delivered nothing for at most {longest_s:.1f} s")
        if longest_s > GAP_MAX_S:
            raise Failed(f"no new height for {longest_s:.1f} s")
        load.finish(foreign=[LIARS_ROLLUP])


def scenario_every_behaviour(bin_dir):
    endure(bin_dir, BEHAVIOURS)


def scenario_two_proposals(bin_dir):
    endure(bin_dir, [("equivocate_proposals", "yes")])


def scenario_not_in_sluiced(bin_dir):
    """The honest program refuses the section and does not even know the words."""
    words = [b"slu_deviant_step", b"equivocate_batches", b"[byzantine]"]
    with Processes(bin_dir, nodes=1) as cluster:
        conf = cluster.node_dir(0) / "sluiced.conf"
        conf.write_text(conf.read_text() + "[byzantine]\nvote_twice = yes\n")
        refuses(cluster, 0, "sluiced.conf", "[byzantine]", "no such section")
        honest, liar = ((cluster.bin / name).read_bytes() for name in ("sluiced", "sluiced_byzantine"))
        if any(word in honest for word in words):
            raise Failed("sluiced holds something that deviates")
        if not all(word in liar for word in words[:2]):
            raise Failed("these words show nothing: sluiced_byzantine does not hold them either")


if __name__ == "__main__":
    scenario.main(globals())
