"""The programs that the emulator starts: builds, jobs, servers. None outlives it, however it ends.

Each leads a process group of its own, so that a signal reaches what it started too. What left that group carries a mark
(see rehearsal/processes.py), and ends with the program. What the emulator leaves, rehearsal/guardian.py ends.
"""

import contextlib
import itertools
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from rehearsal import processes

# How much builds and jobs yield to endpoints and to the emulator. On AWS each has a machine of its own: there, tests
# that use up a processor do not make an endpoint slow.
YIELDING = 10
_numbers = itertools.count(1)
_marks: dict[int, str] = {}


def new_mark() -> str:
    """A mark that no other program carries: below that of the emulator."""
    return f"{os.environ[processes.MARK]}/{next(_numbers)}"


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    output: IO[bytes],
    mark: str = "",
    niceness: int = 0,
) -> "subprocess.Popen[bytes]":
    """Start a program with this environment and no input; its output and errors go to `output`.

    Programs that belong together, such as the commands of a build, share a `mark`; each ends what the others left.
    """
    chosen = mark or new_mark()
    process = subprocess.Popen(
        list(command),
        cwd=cwd,
        env={**environment, processes.MARK: chosen},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    _marks[process.pid] = chosen
    if niceness:
        _make_yield(process.pid, niceness)
    return process


def _make_yield(group: int, niceness: int) -> None:
    """Linux divides the processor among sessions first, each with a niceness of its own (man 7 sched, autogroup)."""
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.setpriority(os.PRIO_PGRP, group, niceness)
    with contextlib.suppress(OSError):  # not Linux, switched off, or ended
        Path(f"/proc/{group}/autogroup").write_text(str(niceness))


def finish(process: "subprocess.Popen[bytes]") -> int:
    """Wait for its end, end what it left running, and return its exit code (negative for a signal)."""
    try:
        return process.wait()
    finally:
        kill(process)
        mark = _marks.pop(process.pid)
        processes.end(lambda: processes.marked(mark))


def end_all() -> None:
    """End everything that was started, and wait for it."""
    processes.end(lambda: processes.marked(os.environ[processes.MARK]))


def kill(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a program and everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
        os.killpg(process.pid, number)
