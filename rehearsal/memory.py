"""How much memory a rehearsal takes: this process and all below it, emulator, builds, jobs and endpoints among them.

Linux tells what each has for itself plus its share of what it has in common with others; elsewhere its resident size
counts, in which common pages count for each, so that the figure is too large rather than too small.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal import processes

EVERY_SECONDS = 1.0
_WORTH_A_LOOK = 1.01  # asking Linux for shares takes some milliseconds a process: only at a new height


@dataclass
class Peak:
    """The largest amount so far, in bytes, and how many processes had it."""

    memory: int = 0
    processes: int = 0
    _resident: float = field(default=0.0, repr=False)

    @property
    def megabytes(self) -> float:
        """In MB of 1,048,576 bytes."""
        return self.memory / 1024**2

    def look(self) -> None:
        """Measure now."""
        known = processes.running()
        ours = [known[pid] for pid in processes.descendants(os.getpid(), known) | {os.getpid()} if pid in known]
        resident = sum(each.memory for each in ours)
        if resident <= self._resident * _WORTH_A_LOOK:
            return
        self._resident = resident
        memory = sum(_share(each) for each in ours)
        if memory > self.memory:
            self.memory, self.processes = memory, len(ours)


def _share(process: processes.Process) -> int:
    """Proportional set size, from smaps_rollup of proc(5)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return process.memory


@contextlib.contextmanager
def watched() -> Iterator[Peak]:
    """Measure while the block runs."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_SECONDS):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True, name="memory")
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak.look()
