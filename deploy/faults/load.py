"""Honest work on a cluster, with a verdict at its end: submitters that keep a journal, and an
independent reader on every node.

    load = Load(cluster, nodes=[0, 1])     a submitter through nodes 0 and 1, readers on all
    ...                                    whatever the scenario does meanwhile
    load.finish()                          settles every id, reads up to one height, runs the checker
"""
import itertools
import json
import random
import subprocess
import threading
import time

from checker import DEFINITE, OPENINGS, Submission, check
from cluster import ORDER_S, Failed, wait_until

ROLLUP = 7
EVERY_ROLLUP = 0    # for readers
PORTION = 50        # transactions of one `sluice submit`
PAUSE_S = 0.02      # between two
LIE = 3             # exit code of `sluice subscribe`
PATIENCE_S = 3600   # of readers: chains stand still for long in some scenarios
ANSWER_S = 90       # longest wait for one `sluice submit --wait`

OUTCOMES = {"dropped", "expired"}   # of `sluice tx`; what is final stands in the stream


class Submitter(threading.Thread):
    """Submits portion after portion through one node, waiting for each, until told to stop."""

    serial = itertools.count()

    def __init__(self, cluster, node, rollup=ROLLUP, options=(), pause_s=PAUSE_S):
        """`options`: more of `sluice submit`."""
        super().__init__(daemon=True)
        self.cluster, self.node, self.rollup, self.options, self.pause_s = cluster, node, rollup, options, pause_s
        self.journal = []
        self.slowest_s = 0
        self.stopping = threading.Event()
        self.failure = None
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                started = time.monotonic()
                answered = self.submit([self.payload() for _ in range(PORTION)])
                self.slowest_s = max(self.slowest_s, time.monotonic() - started)
                self.stopping.wait(self.pause_s if answered else 0.2)
        except Exception as failure:  # shown by finish()
            self.failure = failure

    def payload(self):
        size = random.choice([40, 120, 250, 1000, 3000])
        return f"0x{next(self.serial):016x}" + random.randbytes(size).hex()

    def submit(self, payloads):
        portion = [Submission(self.rollup, payload) for payload in payloads]
        self.journal += portion
        done = self.cluster.run("submit", "--node", self.cluster.url(self.node), "--rollup", self.rollup,
                                "--hex", "-", "--wait", *self.options, stdin="\n".join(payloads) + "\n",
                                timeout=ANSWER_S, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode not in (0, 1, 2) or len(answers) > len(portion):
            raise Failed(f"submit: exit {done.returncode}, {len(answers)} answers: {done.stderr.strip()[-2000:]}")
        for submission, answer in zip(portion, answers):
            submission.told(answer)
        return bool(answers)


class Reader(threading.Thread):
    """Records every height that one node streams; takes up again where it was when the node dies. Checks each
    opening without shares on the way."""

    def __init__(self, cluster, node):
        super().__init__(daemon=True)
        self.cluster, self.node = cluster, node
        self.records, self.places = [], {}
        self.closed = set()     # ids that are ordered and not opened yet
        self.failure = None
        self.process = None
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            self.process = subprocess.Popen(
                self.cluster.client("subscribe", "--node", self.cluster.url(self.node), "--rollup", EVERY_ROLLUP,
                                    "--from", self.last() + 1, "--all",
                                    "--genesis", self.cluster.genesis, "--max-age", PATIENCE_S),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if self.stopping:
                self.process.kill()
            for line in self.process.stdout:
                if line.endswith(b"\n"):
                    self.keep(json.loads(line))
            if self.process.wait() == LIE:
                self.failure = Failed(f"node {self.node} shows what is not so above height {self.last()}")
            time.sleep(0.2)

    def keep(self, record):
        for entry in record["entries"]:
            if entry["kind"] in OPENINGS:
                self.closed.discard(entry["id"])
                continue
            if entry["kind"] == "sealed":
                self.closed.add(entry["id"])
            self.places[entry["id"]] = (record["height"], entry["index"])
        self.records.append(record)

    def last(self):
        return self.records[-1]["height"] if self.records else 0

    def up_to(self, height, seconds):
        """The records up to `height`, once they are there."""
        wait_until(lambda: self.last() >= height, seconds,
                   f"reader of node {self.node} at height {height}, it is at {self.last()}")
        return [record for record in list(self.records) if record["height"] <= height]

    def stop(self):
        self.stopping = True
        if self.process:
            self.process.kill()
        self.join()


class Load:
    def __init__(self, cluster, nodes=None, readers=None, options=(), pause_s=PAUSE_S):
        """`nodes`: with a submitter, `readers`: with a reader; None: all. `options`, `pause_s`: of Submitter."""
        self.cluster = cluster
        self.readers = [Reader(cluster, node) for node in readers or range(cluster.nodes)]
        self.submitters = [Submitter(cluster, node, options=options, pause_s=pause_s)
                           for node in nodes or range(cluster.nodes)]

    def ordered(self):
        """How many transactions submitters know to be ordered."""
        return sum(s.outcome == "ordered" for submitter in self.submitters for s in submitter.journal)

    def wait_ordered(self, more, seconds=ORDER_S):
        """Until `more` transactions than now are ordered: the load really flows."""
        target = self.ordered() + more
        wait_until(lambda: self.failures() or self.ordered() >= target, seconds, f"{more} more transactions ordered")
        self.raise_failure()

    def failures(self):
        return [worker.failure for worker in self.submitters + self.readers if worker.failure]

    def raise_failure(self):
        for failure in self.failures():
            raise failure

    def finish(self, seconds=ORDER_S, foreign=()):
        """Ends the load with all nodes running. Failed with every fault that the checker finds.
        `foreign`: rollups that others submitted to, without a journal."""
        for submitter in self.submitters:
            submitter.stopping.set()
        for submitter in self.submitters:
            submitter.join(ANSWER_S)
        self.raise_failure()
        journal = [s for submitter in self.submitters for s in submitter.journal]
        for submission in journal:
            if submission.status == "accepted" and submission.outcome not in DEFINITE:
                settle(self.cluster, self.readers, submission, seconds)
        self.wait_opened(max((submission.height for submission in journal), default=0), seconds)

        height = max([submission.height for submission in journal]
                     + [self.cluster.wait_status(reader.node)["height"] for reader in self.readers])
        histories = {reader.node: reader.up_to(height, seconds) for reader in self.readers}
        for reader in self.readers:
            reader.stop()
        faults = check(histories, journal, foreign)
        if faults:
            raise Failed("\n".join([f"{len(faults)} faults:"] + faults[:20]))
        counts = {word: sum(word in (s.status, s.outcome) for s in journal)
                  for word in ("accepted", "ordered", "refused", "lost", "expired")}
        reasons = {s.reason for s in journal if s.reason}
        slowest = max(submitter.slowest_s for submitter in self.submitters)
        print(f"{height} heights, {len(journal)} transactions: "
              + ", ".join(f"{count} {word}" for word, count in counts.items())
              + (f" ({', '.join(reasons)})" if reasons else "") + f"; slowest portion {slowest:.1f} s")

    def wait_opened(self, height, seconds):
        """Until every reader is past `height` and saw the opening of all that was sealed."""
        for reader in self.readers:
            wait_until(lambda r=reader: r.failure or (r.last() >= height and not r.closed), seconds,
                       f"node {reader.node} shows all openings, and height {height}")
        self.raise_failure()


def settle(cluster, readers, submission, seconds):
    """Finds out what became of an accepted id whose submitter lost its node while waiting: by what readers saw, or by
    asking any node that has one."""
    nodes = itertools.cycle([reader.node for reader in readers])

    def definite():
        for reader in readers:
            if submission.id in reader.places:
                submission.outcome = "ordered"
                submission.height, submission.index = reader.places[submission.id]
                return True
        done = cluster.run("tx", submission.id, "--node", cluster.url(next(nodes)), check=False)
        state = json.loads(done.stdout)["state"] if done.stdout else ""
        submission.outcome = state if state in OUTCOMES else ""
        return submission.outcome
    wait_until(definite, seconds, f"a definite outcome of accepted {submission.id}")
