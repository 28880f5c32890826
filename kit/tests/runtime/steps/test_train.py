"""The training job: hyperparameters in, a model that serves itself out."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from kit.tests.runtime.steps.flow import Flow
from sagemaker_project_runtime.steps import train


def test_prints_what_tuning_reads(churn: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    assert churn.train("--max_depth", "3", "--num_round", "30") == 0
    lines = capsys.readouterr().out.splitlines()
    objectives = [re.fullmatch(r"\[\d+\]\tvalidation-auc:(\S+)", line) for line in lines]
    assert [float(match[1]) for match in objectives if match] == [pytest.approx(0.85, abs=0.02)]
    assert sum(line.startswith("[") for line in lines) <= 12


@pytest.mark.parametrize(("name", "metric"), [("wine", "mlogloss"), ("diabetes", "rmse")])
def test_other_problems_print_theirs(name: str, metric: str, request: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert request.getfixturevalue(name).train("--num_round", "30") == 0
    assert f"]\tvalidation-{metric}:" in capsys.readouterr().out


def test_same_input_same_model(churn: Flow, tmp_path: Path) -> None:
    channels = [f"--{name}={churn.root / 'out' / name}" for name in ("train", "validation", "transformation")]
    for run in ("one", "two"):
        words = [*channels, "--num_round=25", "--subsample=0.8", f"--model_dir={tmp_path / run}"]
        assert train.main([*words, f"--output_data_dir={tmp_path / 'data'}"]) == 0
    for name in ("xgboost-model.ubj", "transformation.json", "learning_curve.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_hyperparameters_pass_through(churn: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--num_round", "4", "--grow_policy", "lossguide", "--max_leaves", "5", "--scale_pos_weight", "auto"]
    assert churn.train(*words, "--_tuning_objective_metric", "x", "--sagemaker_region", "eu-west-1") == 0
    found = json.loads(capsys.readouterr().out.split("hyperparameters=")[1].splitlines()[0])
    booster = churn.model().estimator
    assert (found["grow_policy"], found["max_leaves"]) == ("lossguide", 5)
    assert [tree.count("leaf=") for tree in booster.get_dump()] == [5, 5, 5, 5]
    objective = json.loads(booster.save_config())["learner"]["objective"]["reg_loss_param"]
    assert float(objective["scale_pos_weight"]) == pytest.approx(3622 / 1309)
    assert not any(name.startswith(("_", "sagemaker")) for name in found)


def test_learning_curve_stops_early_and_keeps_the_best(churn: Flow) -> None:
    assert churn.train("--num_round", "500", "--eta", "0.5", "--early_stopping_rounds", "5") == 0
    curve = json.loads((churn.model_dir / "learning_curve.json").read_text())
    losses = curve["validation"]["logloss"]
    assert losses.index(min(losses)) == curve["best_iteration"] == churn.model().estimator.num_boosted_rounds() - 1
    assert len(losses) == curve["best_iteration"] + 6
    assert curve == json.loads((churn.root / "output_data" / "learning_curve.json").read_text())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objective", "binary:hinge"], "a binary model needs 'binary:logistic'"),
        (["--max_depth", "deep"], "XGBoost refuses these hyperparameters"),
        (["--eta", "-1"], "XGBoost refuses these hyperparameters"),
        (["--eta"], "'eta' has no value"),
        (["eta", "1"], "pairs of --name and value, found 'eta'"),
    ],
)
def test_bad_hyperparameters(
    churn: Flow, words: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))
    assert churn.train(*words) == 1
    assert message in capsys.readouterr().err
    assert message in (tmp_path / "failure").read_text()


def test_missing_channel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([f"--transformation={tmp_path}"]) == 1
    assert "holds no transformation.json" in capsys.readouterr().err


def test_folders_come_from_sagemaker_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_CHANNEL_TRAIN", "/a")
    monkeypatch.setenv("SM_MODEL_DIR", "/b")
    options, given = train.parse(["--num_round=7", "--eta=0.3"])
    assert (options.train, options.model_dir) == (Path("/a"), Path("/b"))
    assert given == {"num_round": 7, "eta": 0.3}


def test_channel_reads_back_what_preprocess_wrote(churn: Flow) -> None:
    data = train.read(churn.root / "out" / "train")
    rows = churn.rows("train")
    assert data.features.shape == (len(rows), 19)
    assert [float(cell) for cell in list(rows[3].values())[1:]] == pytest.approx(data.features[3].tolist())
    assert not math.isnan(data.labels.sum())
