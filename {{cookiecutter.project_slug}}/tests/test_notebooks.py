"""The notebook runs from top to bottom: before the first run, and on a registry with versions in it."""

import csv
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

VERSION = {
    "ModelPackageGroupName": "group",
    "ModelPackageVersion": 1,
    "ModelApprovalStatus": "Approved",
    "CreationTime": "2026-01-02T03:04:05Z",
    "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://bucket/group/evaluation.json"}}},
}


@pytest.fixture
def settings(root: Path) -> dict[str, Any]:
    """project.toml."""
    return tomllib.loads((root / "project.toml").read_text(encoding="utf-8"))


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """The parts of a project that the notebook reads; the working directory of someone who opened it."""
    shutil.copy(root / "project.toml", tmp_path)
    shutil.copytree(root / "data", tmp_path / "data")
    return Path(shutil.copytree(root / "notebooks", tmp_path / "notebooks"))


def run(folder: Path) -> str:
    done = subprocess.run([sys.executable, "explore.py"], cwd=folder, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_before_the_first_run(root: Path, folder: Path, settings: dict[str, Any]) -> None:
    with (root / settings["data"]["source"]).open(encoding="utf-8-sig", newline="") as lines:
        head, *rows = csv.reader(lines)
    text = run(folder)
    assert f"{len(rows):,} rows, {len(head)} columns" in text
    assert "Nothing is registered on this machine yet: make run" in text


def test_with_a_registered_version(folder: Path, settings: dict[str, Any]) -> None:
    metric = settings["evaluate"]["metric"]
    write(folder.parent / ".local" / "registry" / "group" / "1.json", VERSION)
    evaluation = {"metrics": {metric: {"value": 0.84567, "standard_deviation": "NaN"}}}
    write(folder.parent / ".local" / "s3" / "bucket" / "group" / "evaluation.json", evaluation)
    text = run(folder)
    assert "group/1" in text
    assert f"{metric} 0.846" in text
