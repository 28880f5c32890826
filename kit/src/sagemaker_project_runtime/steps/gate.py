"""Whether a model may be registered: above the threshold, and not worse than the champion by more than the tolerance.

Pure arithmetic and the sentences people read when a gate closes. It decides nothing: the pipeline's conditions do.
"""

from dataclasses import dataclass
from typing import Any

from sagemaker_project_runtime.steps.metrics import direction


@dataclass(frozen=True)
class Champion:
    """The released model on the same rows; no `value` when there is none, or when it cannot score them."""

    present: bool
    value: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Bar:
    """What the gates ask for."""

    metric: str
    threshold: float
    tolerance: float


def decide(
    problem_type: str, bar: Bar, value: float, constant_guess: float | None, champion: Champion
) -> dict[str, Any]:
    """gate.json. Shortfalls are 0 when the gate is open."""
    threshold_shortfall = _shortfall(bar.metric, value, bar.threshold)
    champion_shortfall = 0.0 if champion.value is None else _shortfall(bar.metric, value, champion.value)
    return {
        "problem_type": problem_type,
        "metric": bar.metric,
        "direction": direction(bar.metric),
        "value": value,
        "threshold": bar.threshold,
        "threshold_shortfall": threshold_shortfall,
        "constant_guess": constant_guess,
        "champion": {"present": champion.present, "value": champion.value, "reason": champion.reason},
        "champion_shortfall": champion_shortfall,
        "champion_tolerance": bar.tolerance,
        "threshold_message": threshold_message(bar, value, threshold_shortfall),
        "champion_message": champion_message(bar, value, champion, champion_shortfall),
    }


def _shortfall(metric: str, value: float, wanted: float) -> float:
    short = value - wanted if direction(metric) == "minimize" else wanted - value
    return max(0.0, short)


def threshold_message(bar: Bar, value: float, shortfall: float) -> str:
    show = _Digits(value, bar.threshold, shortfall)
    if not shortfall:
        return f"{bar.metric} {show(value)} meets the threshold {show(bar.threshold)}"
    side = "above" if direction(bar.metric) == "minimize" else "below"
    return f"{bar.metric} {show(value)} is {side} the threshold {show(bar.threshold)} by {show(shortfall)}"


def champion_message(bar: Bar, value: float, champion: Champion, shortfall: float) -> str:
    if not champion.present:
        return "there is no champion to compare with"
    if champion.value is None:
        return f"the champion cannot be compared: {champion.reason}"
    show = _Digits(value, champion.value, shortfall, bar.tolerance)
    if not shortfall:
        return f"{bar.metric} {show(value)} is not worse than the champion's {show(champion.value)}"
    limit = "more than" if shortfall > bar.tolerance else "within"
    return (
        f"{bar.metric} {show(value)} is worse than the champion's {show(champion.value)} by {show(shortfall)}, "
        f"{limit} the tolerance {show(bar.tolerance)}"
    )


class _Digits:
    """Writes numbers with three decimals, or with as many as it takes to show the smallest of them."""

    def __init__(self, *numbers: float) -> None:
        smallest = min((abs(number) for number in numbers if number), default=1.0)
        self.decimals = 3
        while self.decimals < 9 and round(smallest, self.decimals) == 0:
            self.decimals += 1

    def __call__(self, number: float) -> str:
        return f"{number:.{self.decimals}f}"
