"""Evaluation of real models: metrics, gates, champion, and the contract that the deploy half tests against."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.tests.runtime.steps import counted
from kit.tests.runtime.steps.flow import CHURN, Flow, bundled, completed, config, mixed_table
from sagemaker_project_runtime.serving.app import answer


@pytest.fixture(scope="module")
def evaluated(churn: Flow, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """A model of its own: other tests train theirs anew."""
    flow = Flow(tmp_path_factory.mktemp("evaluated"), churn.config)
    champion_of(churn, flow.root)
    assert flow.evaluate("auc", 0.8) == 0
    return flow


@pytest.fixture
def judged(evaluated: Flow, tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """A copy of it: to evaluate again writes over what was found."""
    return Flow(Path(shutil.copytree(evaluated.root, tmp_path_factory.mktemp("judged") / "flow")), evaluated.config)


def test_binary_on_the_demo_data(judged: Flow) -> None:
    found = judged.json("judged/evaluation/evaluation.json")["binary_classification_metrics"]
    assert 0.82 < found["auc"]["value"] < 0.9
    assert 0 < found["auc"]["standard_deviation"] < 0.02
    assert sum(sum(row.values()) for row in found["confusion_matrix"].values()) == 1056
    gate = judged.json("judged/evaluation/gate.json")
    assert gate["value"] == found["auc"]["value"]
    assert (gate["threshold_shortfall"], gate["champion_shortfall"], gate["constant_guess"]) == (0.0, 0.0, 0.5)
    assert gate["champion"] == {"present": False, "value": None, "reason": None}


@pytest.mark.parametrize(
    ("data", "problem", "metric", "threshold", "family"),
    [
        ("wine_data", "multiclass", "weighted_f1", 0.8, "multiclass_classification_metrics"),
        ("diabetes", "regression", "rmse", 70.0, "regression_metrics"),
        ("breast_cancer", "binary", "auc", 0.95, "binary_classification_metrics"),
    ],
)
def test_problems_end_to_end(
    tmp_path: Path, data: str, problem: str, metric: str, threshold: float, family: str, capsys: Any
) -> None:
    flow = completed(tmp_path, bundled(data), config("target", problem))
    assert flow.evaluate(metric, threshold) == 0
    assert "meets the threshold" in capsys.readouterr().out
    assert metric in flow.json("judged/evaluation/evaluation.json")[family]
    lines = (tmp_path / "judged/contract/expected.jsonl").read_text().splitlines()
    assert set(json.loads(lines[0])) == {field["name"] for field in flow.json("judged/contract/schema.json")["output"]}


def test_metric_is_that_of_the_handler_s_answers(judged: Flow) -> None:
    """AUC from nothing but raw rows and HTTP bodies."""
    body = (judged.root / "out/test/test.csv").read_bytes()
    status, _, answers = answer(judged.model(), body, "text/csv", "text/csv")
    assert status == 200
    probabilities = [float(line.split(",")[1]) for line in answers.decode().splitlines()]
    labels = [float(row["churn"] == "Yes") for row in judged.rows("test")]
    gate = judged.json("judged/evaluation/gate.json")
    assert gate["value"] == pytest.approx(counted.auc(labels, probabilities), abs=1e-6)


def test_below_the_threshold(judged: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged.evaluate("auc", 0.99) == 0
    gate = judged.json("judged/evaluation/gate.json")
    assert gate["threshold_shortfall"] == pytest.approx(0.99 - gate["value"])
    assert "is below the threshold 0.990 by" in gate["threshold_message"]


def champion_of(flow: Flow, root: Path, *hyperparameters: str) -> Path:
    """Another model trained on the same rows."""
    shutil.copytree(flow.root / "out", root / "out")
    other = Flow(root, flow.config)
    assert other.train(*hyperparameters) == 0
    return root / "archive"


def test_better_champion_closes_the_gate(judged: Flow, tmp_path: Path) -> None:
    weak = Flow(tmp_path / "weak", judged.config)
    champion_of(judged, weak.root, "--num_round=1", "--max_depth=1", "--max_leaves=2")
    assert weak.evaluate("auc", 0.5, champion=judged.root / "archive", tolerance=0.01) == 0
    gate = weak.json("judged/evaluation/gate.json")
    assert gate["champion"]["value"] == pytest.approx(judged.json("judged/evaluation/gate.json")["value"])
    assert gate["champion_shortfall"] == pytest.approx(gate["champion"]["value"] - gate["value"])
    assert gate["champion_shortfall"] > 0.01
    assert "more than the tolerance 0.010" in gate["champion_message"]


@pytest.mark.parametrize(
    ("data", "settings", "reason"),
    [
        (
            bundled("breast_cancer"),
            config("target", "binary"),
            "its target's name is 'target', the new model's is 'churn'",
        ),
        (mixed_table(), config("churn", "binary"), "its target's classes"),
        (None, config("churn", "binary", drop=["tenure"]), None),
        ("extra", config("churn", "binary"), "has no column 'extra'"),
    ],
    ids=["target", "classes", "fewer columns", "more columns"],
)
def test_champion_on_other_data(judged: Flow, tmp_path: Path, data: Any, settings: Any, reason: str | None) -> None:
    head, *lines = CHURN.read_text(encoding="utf-8").splitlines()[:1500]  # enough for a model that guesses better
    content = "\n".join([head, *lines]).encode()
    if data == "extra":
        data = "\n".join([f"{head},extra", *(f"{line},{row % 9}" for row, line in enumerate(lines))]).encode()
    champion = completed(tmp_path / "champion", data or content, settings, "--num_round=5")
    assert judged.evaluate("auc", 0.5, champion=champion.root / "archive") == 0
    gate = judged.json("judged/evaluation/gate.json")
    assert gate["champion"]["present"] is True
    if reason:
        assert (gate["champion"]["value"], gate["champion_shortfall"]) == (None, 0.0)
        assert reason in gate["champion"]["reason"]
        assert reason in gate["champion_message"]
    else:
        assert gate["champion"]["value"] > 0.5


def changed(flow: Flow, folder: Path, **texts: str) -> Path:
    """The flow's model with other code in its archive, as a champion: file in code/ → text."""
    shutil.copytree(flow.model_dir, folder / "model")
    for name, text in texts.items():
        (folder / "model" / "code" / name.replace("__", "/")).with_suffix(".py").write_text(text, encoding="utf-8")
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        archive.add(folder / "model", arcname=".")
    return folder


def test_a_champion_of_other_code_answers_with_its_own(judged: Flow, tmp_path: Path) -> None:
    """An older kit or another framework: here one that says the opposite."""
    text = (judged.model_dir / "code" / "model_build" / "model.py").read_text(encoding="utf-8")
    opposite = (
        text + "\n\nstraight = predict\n\n\ndef predict(model, features):\n    return 1 - straight(model, features)\n"
    )
    archive = changed(judged, tmp_path, model_build__model=opposite)
    assert judged.evaluate("auc", 0.5, champion=archive) == 0
    gate = judged.json("judged/evaluation/gate.json")
    assert gate["champion"]["value"] == pytest.approx(1 - gate["value"], abs=1e-6)


def test_a_champion_whose_own_code_fails_is_told(judged: Flow, tmp_path: Path) -> None:
    archive = changed(judged, tmp_path, inference="import a_framework_of_yesterday\n")
    assert judged.evaluate("auc", 0.5, champion=archive) == 0
    reason = judged.json("judged/evaluation/gate.json")["champion"]["reason"]
    assert "cannot answer here: ModuleNotFoundError: No module named 'a_framework_of_yesterday'" in reason


def test_champion_that_is_no_model_of_ours(judged: Flow, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"not an archive")
    assert judged.evaluate("auc", 0.5, champion=tmp_path) == 0
    assert "cannot be unpacked" in judged.json("judged/evaluation/gate.json")["champion"]["reason"]


def test_contract_covers_missing_values_and_categories(tmp_path: Path) -> None:
    flow = completed(tmp_path, mixed_table(), config("churn", "binary"))
    assert flow.evaluate("auc", 0.5) == 0
    contract = tmp_path / "judged" / "contract"
    sample = [json.loads(line) for line in (contract / "sample.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(sample) == 20
    assert any(row["größe"] is None for row in sample)
    assert {row["Stadt, Land"] for row in sample} >= {"Köln", "Zürich", "東京", 'A "b", c', None}
    schema = {column["name"]: column for column in flow.json("judged/contract/schema.json")["input"]}
    assert list(schema) == list(sample[0])
    assert schema["größe"]["missing_in_training"] is True
    assert schema["visits"] == schema["visits"] | {"kind": "numeric", "min": 0.0, "max": 8.0, "required": True}
    assert flow.json("judged/contract/schema.json")["ignored"] == ["Kunden_ID", "churn", "constant", "empty"]


def test_expected_predictions_are_what_an_endpoint_answers(judged: Flow) -> None:
    contract = judged.root / "judged" / "contract"
    body, kind = (contract / "sample.jsonl").read_bytes(), "application/jsonlines"
    assert answer(judged.model(), body, kind, "") == (200, kind, (contract / "expected.jsonl").read_bytes())


def test_sample_payload_is_one_csv_that_the_endpoint_takes(judged: Flow) -> None:
    archive = judged.root / "judged" / "contract" / "sample_payload.tar.gz"
    before = archive.read_bytes()
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["sample.csv"]
        body = tar.extractfile("sample.csv").read()  # type: ignore[union-attr]
    status, _, answers = answer(judged.model(), body, "text/csv", "")
    assert (status, len(answers.splitlines())) == (200, 20)
    assert judged.evaluate("auc", 0.8) == 0
    assert archive.read_bytes() == before


@pytest.mark.parametrize(
    ("metric", "message"), [("rmse", "choose auc, f1"), ("acuracy", "does not judge a binary model")]
)
def test_wrong_metric(judged: Flow, metric: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged.evaluate(metric, 0.5) == 1
    assert message in capsys.readouterr().err


def test_no_model(tmp_path: Path, judged: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(judged.root / "out", tmp_path / "out")
    assert Flow(tmp_path, judged.config).evaluate("auc", 0.5) == 1
    assert "holds no model.tar.gz" in capsys.readouterr().err


def test_evaluation_is_deterministic(judged: Flow) -> None:
    path = judged.root / "judged/evaluation/evaluation.json"
    assert judged.evaluate("auc", 0.8) == 0
    first = path.read_bytes()
    assert judged.evaluate("auc", 0.8) == 0
    assert path.read_bytes() == first
    assert np.isfinite(judged.json("judged/evaluation/gate.json")["value"])
