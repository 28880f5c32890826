"""The programs that a person runs: the command line of service_catalog, git. Each leads a process group of its own that
ends with the step; what they print goes to a log and, line by line, to whoever watches.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rehearsal import processes
from rehearsal.host import ROOT
from rehearsal.story import people
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r⠀-⣿]")
_INHERITED = ("PATH", "LANG", "LC_ALL", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", "SSL_CERT_FILE")
_GIT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_EMAIL": "team@example.com",
    "GIT_COMMITTER_EMAIL": "team@example.com",
}
GRACE_SECONDS = 3


@dataclass(frozen=True)
class Output:
    """How a program ended and all that it printed; `log` holds the same."""

    code: int
    text: str
    log: Path


def catalog(world: World, *words: str, person: str = "engineer") -> Output:
    """Run `python -m service_catalog` in the engineer's clone. Raises StoryError when it fails."""
    folder = world.folder / "repository"
    done = run(world, "catalog-" + words[0], [sys.executable, "-m", "service_catalog", *words], folder, person)
    if done.code:
        raise StoryError(f"`python -m service_catalog {' '.join(words)}` to succeed", _complaint(done), done.log)
    return done


def _complaint(done: Output) -> str:
    """What a program said of its failure: from the line that begins with "error" on, or else its last line."""
    lines = done.text.strip().splitlines() or [f"exit code {done.code}, and no word"]
    begin = next((number for number, line in enumerate(lines) if line.startswith("error")), len(lines) - 1)
    return " ".join(lines[begin : begin + 6])


def run(
    world: World, name: str, command: list[str], folder: Path, person: str = "engineer", is_told: bool = True
) -> Output:
    """Run a program to its end; each line that it prints is kept and, unless `is_told` is off, said."""
    log = _log(world.folder, name)
    lines: list[str] = []
    with _started(command, folder, environment(world, person)) as process, log.open("w", encoding="utf-8") as output:
        output.write(f"$ {' '.join(command)}\n")
        assert process.stdout  # noqa: S101 - _started gave it a pipe
        for raw in process.stdout:
            line = _CONTROL.sub("", raw).rstrip()
            lines.append(line)
            output.write(f"{line}\n")
            if is_told:
                world.say(line.strip())
        code = process.wait()
    return Output(code, "\n".join(lines), log)


def environment(world: World, person: str) -> dict[str, str]:
    """What a person's terminal has: a home of its own, and profiles for the accounts that lead to the emulator."""
    config = _profiles(world, person)
    home = world.folder / "home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    temporary = world.folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return kept | {
        processes.MARK: world.emulator.mark,
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-credentials"),
        "AWS_PROFILE": "tooling",
        "AWS_ENDPOINT_URL": world.emulator.address,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "pycache"),
        "PYTHONUNBUFFERED": "1",
        "GIT_AUTHOR_NAME": person,
        "GIT_COMMITTER_NAME": person,
        **_GIT,
        "COLUMNS": "400",
    }


def _profiles(world: World, person: str) -> Path:
    """An AWS configuration with a profile for each account; each assumes the person's role there."""
    path = world.folder / f"aws-{person}.ini"
    texts = []
    for purpose, account in world.options.accounts.items():
        common = f"region = {world.options.region}\n"
        texts.append(
            f"[profile {purpose}]\n{common}role_arn = {people.role(person, account)}\nsource_profile = root-{purpose}\n"
        )
        texts.append(
            f"[profile root-{purpose}]\n{common}aws_access_key_id = {account}\naws_secret_access_key = rehearsal\n"
        )
    path.write_text("\n".join(texts))
    return path


def _log(folder: Path, name: str) -> Path:
    """A file of its own for each run of a program."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    return logs / f"{len(list(logs.iterdir())) + 1:02d}-{name}.log"


@contextmanager
def _started(command: list[str], folder: Path, environ: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """End the program and everything it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    if process.stdout:
        process.stdout.close()
