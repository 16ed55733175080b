"""Scenario files: what they may say, and the words for what they may not.

    title = "kill -9 of each node in turn"      a line for people
    about = "..."                               what it shows (optional)
    nodes = 4                                   [4]
    through = [0, 1, 2]                         nodes that clients turn to [all that are honest]
    steps = [                                   one after the other:
      { after = 2, do = "kill", nodes = [0] },      seconds since the step before [0], word, its arguments
      { each = [1, 2], steps = [                    the same steps for each value ...
          { do = "kill", nodes = ["each"] },        ... in place of "each"; "leader", "same", "all" are nodes, too
      ] },
    ]
    [genesis]                                   parameters that are not to be the default
    [load]                                      transactions a second of each kind [plain = 100, sealed = 2, ...]
    [byzantine]                                 nodes = [3]: run the Byzantine build, start honest
    [expect]                                    what must come of it, beside what always must

docs/FAULTS.md lists words and expectations."""
import math
import pathlib
import tomllib
from dataclasses import dataclass, field

from hostile import KINDS

NODE, NODES, LISTED, GROUPS = "a node", "nodes", "a list of nodes", "groups of nodes"
NUMBER, TEXT, TEXTS, ANY = "a number", "a text", "a list of texts", "a value"
AMOUNT, SIZE = "a number from 0 on", "a number of MiB"
FILE, KIND = "log, sst or blob", f"one of {', '.join(KINDS)}"
LEADER = "leader"       # in place of nodes: the one that leads the next view,
SAME = "same"           # the nodes of the step before,
ALL = "all"             # or every one

# word: {argument: type}; with a ? at its end it may be left out.
WORDS = {
    "kill": {"nodes": NODES}, "stop": {"nodes": NODES}, "start": {"nodes": NODES}, "await": {"nodes": NODES},
    "pause": {"nodes": NODES}, "resume": {"nodes": NODES},
    "partition": {"groups": GROUPS}, "one_way": {"from": NODE, "to": NODE}, "isolate": {"nodes": NODES}, "heal": {},
    "shape": {"delay_ms?": AMOUNT, "jitter_ms?": AMOUNT, "loss?": AMOUNT}, "regions": {},
    "unplug": {"nodes": NODES}, "plug": {"nodes": NODES},
    "fill_disk": {"nodes": NODES}, "make_room": {"nodes": NODES},
    "flip_bit": {"nodes": NODES, "file": FILE}, "tear": {"nodes": NODES}, "wipe": {"nodes": NODES},
    "clock": {"nodes": NODES, "offset_s": NUMBER}, "memory": {"nodes": NODES, "mib": AMOUNT},
    "upgrade": {"nodes": NODES}, "behave": {"nodes": NODES, "behaviour": TEXT, "value?": ANY},
    "hostile": {"kind": KIND, "nodes": NODES}, "calm": {},
    "ended": {"nodes": NODES, "code?": NUMBER, "said?": TEXT},
    "evidence": {"offences": TEXTS}, "random": {},
}
LINK_WORDS = {"partition", "one_way", "isolate", "shape", "regions", "random"}
NEEDS = {"unplug": "engine", "memory": "engine", "upgrade": "engine", "fill_disk": "root"}

LOAD = {"plain": 100, "sealed": 2, "timelocked": 1, "forced": 0.5}
PAYLOAD_BYTES_MAX = 100_000
FILES = ("log", "sst", "blob")      # of a store, for flip_bit
GENESIS = {"postage_base": 20_000}      # work enough to be checked, little enough for a machine that runs all nodes
EXPECT = {"resumed_s": AMOUNT, "may_expire": ANY}
TOP = {"title", "about", "nodes", "through", "steps", "genesis", "load", "byzantine", "expect", "small_disk"}


class Unreadable(Exception):
    """A scenario file that does not say a scenario; the text says where and why."""


@dataclass
class Step:
    do: str
    after: float = 0
    args: dict = field(default_factory=dict)

    def __str__(self):
        words = [self.do.replace("_", " ")]
        for name, value in self.args.items():
            words.append((value if isinstance(value, str) else " ".join(map(str, value))) if name == "nodes" else
                         " | ".join(",".join(map(str, group)) for group in value) if name == "groups" else
                         f"{name.removesuffix('_ms').removesuffix('_s')} {value}")
        return " ".join(words)


@dataclass
class Scenario:
    name: str
    title: str
    about: str
    nodes: int
    steps: list
    genesis: dict
    load: dict
    payload_bytes: int      # 0: of many sizes
    byzantine: list
    through: list
    small_disk: dict        # {node: MiB}
    expect: dict

    @property
    def needs(self):
        """What must be there for it: engine, root, links."""
        words = {step.do for step in self.steps}
        needs = {NEEDS[word] for word in words if word in NEEDS}
        return needs | ({"links"} if words & LINK_WORDS else set()) | ({"byzantine"} if self.byzantine else set())


def read(path):
    """The Scenario of a file. Raises Unreadable."""
    path = pathlib.Path(path)
    try:
        return scenario(path.stem, tomllib.loads(path.read_text()))
    except OSError as why:
        raise Unreadable(f"{path}: {why.strerror}") from None
    except RecursionError:
        raise Unreadable(f"{path}: lists within lists, too deep") from None
    except (Unreadable, UnicodeDecodeError, tomllib.TOMLDecodeError) as why:
        raise Unreadable(f"{path}: {why}") from None


def scenario(name, said):
    known(said, TOP, "the file")
    if not isinstance(said.get("title"), str):
        raise Unreadable("title: missing")
    if not said["title"].isprintable():
        raise Unreadable("title: not one line of text")
    nodes = said.get("nodes", 4)
    if type(nodes) is not int or not 1 <= nodes <= 16:
        raise Unreadable("nodes: not in 1..16")
    load = {**LOAD, **table(said, "load")}
    payload_bytes = load.pop("payload_bytes", 0)
    if type(payload_bytes) is not int or not 0 <= payload_bytes <= PAYLOAD_BYTES_MAX:
        raise Unreadable(f"load: payload_bytes: not in 0..{PAYLOAD_BYTES_MAX}")
    known(load, LOAD, "load")
    if not all(type(rate) in (int, float) and 0 <= rate <= 10_000 for rate in load.values()):
        raise Unreadable("load: rates are numbers in 0..10000")
    byzantine, expect = table(said, "byzantine"), table(said, "expect")
    known(byzantine, {"nodes"}, "byzantine")
    known(expect, EXPECT, "expect")
    for word, value in expect.items():
        check(EXPECT[word], value, nodes, f"expect: {word}")
    liars = byzantine.get("nodes", [])
    check(LISTED, liars, nodes, "byzantine: nodes")
    through = said.get("through", [node for node in range(nodes) if node not in liars])
    check(LISTED, through, nodes, "through")
    if not through:
        raise Unreadable("through: no node is left for clients")
    small = {int(node) if node in map(str, range(nodes)) else node: mib for node, mib in table(said, "small_disk").items()}
    check(LISTED, list(small), nodes, "small_disk")
    for mib in small.values():
        check(SIZE, mib, nodes, "small_disk")
    steps = flat(said.get("steps", []), nodes, "steps")
    fit(steps, liars)
    return Scenario(name, said["title"], said.get("about", ""), nodes, steps,
                    {**GENESIS, **table(said, "genesis")}, load, payload_bytes, liars, through, small, expect)


def fit(steps, liars):
    """What steps say about each other, and about the nodes that may lie."""
    named = False       # whether a step before had nodes
    for i, step in enumerate(steps, 1):
        nodes = step.args.get("nodes")
        if nodes == SAME and not named:
            raise Unreadable(f"steps: step {i}: nodes: no step before it has any")
        named = named or nodes is not None
        if step.do == "behave" and isinstance(nodes, list) and not set(nodes) <= set(liars):
            raise Unreadable(f"steps: step {i}: behave: not of [byzantine] nodes: {nodes}")


def table(said, name):
    value = said.get(name, {})
    if not isinstance(value, dict):
        raise Unreadable(f"{name}: not a table")
    return value


def known(said, names, where):
    for name in said:
        if name not in names:
            raise Unreadable(f"{where}: no such word: {name}")


def flat(said, nodes, where):
    """Steps with each `each` written out."""
    if not isinstance(said, list) or not all(isinstance(step, dict) for step in said):
        raise Unreadable(f"{where}: not a list of steps")
    steps = []
    for i, step in enumerate(said, 1):
        place = f"{where}: step {i}"
        if "each" in step:
            known(step, {"each", "steps"}, place)
            if not isinstance(step["each"], list):
                raise Unreadable(f"{place}: each: not a list of values")
            for value in step["each"]:
                steps += flat(with_each(step.get("steps", []), value), nodes, place)
        else:
            steps.append(one(step, nodes, place))
    return steps


def with_each(said, value):
    if isinstance(said, dict):
        return {name: with_each(part, value) for name, part in said.items()}
    if isinstance(said, list):
        return [with_each(part, value) for part in said]
    return value if said == "each" else said


def one(said, nodes, place):
    args = {name: value for name, value in said.items() if name not in ("do", "after")}
    after = said.get("after", 0)
    if not isinstance(said.get("do"), str) or said["do"] not in WORDS:
        raise Unreadable(f"{place}: no such word: {said.get('do')}")
    if not is_amount(after):
        raise Unreadable(f"{place}: after: not seconds")
    wanted = WORDS[said["do"]]
    names = {name.removesuffix("?"): kind for name, kind in wanted.items()}
    known(args, names, place)
    for name in wanted:
        if not name.endswith("?") and name not in args:
            raise Unreadable(f"{place}: {said['do']} needs {name}")
    for name, value in args.items():
        check(names[name], value, nodes, f"{place}: {name}")
    return Step(said["do"], after, args)


def is_amount(value):
    return type(value) in (int, float) and math.isfinite(value) and value >= 0


def check(kind, value, nodes, place):
    def is_node(value):
        return type(value) is int and 0 <= value < nodes

    def are_nodes(value):
        return isinstance(value, list) and all(map(is_node, value)) and len(set(value)) == len(value)
    good = {
        NODE: is_node,
        LISTED: are_nodes,
        NODES: lambda v: are_nodes(v) or v in (LEADER, SAME, ALL),
        GROUPS: lambda v: isinstance(v, list) and all(map(are_nodes, v)) and are_nodes(sum(v, [])),
        NUMBER: lambda v: type(v) in (int, float) and math.isfinite(v),
        AMOUNT: is_amount,
        SIZE: lambda v: is_amount(v) and v >= 1,
        TEXT: lambda v: isinstance(v, str),
        FILE: lambda v: v in FILES,
        KIND: lambda v: v in KINDS,
        TEXTS: lambda v: isinstance(v, list) and all(isinstance(text, str) for text in v),
        ANY: lambda v: True,
    }[kind](value)
    if not good:
        raise Unreadable(f"{place}: not {kind}: {value}")
