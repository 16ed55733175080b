"""Random faults, the same ones for the same seed: what a chain must live through without losing anything."""
import random

from plan import Step

HURT_S = (0.5, 6)       # how long a fault lasts
REST_S = (0.5, 4)       # before the next one, with everybody back in step


def steps(seed, seconds, nodes, links):
    """Steps for some `seconds`. Of n nodes at most f are hurt at once, but now and then all are killed, or the links
    between halves are cut. `links`: whether links can be hurt."""
    rng = random.Random(seed)
    faults = [one_killed, one_paused, leader_killed, leader_paused, one_stopped, all_killed, one_wiped]
    if links:
        faults += [halves, one_apart, one_way, slow, flapping]
    out, at = [], 0.0
    while at < seconds:
        rest, hurt = rng.uniform(*REST_S), rng.uniform(*HURT_S)
        out += rng.choice(faults)(rng, nodes, round(rest, 1), round(hurt, 1))
        at += rest + hurt
    return out


def pair(do, undo, rest, hurt, nodes, undone="same"):
    return [Step(do, rest, {"nodes": nodes}), Step(undo, hurt, {"nodes": undone}), Step("await", 0, {"nodes": "all"})]


def one_killed(rng, nodes, rest, hurt):
    return pair("kill", "start", rest, hurt, [rng.randrange(nodes)])


def one_stopped(rng, nodes, rest, hurt):
    return pair("stop", "start", rest, hurt, [rng.randrange(nodes)])


def one_paused(rng, nodes, rest, hurt):
    return pair("pause", "resume", rest, hurt, [rng.randrange(nodes)])


def leader_killed(rng, nodes, rest, hurt):
    return pair("kill", "start", rest, hurt, "leader")


def leader_paused(rng, nodes, rest, hurt):
    return pair("pause", "resume", rest, hurt, "leader")


def all_killed(rng, nodes, rest, hurt):
    return pair("kill", "start", rest, hurt, "all")


def one_wiped(rng, nodes, rest, hurt):
    """The last one: no client may turn to it, since what a disk takes along uncertified is lost."""
    node = [nodes - 1]
    return [Step("stop", rest, {"nodes": node}), Step("wipe", hurt, {"nodes": node}), Step("start", 0, {"nodes": node}),
            Step("await", 0, {"nodes": "all"})]


def healed(rest, hurt, *steps):
    return [Step(steps[0].do, rest, steps[0].args), *steps[1:], Step("heal", hurt, {}),
            Step("await", 0, {"nodes": "all"})]


def halves(rng, nodes, rest, hurt):
    order = rng.sample(range(nodes), nodes)
    return healed(rest, hurt, Step("partition", 0, {"groups": [order[:nodes // 2], order[nodes // 2:]]}))


def one_apart(rng, nodes, rest, hurt):
    return healed(rest, hurt, Step("isolate", 0, {"nodes": [rng.randrange(nodes)]}))


def one_way(rng, nodes, rest, hurt):
    one, other = rng.sample(range(nodes), 2)
    return healed(rest, hurt, Step("one_way", 0, {"from": one, "to": other}))


def slow(rng, nodes, rest, hurt):
    return healed(rest, hurt, Step("shape", 0, {"delay_ms": rng.randrange(5, 60), "jitter_ms": rng.randrange(20),
                                                "loss": rng.choice([0, 0.5, 2])}))


def flapping(rng, nodes, rest, hurt):
    node, out = rng.randrange(nodes), []
    for i in range(4):
        out += [Step("isolate", rest if i == 0 else 0.5, {"nodes": [node]}), Step("heal", round(hurt / 8, 1), {})]
    return out + [Step("await", 0, {"nodes": "all"})]
