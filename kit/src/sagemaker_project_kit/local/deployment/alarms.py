"""The alarms that roll an update back, judged as CloudWatch would: values of a period, and how many in a row are bad.

The three are those of endpoint.yaml that watch the new release itself: Invocation5XXErrors and Invocation4XXErrors
(average of 0 and 1, two periods) and ModelLatency (p99, three periods). A period without requests is not breaching.
Pure functions over answers; nothing here knows processes or clocks.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sagemaker_project_kit.local.deployment.plan import Limits


@dataclass(frozen=True)
class Answer:
    """One request as the proxy saw it: when (seconds since the update began), which fleet, status, milliseconds."""

    time: float
    fleet: str
    status: int
    milliseconds: float


@dataclass(frozen=True)
class Alarm:
    """`measure` gives a period's value; `periods` of them in a row above `limit` set it off."""

    name: str
    metric: str
    parameter: str
    limit: float
    periods: int
    measure: Callable[[Sequence[Answer]], float]
    is_share: bool = True

    def show(self, value: float) -> str:
        """A value with its unit."""
        return f"{value * 100:.3g} %" if self.is_share else f"{value:.4g} ms"


@dataclass(frozen=True)
class Breach:
    """An alarm that went off, and the value that did it."""

    alarm: Alarm
    value: float

    def __str__(self) -> str:
        alarm = self.alarm
        found = f"{alarm.metric} of the new fleet was {alarm.show(self.value)}"
        return f"the alarm {alarm.name} went off: {found}, the limit is {alarm.show(alarm.limit)} ({alarm.parameter})"


def share(low: int, high: int) -> Callable[[Sequence[Answer]], float]:
    """The share of answers with a status from `low` to `high`."""
    return lambda answers: sum(low <= answer.status <= high for answer in answers) / len(answers)


def p99(answers: Sequence[Answer]) -> float:
    """Milliseconds that 99 of 100 answers keep (nearest rank)."""
    ordered = sorted(answer.milliseconds for answer in answers)
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


def alarms(limits: Limits) -> list[Alarm]:
    """The alarms with a stage's limits."""
    return [
        Alarm("new-5xx", "Invocation5XXErrors", "Max5xxShare", limits.server_errors, 2, share(500, 599)),
        Alarm("new-4xx", "Invocation4XXErrors", "Max4xxShare", limits.refusals, 2, share(400, 499)),
        Alarm("new-latency", "ModelLatency p99", "MaxModelLatencyMs", limits.milliseconds, 3, p99, is_share=False),
    ]


class Watch:
    """The new fleet's answers by period. `judge` says which alarm went off first."""

    def __init__(self, watched: Sequence[Alarm], period: float) -> None:
        self._alarms = watched
        self._period = period
        self._periods: dict[int, list[Answer]] = {}

    def add(self, answers: Iterable[Answer]) -> None:
        """Remember answers of the new fleet, each in the period it came in."""
        for answer in answers:
            self._periods.setdefault(int(answer.time // self._period), []).append(answer)

    def judge(self, now: float) -> Breach | None:
        """The first alarm whose last complete periods before `now` are all bad."""
        last = int(now // self._period) - 1
        return next((breach for alarm in self._alarms if (breach := _judge(alarm, self._periods, last))), None)


def _judge(alarm: Alarm, periods: Mapping[int, Sequence[Answer]], last: int) -> Breach | None:
    found = [periods.get(number) for number in range(last - alarm.periods + 1, last + 1)]
    values = [alarm.measure(answers) for answers in found if answers]
    if len(values) == alarm.periods and min(values) > alarm.limit:
        return Breach(alarm, values[-1])
    return None
