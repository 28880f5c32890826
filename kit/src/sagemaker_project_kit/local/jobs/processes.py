"""The child processes of a run. Each leads a process group of its own, so that ending it ends what it started too.

Output goes straight from the child into its log file. Nothing polls: a thread sleeps until its child has ended.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagemaker_project_kit.local.errors import ExecutionStopped, StepFailed
from sagemaker_project_kit.local.jobs.sandbox import inherited_environment
from sagemaker_project_kit.local.jobs.warm import ForkedProgram, WarmPython

# How long a child may take to end after SIGTERM. SageMaker gives a container two minutes; a person at a terminal, less.
GRACE_SECONDS = 3.0
_GUARDIAN = Path(__file__).with_name("guardian.py")


@dataclass(frozen=True)
class Command:
    """A program to run; its output is appended to `log`. `seconds` limits its run time."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    seconds: float | None = None


class Children:
    """Every process of one run. Use it in a `with` block: leaving it ends what is still running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._stopping = False
        self._warm = WarmPython(inherited_environment())
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARDIAN)], stdin=subprocess.PIPE, start_new_session=True, bufsize=0
        )

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)
        self._warm.close()
        if self._guardian.stdin:
            self._guardian.stdin.close()
        self._guardian.wait()

    def run(self, command: Command) -> int:
        """Run to the end and return the exit code, negative for a signal.

        Raises StepFailed if the program cannot start or exceeds its time, ExecutionStopped after `stop`.
        """
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            process = self._start(command, log.fileno())
        late = threading.Event()
        timer = _after(command.seconds, lambda: self._expire(process.pid, late))
        code = process.wait()
        timer.cancel()
        self._forget(process.pid)
        if self._stopping:
            raise ExecutionStopped
        if late.is_set():
            raise StepFailed(f"it ran longer than its limit of {command.seconds:g} s (MaxRuntimeInSeconds)")
        return code

    def _start(self, command: Command, log: int) -> "subprocess.Popen[bytes] | ForkedProgram":
        with self._lock:
            if self._stopping:
                raise ExecutionStopped
            guardian = self._guardian.stdin.fileno()  # type: ignore[union-attr]
            process = self._warm.start(command.argv, command.env, command.cwd, log, guardian) or _open(
                command, log, guardian
            )
            self._groups.add(process.pid)
            return process

    def _forget(self, group: int) -> None:
        _signal(group, signal.SIGKILL)  # what the child may have left running
        with self._lock:
            self._groups.discard(group)
            self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        if self._guardian.stdin:
            with contextlib.suppress(BrokenPipeError):  # without a guardian the run itself is as good as before
                self._guardian.stdin.write(f"{line}\n".encode())

    def _expire(self, group: int, late: threading.Event) -> None:
        late.set()
        _signal(group, signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signal every child and start no other. After SIGTERM, SIGKILL follows by itself."""
        with self._lock:
            self._stopping = True
            for group in self._groups:
                _signal(group, number)
            waiting = bool(self._groups) and number != signal.SIGKILL
        if waiting:
            _after(GRACE_SECONDS, lambda: self.stop(signal.SIGKILL))

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping


def _open(command: Command, log: int, guardian: int) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            list(command.argv),
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _announce(guardian),
        )
    except OSError as error:
        raise StepFailed(f"cannot start {command.argv[0]!r}: {error.strerror}") from error


def _announce(guardian: int) -> None:
    """In the child, before it becomes the program: a run that is killed now would never tell the guardian of it."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):
        os.write(guardian, b"+%d\n" % os.getpid())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _after(seconds: float | None, action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds or 0, action)
    timer.daemon = True
    if seconds is not None:
        timer.start()
    return timer


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
        os.killpg(group, number)
