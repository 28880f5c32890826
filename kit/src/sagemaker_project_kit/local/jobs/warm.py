"""Starts Python programs in milliseconds: forked from a process that has loaded the slow libraries (spawner.py).

Only on Linux, where a fork is safe after numpy is loaded, and only what cannot tell the difference: `python -m module`
or `python script.py` whose environment adds nothing that a library reads while it loads. All else, and everything
before the libraries are loaded, is started in the ordinary way by whoever asked here.
"""

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_SPAWNER = Path(__file__).with_name("spawner.py")
_HARMLESS = re.compile(r"SM_\w+|TRAINING_JOB_NAME|PYTHONPATH")


class ForkedProgram:
    """A program that was forked: the part of subprocess.Popen that a run needs."""

    def __init__(self, status: int) -> None:
        self._status = os.fdopen(status)
        self.pid = int(self._status.readline())

    def wait(self) -> int:
        """The exit code, negative for a signal; that of a kill if nobody is left to tell."""
        with self._status:
            return int(self._status.readline() or -9)


class WarmPython:
    """The process to fork from, in one environment. It loads while the run prepares its first step."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "linux":
            self._launch()

    def _launch(self) -> None:
        self._orders, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, str(_SPAWNER), str(other.fileno())],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        self._ready = False

    def start(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: int, guardian: int | None = None
    ) -> ForkedProgram | None:
        """Start a program whose output goes to the open file `log`; None if it must be started in the ordinary way.

        The program itself tells `guardian`, the input of guardian.py, that it is there.
        """
        if self._process is None or not self._fits(argv, env) or not self._is_ready():
            return None
        added = {name: value for name, value in env.items() if self._environment.get(name) != value}
        order = json.dumps({"argv": argv[1:], "cwd": str(cwd), "env": added}).encode()
        ours, theirs = os.pipe()
        try:
            socket.send_fds(self._orders, [order], [log, theirs, *([] if guardian is None else [guardian])])
        except OSError:  # it has ended, or the message is too long
            os.close(ours)
            return None
        finally:
            os.close(theirs)
        with contextlib.suppress(ValueError):  # it ended before it could fork
            return ForkedProgram(ours)
        return None

    def _fits(self, argv: Sequence[str], env: Mapping[str, str]) -> bool:
        names = {name for name in {*env, *self._environment} if env.get(name) != self._environment.get(name)}
        program = argv[0] == sys.executable and len(argv) > 1 and (argv[1] == "-m" or argv[1].endswith(".py"))
        return program and all(name in env and _HARMLESS.fullmatch(name) for name in names)

    def _is_ready(self) -> bool:
        if not self._ready and select.select([self._orders], [], [], 0)[0]:
            self._ready = self._orders.recv(1) == b"."
        return self._ready

    def close(self) -> None:
        """End it. Programs under way are not touched."""
        if self._process:
            self._orders.close()
            self._process.kill()
            self._process.wait()
