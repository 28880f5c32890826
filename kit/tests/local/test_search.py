"""Ranges, scalings, and that Bayesian search finds better points than random search."""

import random
from typing import Any

import pytest

from sagemaker_project_kit.local.errors import StepFailed
from sagemaker_project_kit.local.jobs.search import Space, propose, random_starts


def continuous(low: float, high: float, scaling: str = "Linear") -> dict[str, Any]:
    """ParameterRanges with one continuous range."""
    entry = {"Name": "x", "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}
    return {"ContinuousParameterRanges": [entry]}


def middle(ranges: dict[str, Any], unit: float = 0.5) -> str:
    """The hyperparameter x at a position of the unit interval."""
    return Space(ranges).hyperparameters((unit,))["x"]


@pytest.mark.parametrize(
    ("low", "high", "scaling", "expected"),
    [
        (0, 10, "Linear", 5.0),
        (1, 100, "Logarithmic", 10.0),
        (0.001, 0.1, "Auto", 0.01),
        (1, 10, "Auto", 5.5),
        (0.9, 0.999, "ReverseLogarithmic", 0.99),
    ],
)
def test_scalings(low: float, high: float, scaling: str, expected: float) -> None:
    assert float(middle(continuous(low, high, scaling))) == pytest.approx(expected)


@pytest.mark.parametrize("scaling", ["Linear", "Logarithmic"])
def test_integers_cover_their_range_and_no_more(scaling: str) -> None:
    entry = {"Name": "x", "MinValue": "1", "MaxValue": "4", "ScalingType": scaling}
    rng = random.Random(1)  # noqa: S311 - a seed, not a secret
    drawn = {middle({"IntegerParameterRanges": [entry]}, rng.random()) for _ in range(500)}
    assert drawn == {"1", "2", "3", "4"}


def test_categories_are_drawn_evenly() -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "x", "Values": ["a", "b"]}]}
    assert [middle(ranges, unit) for unit in (0.0, 0.49, 0.5, 0.999)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    "ranges", [continuous(2, 1), continuous(0, 1, "Logarithmic"), continuous(0, 2, "ReverseLogarithmic")]
)
def test_impossible_ranges(ranges: dict[str, Any]) -> None:
    with pytest.raises(StepFailed, match="range of x"):
        Space(ranges)


def objective(hyperparameters: dict[str, str]) -> float:
    """Highest, 0, at x = 0.3, y = 0.01, kind = b."""
    import math

    x, y = float(hyperparameters["x"]), math.log10(float(hyperparameters["y"]))
    return -((x - 0.3) ** 2) - ((y + 2) / 2) ** 2 - (0.5 if hyperparameters["kind"] != "b" else 0.0)


def test_bayesian_search_beats_random_search() -> None:
    space = Space(
        {
            "ContinuousParameterRanges": [
                {"Name": "x", "MinValue": "0", "MaxValue": "1", "ScalingType": "Linear"},
                {"Name": "y", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
            ],
            "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b", "c"]}],
        }
    )
    seeds, count = (2, 3, 4), 14
    found = sum(bayesian(space, seed, count) for seed in seeds)
    drawn = sum(at_random(space, seed, count) for seed in seeds)
    assert found > drawn / 3, "both are negative: how far from the optimum, in all"


def at_random(space: Space, seed: int, count: int) -> float:
    """The best of `count` random points."""
    rng = random.Random(seed)  # noqa: S311 - a seed, not a secret
    return max(objective(space.hyperparameters(space.random_point(rng))) for _ in range(count))


def bayesian(space: Space, seed: int, count: int) -> float:
    """The best of `count` points, proposed two at a time."""
    rng = random.Random(seed)  # noqa: S311 - a seed, not a secret
    points = [space.random_point(rng) for _ in range(random_starts(space, 2))]
    seen = [(point, objective(space.hyperparameters(point))) for point in points]
    while len(seen) < count:
        seen += [(point, objective(space.hyperparameters(point))) for point in propose(space, seen, 2, rng)]
    return max(value for _, value in seen)
