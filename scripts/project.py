"""A baked project as an object with verbs, for the demo and the tests: its own make, in an environment of its own.

A verb runs in a process group of its own that ends with the block that started it, whatever ends the block. Nothing of
the make and the .venv that called us reaches it.
"""

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from scripts.load import free_port

_OURS = {
    *("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONPYCACHEPREFIX"),
    *("PYTHONDONTWRITEBYTECODE", "RUFF_CACHE_DIR", "MYPY_CACHE_DIR", "DATA", "TARGET", "PROBLEM", "MODEL", "PORT"),
}
_GRACE_SECONDS = 10


class ProjectError(Exception):
    """A verb of the project failed, or its server does not answer; the message says which and how."""


def environment() -> dict[str, str]:
    """This process's environment without what make and a virtual environment add to it."""
    return {name: value for name, value in os.environ.items() if name not in _OURS}


@contextlib.contextmanager
def running(command: list[str], folder: Path, output: IO[Any] | int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start a program in a group of its own; end the whole group with the block."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask the group to stop; after a grace period, stop it. Returns when none of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while time.monotonic() < deadline:
            process.poll()  # a zombie would count as a member of the group
            os.killpg(process.pid, 0)
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True)
class Answer:
    """What an HTTP server said."""

    status: int
    text: str


def call(url: str, body: str | None = None, content_type: str = "application/json") -> Answer:
    """GET, or POST if there is a body. An error status is an answer too."""
    data = None if body is None else body.encode("utf-8")
    request = urllib.request.Request(url, data, {"Content-Type": content_type})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return Answer(response.status, response.read().decode("utf-8"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode("utf-8"))


@dataclass(frozen=True)
class Project:
    """A project that was baked into `path`."""

    path: Path

    def make(self, *words: str, **values: str) -> None:
        """Run a verb, its output where ours goes. Raises ProjectError if it fails."""
        with running(self._command(words, values), self.path) as process:
            if process.wait():
                raise ProjectError(f"`make {' '.join(words)}` in {self.path} failed; see its output above.")

    def output(self, *words: str, **values: str) -> tuple[int, str]:
        """Run a verb and return its exit code and everything it printed."""
        with running(self._command(words, values), self.path, subprocess.PIPE) as process:
            text, _ = process.communicate()
            return process.returncode, text

    def _command(self, words: tuple[str, ...], values: Mapping[str, str]) -> list[str]:
        return ["make", "--no-print-directory", *words, *(f"{name}={value}" for name, value in values.items())]

    @contextlib.contextmanager
    def serving(self, log: Path, patience: float = 60) -> Iterator[str]:
        """`make serve` on a free port, its output in `log`; yields the address once /ping answers."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with (
            log.open("w") as output,
            running(self._command(("serve",), {"PORT": str(port)}), self.path, output) as server,
        ):
            _wait_for(server, f"{address}/ping", time.monotonic() + patience, log)
            yield address


def _wait_for(server: subprocess.Popen[str], url: str, deadline: float, log: Path) -> None:
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if call(url).status == 200:
                return
        time.sleep(0.05)
    raise ProjectError(f"{url} did not answer; the server wrote:\n{log.read_text()}")
