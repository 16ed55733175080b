#!/usr/bin/env python3
"""What an operator can get wrong: one clear line that names file and field, exit 2."""
import json
import shutil
import socket
import subprocess

import scenario
from cluster import Failed, wait_until
from processes import Processes


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
    with Processes(bin_dir, nodes=2) as cluster:      # a node alone has no port for peers
        for port in (cluster.client_port(0), cluster.peer_port(0), cluster.peer_port(0) + 2):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", port))
                taken.listen()
                refuses(cluster, 0, str(port), "in use")


def scenario_bad_lines(bin_dir):
    with Processes(bin_dir, nodes=1) as cluster:
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


def scenario_hosts(bin_dir):
    """A genesis for nodes that are on hosts of their own: the same ports on each, open on all addresses."""
    with Processes(bin_dir, nodes=1) as cluster:
        def genesis(name, nodes, hosts, **how):
            return subprocess.run([cluster.bin / "sluice", "genesis", "--nodes", str(nodes), "--dir", cluster.home / name,
                                   "--base-port", str(cluster.base_port), "--hosts", hosts],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, **how)

        for hosts, word in [("a,b,c", "host 3"), ("a,b,c,d,e", "more hosts"), ("a,,c,d", "host 1"), ("", "host 0"),
                            ("a,b,c," + "d" * 200, "host 3")]:
            done = genesis("refused", 4, hosts)
            if done.returncode != 2 or word not in done.stderr or (cluster.home / "refused").exists():
                raise Failed(f"--hosts '{hosts}': exit {done.returncode}, {done.stderr}")
        genesis("four", 4, "a,b.example,10.1.2.3,d", check=True)
        addresses = [node["address"] for node in json.loads((cluster.home / "four" / "genesis.json").read_text())["nodes"]]
        port = cluster.base_port
        if addresses != [f"tcp://{host}:{port}" for host in ("a", "b.example", "10.1.2.3", "d")]:
            raise Failed(f"addresses: {addresses}")
        genesis("one", 1, "127.0.0.9", check=True)
        node = subprocess.Popen([cluster.bin / "sluiced", "--config", cluster.home / "one" / "node-0" / "sluiced.conf"],
                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for host in ("127.0.0.9", "127.0.0.1"):
                wait_until(lambda: subprocess.run(
                    [cluster.bin / "sluice", "status", "--node", f"tcp://{host}:{port + 1}"],
                    capture_output=True, timeout=10).returncode == 0, 20, f"the node answers on {host}")
        finally:
            node.kill()
            node.wait()


def scenario_key(bin_dir):
    for name in ("node.key", "seal.key"):
        with Processes(bin_dir, nodes=2) as cluster:
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


def keys_command(cluster, command, node, file, *words):
    """`sluice backup-keys` or `restore-keys`, which must go well, or with `words` exit 2 and say them in one line."""
    done = subprocess.run([cluster.bin / "sluice", command, "--config", cluster.node_dir(node) / "sluiced.conf",
                           "--out" if command == "backup-keys" else "--from", file],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    lines = done.stderr.splitlines()
    missing = [word for word in words if word not in (lines or [""])[-1]]
    if done.returncode != (2 if words else 0) or missing or (words and len(lines) != 1):
        raise Failed(f"{command}: exit {done.returncode}, {missing} missing in: {done.stderr.strip()[-800:]}")
    if words:
        print(f"  {lines[-1]}")


def scenario_keys_are_lost_and_restored(bin_dir):
    with Processes(bin_dir, nodes=2) as cluster:
        file = cluster.home / "node-0.keys"
        keys = [cluster.node_dir(0) / name for name in ("node.key", "seal.key")]
        texts = [key.read_text() for key in keys]
        keys_command(cluster, "backup-keys", 0, file)
        if file.stat().st_mode & 0o7777 != 0o600:
            raise Failed(f"mode {file.stat().st_mode:o}")
        keys_command(cluster, "backup-keys", 0, file, "node-0.keys", "File exists")
        for lost in ([0], [1], [0, 1], []):
            for i in lost:
                keys[i].unlink()
            keys_command(cluster, "restore-keys", 0, file)
            if [key.read_text() for key in keys] != texts or any(key.stat().st_mode & 0o7777 != 0o600 for key in keys):
                raise Failed(f"not what was lost: {lost}")
        cluster.start()


def scenario_keys_that_are_not_restored(bin_dir):
    with Processes(bin_dir, nodes=2) as cluster, Processes(bin_dir, nodes=1) as other:
        file, seal_key = cluster.home / "node-0.keys", cluster.node_dir(0) / "seal.key"
        keys_command(cluster, "backup-keys", 0, file)
        keys_command(cluster, "restore-keys", 1, file, "node: the keys of node 0", "of node 1")
        keys_command(other, "restore-keys", 0, file, "chain_id: of another chain")
        good = file.read_text()
        for node_key in (cluster.node_dir(0) / "node.key", seal_key):
            kept = node_key.read_text()
            node_key.write_text("1" * 64 + "\n")
            keys_command(cluster, "restore-keys", 0, file, node_key.name, "another key is there")
            keys_command(cluster, "backup-keys", 0, cluster.home / "wrong.keys", node_key.name, "of node 0")
            node_key.write_text(kept)
        seal_key.unlink()
        file.write_text(good.replace("checksum ", "checksum f"))
        keys_command(cluster, "restore-keys", 0, file, "node-0.keys", "checksum")
        for at in range(0, len(good), 23):            # whatever is damaged
            file.write_text(good[:at] + ("x" if good[at] != "x" else "y") + good[at + 1:])
            keys_command(cluster, "restore-keys", 0, file, "node-0.keys")
        file.write_text(good)
        file.chmod(0o644)
        keys_command(cluster, "restore-keys", 0, file, "node-0.keys", "0644")
        if seal_key.exists() or (cluster.home / "wrong.keys").exists():
            raise Failed("something was written")


def scenario_data_of_another(bin_dir):
    with Processes(bin_dir, nodes=1) as one, Processes(bin_dir, nodes=2) as two:
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
