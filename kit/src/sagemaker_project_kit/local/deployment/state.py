"""The endpoints of this machine: <state>/endpoints/<stage>.json, and how to reach, start and stop what they tell of.

An endpoint is alive if it answers on its control socket, whatever the file says. What a killed one left behind is ended
and removed, a process only if it still runs the very command that the file tells of.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import DeployError

_START_SECONDS = 60.0  # as long as a model may take; it is the machine that is busy, not the endpoint that is slow


@dataclass(frozen=True)
class Record:
    """What a state file says."""

    file: Path
    content: Mapping[str, Any]

    @property
    def package(self) -> str:
        return str(self.content.get("package", ""))

    @property
    def url(self) -> str:
        return str(self.content.get("url", ""))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2] or 0)

    @property
    def since(self) -> str:
        """For people."""
        moment = str(self.content.get("since", ""))
        return f"{moment[:10]} {moment[11:16]} UTC"

    @property
    def is_verified(self) -> bool:
        return bool(self.content.get("verified"))


class Connection:
    """The control socket of an endpoint. Leaving it takes back an update that is under way."""

    def __init__(self, record: Record) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(str(record.content.get("control", "")))
        except OSError as error:
            self._socket.close()
            raise DeployError(f"The endpoint of {record.file.stem} does not answer: {error.strerror}.") from error
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, **order: Any) -> None:
        """Give an order, or take an update back."""
        self._socket.sendall(json.dumps(order).encode() + b"\n")

    def events(self) -> Iterator[dict[str, Any]]:
        """What the endpoint tells until it hangs up."""
        for line in self._lines:
            yield json.loads(line)


def read(folder: Path, stage: str) -> Record | None:
    """What is known of a stage's endpoint."""
    file = folder / f"{stage}.json"
    try:
        return Record(file, json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DeployError(f"{file} is not JSON ({error}): remove it.") from error


def ask(record: Record, do: str) -> Record | None:
    """Give an order and return what the endpoint says of itself; None if it does not answer."""
    try:
        with Connection(record) as connection:
            connection.send(do=do)
            told = next(connection.events(), None)
    except (DeployError, ConnectionError):
        return None
    return Record(record.file, told) if told else None


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep other deployments of this state folder out. Raises DeployError if there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployError("Another deployment is under way here: wait until it has ended.") from None
        yield


def start(folder: Path, stage: str, port: int) -> Record:
    """Start an endpoint without a fleet, in a session of its own. Raises DeployError."""
    file, log = folder / f"{stage}.json", folder / f"{stage}.log"
    command = [
        sys.executable,
        "-m",
        "sagemaker_project_kit.local.deployment.endpoint",
        str(file.absolute()),
        "--port",
        str(port),
    ]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        record = read(folder, stage)
        if record and record.content.get("pid") == process.pid:
            return record
        time.sleep(0.02)
    process.kill()
    raise DeployError(f"The endpoint of {stage} did not start: see {log}.")


def stop(record: Record) -> bool:
    """End an endpoint and its fleets and wait for it; False if it was gone already. Its leftovers are removed."""
    was_alive = ask(record, "stop") is not None
    deadline = time.monotonic() + _START_SECONDS
    while was_alive and record.file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if record.file.exists():
        clean(record)
    return was_alive


def clean(record: Record) -> None:
    """Remove what a killed endpoint left behind."""
    _end(
        int(record.content.get("pid") or 0), f"sagemaker_project_kit.local.deployment.endpoint {record.file.absolute()}"
    )
    for fleet in record.content.get("fleets", []):
        _end(int(fleet["pid"]), f"local serve {fleet['package']} ")
    control = Path(str(record.content.get("control") or ""))
    if control.name == "control" and control.parent.name.startswith("endpoint-"):
        shutil.rmtree(control.parent, ignore_errors=True)
    record.file.unlink(missing_ok=True)


def _end(pid: int, command: str) -> None:
    """End a process group if its leader still runs `command`: numbers are given to other processes again."""
    if pid > 1 and command in _command_line(pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    """What a process was started with, from /proc or from ps; empty if it cannot be told."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    with contextlib.suppress(OSError):
        shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)  # noqa: S607
        return shown.stdout
    return ""
