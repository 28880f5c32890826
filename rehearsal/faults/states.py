"""The states that faults begin from, each made once by playing the story itself, and kept under build/ until the
repository changes in anything that they depend on.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.faults import models
from rehearsal.faults.fault import PATIENCE, STATES, State
from rehearsal.host import ROOT
from rehearsal.story import building, checkpoint, creating, people, publishing, releasing, repository
from rehearsal.story.play import facts_of, play
from rehearsal.story.show import Show
from rehearsal.story.step import Step, step
from rehearsal.story.world import Options, World
from scripts.bake import tracked_files

MEANING: dict[State, str] = {
    "accounts": "the company's accounts and people, and nothing of ours",
    "published": "the product is offered",
    "registered": "a project, whose build only trains, and whose first model waits for a person",
    "in-production": "that model is in production",
    "second-approved": "version 2, which fails on some customers, waits in staging; production gets larger instances",
}
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


# What is played to get to a state from the one before it: steps of the story, but for three.
STEPS: dict[State, list[Step]] = {
    "accounts": [step(prepare)],
    "published": [step(publishing.publish)],
    "registered": [
        *(step(creating.create), step(repository.clone), step(models.train_only)),
        *(step(building.waits_for_approval), step(building.registered)),
    ],
    "in-production": [
        *(step(releasing.approve), step(releasing.staging), step(releasing.production), step(releasing.verified))
    ],
    "second-approved": [step(second)],
}


@dataclass(frozen=True)
class Kept:
    """The states of this repository as it stands. They are made, and gone on from, in folders below it: `lane`."""

    folder: Path

    def has(self, state: State) -> bool:
        """Whether a state was made before."""
        return (self.folder / state).is_dir()

    def make(self, state: State, lane: str, show: Show) -> None:
        """Make a state, and those that lead to it, unless they are there. Raises StoryError."""
        if self.has(state):
            return
        with self._before(state, lane, show) as world:
            world.facts.steps = facts_of(STEPS[state])
            play(STEPS[state], world)
        checkpoint.freeze(world, self.folder / state)

    def _before(self, state: State, lane: str, show: Show) -> AbstractContextManager[World]:
        number = STATES.index(state)
        if not number:
            return checkpoint.begun(self.folder / lane, _OPTIONS, show)
        self.make(STATES[number - 1], lane, show)
        return checkpoint.going_on(self.folder / STATES[number - 1], self.folder / lane, _OPTIONS, show)

    @property
    def failed(self) -> Path:
        """Where each fault that did not come out as it must leaves everything that it wrote."""
        return self.folder / "failed"

    def set_aside(self, name: str, lane: str) -> None:
        """Keep what a fault wrote: the next one of its lane begins in the same folder."""
        shutil.rmtree(self.failed / name, ignore_errors=True)
        self.failed.mkdir(exist_ok=True)
        (self.folder / lane).rename(self.failed / name)

    @contextmanager
    def at(self, state: State, lane: str, show: Show) -> Iterator[World]:
        """A world in a state that was made."""
        with checkpoint.going_on(self.folder / state, self.folder / lane, _OPTIONS, show) as world:
            world.wait(lambda: _serving(world), "the endpoints to serve again", PATIENCE, world.logs / "log")
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
        folder.mkdir(exist_ok=True)
        yield Kept(folder)


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
