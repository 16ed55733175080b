#!/usr/bin/env python3
"""What an operator can get wrong: one clear line that names file and field, exit 2."""
import shutil
import socket
import subprocess

import scenario
from cluster import Cluster, Failed, wait_until


def refuses(cluster, node, *words, code=2):
    """Starts the node, which must end with `code` and a last line that holds all `words`."""
    done = subprocess.run([cluster.bin / "sluiced", "--config", cluster.node_dir(node) / "sluiced.conf"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    last = (done.stderr.strip().splitlines() or [""])[-1]
    missing = [word for word in words if word not in last]
    if done.returncode != code or missing:
        raise Failed(f"exit {done.returncode}, wanted {code} and {missing} in: {done.stderr.strip()[-800:]}")
    print(f"  {last}")


def scenario_port_in_use(bin_dir):
    with Cluster(bin_dir, nodes=2) as cluster:      # a node alone has no port for peers
        for port in (cluster.client_port(0), cluster.peer_port(0), cluster.peer_port(0) + 2):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", port))
                taken.listen()
                refuses(cluster, 0, str(port), "in use")


def scenario_bad_lines(bin_dir):
    with Cluster(bin_dir, nodes=1) as cluster:
        conf = cluster.node_dir(0) / "sluiced.conf"
        good = conf.read_text()
        for line, words in [("[store]\nretention_ms = soon\n", ["retention_ms"]),
                            ("[store]\nretentoin_ms = 5\n", ["retentoin_ms"]),
                            ("what is this\n", [])]:
            conf.write_text(good + line)
            refuses(cluster, 0, "sluiced.conf", *words)
        conf.write_text(good)
        genesis = cluster.dir / "genesis.json"
        genesis.write_text(genesis.read_text().replace('"heartbeat_ms"', '"hartbeat_ms"'))
        refuses(cluster, 0, "genesis.json", "hartbeat_ms")
        genesis.write_text("{")
        refuses(cluster, 0, "genesis.json")
        genesis.unlink()
        refuses(cluster, 0, "genesis.json")


def scenario_key(bin_dir):
    for name in ("node.key", "seal.key"):
        with Cluster(bin_dir, nodes=2) as cluster:
            key = cluster.node_dir(0) / name
            good = key.read_text()
            key.chmod(0o640)
            refuses(cluster, 0, name, "0640")
            key.chmod(0o600)
            key.write_text(good[:-3] + "\n")
            refuses(cluster, 0, name, "64 hex digits")
            shutil.copy(cluster.node_dir(1) / name, key)
            refuses(cluster, 0, name, "of node 0")
            key.unlink()
            refuses(cluster, 0, name, "No such file")
            conf = cluster.node_dir(0) / "sluiced.conf"
            conf.write_text(conf.read_text().replace(f" = {name}\n", " =\n"))
            refuses(cluster, 0, "sluiced.conf", "empty")


def scenario_data_of_another(bin_dir):
    with Cluster(bin_dir, nodes=1) as one, Cluster(bin_dir, nodes=2) as two:
        one.start()
        one.stop(0)
        two.spawn(0)
        wait_until(lambda: two.status(0), 20, "a node alone answers")
        refuses(two, 0, "data")                      # in use by the one that runs
        two.stop(0)
        refuses_data(two, 1, two.node_dir(0), "node")
        refuses_data(two, 0, one.node_dir(0), "chain")


def refuses_data(cluster, node, home, word):
    cluster.configure(node, "node", "data", home / "data")
    refuses(cluster, node, str(home / "data"), word)


if __name__ == "__main__":
    scenario.main(globals())
