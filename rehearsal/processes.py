"""Which processes belong to a rehearsal, what they take of the memory, and their end.

Every program that a rehearsal starts carries MARK in its environment and hands it on to what it starts, whatever
sessions and groups that makes. Besides, the descendants of a process count. Nothing else is ever touched.

Linux tells all of it in /proc. Elsewhere `ps` does, but macOS hides the environment of its own programs (/bin/sh) from
everybody (psutil, issue 2084): there they are found by their descent alone.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MARK = "REHEARSAL_MARK"
END_SECONDS = 5.0
_PAUSE = 0.01


@dataclass(frozen=True)
class Process:
    """A running process. `began` tells it from a later one of the same number; `memory` counts bytes."""

    pid: int
    parent: int
    began: str
    memory: int


def running() -> dict[int, Process]:
    """Every process of this machine that has not ended."""
    return {process.pid: process for process in (_in_proc() if sys.platform == "linux" else _in_ps())}


def marked(mark: str) -> set[int]:
    """The processes that carry a mark, or one below it: `a/1` is below `a`."""
    texts = _environments() if sys.platform == "linux" else _environments_in_ps()
    wanted = (f"{MARK}={mark}".encode(), f"{MARK}={mark}/".encode())
    return {pid for pid, text in texts if _carries(text, *wanted)}


def _carries(text: bytes, same: bytes, below: bytes) -> bool:
    return any(word == same or word.startswith(below) for word in text.replace(b" ", b"\0").split(b"\0"))


def descendants(leader: int, known: Mapping[int, Process] | None = None) -> set[int]:
    """The children of a process, their children and so on; without itself."""
    parents = {pid: process.parent for pid, process in (running() if known is None else known).items()}
    found, fresh = set[int](), {leader}
    while fresh:
        fresh = {pid for pid, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def end(find: Callable[[], set[int]], seconds: float = END_SECONDS) -> set[int]:
    """Kill what `find` finds, until it finds nothing more; what still runs after `seconds` is returned."""
    until = time.monotonic() + seconds
    spared = _ancestors()
    while left := find() - spared:
        if time.monotonic() > until:
            return left
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)
    return set()


def _ancestors() -> set[int]:
    known, found, pid = running(), {os.getpid()}, os.getppid()
    while pid in known and pid not in found:
        found.add(pid)
        pid = known[pid].parent
    return found


# Linux: proc(5)


def _in_proc() -> Iterator[Process]:
    for pid, text in _files("stat"):
        fields = text.rpartition(b")")[2].split()
        if fields[0] not in (b"Z", b"X"):
            yield Process(pid, int(fields[1]), fields[19].decode(), int(fields[21]) * os.sysconf("SC_PAGE_SIZE"))


def _environments() -> Iterator[tuple[int, bytes]]:
    yield from _files("environ")


def _files(name: str) -> Iterator[tuple[int, bytes]]:
    """A file of each process; one that ends while we look, or belongs to somebody else, has none."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                yield int(folder.name), (folder / name).read_bytes()


# Elsewhere: ps(1) of macOS and the BSDs; -E shows the environment after the command


def _in_ps() -> Iterator[Process]:
    for line in _ps("-A", "-o", "pid=,ppid=,rss=,stat=,lstart="):
        pid, parent, kilobytes, state, *began = line.split()
        if not state.startswith(b"Z"):
            yield Process(int(pid), int(parent), b" ".join(began).decode(), int(kilobytes) * 1024)


def _environments_in_ps() -> Iterator[tuple[int, bytes]]:
    for line in _ps("-A", "-E", "-ww", "-o", "pid=,command="):
        pid, _, text = line.strip().partition(b" ")
        yield int(pid), text


def _ps(*options: str) -> list[bytes]:
    return subprocess.run(["ps", *options], capture_output=True, check=False).stdout.splitlines()
