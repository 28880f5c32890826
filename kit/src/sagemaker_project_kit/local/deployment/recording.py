"""What was seen of one update, from its endpoint's events: answers, weights, phases and the moment of a rollback.

It keeps and sums up; the picture and the progress are drawn from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sagemaker_project_kit.local.deployment.alarms import Answer, p99
from sagemaker_project_kit.local.deployment.plan import Plan


@dataclass
class Mark:
    """A moment to show."""

    time: float
    text: str
    is_rollback: bool = False


@dataclass
class Figures:
    """A fleet's answers in numbers."""

    requests: int = 0
    server_errors: int = 0
    refusals: int = 0
    milliseconds: float = 0.0


@dataclass
class Recording:
    """An update of `stage` from the package `old` to `new`."""

    stage: str
    old: str
    new: str
    plan: Plan
    answers: list[Answer] = field(default_factory=list)
    weights: list[tuple[float, int]] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    phase: str = ""
    end: str = ""
    reason: str = ""

    def add(self, event: Mapping[str, Any]) -> None:
        """Take in what the endpoint told."""
        if "end" in event:
            self.end, self.reason = str(event["end"]), str(event["text"])
            return
        self.answers += [Answer(*answer) for answer in event["answers"]]
        self.weights.append((event["time"], int(event["weights"].get(self.new, 0))))
        if event["phase"] != self.phase:
            self.phase = str(event["phase"])
            self._mark(event)

    def _mark(self, event: Mapping[str, Any]) -> None:
        """Note a phase; what comes after a rollback, or at the very end, goes without saying."""
        is_over = self.rollback is not None or self.phase.startswith(f"{self.new} released")
        if not is_over:
            self.marks.append(Mark(event["time"], self.phase, bool(event["is_rollback"])))

    def to_json(self) -> dict[str, Any]:
        """Everything that the picture is drawn from."""
        return asdict(self)

    @property
    def rollback(self) -> Mark | None:
        """The moment of the rollback, if there was one."""
        return next((mark for mark in self.marks if mark.is_rollback), None)

    @property
    def share(self) -> int:
        """Percent of the traffic that goes to the new fleet now."""
        return self.weights[-1][1] if self.weights else 0

    def figures(self, fleet: str) -> Figures:
        """All answers of a fleet so far."""
        found = [answer for answer in self.answers if answer.fleet == fleet]
        return Figures(
            requests=len(found),
            server_errors=sum(answer.status >= 500 for answer in found),
            refusals=sum(400 <= answer.status < 500 for answer in found),
            milliseconds=p99(found) if found else 0.0,
        )
