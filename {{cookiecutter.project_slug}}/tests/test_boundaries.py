"""The halves meet at the model package group only, and the SageMaker SDK stays where it can be changed."""

import ast
import functools
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOREIGN = {
    "model_build": {"model_deploy", "local"},
    "model_deploy": {"model_build", "local", "sagemaker", "pydantic"},
    "local": {"model_build", "model_deploy", "sagemaker", "boto3", "pydantic"},
}
USES_SDK = {"training.py", "blocks.py", "session.py"}
INSIDE_JOBS = {"numpy", "xgboost", "model_build"}


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """The top-level packages that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return frozenset(name.partition(".")[0] for name in names)


@pytest.mark.parametrize("package", FOREIGN)
def test_packages_keep_to_themselves(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert {path.name: imported(path) & FOREIGN[package] for path in files if imported(path) & FOREIGN[package]} == {}


def test_only_three_files_use_the_sdk() -> None:
    assert {path.name for path in (ROOT / "model_build").rglob("*.py") if "sagemaker" in imported(path)} == USES_SDK


@pytest.mark.parametrize("folder", ["steps", "serving"])
def test_what_runs_inside_jobs_needs_what_the_images_carry(folder: str) -> None:
    for path in (ROOT / "model_build" / folder).glob("*.py"):
        assert imported(path) - set(sys.stdlib_module_names) <= INSIDE_JOBS, path.name
