"""What a stage's parameters say about an update: the steps of traffic, the waits, and the limits of the alarms.

The parameters are those of endpoint.yaml as `release` wrote them to build/release/<stage>/endpoint.json. Waits and the
minutes of the metrics are played faster by the same factor, the pace; a watched wait lasts at least five periods of the
metrics, because in less no alarm could go off. What a single process cannot play is told, not pretended.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import DeployError

# The period of the alarms in endpoint.yaml, in seconds.
METRIC_PERIOD = 60
_LEAST_PERIODS = 5


@dataclass(frozen=True)
class Step:
    """`percent` of the traffic to the new fleet, then `seconds` under the eyes of the alarms."""

    percent: int
    seconds: float


@dataclass(frozen=True)
class Limits:
    """What the alarms of endpoint.yaml allow: shares from 0 to 1 and milliseconds."""

    server_errors: float
    refusals: float
    milliseconds: float


@dataclass(frozen=True)
class Plan:
    """An update as it is played here: times in seconds of this machine."""

    shifting: str
    steps: tuple[Step, ...]
    termination_seconds: float
    period_seconds: float
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        """For the endpoint's own process."""
        return asdict(self)

    @classmethod
    def of_json(cls, content: Mapping[str, Any]) -> "Plan":
        """What `to_json` gave."""
        steps = tuple(Step(**step) for step in content["steps"])
        return cls(**{**content, "steps": steps, "limits": Limits(**content["limits"])})


def read(file: Path, pace: float) -> tuple[Plan, Mapping[str, str]]:
    """The plan and all parameters of a released stage. Raises DeployError if the file is not what release writes."""
    try:
        parameters: Mapping[str, str] = json.loads(file.read_text(encoding="utf-8"))["Parameters"]
        return _plan(parameters, pace), parameters
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployError(f"{file} cannot be read ({error!r}): run `make release`, or leave out --released.") from error


def _plan(parameters: Mapping[str, str], pace: float) -> Plan:
    wait = float(parameters["ShiftWaitSeconds"])
    seconds = max(wait, _LEAST_PERIODS * METRIC_PERIOD) / pace
    return Plan(
        shifting=parameters["TrafficShifting"],
        steps=tuple(Step(percent, seconds) for percent in _percents(parameters)),
        termination_seconds=float(parameters["TerminationWaitSeconds"]) / pace,
        period_seconds=METRIC_PERIOD / pace,
        limits=Limits(
            float(parameters["Max5xxShare"]), float(parameters["Max4xxShare"]), float(parameters["MaxModelLatencyMs"])
        ),
    )


def _percents(parameters: Mapping[str, str]) -> list[int]:
    """The new fleet's share after each step; the last is everything."""
    size = int(float(parameters["ShiftPercent"]))
    before = {"ALL_AT_ONCE": [], "CANARY": [size], "LINEAR": list(range(size, 100, size))}
    return [*before[parameters["TrafficShifting"]], 100]


def not_played(parameters: Mapping[str, str]) -> Iterator[str]:
    """What the configuration asks for and one process behind a proxy does not show, a sentence each."""
    kind = parameters.get("EndpointType", "real-time")
    if kind != "real-time":
        yield f"EndpointType is {kind}; here it answers as a real-time endpoint does."
    if parameters.get("CandidateUse", "none") != "none":
        yield f"CandidateUse is {parameters['CandidateUse']}; the second model is not started here."
