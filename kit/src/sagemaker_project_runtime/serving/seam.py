"""The one place that knows the team's model_build/model.py: it imports it by name and calls its functions.

Training asks `prove`, which finds out whether the model answers as an endpoint must, row by row, before anybody relies
on it: a fault is told there, with the row, and not first by an endpoint. It refuses to know any framework.
"""

import importlib
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.job import Job, TrainingError
from sagemaker_project_runtime.serving import wheels

NAME = "model_build.model"
FILE = "model_build/model.py"
FUNCTIONS = ("train", "save", "load", "predict")
PROVED_ROWS = 500
ALONE = 5  # rows that are asked for one by one
RELATIVE, ABSOLUTE = 1e-4, 1e-6  # float32, summed in another order

Features = NDArray[np.float32]
Scores = NDArray[Any]


class Framework(NamedTuple):
    """What a model was trained with: the name under which it is imported, and its version."""

    name: str
    version: str


def module(code: Path) -> ModuleType:
    """The team's model.py; `code` may hold wheels for it. Raises TrainingError when it is not there, cannot be imported
    or lacks a function.
    """
    wheels.install(code)
    try:
        found = importlib.import_module(NAME)
    except ImportError as error:
        raise TrainingError(
            f"{FILE} cannot be imported: {error}. What it imports must be in the image that it names, or in the "
            "dependency group job-wheels of pyproject.toml."
        ) from error
    if missing := [name for name in FUNCTIONS if not callable(getattr(found, name, None))]:
        raise TrainingError(f"{FILE} has no function {', '.join(missing)}: it needs {', '.join(FUNCTIONS)}.")
    return found


def framework(team: ModuleType) -> Framework:
    """The framework that model.py names and the version that is installed here. Raises TrainingError."""
    name = str(getattr(team, "FRAMEWORK", ""))
    try:
        return Framework(name, str(importlib.import_module(name).__version__))
    except (ImportError, ValueError, AttributeError) as error:
        raise TrainingError(
            f"{FILE} names the framework {name!r}, whose version cannot be found ({error}): set FRAMEWORK to what it "
            'imports, such as FRAMEWORK = "sklearn".'
        ) from error


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of the team returns. A fault becomes a TrainingError that names the function and the line."""
    try:
        return function(*arguments)
    except TrainingError:
        raise
    except Exception as error:
        traceback.print_exc()
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(FILE)]
        where = f", line {lines[-1]}," if lines else ""
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")[:300]
        raise TrainingError(f"{function.__name__} in {FILE}{where} fails: {type(error).__name__}: {reason}") from error


def prove(team: ModuleType, trained: Any, folder: Path, job: Job) -> None:
    """Load what was saved and hold its answers for validation rows against what an endpoint needs.

    Raises TrainingError: no number, wrong shape, NaN, no probability, other answers for the same rows in another
    order, alone, or from the model before it was saved; each with the row.
    """
    features = job.validation.features[:PROVED_ROWS]
    loaded = call(team.load, folder)
    scores = checked(call(team.predict, loaded, features), len(features), job.problem_type, len(job.classes))
    _same(scores, call(team.predict, trained, features), "the model that was saved and loaded answers otherwise")
    backwards = call(team.predict, loaded, np.ascontiguousarray(features[::-1]))
    _same(scores, np.asarray(backwards)[::-1], "predict does not answer in the order of its rows")
    for row in range(min(ALONE, len(features))):
        alone = call(team.predict, loaded, features[row : row + 1])
        _same(scores[row : row + 1], alone, "predict answers otherwise for a row alone", row)
    if explain := getattr(team, "explain", None):
        shape = (*scores[:ALONE].shape, features.shape[1] + 1)
        if (found := np.shape(call(explain, loaded, features[:ALONE]))) != shape:
            raise TrainingError(
                f"explain in {FILE} returned an array of shape {found} instead of {shape}: for each answer what every "
                "feature adds, and last what all start from. Correct it or leave it out."
            )


def checked(answer: Any, rows: int, problem_type: str, classes: int) -> Scores:
    """What predict returned, as an array of the right shape. Raises TrainingError with the first row that is wrong."""
    scores = np.asarray(answer)
    expected = (rows, classes) if problem_type == "multiclass" else (rows,)
    if scores.shape != expected or scores.dtype.kind not in "fiu":
        raise TrainingError(_wrong_shape(scores, expected, problem_type))
    finite = np.isfinite(scores).reshape(rows, -1).all(axis=1)
    _refuse(~finite, "is {found}, which is no number", scores)
    if problem_type != "regression":
        _refuse(
            ((scores < 0) | (scores > 1)).reshape(rows, -1).any(axis=1), "is {found}, which is no probability", scores
        )
    if problem_type == "multiclass":
        off = np.abs(scores.sum(axis=1) - 1) > 1e-3
        _refuse(off, "is {found}: the probabilities of the classes must sum to 1", scores)
    return scores


def _wrong_shape(scores: Scores, expected: tuple[int, ...], problem_type: str) -> str:
    hints = {
        "binary": "one probability a row, that of the second class, such as predict_proba(features)[:, 1]",
        "multiclass": "one probability for each row and class, such as predict_proba(features)",
        "regression": "one number a row; of a predicted distribution, return its mean",
    }
    return (
        f"predict in {FILE} returned {scores.dtype} of shape {scores.shape} for {expected[0]} rows, a {problem_type} "
        f"model must return floats of shape {expected}: {hints[problem_type]}."
    )


def _refuse(wrong: NDArray[np.bool_], fault: str, scores: Scores) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        found = fault.format(found=scores[row].tolist())
        raise TrainingError(f"predict in {FILE}: its answer for row {row + 1} of the validation rows {found}.")


def _same(expected: Scores, answer: Any, fault: str, first: int = 0) -> None:
    found = np.asarray(answer)
    if found.shape != expected.shape:
        raise TrainingError(f"{FILE}: {fault}: its answer has shape {found.shape} instead of {expected.shape}.")
    differs = ~np.isclose(expected, found, rtol=RELATIVE, atol=ABSOLUTE).reshape(len(expected), -1).all(axis=1)
    if differs.any():
        row = int(differs.argmax())
        raise TrainingError(
            f"{FILE}: {fault}: row {first + row + 1} of the validation rows gets {found[row].tolist()} instead of "
            f"{expected[row].tolist()}."
        )
