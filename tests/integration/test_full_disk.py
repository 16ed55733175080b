#!/usr/bin/env python3
"""No room on a node's disk: it stops with one line that says so and where, the others go on, and nothing accepted is
lost. Given room, it is what it was."""
import random

import scenario
import damage
from cluster import Failed, wait_until
from load import Load
from processes import Processes

VICTIM = 3
DISK = 64 << 20
FAILED, REFUSED = 1, 2      # exit codes of sluiced
STOPS_S = 60
BULK = 9                    # the rollup of what uses up the room that RocksDB has taken in advance, ...
PIECES, PIECE_BYTES = 30, 100_000
PUSHES = 20                 # ... at most 60 MB of it: the disk does not have so much


def complaints(cluster, since):
    """What node VICTIM's log says from byte `since` on of what is wrong."""
    log = (cluster.node_dir(VICTIM) / "log").read_text(errors="replace")[since:]
    return [line for line in log.splitlines() if "level=info" not in line]


def use_up(cluster):
    """Writes until the node has no room. The load alone would do it, too, in a time that depends on the machine."""
    for _ in range(PUSHES):
        if not cluster.alive(VICTIM):
            return
        bulk = "".join(f"0x{random.randbytes(PIECE_BYTES).hex()}\n" for _ in range(PIECES))
        cluster.run("submit", "--node", cluster.url(1), "--rollup", BULK, "--hex", "-", "--wait", stdin=bulk)


def ends(cluster, code):
    """Called before what makes it end; returns what waits for that: by itself, with `code`, after one line about it."""
    log = cluster.node_dir(VICTIM) / "log"
    since = log.stat().st_size if log.exists() else 0

    def ended():
        wait_until(lambda: not cluster.alive(VICTIM), STOPS_S, f"node {VICTIM} stops for want of room")
        said = complaints(cluster, since)
        if cluster.exit_code(VICTIM) != code or len(said) != 1:
            raise Failed(f"exit {cluster.exit_code(VICTIM)} with no room, saying {said}")
        if "No space left" not in said[0] or str(cluster.data_dir(VICTIM)) not in said[0]:
            raise Failed(f"not a clear line: {said[0]}")
        print(f"  {said[0][-200:]}")
    return ended


def scenario_under_load(bin_dir):
    with Processes(bin_dir) as cluster:
        try:
            cluster.start()
            cluster.stop(VICTIM)
            print("  " + damage.small_disk(cluster.node_dir(VICTIM), DISK))
            cluster.start(VICTIM)
            load = Load(cluster)
            load.wait_ordered(100)
            ended = ends(cluster, FAILED)
            print("  " + damage.fill(cluster.node_dir(VICTIM)))
            use_up(cluster)
            ended()
            load.wait_ordered(100)
            ended = ends(cluster, REFUSED)
            cluster.spawn(VICTIM)
            ended()
            load.wait_ordered(50)
            damage.make_room(cluster.node_dir(VICTIM))
            cluster.start(VICTIM)
            cluster.kill(0)     # without it, the quorum needs the node whose disk was full
            load.wait_ordered(100)
            cluster.start(0)
            load.finish(foreign=[BULK])
            cluster.stop(VICTIM)
            damage.unmount(cluster.node_dir(VICTIM))
            cluster.start(VICTIM)
        finally:
            cluster.close()
            damage.unmount_own()


def scenario_at_the_first_start(bin_dir):
    with Processes(bin_dir) as cluster:
        try:
            damage.small_disk(cluster.node_dir(VICTIM), DISK)
            damage.fill(cluster.node_dir(VICTIM))
            cluster.start(0, 1, 2)
            ended = ends(cluster, REFUSED)
            cluster.spawn(VICTIM)
            ended()
            damage.make_room(cluster.node_dir(VICTIM))
            cluster.start(VICTIM)
            cluster.wait_status(VICTIM, lambda status: status["rejoining"] is False, what="is at its first start still")
        finally:
            cluster.close()
            damage.unmount_own()


if __name__ == "__main__":
    scenario.main(globals())
