"""The metrics once more, counted row by row and pair by pair: slow to compute, easy to see through.

scikit-learn finds the same (test_metrics.py, which takes seconds to import it).
"""

from collections.abc import Iterable, Sequence

Point = tuple[float, float]


def share(hits: Iterable[bool]) -> float:
    """How many of these are true; 0 of none, as where a metric has nothing to divide by."""
    found = list(hits)
    return sum(found) / len(found) if found else 0.0


def accuracy(labels: Sequence[float], guess: Sequence[float]) -> float:
    return share(actual == guessed for actual, guessed in zip(labels, guess, strict=True))


def precision(labels: Sequence[float], guess: Sequence[float], kind: float) -> float:
    """Of the rows that were guessed to be of this class, those that are."""
    return share(actual == kind for actual, guessed in zip(labels, guess, strict=True) if guessed == kind)


def recall(labels: Sequence[float], guess: Sequence[float], kind: float) -> float:
    """Of the rows of this class, those that were guessed to be."""
    return share(guessed == kind for actual, guessed in zip(labels, guess, strict=True) if actual == kind)


def f_score(labels: Sequence[float], guess: Sequence[float], kind: float, beta: float) -> float:
    """The weighted harmonic mean of both, recall counting `beta` times as much (van Rijsbergen 1979, chapter 7)."""
    exact, complete = precision(labels, guess, kind), recall(labels, guess, kind)
    return (1 + beta**2) * exact * complete / (beta**2 * exact + complete) if exact and complete else 0.0


def auc(labels: Sequence[float], scores: Sequence[float]) -> float:
    """Of all pairs of a positive and a negative row, those that the scores order; a tie is half (Hanley 1982)."""
    positive = [score for label, score in zip(labels, scores, strict=True) if label]
    negative = [score for label, score in zip(labels, scores, strict=True) if not label]
    ordered = sum((high > low) + (high == low) / 2 for high in positive for low in negative)
    return ordered / (len(positive) * len(negative))


def roc_curve(labels: Sequence[float], scores: Sequence[float]) -> list[Point]:
    """False and true positive rate, for each different score from the highest on."""
    points = [(0.0, 0.0)]
    for limit in sorted(set(scores), reverse=True):
        guess = [float(score >= limit) for score in scores]
        points.append((1 - recall(labels, guess, 0.0), recall(labels, guess, 1.0)))
    return points


def precision_recall_curve(labels: Sequence[float], scores: Sequence[float]) -> list[Point]:
    """Precision and recall, for each different score from the lowest on; it ends where nothing is guessed."""
    points = []
    for limit in sorted(set(scores)):
        guess = [float(score >= limit) for score in scores]
        points.append((precision(labels, guess, 1.0), recall(labels, guess, 1.0)))
    return [*points, (1.0, 0.0)]


def errors(labels: Sequence[float], scores: Sequence[float]) -> dict[str, float]:
    """What is told of a regression."""
    missed = [label - score for label, score in zip(labels, scores, strict=True)]
    mean, squared = sum(labels) / len(labels), sum(error**2 for error in missed)
    found = {"mae": sum(map(abs, missed)) / len(missed), "mse": squared / len(missed)}
    return found | {"rmse": found["mse"] ** 0.5, "r2": 1 - squared / sum((label - mean) ** 2 for label in labels)}
