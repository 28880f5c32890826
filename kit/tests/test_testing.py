"""What a project's tests call says what is wrong: a job that fails, a stage that release would refuse."""

import json
import shutil
from pathlib import Path

import pytest

from kit.tests.places import PROJECT
from sagemaker_project_kit.testing import stages
from sagemaker_project_kit.testing.trial import TrialError, play


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The template's settings and stages, with few rows."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    shutil.copy(PROJECT / "project.toml", root)
    for name in ("model_build", "model_deploy"):
        shutil.copytree(PROJECT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    rows = (PROJECT / "data" / "churn.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (root / "data" / "churn.csv").write_text("".join(rows[:400]), encoding="utf-8")
    return root


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_trial_holds_what_the_jobs_wrote(project: Path, tmp_path: Path) -> None:
    trial = play(project, tmp_path / "trial")
    assert len(trial.seen_rows) == len(trial.seen_features()) == trial.summary["rows"]["total"] - len(trial.test_rows)
    assert len(trial.answers(trial.test_rows)) == len(trial.test_rows)
    assert trial.gate["metric"] == "auc"
    assert trial.evaluation["binary_classification_metrics"]["auc"]["value"] == trial.gate["value"]


def test_a_job_that_fails_is_named(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(project / "project.toml", "max_depth = 4", "max_depth = -4")
    with pytest.raises(TrialError, match="train failed"):
        play(project, tmp_path / "trial")
    assert "XGBoost refuses these hyperparameters" in capsys.readouterr().err


def test_a_sample_stands_for_data_in_s3(project: Path, tmp_path: Path) -> None:
    change(project / "project.toml", '"data/churn.csv"', '"s3://bucket/churn.csv"')
    assert play(project, tmp_path / "trial", project / "data" / "churn.csv").gate["value"] > 0.5


def test_a_stage_that_cannot_be_released_is_said_to_be(project: Path) -> None:
    assert stages.names(project) == ["prod", "staging"]
    assert [stages.problem(project, stage) for stage in stages.names(project)] == ["", ""]
    file = project / "model_deploy" / "config" / "prod.json"
    document = json.loads(file.read_text(encoding="utf-8"))
    document["Parameters"] |= {"InstanceType": "ml.m5.huge", "InstanceCounts": "2"}
    file.write_text(json.dumps(document), encoding="utf-8")
    problem = stages.problem(project, "prod")
    assert "SageMaker has no instance type 'ml.m5.huge'" in problem
    assert "InstanceCounts" in problem
