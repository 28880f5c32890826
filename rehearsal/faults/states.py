"""The states that faults begin from, each made once by playing the story itself, and kept under build/ until the
repository changes in anything that they depend on.

accounts          the company's accounts and people, and nothing of ours
published         the product is offered
registered        a project, whose first model waits for a person
in-production     that model is in production
second-approved   a second version, which fails on some customers, was approved for another type of instance; it is in
                  staging and waits to be let into production
"""

import fcntl
import hashlib
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.faults import models
from rehearsal.faults.fault import STATES, State
from rehearsal.host import ROOT
from rehearsal.story import building, checkpoint, creating, people, publishing, releasing, repository
from rehearsal.story.checkpoint import Place
from rehearsal.story.play import facts_of, play
from rehearsal.story.show import Show
from rehearsal.story.step import Step, step
from rehearsal.story.world import Options, World
from scripts.bake import tracked_files

KEPT = ROOT / "build" / "rehearsal" / "faults"
_OPTIONS = Options(size="medium")
# States depend on everything but documentation, tests, reports and the faults, of which these two lead to a state.
_FREE = ("docs", "tests", "rehearsal/faults", "rehearsal/report", ".ci", ".github", "CHANGELOG.md", "README.md")
_STATES = ("rehearsal/faults/models.py", "rehearsal/faults/states.py")


class BusyError(Exception):
    """Another bench works in the same folder."""


def prepare(world: World) -> None:
    """The company's accounts and people."""
    people.prepare(world)


def second(world: World) -> None:
    """A second version, which fails on some customers, is approved for larger instances, and staging has it."""
    version = models.register_flawed(world)
    models.ask_for_larger_instances(world)
    releasing.decide(world, version)
    releasing.reach_approval(world)


# What is played to get to a state from the one before it: steps of the story, but for the first and the last.
STEPS: dict[State, list[Step]] = {
    "accounts": [step(prepare)],
    "published": [step(publishing.publish)],
    "registered": [
        *(step(creating.create), step(repository.clone), step(building.build)),
        *(step(building.waits_for_approval), step(building.registered)),
    ],
    "in-production": [
        *(step(releasing.approve), step(releasing.staging), step(releasing.production), step(releasing.verified))
    ],
    "second-approved": [step(second)],
}


@dataclass(frozen=True)
class Kept:
    """The states of this repository as it stands."""

    folder: Path
    place: Place

    def has(self, state: State) -> bool:
        """Whether a state was made before."""
        return (self.folder / state).is_dir()

    def make(self, state: State, show: Show) -> None:
        """Make a state unless it is there, and those that lead to it. Raises StoryError."""
        if self.has(state):
            return
        number = STATES.index(state)
        if number:
            self.make(STATES[number - 1], show)
            beginning = checkpoint.going_on(self.folder / STATES[number - 1], self.place, _OPTIONS, show)
        else:
            beginning = checkpoint.begun(self.place, _OPTIONS, show)
        with beginning as world:
            world.facts.steps = facts_of(STEPS[state])
            play(STEPS[state], world)
        checkpoint.freeze(world, self.folder / state)

    @property
    def failed(self) -> Path:
        """Where each fault that did not come out as it must leaves everything that it wrote."""
        return self.folder / "failed"

    def set_aside(self, name: str) -> None:
        """Keep what a fault wrote: the next one begins in the same folder."""
        shutil.rmtree(self.failed / name, ignore_errors=True)
        self.failed.mkdir(exist_ok=True)
        self.place.folder.rename(self.failed / name)

    @contextmanager
    def at(self, state: State, show: Show) -> Iterator[World]:
        """A world in a state that was made."""
        with checkpoint.going_on(self.folder / state, self.place, _OPTIONS, show) as world:
            world.wait(lambda: _serving(world), "the endpoints to serve again", 60, world.logs / "log")
            yield world


def _serving(world: World) -> bool | None:
    """Endpoints begin anew when an emulator goes on."""
    stages = ("staging", "prod") if world.project.id else ()
    found = [world.client("sagemaker", "engineer", stage).list_endpoints()["Endpoints"] for stage in stages]
    return True if all(each["EndpointStatus"] == "InService" for listed in found for each in listed) else None


@contextmanager
def kept(root: Path = KEPT) -> Iterator[Kept]:
    """The states of this repository as it stands; those of another are removed. Raises BusyError."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"Another bench works in {root}: wait for its end.") from None
        folder = root / content()
        _forget(root, folder)
        yield Kept(folder, _place(folder))


def content() -> str:
    """A short name of everything that states depend on."""
    digest = hashlib.sha256()
    for path in tracked_files(ROOT):
        if str(path) in _STATES or not any(path.is_relative_to(free) for free in _FREE):
            digest.update(f"{path}\0".encode() + hashlib.sha256((ROOT / path).read_bytes()).digest())
    return digest.hexdigest()[:12]


def _forget(root: Path, but: Path) -> None:
    for folder in root.iterdir():
        if folder.is_dir() and folder != but:
            shutil.rmtree(folder)


def _place(folder: Path) -> Place:
    """Where the states came to be; a new place, without any state, if there is none or its port is taken by now."""
    ports = {checkpoint.recall(folder / state).port for state in _made(folder)}
    place = Place(folder / "now", ports.pop() if len(ports) == 1 else 0)
    if place.port and place.is_free():
        return place
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Place(place.folder, free.getsockname()[1])


def _made(folder: Path) -> Sequence[State]:
    return [state for state in STATES if (folder / state).is_dir()]
