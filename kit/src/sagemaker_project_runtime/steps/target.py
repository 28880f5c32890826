"""The target column: read it once, check it, and know how to encode it. The only column that is held whole.

Refuses targets that no model could learn, each with what was found.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.transformation import Target, nearest
from sagemaker_project_runtime.serving.values import category, number, shown
from sagemaker_project_runtime.steps.configuration import Configuration
from sagemaker_project_runtime.steps.errors import DataError

MISSING = -1
MINIMUM_ROWS = 20
MAXIMUM_CLASSES = 250
# How people write the positive class when they do not say which it is.
POSITIVE = frozenset({"yes", "true", "1", "1.0", "y", "t", "positive", "pos", "churn", "default", "fraud", "bad"})


@dataclass(frozen=True)
class TargetColumn:
    """`codes`: class index or value of every row; `missing`: where there is none; `counts`: rows by class."""

    target: Target
    codes: NDArray[np.float64]
    missing: NDArray[np.bool_]
    counts: dict[str, int]


class Reader:
    """Takes the target's cells chunk by chunk; `finish` checks and encodes them."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.regression = configuration.problem_type == "regression"
        self.classes: dict[str, int] = {}
        self.values = array("d")
        self.not_a_number: tuple[int, str] | None = None

    def add(self, cells: Sequence[str]) -> None:
        if self.regression:
            self.values.extend(self._number(cell) for cell in cells)
        else:
            self.values.extend(self._class(cell) for cell in cells)

    def _number(self, cell: str) -> float:
        try:
            return number(cell)
        except ValueError:
            self.not_a_number = self.not_a_number or (len(self.values), cell)
            return float("nan")

    def _class(self, cell: str) -> float:
        label = category(cell)
        if label is None:
            return float("nan")
        return self.classes.setdefault(label, len(self.classes))

    def finish(self) -> TargetColumn:
        """Raises DataError when the column cannot be learnt."""
        codes = np.frombuffer(self.values, dtype=np.float64) if self.values else np.empty(0)
        missing = np.isnan(codes)
        self._check_rows(codes, missing)
        if self.regression:
            return self._finish_regression(codes, missing)
        return self._finish_classes(codes, missing)

    def _check_rows(self, codes: NDArray[np.float64], missing: NDArray[np.bool_]) -> None:
        name = self.configuration.target
        if not len(codes):
            raise DataError("The file holds a header and no rows: add the data below it.")
        if self.not_a_number:
            return
        usable = int((~missing).sum())
        if not usable:
            raise DataError(f"Target {name!r} has no value in any of the {len(codes)} rows: choose another target.")
        if len(np.unique(codes[~missing])) == 1:
            raise DataError(
                f"Target {name!r} has one value only ({self._first(codes, missing)}): there is nothing to learn."
            )
        if usable < MINIMUM_ROWS:
            raise DataError(f"Only {usable} of {len(codes)} rows have a target: at least {MINIMUM_ROWS} are needed.")

    def _first(self, codes: NDArray[np.float64], missing: NDArray[np.bool_]) -> str:
        return shown(float(codes[~missing][0])) if self.regression else shown(next(iter(self.classes)))

    def _finish_regression(self, codes: NDArray[np.float64], missing: NDArray[np.bool_]) -> TargetColumn:
        name = self.configuration.target
        if self.not_a_number:
            position, cell = self.not_a_number
            raise NotNumericError(position, f"target {name!r} is {shown(cell)}, which is not a number")
        return TargetColumn(Target(name, "regression"), codes, missing, {})

    def _finish_classes(self, codes: NDArray[np.float64], missing: NDArray[np.bool_]) -> TargetColumn:
        present = np.bincount(codes[~missing].astype(np.int64), minlength=len(self.classes))
        counts = Counter({label: int(present[code]) for label, code in self.classes.items()})
        classes = self._order(counts)
        recode = np.array([classes.index(label) for label in self.classes], dtype=np.float64)
        encoded = np.full(len(codes), float("nan"))
        encoded[~missing] = recode[codes[~missing].astype(np.int64)]
        target = Target(self.configuration.target, self.configuration.problem_type, tuple(classes))
        return TargetColumn(target, encoded, missing, {label: counts[label] for label in classes})

    def _order(self, counts: Counter[str]) -> list[str]:
        classes = sorted(counts, key=_sort_key)
        name = self.configuration.target
        if self.configuration.problem_type == "multiclass":
            if len(classes) > MAXIMUM_CLASSES:
                raise DataError(
                    f"Target {name!r} has {len(classes)} different values, more than {MAXIMUM_CLASSES} classes: "
                    "is it a regression?"
                )
            return classes
        if len(classes) != 2:
            found = ", ".join(f"{shown(label)} ({count})" for label, count in counts.most_common(5))
            raise DataError(
                f"Target {name!r} has {len(classes)} different values, a binary target has 2. Most frequent: {found}. "
                "Correct them, or set problem_type to multiclass or regression."
            )
        positive = self._positive(classes, counts)
        return [label for label in classes if label != positive] + [positive]

    def _positive(self, classes: list[str], counts: Counter[str]) -> str:
        wanted = self.configuration.positive_label
        if wanted is not None:
            if wanted in classes:
                return wanted
            found = " and ".join(shown(label) for label in classes)
            raise DataError(
                f"positive_label {wanted!r} does not occur in target {self.configuration.target!r}"
                f"{nearest(wanted, classes)}: its values are {found}."
            )
        known = [label for label in classes if label.casefold() in POSITIVE]
        return known[0] if len(known) == 1 else min(reversed(classes), key=lambda label: counts[label])


class NotNumericError(DataError):
    """A regression target is not a number; `position` counts data rows from 0."""

    def __init__(self, position: int, what: str) -> None:
        super().__init__(f"Data row {position + 1}: {what}.")
        self.position, self.what = position, what


def _sort_key(label: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by the alphabet."""
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label
