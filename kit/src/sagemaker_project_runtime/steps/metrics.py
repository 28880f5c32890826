"""Model quality in SageMaker's own schema (the statistics of model_quality: {family: {metric: {value, …}}}).

Pure functions over labels and scores. The definitions, ties and empty classes included, are those of scikit-learn, with
which a test compares them; importing it would take two seconds. As Model Monitor does, a standard deviation is
taken over 5 samples of 80 % of the rows, and is "NaN" (a text, so that the JSON stays valid) below 200 rows.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
Refuses to invent: a metric that is undefined for these rows (AUC with one class) is left out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.steps.known_metrics import FAMILIES, OWN_FILE, Metric, MetricError, is_minimized, own

__all__ = ["FAMILIES", "Labels", "Metric", "MetricError", "Scores"]  # what model_build/evaluate.py imports

F_SCORES = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
CURVE_POINTS = 200
SAMPLES, SHARE, ENOUGH_ROWS = 5, 0.8, 200

Labels = NDArray[np.float64]
Scores = NDArray[np.float64]
Values = dict[str, float]


def direction(metric: str) -> str:
    return "minimize" if is_minimized(metric) else "maximize"


def values(problem_type: str, labels: Labels, scores: Scores) -> Values:
    """Every metric that is one number, the team's own among them. Raises MetricError.

    Labels are class positions, or numbers; scores as the handler gives them.
    """
    return _VALUES[problem_type](labels, scores) | _own_values(problem_type, labels, scores)


def _own_values(problem_type: str, labels: Labels, scores: Scores) -> Values:
    found: Values = {}
    for name, metric in own(problem_type).items():
        try:
            value = float(metric.compute(labels.copy(), scores.copy()))
        except Exception as error:
            raise MetricError(
                f"Metric {name!r} of {OWN_FILE} failed on {len(labels)} rows: {type(error).__name__}: {error}. "
                "Correct it, or let it return nan where it is undefined."
            ) from error
        if np.isinf(value):
            raise MetricError(f"Metric {name!r} of {OWN_FILE} is infinite on {len(labels)} rows: return nan there.")
        if not np.isnan(value):
            found[name] = value
    return found


def evaluation(problem_type: str, labels: Labels, scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    """The whole evaluation.json: numbers with standard deviations, confusion matrix, curves, best constant guesses."""
    deviations = _deviations(problem_type, labels, scores)
    found = {
        name: {"value": value, "standard_deviation": deviations.get(name, "NaN")}
        for name, value in values(problem_type, labels, scores).items()
    }
    extra = _EXTRAS[problem_type](labels, scores, classes)
    guesses = {
        f"{name}_best_constant_classifier": {"value": value, "standard_deviation": "NaN"}
        for name, value in constant_guesses(problem_type, labels).items()
        if problem_type != "regression"
    }
    return {FAMILIES[problem_type]: {**extra, **found, **guesses}}


def constant_guesses(problem_type: str, labels: Labels) -> Values:
    """For each metric the best that always answering the same could reach on these rows."""
    if problem_type == "regression":
        answers = [np.full(len(labels), labels.mean()), np.full(len(labels), np.median(labels))]
    elif problem_type == "binary":
        answers = [np.full(len(labels), guess) for guess in (0.0, 1.0)]
    else:
        counts = np.bincount(labels.astype(np.int64))
        most_frequent = np.eye(len(counts))[counts.argmax()]  # best by every one of the kit's metrics
        answers = [np.broadcast_to(most_frequent, (len(labels), len(counts)))]
    candidates = [values(problem_type, labels, answer) for answer in answers]
    rates = ("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate")
    common = [name for name in candidates[0] if name not in rates and all(name in one for one in candidates)]
    best = {"minimize": min, "maximize": max}
    return {name: best[direction(name)](one[name] for one in candidates) for name in common}


def _deviations(problem_type: str, labels: Labels, scores: Scores) -> Values:
    if len(labels) < ENOUGH_ROWS:
        return {}
    random = np.random.default_rng(0)
    samples = [random.permutation(len(labels))[: int(SHARE * len(labels))] for _ in range(SAMPLES)]
    drawn = [values(problem_type, labels[rows], scores[rows]) for rows in samples]
    common = set.intersection(*(set(one) for one in drawn))
    return {name: float(np.std([one[name] for one in drawn])) for name in sorted(common)}


def _binary(labels: Labels, scores: Scores) -> Values:
    matrix = _confusion(labels, scores >= 0.5, 2)
    recalls, precisions = _recalls(matrix), _precisions(matrix)
    found = {
        "recall": recalls[1],
        "precision": precisions[1],
        "accuracy": matrix.trace() / matrix.sum(),
        "true_positive_rate": recalls[1],
        "true_negative_rate": recalls[0],
        "false_positive_rate": 1 - recalls[0],
        "false_negative_rate": 1 - recalls[1],
    }
    found |= {name: _f_score(matrix, beta)[1] for name, beta in F_SCORES.items()}
    if labels.min() != labels.max():
        found["auc"] = _area(*roc_curve(labels, scores))
    return {name: float(value) for name, value in found.items()}


def _multiclass(labels: Labels, scores: Scores) -> Values:
    matrix = _confusion(labels, scores.argmax(axis=1), scores.shape[1])
    shares = matrix.sum(axis=1) / matrix.sum()
    found = {
        "accuracy": matrix.trace() / matrix.sum(),
        "weighted_recall": shares @ _recalls(matrix),
        "weighted_precision": shares @ _precisions(matrix),
    }
    found |= {f"weighted_{name}": shares @ _f_score(matrix, beta) for name, beta in F_SCORES.items()}
    return {name: float(value) for name, value in found.items()}


def _regression(labels: Labels, scores: Scores) -> Values:
    errors = labels - scores
    squared = float((errors**2).mean())
    found = {"mae": float(np.abs(errors).mean()), "mse": squared, "rmse": squared**0.5}
    if labels.min() != labels.max():
        found["r2"] = 1 - squared / float(labels.var())
    return found


def _confusion(labels: Labels, guess: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """Rows by actual class (first axis) and predicted class."""
    cells = labels.astype(np.int64) * classes + guess.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def _recalls(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """By class; 0 where there is no such row, as for the two below."""
    return np.asarray(matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1))


def _precisions(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(matrix.diagonal() / np.maximum(matrix.sum(axis=0), 1))


def _f_score(matrix: NDArray[np.int64], beta: float) -> NDArray[np.float64]:
    """(1 + b²) tp / (b² actual + predicted)."""
    below = beta**2 * matrix.sum(axis=1) + matrix.sum(axis=0)
    return np.asarray((1 + beta**2) * matrix.diagonal() / np.where(below > 0, below, 1))


def _hits(labels: Labels, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positives when everything from a score upwards counts as positive, for each different score."""
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(labels[order])
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    return 1.0 + last - true[last], true[last]


def roc_curve(labels: Labels, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true positive rates from (0, 0) to (1, 1). Labels must hold both 0 and 1."""
    false, true = _hits(labels, scores)
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def precision_recall_curve(labels: Labels, scores: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precisions and recalls, by falling recall; ends in precision 1 and recall 0, as scikit-learn's does."""
    false, true = _hits(labels, scores)
    return np.append((true / (true + false))[::-1], 1.0), np.append((true / true[-1])[::-1], 0.0)


def _area(across: NDArray[np.float64], up: NDArray[np.float64]) -> float:
    return float((np.diff(across) * (up[1:] + up[:-1]) / 2).sum())


_VALUES: dict[str, Callable[[Labels, Scores], Values]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}


def _binary_extras(labels: Labels, scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    """Classes are "0" and "1" (the positive), as Model Monitor writes them."""
    extras: dict[str, Any] = {"confusion_matrix": confusion(labels, scores >= 0.5, ("0", "1"))}
    if labels.min() == labels.max():
        return extras
    false, true = roc_curve(labels, scores)
    precisions, recalls = precision_recall_curve(labels, scores)
    extras["receiver_operating_characteristic_curve"] = {
        "false_positive_rates": _thin(false),
        "true_positive_rates": _thin(true),
    }
    extras["precision_recall_curve"] = {"precisions": _thin(precisions), "recalls": _thin(recalls)}
    return extras


def _multiclass_extras(labels: Labels, scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    return {"confusion_matrix": confusion(labels, scores.argmax(axis=1), classes)}


def _regression_extras(labels: Labels, scores: Scores, classes: tuple[str, ...]) -> dict[str, Any]:
    return {}


_EXTRAS: dict[str, Callable[[Labels, Scores, tuple[str, ...]], dict[str, Any]]] = {
    "binary": _binary_extras,
    "multiclass": _multiclass_extras,
    "regression": _regression_extras,
}


def confusion(labels: Labels, guess: NDArray[Any], classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """{actual: {predicted: rows}} with every class present."""
    rows = _confusion(labels, guess, len(classes)).tolist()
    return {actual: dict(zip(classes, row, strict=True)) for actual, row in zip(classes, rows, strict=True)}


def _thin(curve: NDArray[Any]) -> list[float]:
    """At most CURVE_POINTS points, both ends kept; every curve of one length keeps the same points."""
    kept = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), CURVE_POINTS)).round().astype(int))
    return [round(float(value), 6) for value in curve[kept]]
