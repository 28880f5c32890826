"""Our formulas are scikit-learn's; the document is SageMaker's schema and JSON that any parser reads."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from model_build.steps import metrics

Labels = NDArray[np.float64]


@st.composite
def binary(draw: st.DrawFn) -> tuple[Labels, Labels]:
    size = draw(st.integers(1, 60))
    labels = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    scores = draw(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.5000001, 0.7, 1.0]), min_size=size, max_size=size))
    return np.array(labels, dtype=float), np.array(scores)


@settings(deadline=None, max_examples=150)
@given(binary())
def test_binary_equals_sklearn(case: tuple[Labels, Labels]) -> None:
    labels, scores = case
    found, guess = metrics.values("binary", labels, scores), (scores >= 0.5).astype(float)
    expected = {"accuracy": sklearn.accuracy_score(labels, guess)}
    for name, beta in F_SCORES:
        scored = sklearn.precision_recall_fscore_support(labels, guess, beta=beta, average="binary", zero_division=0.0)
        expected |= dict(zip(("precision", "recall", f"f{name}"), scored, strict=False))
    if len(set(labels)) == 2:
        expected["auc"] = sklearn.roc_auc_score(labels, scores)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    assert ("auc" in found) == ("auc" in expected)


F_SCORES = (("0_5", 0.5), ("1", 1.0), ("2", 2.0))


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 60), st.integers(2, 6), st.integers(0, 10_000))
def test_multiclass_equals_sklearn(size: int, classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, scores = random.integers(0, classes, size).astype(float), random.random((size, classes))
    guess, found = scores.argmax(axis=1), metrics.values("multiclass", labels, scores)
    weighted: dict[str, Any] = {"average": "weighted", "zero_division": 0.0}
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(labels, guess))
    for name, beta in F_SCORES:
        *expected, _ = sklearn.precision_recall_fscore_support(labels, guess, beta=beta, **weighted)
        names = ("weighted_precision", "weighted_recall", f"weighted_f{name}")
        assert [found[name] for name in names] == pytest.approx(expected)


def test_regression_equals_sklearn() -> None:
    random = np.random.default_rng(0)
    labels = random.normal(100, 20, 300)
    scores = labels + random.normal(0, 5, 300)
    found = metrics.values("regression", labels, scores)
    assert found["mae"] == pytest.approx(sklearn.mean_absolute_error(labels, scores))
    assert found["mse"] == pytest.approx(sklearn.mean_squared_error(labels, scores))
    assert found["rmse"] == pytest.approx(sklearn.root_mean_squared_error(labels, scores))
    assert found["r2"] == pytest.approx(sklearn.r2_score(labels, scores))


def test_curves_equal_sklearn() -> None:
    random = np.random.default_rng(0)
    labels = (random.random(500) > 0.7).astype(float)
    scores = (labels * 0.3 + random.random(500)).round(2)
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
