"""Ways to doctor what was told of a run: every kind of wrong that the verdict is there to see. A way changes a World at
a place that it draws, as consistently as a perfect liar would; it returns False where the world has no such place. The
words after its name are what the verdict must say."""
from checker import OPENINGS
from queue_check import at_once

WAYS = {}   # {name: (function(world, random), words)}
SEVERAL = 3
STANDSTILL_S = 20   # more than may be, and than it takes until something waits


def says(*words):
    def keep(way):
        WAYS[way.__name__] = (way, words)
        return way
    return keep


# ---- finding places; (i, j): the entry j of the i-th record ----

def some_reader(world, random):
    return world.histories[random.choice(sorted(world.histories))]


def first_history(world):
    return next(iter(world.histories.values()))


def inner(world, random, margin=2):
    """A record that is not near an end."""
    return random.randrange(margin, len(first_history(world)) - margin)


def draw(world, random, wanted, margin=0):
    """(i, j) of one that is `wanted(record, entry)`, at least `margin` records from the ends; None."""
    history = first_history(world)
    found = [(i, j) for i in range(margin, len(history) - margin) for j, entry in enumerate(history[i]["entries"])
             if wanted(history[i], entry)]
    return random.choice(found) if found else None


def is_plain(record, entry):
    return entry["kind"] == "plain" and not entry.get("forced")


def is_forced(record, entry):
    return bool(entry.get("forced")) and entry["kind"] == "plain"


def is_opened_later(record, entry):
    return entry["kind"] == "opened" and entry["ordered"]["height"] < record["height"]


def is_opened_in_place(record, entry):
    return entry["kind"] == "opened" and entry["ordered"]["height"] == record["height"]


def move(history, place, to):
    """Entry of one record to another: forced ones before all that is there, openings before lanes."""
    i, j = place
    entry, entries = history[i]["entries"].pop(j), history[to]["entries"]
    at = 0 if entry.get("forced") else sum(bool(e.get("forced")) for e in entries)
    entries.insert(at, entry)


def submission(world, id):
    return next(s for s in world.journal if s.id == id)


# ---- one reader's own ----

@says("differ at height")
def reordered_pair_at_one_node(world, random):
    history = some_reader(world, random)
    pairs = [(record["entries"], j) for record in history for j in range(len(record["entries"]) - 1)
             if is_plain(record, record["entries"][j]) and is_plain(record, record["entries"][j + 1])]
    if not pairs:
        return False
    entries, j = random.choice(pairs)
    a, b = entries[j], entries[j + 1]
    a["index"], b["index"] = b["index"], a["index"]
    entries[j], entries[j + 1] = b, a


@says("differ at height")
def changed_payload_at_one_node(world, random):
    i, j = draw(world, random, is_plain)
    entry = some_reader(world, random)[i]["entries"][j]
    at = random.randrange(2, len(entry["payload"]))
    entry["payload"] = entry["payload"][:at] + ("0" if entry["payload"][at] != "0" else "1") + entry["payload"][at + 1:]


@says("differ at height")
def another_height_at_one_node(world, random):
    """One reader has the content of a height where another belongs."""
    i, _ = draw(world, random, is_plain, 2)
    history = some_reader(world, random)
    for name in ("entries", "block"):
        history[i][name], history[i + 1][name] = history[i + 1][name], history[i][name]


@says("follows")
def gap_at_one_node(world, random):
    del some_reader(world, random)[inner(world, random)]


@says("heights, node")
def short_history_at_one_node(world, random):
    some_reader(world, random).pop()


@says("came to its reader before")
def arrival_going_back(world, random):
    history = some_reader(world, random)
    i = inner(world, random)
    history[i]["at"] = history[i - 1]["at"] - 0.001


# ---- everybody alike: heights ----

@says("follows")
def gap(world, random):
    i = inner(world, random)
    for history in world.histories.values():
        del history[i]


@says("time does not rise")
def time_going_back(world, random):
    i = inner(world, random)
    for history in world.histories.values():
        history[i]["time_ms"] = history[i - 1]["time_ms"] - random.randrange(2)


@says("have a hole")
def hole_in_indexes(world, random):
    i, j = draw(world, random, is_plain)
    for history in world.histories.values():
        for entry in history[i]["entries"][j:]:
            entry["index"] += 1
    return None


@says("nobody read anything")
def nothing_read(world, random):
    for history in world.histories.values():
        history.clear()


# ---- everybody alike: entries ----

@says("is missing")
def lost(world, random):
    i, j = draw(world, random, is_plain)
    world.everywhere(lambda history: history[i]["entries"].pop(j))


@says("already")
def double(world, random):
    i, j = draw(world, random, is_plain)
    to = random.randrange(i, len(first_history(world)))
    world.everywhere(lambda history: history[to]["entries"].append(dict(history[i]["entries"][j])))


@says("already")
def double_under_another_id(world, random):
    i, j = draw(world, random, is_plain)
    to = random.randrange(i, len(first_history(world)))
    world.everywhere(lambda history: history[to]["entries"].append(
        dict(history[i]["entries"][j], id="0x" + "ab" * 32)))


@says("not what or where")
def reordered_pair(world, random):
    """Everybody's, against what clients were told."""
    places = [(i, j) for i, record in enumerate(first_history(world)) for j in range(len(record["entries"]) - 1)
              if all(is_plain(record, e) and any(s.id == e["id"] for s in world.journal)
                     for e in record["entries"][j:j + 2])]
    if not places:
        return False
    i, j = random.choice(places)
    for history in world.histories.values():
        entries = history[i]["entries"]
        a, b = entries[j], entries[j + 1]
        entries[j], entries[j + 1] = dict(b, index=a["index"]), dict(a, index=b["index"])
    return None


@says("not what or where")
def changed_payload(world, random):
    i, j = draw(world, random, is_plain)
    world.everywhere(lambda history: history[i]["entries"][j].update(payload="0x" + "c3" * 33))


@says("never submitted")
def of_nobody(world, random):
    i, j = draw(world, random, is_plain)
    world.everywhere(lambda history: history[i]["entries"].append(
        dict(history[i]["entries"][j], id="0x" + "cd" * 32, payload="0xabcdef")))


# ---- the queue ----

def shift_forced(world, random, by):
    place = draw(world, random, is_forced, SEVERAL)
    if not place:
        return False
    world.everywhere(lambda history: move(history, place, place[0] + by))


@says("belongs to height")
def forced_late(world, random):
    return shift_forced(world, random, 1)


@says("belongs to height")
def forced_early(world, random):
    return shift_forced(world, random, -1)


@says("belongs to height", "does not follow the order of the queue")
def forced_swapped(world, random):
    """Two that follow one another in the stream have one another's place."""
    places = [(i, j) for i, record in enumerate(first_history(world)) for j, entry in enumerate(record["entries"])
              if is_forced(record, entry)]
    if len(places) < 2:
        return False
    at = random.randrange(len(places) - 1)
    (i, j), (k, m) = places[at:at + 2]

    def swap(history):
        a, b = history[i]["entries"][j], history[k]["entries"][m]
        history[i]["entries"][j], history[k]["entries"][m] = b, a
    world.everywhere(swap)


@says("did not come out of the queue")
def forced_missing(world, random):
    place = draw(world, random, is_forced)
    if not place:
        return False
    world.everywhere(lambda history: history[place[0]]["entries"].pop(place[1]))


@says("did not come out of the queue")
def forced_through_a_lane(world, random):
    place = draw(world, random, is_forced)
    if not place:
        return False

    def change(history):
        entry = history[place[0]]["entries"].pop(place[1])
        history[place[0]]["entries"].append({name: value for name, value in entry.items() if name != "forced"})
    world.everywhere(change)


@says("and queued at height")
def forced_queued_late(world, random):
    """All as the clause wants it, but for that f+1 nodes held it long before it was queued: later than the rest."""
    history = first_history(world)
    until = {s.id: at_once(world.params, world.nodes, history, s, world.patience)
             for s in world.journal if s.kind == "forced"}
    place = draw(world, random, lambda record, entry: is_forced(record, entry) and until.get(entry["id"]) is not None)
    if not place:
        return False
    id, to = history[place[0]]["entries"][place[1]]["id"], len(history) - 1
    others = [e["id"] for record in history[place[0] + 1:] for e in record["entries"] if e.get("forced")]
    if others:      # it comes behind them all, so that nothing else is wrong
        behind = max(i for i, record in enumerate(history) for e in record["entries"] if e["id"] == others[-1])
        to = max(to, behind + 1)
    if to >= len(history) or history[to]["height"] - world.params["forced_delay"] <= until[id]:
        return False
    world.everywhere(lambda history: move(history, place, to))
    for of in world.told.values():
        of[id]["queued_at"] = history[to]["height"] - world.params["forced_delay"]
    s = submission(world, id)
    s.sent = s.answered = -10     # no fault disturbed it


@says("nodes say different things")
def forced_told_differently(world, random):
    node, id = random.choice(sorted(world.told)), random.choice(sorted(world.told[0]))
    world.told[node][id][random.choice(["queued_at", "due_height", "index"])] += 1


@says("nobody says where it was queued")
def forced_never_queued(world, random):
    id = random.choice(sorted(world.told[0]))
    for of in world.told.values():
        of[id].update(state="unknown", certified=False)


@says("told is")
def forced_told_elsewhere(world, random):
    id = random.choice(sorted(world.told[0]))
    for of in world.told.values():
        of[id]["index"] += 1


@says("its client was told")
def forced_due_elsewhere(world, random):
    forced = [s for s in world.journal if s.kind == "forced" and s.outcome == "ordered"]
    if not forced:
        return False
    s = random.choice(forced)
    s.due_height = s.height + random.choice([-1, 1])


# ---- what is sealed ----

def draw_on_time(world, random, wanted, margin=0):
    """An opening at the first height that reaches its unlock, with nothing opened there that was ordered before it: no
    rule makes it wait. (What is behind others may wait for room, and of whose lane it is nobody can tell.)"""
    below = {record["height"] + 1: record for record in first_history(world)}

    def on_time(record, entry):
        place = entry.get("ordered") and (entry["ordered"]["height"], entry["ordered"]["index"])
        before = below.get(record["height"], {"height": 0, "time_ms": 0})
        return wanted(record, entry) and all(before[name] < value for name, value in (entry["unlock"] or {}).items()) \
            and not any(e["kind"] in OPENINGS and (e["ordered"]["height"], e["ordered"]["index"]) < place
                        for e in record["entries"])
    return draw(world, random, on_time, margin)


def is_locked_and_opened_later(record, entry):
    """Not one that waited for room, and might have had some sooner."""
    return is_opened_later(record, entry) and entry["unlock"]


def shift_opening(world, random, by):
    place = draw_on_time(world, random, is_locked_and_opened_later, SEVERAL)
    if not place:
        return False
    history = first_history(world)
    entry = history[place[0]]["entries"][place[1]]
    if by < 0 and history[place[0] + by]["height"] <= entry["ordered"]["height"]:
        return False
    world.everywhere(lambda history: move(history, place, place[0] + by))


@says("is due at height")
def timelock_late(world, random):
    return shift_opening(world, random, 1)


@says("before its unlock")
def timelock_early(world, random):
    return shift_opening(world, random, -1)


@says("is due at height")
def timelock_never(world, random):
    place = draw_on_time(world, random, is_opened_later)
    if not place:
        return False
    world.everywhere(lambda history: history[place[0]]["entries"].pop(place[1]))


@says("already")
def timelock_twice(world, random):
    place = draw(world, random, is_opened_later, SEVERAL)
    if not place:
        return False
    to = random.randrange(place[0] + 1, len(first_history(world)))
    world.everywhere(lambda history: history[to]["entries"].insert(0, dict(
        history[place[0]]["entries"][place[1]], payload="0x" + "c4" * 20)))


@says("not ordered before")
def opened_before_its_commitment(world, random):
    place = draw(world, random, is_opened_later)
    if not place:
        return False
    i, j = place
    ordered = first_history(world)[i]["entries"][j]["ordered"]["height"]
    at = next(k for k, record in enumerate(first_history(world)) if record["height"] == ordered)
    if at == 0:
        return False
    to = random.randrange(at)
    world.everywhere(lambda history: move(history, place, to))


@says("is due at height")
def sealed_never_opened(world, random):
    place = draw_on_time(world, random, is_opened_in_place)
    if not place:
        return False
    world.everywhere(lambda history: history[place[0]]["entries"].pop(place[1]))


@says("opened right behind its commitment")
def opened_elsewhere_in_its_height(world, random):
    place = draw(world, random, lambda record, entry: is_opened_in_place(record, entry)
                 and record["entries"][-1] is not entry)
    if not place:
        return False
    i, j = place

    def change(history):
        entry = history[i]["entries"].pop(j)
        history[i]["entries"].append(entry)
    world.everywhere(change)


@says("where it was ordered at")
def opened_at_another_index(world, random):
    place = draw(world, random, is_opened_in_place)
    if not place:
        return False
    for history in world.histories.values():
        history[place[0]]["entries"][place[1]]["index"] += 1
    return None


@says("its opening says")
def opening_names_another_place(world, random):
    place = draw(world, random, is_opened_later)
    if not place:
        return False
    for history in world.histories.values():
        history[place[0]]["entries"][place[1]]["ordered"]["index"] += 1
    return None


@says("its opening says")
def opening_names_another_unlock(world, random):
    place = draw(world, random, is_opened_later)
    if not place:
        return False
    world.everywhere(lambda history: history[place[0]]["entries"][place[1]].update(unlock={"height": 1}))


@says("stands in its commitment")
def content_in_the_commitment(world, random):
    i, j = draw(world, random, lambda record, entry: entry["kind"] == "opened")
    opening = first_history(world)[i]["entries"][j]

    def change(history):
        for record in history:
            for entry in record["entries"]:
                if entry["id"] == opening["id"] and entry["kind"] == "sealed":
                    entry["payload"] = "0xee" + opening["payload"][2:] + "ee"
    world.everywhere(change)


@says("not what or where")
def opened_to_something_else(world, random):
    i, j = draw(world, random, lambda record, entry: entry["kind"] == "opened")
    world.everywhere(lambda history: history[i]["entries"][j].update(payload="0x" + "c5" * 20))


def make_void(entry, **more):
    for name in ("payload", "legs", "unlock"):
        entry.pop(name, None)
    entry.update({"kind": "void", "rollup": 0, "reason": "tag", **more})


@says("not what or where")
def shown_as_void(world, random):
    i, j = draw(world, random, lambda record, entry: entry["kind"] == "opened")
    world.everywhere(lambda history: make_void(history[i]["entries"][j]))


@says("never submitted")
def void_shown_as_opened(world, random):
    """Of one that was not sealed by a client of ours: what it shows, nobody submitted."""
    i, j = draw(world, random, lambda record, entry: entry["kind"] == "opened")
    world.journal.remove(submission(world, first_history(world)[i]["entries"][j]["id"]))


@says("shows content, or a rollup")
def content_in_a_void(world, random):
    i, j = draw(world, random, lambda record, entry: entry["kind"] == "opened")
    more = random.choice([{"payload": "0xc6"}, {"rollup": 7}, {"legs": []}])
    world.everywhere(lambda history: make_void(history[i]["entries"][j], **more))


# ---- the journal ----

def ordered(world, random, kinds=("plain",)):
    return random.choice([s for s in world.journal if s.outcome == "ordered" and s.kind in kinds])


@says("not what or where")
def journal_lies_about_its_index(world, random):
    ordered(world, random).index += random.choice([-1, 1])


@says("not what or where")
def journal_lies_about_its_height(world, random):
    ordered(world, random).height += random.choice([-1, 1])


@says("no definite outcome")
def accepted_never_settled(world, random):
    ordered(world, random).outcome = "unknown"


@says("was refused and is at height")
def refused_but_there(world, random):
    s = ordered(world, random)
    s.status, s.outcome = "refused", ""


@says("was expired and is at height")
def expired_but_there(world, random):
    ordered(world, random).outcome = "expired"


def unorder(world, s, outcome):
    def change(history):
        for record in history:
            record["entries"] = [entry for entry in record["entries"] if entry["id"] != s.id]
    world.everywhere(change)
    s.outcome, s.height, s.index = outcome, 0, 0


@says("expired, although nothing was done to its node")
def expired_without_a_fault(world, random):
    world.faults = []
    unorder(world, ordered(world, random), "expired")


@says("was dropped")
def accepted_and_dropped(world, random):
    unorder(world, ordered(world, random), "dropped")


# ---- recovery: needs a fault that hits some readers' nodes and not all ----

def delay(history, since, by):
    for record in history:
        if record["at"] > since:
            record["at"] += by


@says("resumed after")
def standstill(world, random):
    """Nobody had anything for a long time after a fault."""
    since = world.faults[0]["at"]
    for history in world.histories.values():
        delay(history, since, world.resumed_s + STANDSTILL_S)


@says("resumed after")
def standstill_hidden_in_a_reader_that_is_hit(world, random):
    fault = world.faults[0]
    for node, history in world.histories.items():
        if node not in fault["nodes"]:
            delay(history, fault["at"], world.resumed_s + STANDSTILL_S)


@says("nothing was ever ordered again")
def never_again(world, random):
    fault = world.faults[0]
    for history in world.histories.values():
        for record in history:
            if record["at"] > fault["at"]:
                record["entries"] = []


@says("was never ordered")
def never_again_after_a_last_one(world, random):
    """What was under way when it began still came."""
    fault, history = world.faults[-1], first_history(world)
    last = next(i for i, record in enumerate(history) if record["at"] > fault["at"] and record["entries"])
    for each in world.histories.values():
        for record in each[last + 1:]:
            record["entries"] = []
