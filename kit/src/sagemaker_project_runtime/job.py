"""What a team's model_build/model.py gets to train with, and how it says that it cannot. Public: model.py imports this.

Everything a framework may need is here from the start (weights, several hosts, checkpoints), so that what the kit
learns later changes the kit and not the team's file. It refuses to know any framework.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curves = Mapping[str, Mapping[str, list[float]]]
"""Rows → metric → its value after each round: {"train": {"auc": […]}, "validation": {"auc": […]}}."""


class StepError(Exception):
    """A step cannot go on: what was wrong, where, and what to do."""


class TrainingError(StepError):
    """The training job's hyperparameters, channels or model cannot be used. model.py raises it with one sentence."""


@dataclass(frozen=True)
class Rows:
    """Features (rows, columns) as float32 with NaN for missing, and one label and at most one weight a row.

    A label is the position of its class in `Job.classes`, 0 or 1 when there are two, or the number of a regression.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int = 4096) -> Iterator["Rows"]:
        """The same rows in the same order, `size` at a time, for a framework that learns step by step."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            weights = None if self.weights is None else self.weights[part]
            yield Rows(self.features[part], self.labels[part], weights)


@dataclass(frozen=True)
class Job:
    """One training job.

    `feature_types`: "q" for a quantity, "c" for a category, whose values are the codes 0, 1, 2 …
    `problem_type`: "binary", "multiclass" or "regression"; `classes`: their names in the order of the labels.
    `hyperparameters`: those of project.toml, or the values that a tuning job tries.
    `checkpoints`: a folder for them. The kit does not keep it beyond the machine yet: an interrupted job begins again.
    `hosts`, `rank`: all machines of the job and this one's number; only number 0 saves.
    `report`: tell it the learning curve and the round that was kept, once, at the end.
    """

    train: Rows
    validation: Rows
    feature_names: tuple[str, ...]
    feature_types: tuple[str, ...]
    problem_type: str
    classes: tuple[str, ...] = ()
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    checkpoints: Path = Path("/opt/ml/checkpoints")
    hosts: tuple[str, ...] = ("algo-1",)
    rank: int = 0
    report: Callable[[Curves, int], None] = lambda curves, best_round: None


def serving_threads() -> int:
    """How many threads an endpoint's answer may take: one unless the image says more, as its workers run beside."""
    return int(os.environ.get("OMP_NUM_THREADS") or 1)
