"""The notebook runs from top to bottom: before the first run, and on a registry with versions in it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
VERSION = {
    "ModelPackageGroupName": "churn",
    "ModelPackageVersion": 1,
    "ModelApprovalStatus": "Approved",
    "CreationTime": "2026-01-02T03:04:05Z",
    "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://bucket/churn/evaluation.json"}}},
}
EVALUATION = {"binary_classification_metrics": {"auc": {"value": 0.84567, "standard_deviation": "NaN"}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The parts of a project that the notebook reads; the working directory of someone who opened it."""
    shutil.copy(ROOT / "project.toml", tmp_path)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    return Path(shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks"))


def run(folder: Path) -> str:
    done = subprocess.run([sys.executable, "explore.py"], cwd=folder, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_before_the_first_run(folder: Path) -> None:
    text = run(folder)
    assert "7,043 rows, 20 columns" in text
    assert "Nothing is registered on this machine yet: make run" in text


def test_with_a_registered_version(folder: Path) -> None:
    write(folder.parent / ".local" / "registry" / "churn" / "1.json", VERSION)
    write(folder.parent / ".local" / "s3" / "bucket" / "churn" / "evaluation.json", EVALUATION)
    text = run(folder)
    assert "churn/1" in text
    assert "auc 0.846" in text
