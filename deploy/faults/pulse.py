"""When this machine stood still while a scenario ran: a thread on each of its processors wakes again and again, and
notes where it was late. What shares a machine with others is held up for seconds now and then, and the nodes with it:
that is no time that they took."""
import os
import threading

EVERY_S = 0.05      # between two beats
LATE_S = 0.2        # of a beat, from which on the processor stood still


class Pulse:
    """`stalls`: [(begin, end)] on the clock of the run."""

    def __init__(self, clock):
        self.clock, self.stalls = clock, []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.beat, args=[cpu], daemon=True) for cpu in os.sched_getaffinity(0)]
        for thread in self.threads:
            thread.start()

    def beat(self, cpu):
        os.sched_setaffinity(0, [cpu])      # of this thread
        before = self.clock()
        while not self.ending.wait(EVERY_S):
            now = self.clock()
            if now - before > EVERY_S + LATE_S:
                self.stalls.append((before + EVERY_S, now))
            before = now

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def stood_still(stalls, begin, end):
    """For how long any processor did between these moments."""
    total, until = 0.0, begin
    for since, to in sorted(stalls):
        since, to = max(since, until), min(to, end)
        if to > since:
            total, until = total + to - since, to
    return total
