"""Start the emulator below a guardian (guardian.py), talk to it, and leave nothing of it behind.

It refuses Windows, where neither process groups nor the programs of a build exist: there, use WSL.
"""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import boto3
from botocore.config import Config

from rehearsal import processes

ROOT = Path(__file__).parent.parent
PYTHON = ROOT / ".venv" / "emulator" / "bin" / "python"
START_SECONDS = 180  # it takes two; a machine with much to do takes long
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_SECONDS = 10  # the guardian gives the emulator three of them, and takes no more than five for the rest


class EmulatorError(Exception):
    """The emulator could not be started; the message says what to do."""


@dataclass
class Emulator:
    """A running emulator: its URL and clients to it, as the root of any account or with credentials of a role.

    What carries `mark` in its environment (see processes.py) ends with it; `process` is its guardian.
    """

    address: str
    state: Path
    process: "subprocess.Popen[bytes]" = field(repr=False)
    mark: str = ""

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
        self.process.send_signal(signal.SIGUSR1)
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
def emulator(state: Path, *, enforce: bool = False, delays: bool = False, port: int = 0) -> Iterator[Emulator]:
    """Run the emulator while the block runs; its state stays in a folder, from which the next one goes on.

    With `delays`, tags, new roles and new policies count as late as on AWS (emulator/delays.toml).
    Raises EmulatorError when it is not installed, does not start, or when a folder already has one running.
    """
    mark = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
    switches = {"--enforce": enforce, "--delays": delays}
    process = _start(state, port, mark, [name for name, wanted in switches.items() if wanted])
    with _ended_by_signals(process):
        try:
            yield Emulator(_wait(process, state), state, process, mark)
        finally:
            end(process, mark)
            # Of builds that were cut off, with an environment each; one that goes on later begins anew.
            shutil.rmtree(state / "codebuild" / "builds", ignore_errors=True)
            (state / "address").unlink(missing_ok=True)


def _start(state: Path, port: int, mark: str, switches: list[str]) -> "subprocess.Popen[bytes]":
    if os.name == "nt":
        raise EmulatorError("The rehearsal needs Linux or macOS. On Windows, run it inside WSL.")
    if not PYTHON.exists():
        raise EmulatorError("The emulator is not installed: run `make .venv/emulator.installed`.")
    state.mkdir(parents=True, exist_ok=True)
    (state / "address").unlink(missing_ok=True)
    command = [sys.executable, "-S", "-m", "rehearsal.guardian", mark]
    command += [str(PYTHON), "-m", "rehearsal.emulator", "--state", str(state), "--port", str(port), *switches]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (state / "output").open("ab") as output:
        return subprocess.Popen(
            command,
            # Held open as long as we live: its end tells the guardian to end, even when we are killed.
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
        with contextlib.suppress(FileNotFoundError):
            return (state / "address").read_text().strip()
        if process.poll() is not None:
            raise EmulatorError(f"The emulator ended at once; {state / 'output'} says why:\n{_tail(state / 'output')}")
        time.sleep(0.02)
    raise EmulatorError(f"The emulator did not answer within {START_SECONDS} seconds; see {state / 'log'}.")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-5:])


def end(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """Ask it to end, and see that builds, jobs and endpoints that it started do, and what else carries the mark."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    processes.end(lambda: processes.marked(mark))


@contextlib.contextmanager
def _ended_by_signals(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the block as Ctrl-C does, so that its `finally` runs."""
    if threading.current_thread() is not threading.main_thread():  # there, signals are somebody else's
        yield
        return
    unwind = _unwinding(process)
    before = {number: signal.getsignal(number) for number in ENDING}
    for number in ENDING:
        if before[number] is not signal.SIG_IGN:  # nohup: the person wants it to go on
            signal.signal(number, unwind)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unwinding(process: "subprocess.Popen[bytes]") -> Callable[[int, FrameType | None], None]:
    """Whoever insists does not wait for an orderly end: from the second signal on, the emulator is killed."""
    told: list[int] = []

    def unwind(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if len(told) > 1:
            process.send_signal(signal.SIGUSR1)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            sys.exit(128 + number)

    return unwind
