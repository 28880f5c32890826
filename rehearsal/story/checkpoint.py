"""A rehearsal's state at a step, kept in a folder, and rehearsals that go on from it, as often as somebody likes and
several at a time, each in a folder and at a port of its own.

The emulator writes everything that it knows when it ends, its own address among it: in pickles, in JSON, in the remotes
of clones. Where a state is gone on from, another address of the same length takes its place.
"""

import contextlib
import json
import os
import random
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.host import emulator
from rehearsal.report.facts import Facts
from rehearsal.story.show import Show
from rehearsal.story.world import Options, Project, World

REMEMBERED = "world.json"
# What builds leave behind is large, and of no use once they have ended: their artifacts are in S3.
_LEFT_OUT = (Path("emulator", "codebuild", "builds"), Path("emulator", "tmp"))
# All of five digits, and none that Linux or macOS gives to connections that go out.
_PORTS = range(20_000, 30_000)
_TRIALS = 100
_HOSTS = ("127.0.0.1", "localhost")


class CheckpointError(Exception):
    """A state cannot be gone on from here; the message says why, and what helps."""


@dataclass(frozen=True)
class Remembered:
    """What a World holds beside the emulator; `addressed` are the files that name its port."""

    port: int
    size: str
    provider: str
    channel: str
    addressed: list[str] = field(default_factory=list)
    project: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    template_version: str = ""


def free_port() -> int:
    """A port that no other program listens at. Raises CheckpointError."""
    for port in random.sample(_PORTS, _TRIALS):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise CheckpointError(f"None of {_TRIALS} ports from {_PORTS[0]} to {_PORTS[-1]} is free: end what listens there.")


@contextmanager
def begun(folder: Path, options: Options, show: Show) -> Iterator[World]:
    """A rehearsal with nothing played yet, in a folder that it empties."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with _running(folder, free_port(), options, show) as world:
        yield world


def freeze(world: World, target: Path) -> None:
    """Keep a rehearsal whose emulator has ended. Raises CheckpointError while it still runs."""
    if world.emulator.process.poll() is None:
        raise CheckpointError("The emulator still runs: what it knows is complete only once it has ended.")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _copy(world.folder, partial)
    remembered = Remembered(
        port=port_of(world),
        size=world.options.size,
        provider=world.options.provider,
        channel=world.options.channel,
        addressed=_naming(partial, port_of(world)),
        project=asdict(world.project),
        kept=world.kept,
        template_version=world.facts.template_version,
    )
    (partial / REMEMBERED).write_text(json.dumps(asdict(remembered), indent=2), encoding="utf-8")
    partial.replace(target)


def recall(source: Path) -> Remembered:
    """What a state remembers of its world. Raises CheckpointError for a folder that holds none."""
    try:
        return Remembered(**json.loads((source / REMEMBERED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{source} holds no state of a rehearsal ({error}): remove it, and play again.") from None


@contextmanager
def going_on(source: Path, folder: Path, options: Options, show: Show) -> Iterator[World]:
    """A rehearsal that goes on from a state, in a folder that it empties; the state itself stays as it is."""
    remembered, port = recall(source), free_port()
    was = remembered.size, remembered.provider, remembered.channel
    wanted = options.size, options.provider, options.channel
    if was != wanted:
        raise CheckpointError(f"{source} is of a {' '.join(was)} company: it cannot go on as a {' '.join(wanted)} one.")
    shutil.rmtree(folder, ignore_errors=True)
    _copy(source, folder)
    _readdress(folder, remembered.addressed, remembered.port, port)
    with _running(folder, port, options, show) as world:
        world.project, world.kept = Project(**remembered.project), dict(remembered.kept)
        world.facts.template_version = remembered.template_version
        yield world


@contextmanager
def restarted(world: World) -> Iterator[World]:
    """The same rehearsal with its emulator started again, once it has ended or was killed."""
    with _running(world.folder, port_of(world), world.options, world.show) as again:
        again.project, again.kept, again.step, again.facts = world.project, world.kept, world.step, world.facts
        yield again


@contextmanager
def _running(folder: Path, port: int, options: Options, show: Show) -> Iterator[World]:
    facts = Facts(
        "", options.size, options.provider, options.region, accounts=options.accounts, channel=options.channel
    )
    with emulator(folder / "emulator", enforce=options.enforce, port=port) as running:
        yield World(options, folder, running, facts, show)


def _copy(source: Path, target: Path) -> None:
    def left_out(folder: str, names: list[str]) -> set[str]:
        return {each.name for each in _LEFT_OUT if Path(folder) == source / each.parent} & set(names)

    shutil.copytree(source, target, symlinks=True, ignore=left_out, copy_function=_copied)


def _copied(source: str, target: str) -> str:
    """Half of the files are objects of git, which never changes one: a link is enough."""
    if "/objects/" in source and ".git" in source:
        with contextlib.suppress(OSError):  # not on this file system
            os.link(source, target)
            return target
    return shutil.copy2(source, target)


def port_of(world: World) -> int:
    """Where a world's emulator listens."""
    return int(world.emulator.address.rpartition(":")[2])


def _naming(folder: Path, port: int) -> list[str]:
    """The files below a folder that name a port."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(folder)) for path in files if _rename(text := path.read_bytes(), port, 0) != text]


def _readdress(folder: Path, names: Sequence[str], old: int, new: int) -> None:
    """Only an address as long as the old one can take its place: pickles count the letters of their texts."""
    if len(str(old)) != len(str(new)):
        raise CheckpointError(f"Port {new} is not as long as {old}, where the state came to be: make it anew.")
    for name in names:
        (folder / name).write_bytes(_rename((folder / name).read_bytes(), old, new))


def _rename(text: bytes, old: int, new: int) -> bytes:
    for host in _HOSTS:
        text = text.replace(f"{host}:{old}".encode(), f"{host}:{new}".encode())
    return text
