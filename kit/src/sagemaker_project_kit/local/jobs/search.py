"""Where to look next: random search, and Bayesian search by a Gaussian process and expected improvement.

Points live in the unit cube, one axis per range, in the range's own scaling; `Space` translates. The same seed gives
the same points. Imports numpy, scipy and scikit-learn only for Bayesian search. Runs no job.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed

Point = tuple[float, ...]
CANDIDATES = 500
_AUTO_RATIO = 100  # Auto scaling turns logarithmic for a positive range of two decades or more


@dataclass(frozen=True)
class Axis:
    """One hyperparameter range. `kind` is Continuous, Integer or Categorical."""

    name: str
    kind: str
    low: float = 0.0
    high: float = 1.0
    scaling: str = "Linear"
    values: tuple[str, ...] = ()

    def value(self, unit: float) -> str:
        """The hyperparameter, as text, at the position `unit` in [0, 1)."""
        if self.kind == "Categorical":
            return self.values[min(int(unit * len(self.values)), len(self.values) - 1)]
        if self.kind == "Integer":
            whole = math.floor(self._number(unit, self.low - 0.5, self.high + 0.5) + 0.5)
            return str(int(min(max(whole, self.low), self.high)))
        return repr(min(max(self._number(unit, self.low, self.high), self.low), self.high))

    def _number(self, unit: float, low: float, high: float) -> float:
        if self.scaling == "Logarithmic":
            low = max(low, self.low / 2)  # an integer range may begin at 1: the half below it is not negative
            return low * float((high / low) ** unit)
        if self.scaling == "ReverseLogarithmic":
            return 1 - (1 - low) * float(((1 - high) / (1 - low)) ** unit)
        return low + unit * (high - low)


class Space:
    """The ParameterRanges of a tuning job."""

    def __init__(self, ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self.axes = [
            *(_numeric("Continuous", entry) for entry in ranges.get("ContinuousParameterRanges") or []),
            *(_numeric("Integer", entry) for entry in ranges.get("IntegerParameterRanges") or []),
            *(_categorical(entry) for entry in ranges.get("CategoricalParameterRanges") or []),
        ]

    def random_point(self, rng: random.Random) -> Point:
        """A point drawn evenly."""
        return tuple(rng.random() for _ in self.axes)

    def hyperparameters(self, point: Point) -> dict[str, str]:
        """The hyperparameters at `point`, as the text that SageMaker passes."""
        return {axis.name: axis.value(unit) for axis, unit in zip(self.axes, point, strict=True)}

    def features(self, point: Point) -> list[float]:
        """`point` for the Gaussian process: one column a number, one column a category."""
        columns: list[float] = []
        for axis, unit in zip(self.axes, point, strict=True):
            columns += [float(axis.value(unit) == value) for value in axis.values] if axis.values else [unit]
        return columns


def _numeric(kind: str, entry: Mapping[str, Any]) -> Axis:
    low, high, scaling = float(entry["MinValue"]), float(entry["MaxValue"]), entry.get("ScalingType", "Auto")
    if scaling == "Auto":
        scaling = "Logarithmic" if low > 0 and high / low >= _AUTO_RATIO else "Linear"
    if low > high or (scaling == "Logarithmic" and low <= 0):
        raise StepFailed(f"the range of {entry['Name']} ({low:g} to {high:g}, {scaling}) is empty or not positive")
    if scaling == "ReverseLogarithmic" and not 0 <= low <= high < 1:
        raise StepFailed(f"the range of {entry['Name']} must lie in [0, 1) for ReverseLogarithmic scaling")
    return Axis(entry["Name"], kind, low, high, scaling)


def _categorical(entry: Mapping[str, Any]) -> Axis:
    return Axis(entry["Name"], "Categorical", values=tuple(str(value) for value in entry["Values"]))


def random_starts(space: Space, parallel: int) -> int:
    """How many random points Bayesian search begins with."""
    return max(3, len(space.axes) + 1, parallel)


def propose(space: Space, seen: Sequence[tuple[Point, float]], count: int, rng: random.Random) -> list[Point]:
    """`count` points where a Gaussian process fitted to `seen` (higher is better) expects most improvement.

    Points proposed together are told apart by believing the prediction of each before choosing the next.
    """
    known, chosen = list(seen), []
    for _ in range(count):
        point, expected = _most_promising(space, known, rng)
        chosen.append(point)
        known.append((point, expected))
    return chosen


def _candidates(space: Space, best: Point, rng: random.Random) -> list[Point]:
    """Points everywhere, and as many around the best one."""
    wide = [space.random_point(rng) for _ in range(CANDIDATES)]
    near = [tuple(min(max(rng.gauss(unit, 0.08), 0.0), 0.999999) for unit in best) for _ in range(CANDIDATES)]
    return wide + near


def _most_promising(space: Space, known: Sequence[tuple[Point, float]], rng: random.Random) -> tuple[Point, float]:
    import numpy as np
    from scipy.special import ndtr

    process = _fitted(space, known, rng.randrange(2**31))
    best_point, best = max(known, key=lambda entry: entry[1])
    candidates = _candidates(space, best_point, rng)
    mean, deviation = process.predict(np.array([space.features(point) for point in candidates]), return_std=True)
    deviation = np.maximum(deviation, 1e-12)
    gain = mean - best
    score = gain / deviation
    improvement = gain * ndtr(score) + deviation * np.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)
    index = int(np.argmax(improvement))
    return candidates[index], float(mean[index])


def _fitted(space: Space, known: Sequence[tuple[Point, float]], seed: int) -> Any:
    import warnings

    import numpy as np
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    kernel = ConstantKernel(1.0) * Matern(0.3, (0.05, 3.0), nu=2.5) + WhiteKernel(1e-3, (1e-6, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=1, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # the matrices are too small for several threads
        warnings.simplefilter("ignore")  # a kernel parameter at its bound is no news with a handful of points
        process.fit(np.array([space.features(point) for point, _ in known]), np.array([value for _, value in known]))
    return process
