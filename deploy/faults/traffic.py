"""The load of a fault scenario: clients that submit at a rate, whatever the nodes do, and note what they were told
and when; and a reader on every node that notes what came and when. Times are seconds since the run's clock began."""
import itertools
import json
import os
import random
import subprocess
import tempfile
import threading
import time

from checker import DEFINITE, Submission
from cluster import Failed, wait_until
from load import Reader, settle

ROLLUP = 7
SIZES = [40, 120, 250, 1000]    # bytes of a payload, beside its serial number
RESPITE_S = 0.3                 # between the end of a client and its next start
TIMELOCK_S = 2                  # how long what is timelocked stays closed
VALID_S = 25                    # a client gives up on what is not ordered by then; below the dedup window
ANSWERS_S = 120                 # longest wait for the last answers
FORCED_WAITING = 5              # forced ones without an answer, at most: they go one after the other, the last in time
STALL = ["--stall-ms", 1000]    # so soon a client leaves a node that hangs
KINDS = {                       # options of `sluice submit`
    "plain": STALL, "sealed": ["--sealed", *STALL], "timelocked": ["--sealed", "--unlock-in", TIMELOCK_S, *STALL],
    "forced": ["--forced", "--valid-for", VALID_S]}


class Clock:
    """Seconds since it was made."""

    def __init__(self):
        self.began = time.monotonic()

    def __call__(self):
        return time.monotonic() - self.began


class Client(threading.Thread):
    """One `sluice submit` that is fed at a rate, and started again when it ends."""

    serial = itertools.count()

    def __init__(self, cluster, clock, kind, per_s, nodes, sizes):
        """`nodes`: in the order in which it turns to them. `sizes`: of payloads, in bytes."""
        super().__init__(daemon=True)
        self.cluster, self.clock, self.kind, self.per_s, self.nodes = cluster, clock, kind, per_s, nodes
        self.sizes = sizes
        self.journal, self.waiting = [], []     # all; those without an answer, in their order
        self.stopping = threading.Event()
        self.failure = self.process = None
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.feed()
                self.stopping.wait(RESPITE_S)
        except Exception as failure:    # shown by Traffic.finish
            self.failure = failure

    def command(self):
        options = KINDS[self.kind]
        return self.cluster.client(
            "submit", "--node", ",".join(map(self.cluster.url, self.nodes)), "--rollup", ROLLUP, "--hex", "-", "--wait",
            *options, *([] if self.kind == "plain" else ["--genesis", self.cluster.genesis]))

    def feed(self):
        """One life of the program: lines in at the rate, answers out, until told to stop or it ends."""
        errors = tempfile.TemporaryFile("w+", dir=self.cluster.home)
        process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.process = process
        answers = threading.Thread(target=self.listen, args=[process], daemon=True)
        answers.start()
        due = time.monotonic()
        try:
            while process.poll() is None and not self.stopping.wait(max(0, due - time.monotonic())):
                due = max(due + 1 / self.per_s, time.monotonic() - 1)     # what stood still is not made up for
                if self.kind == "forced" and len(self.waiting) >= FORCED_WAITING:
                    continue
                submission = Submission(ROLLUP, payload(next(self.serial), self.sizes), kind=self.kind, sent=self.clock())
                self.journal.append(submission)
                self.waiting.append(submission)
                process.stdin.write(submission.payload + "\n")
                process.stdin.flush()
            process.stdin.close()
        except BrokenPipeError:
            pass        # it ended: what it did not answer stays unanswered
        try:
            code = process.wait(ANSWERS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failed(f"a client does not end within {ANSWERS_S} s: {self.kind}") from None
        answers.join()
        self.waiting.clear()
        if code not in (0, 1, 2):
            errors.seek(0)
            raise Failed(f"submit: exit {code}: {errors.read().strip()[-500:]}")

    def listen(self, process):
        try:
            for line in process.stdout:
                submission = self.waiting.pop(0)
                submission.answered = self.clock()
                submission.told(json.loads(line))
        except Exception as failure:    # an answer to nothing, or no JSON
            self.failure = failure


class TimedReader(Reader):
    """Notes when each height came."""

    def __init__(self, cluster, node, clock):
        self.clock, self.arrivals = clock, []
        super().__init__(cluster, node)

    def keep(self, record):
        self.arrivals.append(self.clock())
        super().keep(record)

    def history(self, height):
        """The records up to `height`, each with when it came."""
        return [{**record, "at": at} for record, at in zip(list(self.records), list(self.arrivals))
                if record["height"] <= height]


class Traffic:
    def __init__(self, cluster, clock, load, payload_bytes, through, readers):
        """`load`: {kind: transactions a second}, `payload_bytes`: of plain ones, 0: of many sizes, `through`: nodes
        that clients turn to, `readers`: nodes with one."""
        self.cluster, self.readers = cluster, [TimedReader(cluster, node, clock) for node in readers]
        self.clients = []
        for kind, per_s in load.items():
            count = (len(through) if kind == "plain" else 1) if per_s else 0
            sizes = [payload_bytes] if payload_bytes and kind == "plain" else SIZES
            for i in range(count):
                turn = random.randrange(len(through)) if kind != "plain" else i
                self.clients.append(Client(cluster, clock, kind, per_s / count, through[turn:] + through[:turn], sizes))

    def journal(self):
        return [submission for client in self.clients for submission in client.journal]

    def seen(self):
        """How many entries any reader has seen ordered, and the height that it is at."""
        best = max(self.readers, key=lambda reader: reader.last())
        return len(best.places), best.last()

    def raise_failure(self):
        for worker in self.clients + self.readers:
            if worker.failure:
                raise worker.failure

    def wait_ordered(self, more, seconds):
        """Until `more` entries than now are ordered: the load really flows."""
        target = self.seen()[0] + more
        wait_until(lambda: self.seen()[0] >= target, seconds, f"{more} more transactions ordered")
        self.raise_failure()

    def wait_flow(self, since, seconds):
        """Until something of every kind is ordered, and plain ones that were sent later than `since`."""
        def flows():
            self.raise_failure()
            there = {s.kind for s in self.journal() if s.outcome == "ordered" and (s.kind != "plain" or s.sent > since)}
            return {client.kind for client in self.clients} <= there
        wait_until(flows, seconds, f"something of every kind is ordered, and plain ones sent after {since:.1f} s")

    def finish(self, seconds):
        """Ends the clients, finds out what became of everything accepted, and reads up to one height at all readers.
        Returns {node: history} and the journal."""
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(ANSWERS_S + seconds)
        self.raise_failure()
        journal = self.journal()
        for submission in journal:
            if submission.status == "accepted" and submission.outcome not in DEFINITE:
                settle(self.cluster, self.readers, submission, seconds)
        height = max([submission.height for submission in journal]
                     + [self.cluster.height(reader.node) for reader in self.readers])
        for reader in self.readers:
            wait_until(lambda r=reader: r.failure or (r.last() >= height and not r.closed), seconds,
                       f"the reader of node {reader.node} is past height {height}, with all openings")
        self.raise_failure()
        top = min(reader.last() for reader in self.readers)
        histories = {reader.node: reader.history(top) for reader in self.readers}
        return histories, journal

    def close(self):
        """Ends all of it at once, whatever is on its way."""
        for client in self.clients:
            client.stopping.set()
            if client.process:
                client.process.kill()
        for reader in self.readers:
            reader.stop()


def payload(serial, sizes):
    return f"0x{serial:016x}" + os.urandom(random.choice(sizes)).hex()
