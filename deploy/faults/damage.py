"""Hurts what a node stands on: its disk, its files, its clock. Works on a node's directory as it lies on this
machine, whatever the node runs in. Each function says what it did, in words for a report.

    small_disk(dir, 64 << 20)       while the node is stopped: its data, moved to a small filesystem
    fill(dir) ... make_room(dir)    nothing is left on it, and then there is again
    unmount(dir)                    back to where it was; also done at exit, and for runs that were killed
"""
import atexit
import os
import pathlib
import shutil
import struct
import subprocess

MOUNTED = "sluice-faults-"      # what mounts are called, before the pid of whoever made them
FILLER = "filler"
PIECE = 1 << 20
SECTOR = 512
SLOT_BYTES = 4096               # of the file `synced` (docs/STORAGE.md, 4.4)
SLOT_HEAD = struct.Struct("<8sQQQQII")
EXTENT = struct.Struct("<QQI")
FAKETIME = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1"


class Needs(Exception):
    """This fault needs what is not here; the text says what."""


def data_of(node_dir):
    return pathlib.Path(node_dir) / "data"


# ---- the disk is full ----

def small_disk(node_dir, size):
    """Moves the data of a stopped node to a filesystem of `size` bytes."""
    if os.geteuid() != 0:
        raise Needs("a small filesystem for a node's data needs root, to mount it")
    unmount_leftovers()
    data = data_of(node_dir)
    data.mkdir(mode=0o700, exist_ok=True)
    if size < used_bytes(data):
        raise ValueError(f"{data} does not fit in {size} bytes")
    aside = data.with_name("data.aside")
    owner = data.stat()
    data.rename(aside)
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode={owner.st_mode & 0o777:o},uid={owner.st_uid},"
             f"gid={owner.st_gid}", f"{MOUNTED}{os.getpid()}", str(data)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        data.rmdir()
        aside.rename(data)
        raise Needs(f"a small filesystem for a node's data must be mounted, and this is refused: {done.stderr.strip()}")
    copy_into(aside, data)
    shutil.rmtree(aside)
    return f"data on a disk of {size >> 20} MiB"


def fill(node_dir, leave=0):
    """Leaves `leave` bytes of room on the small disk. The node may be running."""
    data = data_of(node_dir)
    if not data.is_mount():
        raise ValueError(f"{data} is not on a small disk")
    written = 0
    with open(data / FILLER, "ab", buffering=0) as filler:
        piece = PIECE
        while piece:
            try:
                written += filler.write(bytes(piece))
            except OSError:
                piece //= 2
        if leave:
            filler.truncate(max(0, filler.tell() - leave))
    return f"a file of {written >> 10} KiB takes the room that was left"


def make_room(node_dir):
    (data_of(node_dir) / FILLER).unlink()
    return "the file that took the room is gone"


def unmount(node_dir):
    """Puts the data of a stopped node back on the disk where it was."""
    data = data_of(node_dir)
    aside = data.with_name("data.aside")
    (data / FILLER).unlink(missing_ok=True)
    aside.mkdir()
    copy_into(data, aside)
    shutil.copystat(data, aside)
    os.chown(aside, data.stat().st_uid, data.stat().st_gid)
    drop_mount(data)
    data.rmdir()
    aside.rename(data)
    return "data back on its own disk"


def unmount_leftovers():
    """Drops the small disks of runs that are no more, with what is on them."""
    for path, pid in mounts():
        if not pathlib.Path(f"/proc/{pid}").exists():
            drop_mount(path)


@atexit.register
def unmount_own():
    """Drops the small disks of this run, with what is on them. Nodes may still be running there."""
    for path, pid in mounts():
        if pid == os.getpid():
            drop_mount(path)


def mounts():
    """[(path, pid of the run)] of the small disks that are mounted."""
    with open("/proc/mounts", encoding="utf-8") as lines:
        fields = [line.split() for line in lines]
    return [(path, int(name.removeprefix(MOUNTED))) for name, path, *_ in fields if name.startswith(MOUNTED)]


def drop_mount(path):
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def copy_into(source, target):
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def used_bytes(directory):
    return sum(path.stat().st_blocks * SECTOR for path in directory.rglob("*"))


# ---- bits and ends ----

def flip_bit(node_dir, what):
    """Flips one bit of the newest file of a kind: "sst" (a table) and "blob" (bodies) in their middle, "log" in the
    middle of what was synced of it. The node may be running, or not."""
    path, until = synced_log(node_dir) if what == "log" else newest(node_dir, f".{what}")
    at = until // 2
    with open(path, "r+b", buffering=0) as file:
        byte = os.pread(file.fileno(), 1, at)[0]
        os.pwrite(file.fileno(), bytes([byte ^ 0x10]), at)
    return f"bit 4 of byte {at} of {path.name} flipped"


def tear(node_dir, synced=False):
    """The end of a stopped node's newest log is as a loss of power leaves it: the last write is half there. Such a tail
    was never promised to anybody. `synced`: a sector of what was promised is gone, too, as a disk does that lies."""
    path, until = synced_log(node_dir)
    size = path.stat().st_size
    if synced:
        os.truncate(path, until - SECTOR)
        return f"{path.name} cut off {SECTOR} bytes before the end of what was synced"
    if size > until:
        os.truncate(path, until + (size - until) // 2)
        return f"{path.name} cut off in the middle of the {size - until} bytes that were not synced"
    with open(path, "ab") as file:
        file.write(os.urandom(SECTOR))
    return f"{path.name} ends with {SECTOR} bytes of a write that was cut short"


def wipe(node_dir):
    """All data of a stopped node is gone; the directory itself stays, it may be a mount."""
    for path in data_of(node_dir).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return "all data deleted"


def newest(node_dir, suffix):
    """(path, bytes) of the newest file of a kind that has something in it."""
    found = [(int(path.stem), path) for path in data_of(node_dir).glob(f"*{suffix}") if path.stat().st_size > 200]
    if not found:
        raise ValueError(f"no *{suffix} in {data_of(node_dir)} yet")
    path = max(found)[1]
    return path, path.stat().st_size


def synced_log(node_dir):
    """(path, bytes that were synced) of the newest log, by the mark (docs/STORAGE.md, 4.4)."""
    data = data_of(node_dir)
    slots = (data / "synced").read_bytes()
    best = None
    for start in (0, SLOT_BYTES):
        magic, generation, *_, count = SLOT_HEAD.unpack_from(slots, start)
        if magic == b"SLUMARK1" and count and (best is None or generation > best[0]):
            number, size, _ = EXTENT.unpack_from(slots, start + SLOT_HEAD.size + (count - 1) * EXTENT.size)
            best = (generation, number, size)
    if best is None:
        raise ValueError(f"{data}/synced has no mark yet")
    return data / f"{best[1]:06}.log", best[2]


# ---- the clock ----

def clock(offset_s, here=True):
    """The environment of a node whose wall clock is off by `offset_s`; what it measures durations with stays right.
    `here`: the node uses this machine's libraries."""
    library = pathlib.Path(FAKETIME)
    if here and not library.exists():
        raise Needs("a wrong clock needs libfaketime (Debian: apt-get install libfaketime)")
    remove_leftovers()
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{offset_s:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def remove_leftovers():
    """What libfaketime leaves of a process that was killed keeps the next one of that pid from starting."""
    for path in pathlib.Path("/dev/shm").glob("*faketime_s*_*"):
        pid = path.name.rsplit("_", 1)[1]
        if not pathlib.Path(f"/proc/{pid}").exists():
            path.unlink(missing_ok=True)
