"""Which row trains, validates or tests. Pure functions over one number a row; refuse splits that leave a part empty."""

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.steps.configuration import Split
from sagemaker_project_runtime.steps.errors import DataError

TRAIN, VALIDATION, TEST, UNUSED = 0, 1, 2, 3
NAMES = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}


def by_class(classes: NDArray[np.float64] | None, unused: NDArray[np.bool_], split: Split) -> NDArray[np.int8]:
    """A part for every row, at random; with `classes` each is divided in the same shares, few rows train first."""
    parts = np.full(len(unused), UNUSED, dtype=np.int8)
    random = np.random.default_rng(split.seed)
    groups = [np.flatnonzero(~unused)] if classes is None else _groups(classes, unused)
    for rows in groups:
        shuffled = random.permutation(rows)
        validation, test = _sizes(len(rows), split)
        parts[shuffled[:test]] = TEST
        parts[shuffled[test : test + validation]] = VALIDATION
        parts[shuffled[test + validation :]] = TRAIN
    if classes is not None and _lacks_a_part(parts):  # nothing but rare classes
        return by_class(None, unused, split)
    return parts


def _groups(classes: NDArray[np.float64], unused: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero((classes == code) & ~unused) for code in np.unique(classes[~unused])]


def _sizes(count: int, split: Split) -> tuple[int, int]:
    """Rows for validation and test: rounded, at least one each from 5 rows on, so that every class is judged."""
    test = max(round(count * split.test), 1 if count >= 3 else 0)
    validation = max(round(count * split.validation), 1 if count >= 5 else 0)
    test = min(test, count - 1)
    return max(0, min(validation, count - 1 - test)), test


def _lacks_a_part(parts: NDArray[np.int8]) -> bool:
    return any(not (parts == part).any() for part in NAMES)


def by_time(times: NDArray[np.float64], unused: NDArray[np.bool_], split: Split, column: str) -> NDArray[np.int8]:
    """The oldest rows train, the newest test; one moment stays together. Raises DataError below 3 moments."""
    ordered = np.sort(times[~unused])
    moments = np.unique(ordered)
    if len(moments) < 3:
        raise DataError(f"time_column {column!r} has {len(moments)} different moments: 3 are needed to split by time.")
    ends = [
        ordered[min(len(ordered) - 1, round(len(ordered) * share))]
        for share in (split.train, split.train + split.validation)
    ]
    first = min(max(int(np.searchsorted(moments, ends[0])), 1), len(moments) - 2)
    second = min(max(int(np.searchsorted(moments, ends[1])), first + 1), len(moments) - 1)
    parts = np.full(len(unused), UNUSED, dtype=np.int8)
    used = ~unused
    parts[used] = np.where(
        times[used] < moments[first], TRAIN, np.where(times[used] < moments[second], VALIDATION, TEST)
    )
    return parts
