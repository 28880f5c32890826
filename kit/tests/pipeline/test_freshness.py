"""An unchanged run is recognised by looking at files only, and every change is noticed."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.tests.pipeline.conftest import Load
from sagemaker_project_kit import variables
from sagemaker_project_kit.pipeline import freshness, settings

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


class Watched(dict[str, str]):
    """An environment that notes which of its variables somebody asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.asked.add(key)
        return super().__getitem__(key)


VALUES = {
    "SAGEMAKER_PROJECT_NAME": "other",
    "PROJECT_OWNER": "Another team",
    "PROJECT_COST_CENTER": "CC-1",
    "SAGEMAKER_PROJECT_ID": "p-abc",
    "SAGEMAKER_PROJECT_ARN": "arn:aws:sagemaker:eu-west-1:111111111111:project/other",
    "MODEL_PACKAGE_GROUP": "other-p-abc",
    "ARTIFACT_BUCKET": "a-bucket",
    "KMS_KEY_ARN": "arn:aws:kms:eu-west-1:111111111111:key/1",
    "PIPELINE_ROLE_ARN": "arn:aws:iam::111111111111:role/pipeline",
    "AWS_REGION": "eu-west-2",
    "SUBNET_IDS": "subnet-0123456789abcdef0",
    "SECURITY_GROUP_IDS": "sg-0123456789abcdef0",
}


def test_what_settings_read_is_what_freshness_looks_at(root: Path, build: Path) -> None:
    """Neither reads a variable that the other does not know: each is in VALUES, and a change of each is noticed."""
    watched = Watched(VALUES)
    settings.load(root, watched)
    assert watched.asked == set(VALUES) == variables.BUILD


@pytest.mark.parametrize("name", VALUES)
def test_each_variable_that_settings_read_makes_it_stale(root: Path, build: Path, name: str) -> None:
    assert not freshness.is_fresh(root, build, REQUEST, {"AWS_REGION": "eu-west-1", name: VALUES[name]})


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
