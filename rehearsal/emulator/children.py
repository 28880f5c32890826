"""The programs that the emulator starts: builds, jobs, servers. None outlives it, however it ends.

Each leads a process group of its own, so that ending it ends what it started too. A guardian process holds the list of
groups and reads a pipe that only the emulator has open: when the emulator is gone, even killed, so are they.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_GUARDIAN = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
"""
_lock = threading.Lock()
_guardian: "subprocess.Popen[str] | None" = None


def start(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], output: IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start a program with exactly this environment and no input; its output and errors go to `output`."""
    with _lock:
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        _tell(f"+{process.pid}")
    return process


def finish(process: "subprocess.Popen[bytes]") -> int:
    """Wait for its end, end what it left running, and return its exit code (negative for a signal)."""
    try:
        return process.wait()
    finally:
        kill(process)
        with _lock:
            _tell(f"-{process.pid}")


def kill(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a program and everything that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
        os.killpg(process.pid, number)


def _tell(line: str) -> None:
    global _guardian
    if _guardian is None or _guardian.poll() is not None:
        _guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARDIAN],
            stdin=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
    if _guardian.stdin:
        _guardian.stdin.write(f"{line}\n")
