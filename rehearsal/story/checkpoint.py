"""A rehearsal's state at a step, kept in a folder, and rehearsals that go on from it, as often as somebody likes.

The emulator writes everything that it knows when it ends, absolute paths and its own address among it. So a state is
played on from in the very folder, and at the very port, where it came to be; it refuses any other.
"""

import json
import shutil
import socket
from collections.abc import Iterator
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
_LEFT_OUT = Path("emulator", "codebuild", "builds")


class CheckpointError(Exception):
    """A state cannot be gone on from here; the message says why, and what helps."""


@dataclass(frozen=True)
class Place:
    """Where rehearsals of one origin take place: always the same folder and the same port."""

    folder: Path
    port: int

    def is_free(self) -> bool:
        """Whether no other program listens at the port."""
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", self.port))
            except OSError:
                return False
        return True


@dataclass(frozen=True)
class Remembered:
    """What a World holds beside the emulator."""

    folder: str
    port: int
    size: str
    project: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    template_version: str = ""


def place_of(world: World) -> Place:
    """Where a rehearsal takes place."""
    return Place(world.folder, int(world.emulator.address.rpartition(":")[2]))


@contextmanager
def begun(place: Place, options: Options, show: Show) -> Iterator[World]:
    """A rehearsal with nothing played yet."""
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(parents=True)
    with _running(place, options, show) as world:
        yield world


def freeze(world: World, target: Path) -> None:
    """Keep a rehearsal whose emulator has ended. Raises CheckpointError while it still runs."""
    if world.emulator.process.poll() is None:
        raise CheckpointError("The emulator still runs: what it knows is complete only once it has ended.")
    place = place_of(world)
    remembered = Remembered(
        folder=str(place.folder),
        port=place.port,
        size=world.options.size,
        project=asdict(world.project),
        kept=world.kept,
        template_version=world.facts.template_version,
    )
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    _copy(place.folder, partial)
    (partial / REMEMBERED).write_text(json.dumps(asdict(remembered), indent=2), encoding="utf-8")
    partial.replace(target)


def recall(source: Path) -> Remembered:
    """What a state remembers of its world. Raises CheckpointError for a folder that holds none."""
    try:
        return Remembered(**json.loads((source / REMEMBERED).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{source} holds no state of a rehearsal ({error}): remove it, and play again.") from None


@contextmanager
def going_on(source: Path, place: Place, options: Options, show: Show) -> Iterator[World]:
    """A rehearsal that goes on from a state; the state itself stays as it is."""
    remembered = recall(source)
    if (remembered.folder, remembered.port, remembered.size) != (str(place.folder), place.port, options.size):
        raise CheckpointError(f"{source} was kept at {remembered.folder}, port {remembered.port}: go on from there.")
    shutil.rmtree(place.folder, ignore_errors=True)
    _copy(source, place.folder)
    with _running(place, options, show) as world:
        world.project, world.kept = Project(**remembered.project), dict(remembered.kept)
        world.facts.template_version = remembered.template_version
        yield world


@contextmanager
def restarted(world: World) -> Iterator[World]:
    """The same rehearsal with its emulator started again, once it has ended or was killed."""
    with _running(place_of(world), world.options, world.show) as again:
        again.project, again.kept, again.step, again.facts = world.project, world.kept, world.step, world.facts
        yield again


@contextmanager
def _running(place: Place, options: Options, show: Show) -> Iterator[World]:
    facts = Facts("", options.size, options.provider, options.region, accounts=options.accounts)
    with emulator(place.folder / "emulator", enforce=options.enforce, port=place.port) as running:
        yield World(options, place.folder, running, facts, show)


def _copy(source: Path, target: Path) -> None:
    def left_out(folder: str, names: list[str]) -> set[str]:
        return {_LEFT_OUT.name} & set(names) if Path(folder) == source / _LEFT_OUT.parent else set()

    shutil.copytree(source, target, symlinks=True, ignore=left_out)
