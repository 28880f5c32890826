"""Start the emulator as a process group of its own, talk to it, and leave nothing of it behind.

It refuses Windows, where neither process groups nor the programs of a build exist: there, use WSL.
"""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
from botocore.config import Config

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv" / "emulator" / "bin" / "python"
START_SECONDS = 60
END_SECONDS = 3


class EmulatorError(Exception):
    """The emulator could not be started; the message says what to do."""


@dataclass
class Emulator:
    """A running emulator: its URL and clients to it, as the root of any account or with credentials of a role."""

    address: str
    state: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)

    def client(self, service: str, account: str, region: str = "us-east-1", **credentials: str) -> Any:
        """A boto3 client for an account and region; `credentials` are those of a session, else the account's root."""
        return _client(self.address, service, account, region, tuple(sorted(credentials.items())))

    def as_role(self, service: str, role: str, region: str = "us-east-1") -> Any:
        """A boto3 client with credentials of a role, which the root of the role's account must be allowed to assume."""
        account = role.split(":")[4]
        answer = self.client("sts", account, region).assume_role(RoleArn=role, RoleSessionName="rehearsal")
        given = answer["Credentials"]
        return self.client(
            service,
            account,
            region,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def admin(self, path: str, method: str = "GET") -> Any:
        """The answer of one of the emulator's own routes: `ignored`, `denials`, `used`, `types`, `reset`."""
        import json
        import urllib.request

        url = f"{self.address}/_rehearsal/{path}"
        request = urllib.request.Request(url, method=method)  # noqa: S310 - our own address on loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def reset(self) -> None:
        """Forget everything, in every account."""
        self.admin("reset", "POST")

    def kill(self) -> None:
        """End it as a power failure would: what it did in the last second is lost."""
        _signal_group(self.process, signal.SIGKILL)
        self.process.wait()


@functools.cache
def _session() -> Any:
    """One for all clients: it reads each service's model once."""
    return boto3.session.Session()


@functools.lru_cache(maxsize=256)
def _client(address: str, service: str, account: str, region: str, credentials: tuple[tuple[str, str], ...]) -> Any:
    given = dict(credentials) or {"aws_access_key_id": account, "aws_secret_access_key": "rehearsal"}
    return _session().client(
        service,
        region_name=region,
        endpoint_url=address,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, inject_host_prefix=False),
        **given,
    )


@contextlib.contextmanager
def emulator(state: Path, *, enforce: bool = False, port: int = 0) -> Iterator[Emulator]:
    """Run the emulator while the block runs; its state stays in a folder, from which the next one goes on.

    Raises EmulatorError when it is not installed, does not start, or when a folder already has one running.
    """
    process = _start(state, enforce, port)
    try:
        with _ended_by_signals():
            yield Emulator(_wait(process, state), state, process)
    finally:
        end(process)
        (state / "address").unlink(missing_ok=True)


def _start(state: Path, enforce: bool, port: int) -> "subprocess.Popen[bytes]":
    if os.name == "nt":
        raise EmulatorError("The rehearsal needs Linux or macOS. On Windows, run it inside WSL.")
    if not PYTHON.exists():
        raise EmulatorError("The emulator is not installed: run `make .venv/emulator.installed`.")
    state.mkdir(parents=True, exist_ok=True)
    (state / "address").unlink(missing_ok=True)
    command = [str(PYTHON), "-m", "rehearsal.emulator", "--state", str(state), "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (state / "output").open("ab") as output:
        return subprocess.Popen(
            [*command, "--enforce"] if enforce else command,
            # Held open as long as we live: its end tells the emulator to end, even when we are killed.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )


def _wait(process: "subprocess.Popen[bytes]", state: Path) -> str:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if (state / "address").exists():
            return (state / "address").read_text().strip()
        if process.poll() is not None:
            raise EmulatorError(f"The emulator ended at once; {state / 'output'} says why:\n{_tail(state / 'output')}")
        time.sleep(0.02)
    raise EmulatorError(f"The emulator did not answer within {START_SECONDS} seconds; see {state / 'log'}.")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-5:])


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask it to end, then end its whole process group: builds, jobs and endpoints that it started."""
    if process.stdin:
        process.stdin.close()
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM unwind the block as Ctrl-C does, so that its `finally` runs."""

    def unwind(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    try:
        before = signal.signal(signal.SIGTERM, unwind)
    except ValueError:  # Not in the main thread: there, signals are somebody else's.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
