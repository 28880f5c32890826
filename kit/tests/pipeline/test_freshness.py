"""An unchanged run is recognised by looking at files only, and every change is noticed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.tests.pipeline.conftest import Load
from sagemaker_project_kit.pipeline import freshness

REQUEST = {"data": "", "target": "", "problem": "", "commit": "abc"}


@pytest.fixture
def build(root: Path, load: Load) -> Path:
    """A build folder as a synthesis leaves it."""
    load()
    (root / "requirements.lock").write_text("", encoding="utf-8")
    folder = root / "build"
    folder.mkdir()
    for name in freshness.WRITTEN:
        (folder / name).write_text("{}", encoding="utf-8")
    freshness.remember(
        root, folder, REQUEST, {"AWS_REGION": "eu-west-1", "HOME": "/a"}, root / "data" / "customers.csv"
    )
    return folder


def test_unchanged(root: Path, build: Path) -> None:
    assert freshness.is_fresh(root, build, REQUEST, {"AWS_REGION": "eu-west-1", "HOME": "/b"})


@pytest.mark.parametrize("environ", [{}, {"AWS_REGION": "eu-west-2"}, {"AWS_REGION": "eu-west-1", "KMS_KEY_ARN": "x"}])
def test_another_environment(root: Path, build: Path, environ: dict[str, str]) -> None:
    assert not freshness.is_fresh(root, build, REQUEST, environ)


@pytest.mark.parametrize("key", REQUEST)
def test_another_request(root: Path, build: Path, key: str) -> None:
    assert not freshness.is_fresh(root, build, {**REQUEST, key: "other"}, {"AWS_REGION": "eu-west-1"})


CHANGES: dict[str, Callable[[Path], object]] = {
    "project.toml": lambda root: os.utime(root / "project.toml"),
    "lock": lambda root: (root / "requirements.lock").write_text("x", encoding="utf-8"),
    "data": lambda root: (root / "data" / "customers.csv").write_text("a\n", encoding="utf-8"),
    "data gone": lambda root: (root / "data" / "customers.csv").unlink(),
    "definition gone": lambda root: (root / "build" / "definition.json").unlink(),
    "assets changed": lambda root: (root / "build" / "assets.json").write_text("{ }", encoding="utf-8"),
    "stamp damaged": lambda root: (root / "build" / freshness.STAMP).write_text("{", encoding="utf-8"),
    "stamp gone": lambda root: (root / "build" / freshness.STAMP).unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_files(root: Path, build: Path, change: str) -> None:
    CHANGES[change](root)
    assert not freshness.is_fresh(root, build, REQUEST, {"AWS_REGION": "eu-west-1"})


def test_looking_loads_neither_settings_nor_sdk() -> None:
    heavy = "{'pydantic', 'rich', 'boto3', 'sagemaker'}"
    code = f"import sys, sagemaker_project_kit.pipeline.__main__; print({heavy} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "set()"
