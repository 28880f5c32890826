"""Our formulas find what counting finds, and scikit-learn; the document is SageMaker's schema and plain JSON."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kit.tests.runtime.steps import counted
from sagemaker_project_runtime.steps import metrics

Labels = NDArray[np.float64]
F_SCORES = (("0_5", 0.5), ("1", 1.0), ("2", 2.0))


def binary_cases() -> Iterator[tuple[Labels, Labels]]:
    """Of every size from one row on, with few or many positives or none, and scores that tie."""
    for size in range(1, 61):
        for share in (0.0, 0.1, 0.5, 0.9, 1.0):
            random = np.random.default_rng([size, int(share * 10)])
            scores = random.choice([0.0, 0.1, 0.5, 0.5000001, 0.7, 1.0], size)
            yield (random.random(size) < share).astype(float), scores


def multiclass_cases() -> Iterator[tuple[Labels, Labels]]:
    """With classes that no row has, that are never guessed, or both."""
    for size in range(1, 61):
        for classes in range(2, 7):
            random = np.random.default_rng([size, classes])
            yield random.integers(0, classes, size).astype(float), random.random((size, classes))


def regression_case() -> tuple[Labels, Labels]:
    random = np.random.default_rng(0)
    labels = random.normal(100, 20, 300)
    return labels, labels + random.normal(0, 5, 300)


def curve_case() -> tuple[Labels, Labels]:
    random = np.random.default_rng(0)
    labels = (random.random(500) > 0.7).astype(float)
    return labels, (labels * 0.3 + random.random(500)).round(2)


def test_binary_as_counted() -> None:
    for labels, scores in binary_cases():
        found = metrics.values("binary", labels, scores)
        rows, guess = labels.tolist(), [float(score >= 0.5) for score in scores]
        expected = {"accuracy": counted.accuracy(rows, guess), "precision": counted.precision(rows, guess, 1.0)}
        expected |= {"recall": counted.recall(rows, guess, 1.0)}
        expected |= {f"f{name}": counted.f_score(rows, guess, 1.0, beta) for name, beta in F_SCORES}
        if len(set(rows)) == 2:
            expected["auc"] = counted.auc(rows, scores.tolist())
        assert {name: found[name] for name in expected} == pytest.approx(expected), (labels, scores)
        assert ("auc" in found) == ("auc" in expected)


def test_multiclass_as_counted() -> None:
    for labels, scores in multiclass_cases():
        found, rows, guess = metrics.values("multiclass", labels, scores), labels.tolist(), _most_likely(scores)
        expected = {"accuracy": counted.accuracy(rows, guess)}
        for kind in set(rows):  # weighted: a row counts with the metric of its own class
            of = {"precision": counted.precision(rows, guess, kind), "recall": counted.recall(rows, guess, kind)}
            of |= {f"f{name}": counted.f_score(rows, guess, kind, beta) for name, beta in F_SCORES}
            for name, value in of.items():
                weighted = f"weighted_{name}"
                expected[weighted] = expected.get(weighted, 0.0) + value * rows.count(kind) / len(rows)
        assert found == pytest.approx(expected), (labels, scores)


def _most_likely(scores: Labels) -> list[float]:
    return [float(max(range(len(row)), key=row.__getitem__)) for row in scores.tolist()]


def test_regression_as_counted() -> None:
    labels, scores = regression_case()
    assert metrics.values("regression", labels, scores) == pytest.approx(
        counted.errors(labels.tolist(), scores.tolist())
    )


def test_curves_as_counted() -> None:
    labels, scores = curve_case()
    rows = labels.tolist(), scores.tolist()
    assert np.allclose(np.transpose(metrics.roc_curve(labels, scores)), counted.roc_curve(*rows))
    assert np.allclose(
        np.transpose(metrics.precision_recall_curve(labels, scores)), counted.precision_recall_curve(*rows)
    )


# --- scikit-learn takes seconds to import: not on every push


def test_binary_equals_sklearn() -> None:
    from sklearn import metrics as sklearn

    for labels, scores in binary_cases():
        found, guess = metrics.values("binary", labels, scores), (scores >= 0.5).astype(float)
        expected = {"accuracy": sklearn.accuracy_score(labels, guess)}
        for name, beta in F_SCORES:
            scored = sklearn.precision_recall_fscore_support(
                labels, guess, beta=beta, average="binary", zero_division=0.0
            )
            expected |= dict(zip(("precision", "recall", f"f{name}"), scored, strict=False))
        if len(set(labels)) == 2:
            expected["auc"] = sklearn.roc_auc_score(labels, scores)
        assert {name: found[name] for name in expected} == pytest.approx(expected), (labels, scores)
        assert ("auc" in found) == ("auc" in expected)


def test_multiclass_equals_sklearn() -> None:
    from sklearn import metrics as sklearn

    weighted: dict[str, Any] = {"average": "weighted", "zero_division": 0.0}
    for labels, scores in multiclass_cases():
        guess, found = scores.argmax(axis=1), metrics.values("multiclass", labels, scores)
        assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(labels, guess))
        for name, beta in F_SCORES:
            *expected, _ = sklearn.precision_recall_fscore_support(labels, guess, beta=beta, **weighted)
            names = ("weighted_precision", "weighted_recall", f"weighted_f{name}")
            assert [found[name] for name in names] == pytest.approx(expected)


def test_regression_equals_sklearn() -> None:
    from sklearn import metrics as sklearn

    labels, scores = regression_case()
    found = metrics.values("regression", labels, scores)
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(labels, scores))
    assert found["mse"] == pytest.approx(sklearn.mean_squared_error(labels, scores))
    assert found["rmse"] == pytest.approx(sklearn.root_mean_squared_error(labels, scores))
    assert found["r2"] == pytest.approx(sklearn.r2_score(labels, scores))


def test_curves_equal_sklearn() -> None:
    from sklearn import metrics as sklearn

    labels, scores = curve_case()
    false, true, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    assert np.allclose(metrics.roc_curve(labels, scores), (false, true))
    precisions, recalls, _ = sklearn.precision_recall_curve(labels, scores)
    assert np.allclose(metrics.precision_recall_curve(labels, scores), (precisions, recalls))


def test_curves_are_thin_and_keep_their_ends() -> None:
    random = np.random.default_rng(0)
    labels, scores = (random.random(5000) > 0.5).astype(float), random.random(5000)
    document = metrics.evaluation("binary", labels, scores, ("no", "yes"))["binary_classification_metrics"]
    curve = document["receiver_operating_characteristic_curve"]
    assert len(curve["false_positive_rates"]) == len(curve["true_positive_rates"]) == metrics.CURVE_POINTS
    assert (curve["false_positive_rates"][0], curve["true_positive_rates"][-1]) == (0.0, 1.0)
    assert len(document["precision_recall_curve"]["recalls"]) == metrics.CURVE_POINTS


@pytest.mark.parametrize(("rows", "deviation"), [(199, str), (200, float)])
def test_standard_deviation_needs_200_rows(rows: int, deviation: type) -> None:
    random = np.random.default_rng(0)
    labels, scores = (random.random(rows) > 0.5).astype(float), random.random(rows)
    document = metrics.evaluation("binary", labels, scores, ("no", "yes"))
    found = document["binary_classification_metrics"]["auc"]["standard_deviation"]
    assert isinstance(found, deviation)
    assert found in ("NaN", pytest.approx(0.04, abs=0.035))
    json.dumps(document, allow_nan=False)


def test_confusion_matrix_is_actual_by_predicted() -> None:
    labels, guess = np.array([0.0, 0, 1, 2]), np.array([0, 1, 1, 0])
    expected = {"a": {"a": 1, "b": 1, "c": 0}, "b": {"a": 0, "b": 1, "c": 0}, "c": {"a": 1, "b": 0, "c": 0}}
    assert metrics.confusion(labels, guess, ("a", "b", "c")) == expected


def test_best_constant_guesses() -> None:
    binary = metrics.constant_guesses("binary", np.array([0.0, 0, 0, 1]))
    assert binary["auc"] == 0.5
    assert binary["accuracy"] == 0.75
    assert binary["precision"] == 0.25
    assert binary["f1"] == pytest.approx(0.4)
    assert metrics.constant_guesses("multiclass", np.array([0.0, 1, 1, 2]))["accuracy"] == 0.5
    regression = metrics.constant_guesses("regression", np.array([0.0, 0, 0, 4]))
    assert regression["rmse"] == pytest.approx(np.sqrt(3))
    assert regression["mae"] == 1.0
    assert regression["r2"] == pytest.approx(0)
