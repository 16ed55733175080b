#!/usr/bin/env python3
"""Programs whose standard input or output is closed, or cannot be written: a complaint and exit 1, and no socket or
file of theirs in the place of what is closed."""
import os
import subprocess

import scenario
from cluster import Failed
from processes import Processes

LONGEST_S = 30
STREAMS = {"input": 0, "output": 1, "error": 2}
LINE = "0x" + "5a" * 200 + "\n"


def without(*streams):
    """For preexec_fn."""
    def close():
        for stream in streams:
            os.close(STREAMS[stream])
    return close


def run(cluster, what, *words, complaint=None, **how):
    """The command must end with 1, and its complaint, where it can make one."""
    done = subprocess.run(cluster.client(*words), stderr=subprocess.PIPE, text=True, timeout=LONGEST_S, **how)
    if done.returncode != 1 or complaint and complaint not in done.stderr:
        raise Failed(f"{words[0]}, {what}: exit {done.returncode}, {done.stderr}")
    print(f"  {words[0]}, {what}: {done.stderr.strip()}")


def scenario_closed(bin_dir):
    with Processes(bin_dir, nodes=1) as cluster:
        cluster.start()
        submit = "submit", "--node", cluster.url(0), "--rollup", 1, "--hex"
        lines = cluster.home / "lines.hex"
        lines.write_text(LINE)
        run(cluster, "no input", *submit, "-", complaint="-: ", preexec_fn=without("input"), stdout=subprocess.DEVNULL)
        run(cluster, "no output", *submit, lines, complaint="cannot be written", preexec_fn=without("output"),
            stdin=subprocess.DEVNULL)
        run(cluster, "nothing", *submit, lines, preexec_fn=without(*STREAMS))
        cluster.stop(0)
        with subprocess.Popen([cluster.bin / "sluiced", "--config", cluster.node_dir(0) / "sluiced.conf"],
                              preexec_fn=without(*STREAMS)) as node:
            try:
                cluster.processes[0] = node
                cluster.wait_height(0, 1)
                places = [os.readlink(f"/proc/{node.pid}/fd/{number}") for number in STREAMS.values()]
            finally:
                node.kill()
        if places != ["/dev/null"] * len(STREAMS):
            raise Failed(f"in the places of what is closed, the node has {places}")


def scenario_full(bin_dir):
    with Processes(bin_dir, nodes=1) as cluster, open("/dev/full", "w") as full:
        cluster.start()
        node = "--node", cluster.url(0)
        lines = cluster.home / "lines.hex"
        lines.write_text(LINE)
        for words in [("submit", *node, "--rollup", 1, "--hex", lines), ("status", *node),
                      ("subscribe", *node, "--rollup", 0, "--from", 1, "--all"),
                      ("audit", *node, "--genesis", cluster.genesis)]:
            run(cluster, "a full disk", *words, complaint="cannot be written", stdin=subprocess.DEVNULL, stdout=full)


if __name__ == "__main__":
    scenario.main(globals())
