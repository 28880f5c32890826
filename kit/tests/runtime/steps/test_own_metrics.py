"""Metrics of the team: beside the kit's in every report, judged by their own direction, refused with a sentence."""

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from kit.tests.pipeline.conftest import TOML, root
from kit.tests.runtime.steps.flow import Flow, completed, config, mixed_table
from sagemaker_project_kit.pipeline import settings
from sagemaker_project_runtime.steps import gate, known_metrics, metrics
from sagemaker_project_runtime.steps.gate import Bar, Champion
from sagemaker_project_runtime.steps.known_metrics import Metric, MetricError

__all__ = ["root"]  # a fixture

Own = Callable[..., None]
LABELS, SCORES = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.1, 0.9, 0.4, 0.6])


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Own:
    """Put these into METRICS of model_build/evaluate.py."""
    module = ModuleType(known_metrics.OWN)
    module.__spec__ = ModuleSpec(known_metrics.OWN, None)

    def put(*found: Any) -> None:
        module.METRICS = list(found)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, known_metrics.OWN, module)

    return put


def cost(labels: Any, scores: Any) -> float:
    """Wrong answers."""
    return float(((scores >= 0.5) != labels).sum())


def undefined(labels: Any, scores: Any) -> float:
    return float("nan")


def infinite(labels: Any, scores: Any) -> float:
    return float("inf")


def failing(labels: Any, scores: Any) -> float:
    return 1 / len([])


def greedy(labels: Any, scores: Any) -> float:
    """Changes what it was given."""
    labels[:] = 1
    scores[:] = 1
    return 0.0


def text(labels: Any, scores: Any) -> Any:
    return "good"


def auc(labels: Any, scores: Any) -> float:
    return 1.0


def test_it_stands_beside_the_others(own: Own) -> None:
    own(Metric(cost, ("binary",), minimize=True), Metric(undefined))
    found = metrics.evaluation("binary", LABELS, SCORES, ("no", "yes"))["binary_classification_metrics"]
    assert found["cost"] == {"value": 2.0, "standard_deviation": "NaN"}
    assert found["cost_best_constant_classifier"]["value"] == 2.0
    assert "undefined" not in found
    assert "cost" not in metrics.values("regression", LABELS, SCORES)
    assert known_metrics.names("binary") == (*known_metrics.METRICS["binary"], "cost", "undefined")


def test_its_direction_is_its_own(own: Own) -> None:
    own(Metric(cost, minimize=True), Metric(greedy))
    bar = Bar("cost", 1.5, 0.0)
    assert gate.decide("binary", bar, 2.0, None, Champion(present=False))["threshold_shortfall"] == 0.5
    assert metrics.direction("greedy") == "maximize"
    labels, scores = np.tile([0.0, 1.0], 20), np.full(40, 0.9)
    assert metrics.constant_guesses("binary", labels)["cost"] == metrics.values("binary", labels, scores)["cost"] == 20


def test_it_cannot_change_what_others_see(own: Own) -> None:
    own(Metric(greedy), Metric(cost))
    assert metrics.values("binary", LABELS, SCORES)["cost"] == 2.0
    assert LABELS.tolist() == [0, 1, 1, 0]


BAD: dict[str, tuple[list[Any], str]] = {
    "fails": ([Metric(failing)], "'failing' .* failed on 4 rows: ZeroDivisionError"),
    "infinite": ([Metric(infinite)], "'infinite' .* is infinite on 4 rows"),
    "no number": ([Metric(text)], "'text' .* failed on 4 rows: ValueError"),
    "taken": ([Metric(auc)], "a metric 'auc', and there is one of that name"),
    "twice": ([Metric(cost), Metric(cost)], "a metric 'cost', and there is one of that name"),
    "no name": ([Metric(lambda labels, scores: 0.0)], "a function with a name"),
    "problem": ([Metric(cost, ("ranking",))], "no problem type .'ranking'.; there are binary, multiclass, regression"),
    "no metric": ([cost], "must be a list of Metric"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_one_is_refused_with_a_sentence(own: Own, case: str) -> None:
    found, sentence = BAD[case]
    own(*found)
    with pytest.raises(MetricError, match=sentence):
        metrics.values("binary", LABELS, SCORES)


def test_a_job_with_a_failing_one_ends_with_the_sentence(
    own: Own, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flow: Flow = completed(tmp_path, mixed_table(200), config("churn", "binary"), "--num_round", "2")
    own(Metric(failing))
    assert flow.evaluate("auc", 0.5) == 1
    assert "Metric 'failing' of model_build/evaluate.py failed on" in capsys.readouterr().err


@pytest.mark.parametrize(("metric", "problem"), [("cost", ""), ("costs", "did you mean 'cost'")])
def test_project_toml_may_name_it(own: Own, root: Path, metric: str, problem: str) -> None:
    own(Metric(cost, ("binary",), minimize=True))
    (root / "project.toml").write_text(TOML.replace('"auc"', f'"{metric}"'), encoding="utf-8")
    if not problem:
        assert settings.load(root, {}).evaluate.lower_is_better
        return
    with pytest.raises(settings.SettingsError, match=problem):
        settings.load(root, {})


def test_a_file_that_cannot_be_imported_is_said_to_be(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    own()
    monkeypatch.delattr(sys.modules[known_metrics.OWN], "METRICS")
    with pytest.raises(MetricError, match=r"model_build/evaluate.py cannot be used: AttributeError"):
        known_metrics.names("binary")
