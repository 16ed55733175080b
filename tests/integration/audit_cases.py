"""Doctored copies of nodes' data, each of which an audit must see through."""
import json
import shutil
import subprocess

from cluster import Failed


def doctor(cluster, node, case, *options):
    """A doctored copy of a node's data: its place, and what an audit must find."""
    copy = cluster.home / "doctored"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(cluster.data_dir(node), copy)
    done = subprocess.run([cluster.bin / "audit_doctor", case, "--data", copy, "--cluster", cluster.dir, *options],
                          capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{case} cannot be doctored: {done.stderr.strip()}")
    return copy, json.loads(done.stdout)


def cases(cluster):
    done = subprocess.run([cluster.bin / "audit_doctor", "list"], capture_output=True, text=True, check=True)
    return done.stdout.split()
