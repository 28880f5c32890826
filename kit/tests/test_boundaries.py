"""The parts of the kit do not know each other, and each needs only what its extra asks for."""

import ast
import functools
import sys
from pathlib import Path

import pytest

from kit.tests.places import SOURCES

KIT = SOURCES / "sagemaker_project_kit"
RUNTIME = SOURCES / "sagemaker_project_runtime"
PARTS = ("pipeline", "deploy", "local")
# What the parts may not import, beside each other, the runtime and the project.
FOREIGN = {"pipeline": set(), "deploy": {"sagemaker", "pydantic"}, "local": {"sagemaker", "boto3", "pydantic"}}
# The one exception: the definition ships the runtime's files, and asks the package where they are.
SHIPS = {"pipeline/sources.py": {"sagemaker_project_runtime"}}
USES_SDK = {"blocks.py", "session.py"}
INSIDE_JOBS = {"numpy", "xgboost", "sagemaker_project_runtime"}


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """The modules that a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return frozenset(names)


def packages(path: Path) -> set[str]:
    """The top-level packages among them."""
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("part", PARTS)
def test_parts_keep_to_themselves(part: str) -> None:
    """A part imports itself and what says which version it is, not the runtime, and of the project nothing by name."""
    foreign = FOREIGN[part] | {"model_build", "model_deploy", "sagemaker_project_runtime", "kit"}
    files = sorted((KIT / part).rglob("*.py"))
    assert files
    for path in files:
        name = path.relative_to(KIT).as_posix()
        parts = {module.split(".")[1] for module in imported(path) if module.startswith("sagemaker_project_kit.")}
        assert parts <= {part, "version"}, name
        assert packages(path) & foreign <= SHIPS.get(name, set()), name


def test_only_two_files_use_the_sdk() -> None:
    assert {path.name for path in (KIT / "pipeline").rglob("*.py") if "sagemaker" in packages(path)} == USES_SDK


@pytest.mark.parametrize("folder", ["steps", "serving"])
def test_what_runs_inside_jobs_needs_what_the_images_carry(folder: str) -> None:
    for path in (RUNTIME / folder).glob("*.py"):
        assert packages(path) - set(sys.stdlib_module_names) <= INSIDE_JOBS, path.name
