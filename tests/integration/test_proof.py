#!/usr/bin/env python3
"""Proofs to hand on: of transactions of every kind one node's proof is taken to an empty folder, where with nothing but
the genesis `sluice verify` and an implementation of its own (tests/independent) find the same; any byte changed, both
refuse it."""
import json
import pathlib
import random
import shutil
import subprocess
import sys

import scenario
from cluster import ORDER_S, Failed, wait_until
from load import Load
from processes import Processes
from sealing import FORCED, sealed, start

sys.path.append(str(pathlib.Path(__file__).parents[1] / "independent"))
from sluice import Genesis, Proof, Wrong    # noqa: E402, it is in the folder above

ROLLUP = 7
FAR = 60            # heights, of a timelock; a minute when nothing is submitted
BYTES = 256         # of payloads
DOCTORED = 40       # bytes of a proof, spread over it; each is changed


def submit(cluster, node, *options):
    """One transaction: its row, ordered."""
    payload = "0x" + random.randbytes(BYTES).hex()
    done = cluster.run("submit", "--node", cluster.url(node), "--rollup", ROLLUP, "--hex", "-", "--wait", *options,
                       stdin=payload + "\n")
    row = json.loads(done.stdout)
    if row.get("outcome") != "ordered":
        raise Failed(f"not ordered: {row}")
    return dict(row, payload=payload)


def prove(cluster, node, row, path, *options):
    """The node's proof, in a file."""
    def written():
        with open(path, "wb") as file:
            done = cluster_proof(cluster, node, row["id"], file, *options)
        if done.returncode not in (0, 2):
            raise Failed(f"sluice proof: exit {done.returncode}: {done.stderr}")
        return done.returncode == 0
    wait_until(written, ORDER_S, f"node {node} proves {row['id']}")
    return path


def cluster_proof(cluster, node, wanted, file, *options):
    return subprocess.run([cluster.bin / "sluice", "proof", wanted, "--node", cluster.url(node), *map(str, options)],
                          stdout=file, stderr=subprocess.PIPE, text=True, timeout=60)


class Elsewhere:
    """A folder that holds the genesis and, one after another, files to check."""
    def __init__(self, cluster):
        self.cluster, self.dir = cluster, cluster.home / "elsewhere"
        self.dir.mkdir()
        shutil.copy(cluster.dir / "genesis.json", self.dir)
        self.genesis = Genesis(self.dir / "genesis.json")

    def verify(self, data, genesis=None):
        """(exit code, what it printed) of `sluice verify`."""
        path = self.dir / "file"
        path.write_bytes(data)
        done = self.cluster.run("verify", path, "--genesis", genesis or self.dir / "genesis.json", check=False)
        return done.returncode, json.loads(done.stdout)

    def check(self, path):
        """Both implementations find it good, and the same in it; returns that and how long it is."""
        data = path.read_bytes()
        code, facts = self.verify(data)
        if code != 0 or not facts["valid"]:
            raise Failed(f"{path.name} does not verify: {facts}")
        own = Proof(self.genesis, data).facts()
        if {name: facts.get(name) for name in own} != own:
            raise Failed(f"two implementations see two things: {facts} and {own}")
        shown = json.loads(self.cluster.run("show", path).stdout)
        if shown["checked"] or shown["id"] != facts["id"] or shown["bytes"] != len(data):
            raise Failed(f"`sluice show` says {shown} of {facts}")
        return facts, len(data)

    def refuse_doctored(self, path):
        data = path.read_bytes()
        places = sorted({*range(0, len(data), max(1, len(data) // DOCTORED)), len(data) - 1})
        for at in places:
            bad = data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:]
            code, facts = self.verify(bad)
            if code != 3:
                raise Failed(f"{path.name} with byte {at} changed: exit {code}: {facts}")
            try:
                Proof(self.genesis, bad)
            except Wrong:
                continue
            raise Failed(f"{path.name} with byte {at} changed passes in Python")
        for bad in (data[:-1], data + b"\0"):
            if self.verify(bad)[0] != 3:
                raise Failed(f"{path.name} with another length verifies")
        return len(places)


def expect(facts, row, forced=False, opened=False):
    wanted = {"id": row["id"], "height": row["height"], "index": row["index"], "forced": forced}
    if not row.get("sealed") or opened:
        wanted.update(rollup=ROLLUP, payload=row["payload"])
    if {name: facts[name] for name in wanted} != wanted or forced != ("queued_at" in facts) or opened != ("opened" in facts):
        raise Failed(f"{facts} instead of {wanted}, forced {forced}, opened {opened}")


def scenario_every_kind(bin_dir):
    with Processes(bin_dir, params=FORCED) as cluster:
        start(cluster)
        elsewhere, sizes, doctored = Elsewhere(cluster), {}, 0
        kinds = [("plain", []), ("forced", ["--forced"]), ("sealed", sealed(cluster)),
                 ("forced and sealed", sealed(cluster, "--forced"))]
        for turn, (name, options) in enumerate(kinds):
            row = submit(cluster, turn, *options)
            forced, opened = "--forced" in options, "sealed" in name
            path = prove(cluster, turn, row, cluster.home / f"{name}.proof", "--genesis", cluster.dir / "genesis.json")
            facts, sizes[name] = elsewhere.check(path)
            expect(facts, row, forced, opened)
            other, _ = elsewhere.check(prove(cluster, (turn + 1) % 4, row, cluster.home / f"{name}.other"))
            expect(other, row, forced, opened)
            known, _ = elsewhere.check(prove(cluster, turn, row, cluster.home / f"{name}.known", "--height", row["height"]))
            expect(known, row, forced, opened)
            doctored += elsewhere.refuse_doctored(path)
        print(f"  bytes, {BYTES} of them payload: {sizes}; {doctored} doctored ones refused")


def scenario_timelock(bin_dir):
    """Before its unlock a proof shows where the sealed one is, after it what was inside; both go on being good."""
    with Processes(bin_dir, params=FORCED) as cluster:
        start(cluster)
        elsewhere = Elsewhere(cluster)
        unlock = cluster.wait_status(0)["height"] + FAR
        row = submit(cluster, 1, *sealed(cluster, "--unlock-height", unlock))
        closed = prove(cluster, 2, row, cluster.home / "closed.proof")
        facts, closed_bytes = elsewhere.check(closed)
        expect(facts, row)
        load = Load(cluster, nodes=[0, 1], readers=[2])     # with it heights come faster
        cluster.wait_height(2, unlock + 1)
        load.finish(foreign=[ROLLUP])

        def opened():
            return "opened" in elsewhere.check(prove(cluster, 2, row, cluster.home / "opened.proof"))[0]
        wait_until(opened, ORDER_S, "the proof shows the opening")
        facts, opened_bytes = elsewhere.check(cluster.home / "opened.proof")
        expect(facts, row, opened=True)
        if facts["opened"]["height"] < unlock:
            raise Failed(f"opened before {unlock}: {facts}")
        expect(elsewhere.check(closed)[0], row)
        refused = elsewhere.refuse_doctored(cluster.home / "opened.proof")
        print(f"  {closed_bytes} bytes closed, {opened_bytes} opened; {refused} doctored ones refused")


def bundle(cluster, node, *options):
    """Legs of two rollups: their row, and {rollup: payload}."""
    legs = {rollup: "0x" + random.randbytes(BYTES // 2).hex() for rollup in (ROLLUP, ROLLUP + 2)}
    done = cluster.run("bundle", "--node", cluster.url(node), "--wait", *options,
                       *(word for rollup, payload in legs.items() for word in ("--leg", f"{rollup}:{payload}")))
    row = json.loads(done.stdout)
    if row.get("outcome") != "ordered":
        raise Failed(f"not ordered: {row}")
    return row, legs


def scenario_bundles(bin_dir):
    """Each leg's rollup can show that its siblings are there, in its own list; of a rollup without a leg nothing is shown."""
    with Processes(bin_dir, params=FORCED) as cluster:
        start(cluster)
        elsewhere, sizes = Elsewhere(cluster), {}
        for name, options in (("plain", []), ("sealed", sealed(cluster)), ("forced", ["--forced"])):
            row, legs = bundle(cluster, 1, *options)
            for rollup in legs:
                path = prove(cluster, 2, row, cluster.home / f"{name}.{rollup}", "--rollup", rollup)
                facts, sizes[name] = elsewhere.check(path)
                shown = {leg["rollup"]: leg["payload"] for leg in facts["legs"]}
                if (facts["rollup"], facts["height"], facts["index"], shown) != (rollup, row["height"], row["index"], legs):
                    raise Failed(f"{name}, rollup {rollup}: {facts}")
            elsewhere.refuse_doctored(path)
            with open(cluster.home / "none", "wb") as file:
                done = cluster_proof(cluster, 2, row["id"], file, "--rollup", ROLLUP + 1)
                if done.returncode != 3 or "another rollup" not in done.stderr:
                    raise Failed(f"of a rollup without a leg: exit {done.returncode}: {done.stderr}")
        print(f"  bytes, {BYTES} of them payloads of two legs: {sizes}")


def scenario_refused(bin_dir):
    """Of nothing there is no proof, and one of another chain is none."""
    with Processes(bin_dir, nodes=1, params=FORCED) as cluster:
        cluster.start()
        row = submit(cluster, 0)
        path = prove(cluster, 0, row, cluster.home / "plain.proof")
        elsewhere = Elsewhere(cluster)
        expect(elsewhere.check(path)[0], row)
        cluster.run("genesis", "--nodes", 1, "--dir", cluster.home / "other", "--base-port", cluster.base_port)
        other = cluster.home / "other" / "genesis.json"
        code, facts = elsewhere.verify(path.read_bytes(), other)
        if code != 3 or facts["reason"] != "it is of another chain":
            raise Failed(f"with another genesis: exit {code}: {facts}")
        with open(cluster.home / "none", "wb") as file:
            done = cluster_proof(cluster, 0, "ab" * 32, file)
            if done.returncode != 2 or "unknown" not in done.stderr:
                raise Failed(f"of an unknown id: exit {done.returncode}: {done.stderr}")
            done = cluster_proof(cluster, 0, "ab" * 32, file, "--height", row["height"])
            if done.returncode != 2 or "not_there" not in done.stderr:
                raise Failed(f"of an unknown id at a height: exit {done.returncode}: {done.stderr}")
            done = cluster_proof(cluster, 0, row["id"], file, "--genesis", other)
            if done.returncode != 3 or file.tell() != 0:
                raise Failed(f"checked with another genesis: exit {done.returncode}: {done.stderr}")
        hexed = "0x" + path.read_bytes().hex()
        for text in (hexed + "\n", json.dumps({"bytes": hexed})):
            if elsewhere.verify(text.encode())[0] != 0:
                raise Failed("a proof in hex does not verify")


if __name__ == "__main__":
    scenario.main(globals())
