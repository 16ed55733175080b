"""A cluster without a quorum: what was under way when it went comes through, and then nothing more."""
import time

from cluster import ORDER_S, wait_until

STILL_S = 3     # for so long, ...
LOOKS = 10      # ... and looked at so often, nothing changes


def wait_still(value, what):
    """Until `value()` goes on being the same. Returns it."""
    seen, since, looks = value(), time.monotonic(), 0

    def still():
        nonlocal seen, since, looks
        now = value()
        if now != seen:
            seen, since, looks = now, time.monotonic(), 0
        looks += 1
        return looks > LOOKS and time.monotonic() - since >= STILL_S
    wait_until(still, ORDER_S, f"{what} come to a stand")
    return seen


def heights(cluster, *nodes):
    """What these have delivered, for wait_still()."""
    return [cluster.wait_status(node)["height"] for node in nodes]
