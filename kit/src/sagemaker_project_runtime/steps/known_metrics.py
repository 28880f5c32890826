"""Which metrics there are and which of them are errors: the kit's, and the team's own of model_build/evaluate.py.

The one home of both facts: project.toml is checked against it before anything runs, gate and report judge by it. What
computes the kit's is metrics.py. Without metrics of the team's own it imports nothing.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

METRICS = {
    "binary": ("auc", "f1", "accuracy", "precision", "recall"),
    "multiclass": ("accuracy", "weighted_f1", "weighted_precision", "weighted_recall"),
    "regression": ("rmse", "mae", "mse", "r2"),
}
# Of SageMaker's schema of model quality.
FAMILIES = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
MINIMIZED = frozenset({"rmse", "mae", "mse"})
OWN = "model_build.evaluate"
OWN_FILE = "model_build/evaluate.py"


class MetricError(Exception):
    """A metric of the team's own cannot be used: which, why, and what to do."""


@dataclass(frozen=True)
class Metric:
    """A metric of the team's own, called as its function is.

    `compute` takes the labels (rows,) and the scores of the test rows, both of numbers. Binary: labels 0 and 1 (the
    positive), scores the probability of 1. Multiclass: labels are positions of classes, scores (rows, classes) their
    probabilities. Regression: the values, and what the model says. It returns one number; NaN where it is undefined.
    """

    compute: Callable[[Any, Any], float]
    problem_types: tuple[str, ...] = tuple(METRICS)
    minimize: bool = False

    @property
    def name(self) -> str:
        """What project.toml and the reports call it."""
        return str(getattr(self.compute, "__name__", self.compute))


def own(problem_type: str) -> dict[str, Metric]:
    """The team's metrics for such a model, by name. Raises MetricError."""
    return {metric.name: metric for metric in _own() if problem_type in metric.problem_types}


def names(problem_type: str) -> tuple[str, ...]:
    """Every metric that may judge such a model, the team's own last. Raises MetricError."""
    return (*METRICS[problem_type], *own(problem_type))


def is_known(metric: str, problem_type: str) -> bool:
    """Whether it may judge such a model; the team's code is imported only if the kit has no such metric."""
    return metric in METRICS[problem_type] or metric in own(problem_type)


def is_minimized(metric: str) -> bool:
    """Whether a smaller value is a better one; a name that nobody knows is not. Raises MetricError."""
    if any(metric in known for known in METRICS.values()):
        return metric in MINIMIZED
    return any(each.minimize for each in _own() if each.name == metric)


def _own() -> list[Metric]:
    """METRICS of the team's evaluate.py; a project without that file has none."""
    package = importlib.util.find_spec(OWN.partition(".")[0])
    if package is None or importlib.util.find_spec(OWN) is None:
        return []
    try:
        found = importlib.import_module(OWN).METRICS
    except Exception as error:
        raise MetricError(f"{OWN_FILE} cannot be used: {type(error).__name__}: {error}. Correct it.") from error
    if not isinstance(found, list | tuple) or not all(isinstance(metric, Metric) for metric in found):
        raise MetricError(f"METRICS in {OWN_FILE} must be a list of Metric(function, …).")
    _check(list(found))
    return list(found)


def _check(found: list[Metric]) -> None:
    taken = {name for known in METRICS.values() for name in known}
    for metric in found:
        if metric.name in taken:
            raise MetricError(f"{OWN_FILE} has a metric {metric.name!r}, and there is one of that name: rename it.")
        if not metric.name.isidentifier():
            raise MetricError(f"{OWN_FILE}: a metric is a function with a name, found {metric.name!r}.")
        if unknown := set(metric.problem_types) - set(METRICS):
            known = ", ".join(METRICS)
            raise MetricError(f"{OWN_FILE}, {metric.name}: no problem type {sorted(unknown)}; there are {known}.")
        taken.add(metric.name)
