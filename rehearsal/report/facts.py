"""What a rehearsal found out, as plain data: the report is made of this and nothing else, also long afterwards.

The story fills it in while it plays; `read` refuses a file that does not have exactly this shape.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

StepState = Literal["waiting", "running", "done", "failed", "interrupted"]


@dataclass
class StepFact:
    """One step of the story; `started` counts in seconds from the beginning, `beside` is what went on meanwhile."""

    name: str
    title: str
    state: StepState = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass
class ActionFact:
    """An action of a pipeline as its last execution left it."""

    name: str
    kind: str
    run_order: int
    status: str = ""
    seconds: float = 0.0
    account: str = ""
    summary: str = ""


@dataclass
class StageFact:
    """A stage of a pipeline."""

    name: str
    actions: list[ActionFact]


@dataclass
class ExecutionFact:
    """One execution of a pipeline and why it was started; `started` counts as that of a step, and may lie beside it."""

    id: str
    status: str
    trigger: str = ""
    seconds: float = 0.0
    started: float = 0.0


@dataclass
class PipelineFact:
    """A CodePipeline: its graph, the state of each action, and everything that ran."""

    name: str
    stages: list[StageFact]
    executions: list[ExecutionFact] = field(default_factory=list)


@dataclass
class Curve:
    """Points of a curve in the unit square."""

    x: list[float]
    y: list[float]


@dataclass
class ModelFact:
    """A version of the model: what evaluation.json says of it and what became of it."""

    version: int
    status: str
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    confusion: dict[str, dict[str, int]] = field(default_factory=dict)
    remark: str = ""


@dataclass
class Sample:
    """What clients of an endpoint saw in a short while: answers by the fleet that gave them, and errors."""

    second: float
    answers: dict[str, int]
    errors: int = 0


@dataclass
class ShiftFact:
    """A deployment under traffic. `marks` names moments of it, in seconds, such as the beginning of the canary."""

    title: str
    outcome: str
    samples: list[Sample]
    marks: dict[str, float] = field(default_factory=dict)


@dataclass
class GrantFact:
    """An action that a statement grants and no call needed; `reason` says when one would, empty if nobody knows."""

    statement: str
    action: str
    reason: str = ""


@dataclass
class RoleFact:
    """A role: the actions it used and how often, those it was granted and never used, and calls that were denied."""

    arn: str
    used: dict[str, int] = field(default_factory=dict)
    unused: list[GrantFact] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)


@dataclass
class ResourceFact:
    """Something that CloudFormation made. `properties` holds only what has a price."""

    account: str
    stack: str
    logical_id: str
    type: str
    physical_id: str = ""
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class IgnoredFact:
    """A property that a template sets and the emulator does not look at."""

    type: str
    property: str


@dataclass
class Facts:
    """Everything about one rehearsal. `outcome` says in a word how it ended; a step that waits was not played."""

    started: str
    size: str
    provider: str
    region: str
    project: str = ""
    outcome: Literal["running", "played", "failed", "interrupted"] = "running"
    seconds: float = 0.0
    peak_memory_mb: float = 0.0
    peak_processes: int = 0
    template_version: str = ""
    permissions_enforced: bool = True
    pace: float = 1.0
    accounts: dict[str, str] = field(default_factory=dict)
    steps: list[StepFact] = field(default_factory=list)
    pipelines: list[PipelineFact] = field(default_factory=list)
    models: list[ModelFact] = field(default_factory=list)
    primary_metric: str = ""
    threshold: float | None = None
    shifts: list[ShiftFact] = field(default_factory=list)
    roles: list[RoleFact] = field(default_factory=list)
    resources: list[ResourceFact] = field(default_factory=list)
    ignored: list[IgnoredFact] = field(default_factory=list)
    channel: str = "catalog"


_SHAPE = TypeAdapter(Facts)


def write(facts: Facts, path: Path) -> None:
    """Write them as JSON."""
    path.write_bytes(_SHAPE.dump_json(facts, indent=2))


def read(path: Path) -> Facts:
    """Facts from a file. Raises pydantic.ValidationError, naming every field that does not fit."""
    return _SHAPE.validate_json(path.read_bytes(), extra="forbid")
