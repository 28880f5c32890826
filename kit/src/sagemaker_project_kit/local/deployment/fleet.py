"""A fleet: one server process with one model package, started with the command `serve` and ended with all it started.

A guardian beside the endpoint ends its fleets if the endpoint itself is killed. However many instances a stage has, a
fleet here is one process.
"""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sagemaker_project_kit.local.deployment.proxy import Backend
from sagemaker_project_kit.local.jobs import guardian

_START_SECONDS = 60.0
_DRAIN_SECONDS = 10.0
_PING = b"GET /ping HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"


class FleetError(Exception):
    """A fleet that did not start; the text says why."""


class Guard:
    """Ends the process groups it was told of when this process is gone (see local/jobs/guardian.py)."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", str(guardian.__file__)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, bufsize=0)

    def tell(self, change: str) -> None:
        """+123: a process group began; -123: it ended."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for as a pipe
        with contextlib.suppress(BrokenPipeError):  # without a guardian the endpoint is as good as before
            self._process.stdin.write(f"{change}\n".encode())

    def close(self) -> None:
        """No process group is left to guard."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.close()
        self._process.wait()


@dataclass
class Fleet:
    """A server that has been started."""

    package: str
    process: asyncio.subprocess.Process
    backend: Backend
    guard: Guard
    reader: "asyncio.Task[None] | None" = None

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.process.returncode is not None

    async def end(self) -> None:
        """Let what is under way finish, then end the process and whatever it started."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while self.backend.busy and not self.has_ended:
                    await asyncio.sleep(0.02)
        self.backend.close()
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), _DRAIN_SECONDS)
        self._signal(signal.SIGKILL)
        await self.process.wait()
        if self.reader:
            self.reader.cancel()
        self.guard.tell(f"-{self.process.pid}")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself
            os.killpg(self.process.pid, number)


async def start(package: str, options: Sequence[str], log: Path, guard: Guard) -> Fleet:
    """Start `serve` with `package` and wait until it is healthy. Raises FleetError, with nothing left running."""
    command = [sys.executable, "-m", "sagemaker_project_kit.local", "serve", package, "--port", "0", *options]
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=file, start_new_session=True
        )
    guard.tell(f"+{process.pid}")
    fleet = Fleet(package, process, Backend(package, 0), guard)
    try:
        async with asyncio.timeout(_START_SECONDS):
            fleet.backend.port = await _port(process, log)
            fleet.reader = asyncio.create_task(_copy(process, log))
            await _healthy(fleet, log)
    except TimeoutError:
        await fleet.end()
        raise FleetError(f"it was not healthy within {_START_SECONDS:g} s (see {log})") from None
    except BaseException:
        await fleet.end()
        raise
    return fleet


async def _port(process: asyncio.subprocess.Process, log: Path) -> int:
    """The port that the greeting of `serve` tells."""
    assert process.stdout is not None  # noqa: S101 - it was asked for as a pipe
    found = re.search(rb"http://127\.0\.0\.1:(\d+)", await process.stdout.readline())
    if found is None:
        await process.wait()
        raise FleetError(_reason(log))
    return int(found[1])


async def _copy(process: asyncio.subprocess.Process, log: Path) -> None:
    """What a model prints goes to the log: an unread pipe would stop it."""
    assert process.stdout is not None  # noqa: S101
    while text := await process.stdout.read(65536):
        with log.open("ab") as file:
            file.write(text)


async def _healthy(fleet: Fleet, log: Path) -> None:
    status = 0
    while status != 200:
        if fleet.has_ended:
            raise FleetError(_reason(log))
        with contextlib.suppress(OSError, EOFError, ValueError):
            status = (await fleet.backend.send(_PING)).status
        if status != 200:
            await asyncio.sleep(0.1)


def _reason(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    told = [line.removeprefix("local: ") for line in lines if line.startswith("local: ")]
    return (told or lines or [f"it ended without a word (see {log})"])[-1].rstrip(".")
