#!/usr/bin/env python3
"""Which key a sealed transaction is for: none yet is said; with a node away there is one of a lower threshold, of
which the client warns, and what was sealed to it stays readable when a better one has come."""
import scenario
from cluster import Failed
from processes import Processes
from load import ROLLUP
from sealing import check_all, openings, seal, wait_opened
from test_keygen import wait_key

UNLOCK_S = 8


def scenario_no_key_yet(bin_dir):
    """One node of four has no blocks, so there is no key."""
    with Processes(bin_dir) as cluster:
        cluster.spawn(0)
        cluster.wait_status(0)
        done = cluster.run("submit", "--sealed", "--node", cluster.url(0), "--rollup", ROLLUP, "--hex", "-", "--genesis",
                           cluster.dir / "genesis.json", stdin="0x00\n", check=False)
        if done.returncode != 2 or "the committee has no key yet" not in done.stderr or '"no_key"' not in done.stdout:
            raise Failed(f"exit {done.returncode}: {done.stdout}{done.stderr}")


def warns(cluster, node):
    """Whether the client warns of the key; the unlock is beyond the horizon, so that nothing is sealed to it."""
    done = cluster.run("submit", "--sealed", "--node", cluster.url(node), "--rollup", ROLLUP, "--hex", "-", "--genesis",
                       cluster.dir / "genesis.json", "--unlock-in", 10 ** 9, stdin="0x77\n", check=False)
    if "beyond the horizon" not in done.stderr:
        raise Failed(f"sealed for thirty years: {done.stdout}{done.stderr}")
    return "made with a node away: 2 nodes" in done.stderr


def scenario_two_keys(bin_dir):
    """All of it on nodes that start anew, too."""
    with Processes(bin_dir, params={"keygen_window_ms": 2000, "keygen_retry_ms": 5000}) as cluster:
        cluster.start(0, 1, 2)
        first = wait_key(cluster, range(3), 2, 60)
        if not warns(cluster, 0):
            raise Failed("nobody said that the key is a weaker one")
        journal = seal(cluster, 0, 4)[0] + seal(cluster, 1, 4, "--unlock-in", UNLOCK_S)[0]
        cluster.start(3)
        newest = wait_key(cluster, range(4), 3, 90)
        if warns(cluster, 0):
            raise Failed("the better key is called a weaker one")
        journal += seal(cluster, 3, 4)[0]
        cluster.kill_all()
        cluster.start()
        top = wait_opened(cluster, journal)
        for node in range(4):
            cluster.wait_height(node, top)
        history = check_all(cluster, journal, top)
        keys = {entry["key_id"] for _, entry in openings(history).values()}
        if keys != {first["key_id"], newest["key_id"]}:
            raise Failed(f"opened under {keys}, not {first['key_id']} and {newest['key_id']}")


if __name__ == "__main__":
    scenario.main(globals())
