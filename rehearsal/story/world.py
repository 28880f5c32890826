"""What the steps of the story share: the emulator, the people, the project, and what was found out so far."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from rehearsal.host import Emulator
from rehearsal.report.facts import Facts, StepFact
from rehearsal.story.errors import OverdueError, StoryError
from rehearsal.story.show import Show

if TYPE_CHECKING:
    from rehearsal.story.traffic import Heard

TOOLING, STAGING, PROD = "111111111111", "222222222222", "333333333333"
PAUSE = 0.2
TELL_SECONDS = 2.0  # between two looks at what only a person wants to see
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Options:
    """What a person asked for at the command line."""

    size: Literal["small", "medium"] = "medium"
    provider: Literal["codecommit", "connection"] = "codecommit"
    channel: Literal["catalog", "s3"] = "catalog"
    name: str = "Customer-Churn"
    region: str = "us-east-1"
    until: str | None = None
    keep: bool = False
    faults: tuple[str, ...] = ()
    enforce: bool = True
    delays: bool = False

    @property
    def accounts(self) -> dict[str, str]:
        """Purpose → account: one for all in a small company, one each in a medium one."""
        if self.size == "small":
            return {"tooling": TOOLING, "staging": TOOLING, "prod": TOOLING}
        return {"tooling": TOOLING, "staging": STAGING, "prod": PROD}


@dataclass
class Project:
    """The project of the story; its id is known as soon as it exists."""

    name: str = ""
    id: str = ""
    arn: str = ""
    stack: str = ""

    @property
    def full_name(self) -> str:
        """Name and id, as everything of the project is called."""
        return f"{self.name}-{self.id}"

    def pipeline(self, half: str) -> str:
        """The CodePipeline of `build` or `deploy`."""
        return f"sagemaker-{self.full_name}-{half}"

    def endpoint(self, stage: str) -> str:
        """The endpoint of `staging` or `prod`."""
        return f"{self.full_name}-{stage}"

    @property
    def repository(self) -> str:
        """The CodeCommit repository."""
        return f"sagemaker-{self.full_name}"


@dataclass
class World:
    """Everything that a step may use. `say` shows what it is at."""

    options: Options
    folder: Path
    emulator: Emulator
    facts: Facts
    show: Show
    began: float = field(default_factory=time.monotonic)
    project: Project = field(default_factory=Project)
    step: StepFact = field(default_factory=lambda: StepFact("", ""))
    kept: dict[str, Any] = field(default_factory=dict)
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    streams: dict[str, dict[str, str]] = field(default_factory=dict)  # where the lines of a build are
    # What runs beside the story: each tells what it is at, and None once it is over.
    beside: list[Callable[[], str | None]] = field(default_factory=list)
    heard: "Heard | None" = None  # what clients see of the release to production that is, or was last, under way
    told: float = 0.0
    looked: float = 0.0
    check: Callable[[], None] = lambda: None  # raises what ends a wait at once: a denied call

    def __post_init__(self) -> None:
        self.project.name = self.project.name or self.options.name

    def say(self, line: str) -> None:
        """Tell a person what the running step is at; it is kept in story.log."""
        if not line or self.step.lines[-1:] == [line]:
            return
        self.step.lines.append(line)
        with (self.folder / "story.log").open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC):%H:%M:%S.%f} step={self.step.name} {line}\n")
        self.show.changed(self.step)

    def client(self, service: str, person: str = "engineer", purpose: str = "tooling") -> Any:
        """A client of a person (see people.py) in the account of a purpose."""
        from rehearsal.story import people

        role = people.role(person, self.options.accounts[purpose])
        if (service, role) not in self.clients:  # making one takes half a second
            self.clients[service, role] = self.emulator.as_role(service, role, self.options.region)
        return self.clients[service, role]

    @property
    def logs(self) -> Path:
        """Where everything that runs writes."""
        return self.emulator.state

    def wait(self, probe: Callable[[], Answer | None], expected: str, seconds: float, *where: object) -> Answer:
        """The first answer of `probe` that is not None.

        Raises StoryError when there was none in time. `probe` tells what it sees with `say`.
        """
        until = time.monotonic() + seconds
        while (answer := probe()) is None:
            if time.monotonic() > until:
                last = self.step.lines[-1] if self.step.lines else "nothing"
                raise OverdueError(f"{expected} within {seconds:.0f} s", f"after that time: {last}", *where)
            self._look_beside()
            time.sleep(PAUSE)
        return answer

    def is_time_to_tell(self) -> bool:
        """Whether what a step is at was last told a while ago."""
        due = time.monotonic() > self.told + TELL_SECONDS
        self.told = time.monotonic() if due else self.told
        return due

    def _look_beside(self) -> None:
        """Tell what runs beside the step."""
        if time.monotonic() < self.looked + TELL_SECONDS:
            return
        self.looked = time.monotonic()
        self.check()
        found = [(look, look()) for look in self.beside]
        self.beside = [look for look, line in found if line is not None]
        self.step.beside = [line for _, line in found if line is not None]
        self.show.changed(self.step)


def expect(holds: bool, expected: str, found: object, *where: object) -> None:
    """Raises StoryError unless `holds`."""
    if not holds:
        raise StoryError(expected, str(found), *where)
