"""What a run looks like over time: heights of every node while it goes on, throughput and latency out of what readers
noted, when it is over."""
import statistics
import threading

STEP_S = 0.5
ANSWER_S = 0.4      # longest wait for a node's metrics: one that is paused does not answer


class Heights:
    """A thread per node that asks for its height every STEP_S. `rows[node]`: [(s, height or None)]."""

    def __init__(self, cluster, clock):
        self.cluster, self.clock = cluster, clock
        self.rows = [[] for _ in range(cluster.nodes)]
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.follow, args=[node], daemon=True) for node in range(cluster.nodes)]
        for thread in self.threads:
            thread.start()

    def follow(self, node):
        while not self.stopping.wait(STEP_S):
            try:
                height = int(self.cluster.metrics(node, timeout=ANSWER_S)["sluice_height"])
            except (OSError, KeyError, ValueError):
                height = None
            self.rows[node].append((self.clock(), height))

    def newest(self):
        return [rows[-1][1] if rows else None for rows in self.rows]

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def first_arrivals(histories):
    """[(s, record)] of every height that any reader had, when the first one had it, in order."""
    first = {}
    for history in histories.values():
        for record in history:
            height = record["height"]
            if height not in first or record["at"] < first[height][0]:
                first[height] = (record["at"], record)
    return [first[height] for height in sorted(first)]


def series(seconds, heights, histories, journal):
    """The samples of the report: one value for each STEP_S."""
    count = int(seconds / STEP_S) + 1
    ordered, waits = [0] * count, [[] for _ in range(count)]
    sent = {submission.payload: submission.sent for submission in journal if submission.kind != "timelocked"}
    for at, record in first_arrivals(histories):
        slot = min(count - 1, max(0, int(at / STEP_S)))
        for entry in record["entries"]:
            if entry["kind"] not in ("opened", "void"):
                ordered[slot] += 1
            if entry.get("payload") in sent:        # of what is sealed: where it is opened
                waits[slot].append(1000 * (at - sent[entry["payload"]]))
    return {"at": [round(STEP_S * i, 3) for i in range(count)],
            "ordered_per_s": [round(n / STEP_S, 1) for n in ordered],
            "latency_ms": [[round(statistics.median(w), 1) if w else None for w in waits],
                           [round(max(w), 1) if w else None for w in waits]],
            "heights": [resampled(rows, count) for rows in heights.rows]}


def resampled(rows, count):
    """The value of the last sample within each step; None where there is none."""
    values = [None] * count
    for at, height in rows:
        slot = int(at / STEP_S)
        if 0 <= slot < count:
            values[slot] = height
    return values
