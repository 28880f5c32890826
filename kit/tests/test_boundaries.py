"""The parts of the kit do not know each other, and each needs only what its extra asks for."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from kit.tests.places import PROJECT, SOURCES

KIT = SOURCES / "sagemaker_project_kit"
RUNTIME = SOURCES / "sagemaker_project_runtime"
PARTS = ("pipeline", "deploy", "local")
# What the parts may not import, beside each other, the runtime and the project.
FOREIGN = {"pipeline": set(), "deploy": {"sagemaker", "pydantic"}, "local": {"sagemaker", "boto3", "pydantic"}}
# What every part may use: rules that have one home, in plain Python.
SHARED = {"names", "variables", "version"}
# The exceptions: the definition ships the runtime's files, and asks the package where they are; and project.toml may
# name the metrics that the runtime knows, of which the part about names imports nothing else.
RUNTIME_TOO = {
    f"pipeline/{name}": {"sagemaker_project_runtime"} for name in ("gates.py", "settings.py", "sources.py", "tables.py")
}
KNOWN_METRICS = "sagemaker_project_runtime.steps.known_metrics"
USES_SDK = {"context.py", "gates.py", "jobs.py", "registration.py", "session.py"}
INSIDE_JOBS = {"numpy", "sagemaker_project_runtime"}  # and what the team's model.py imports


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
        assert parts <= {part, *SHARED}, name
        assert packages(path) & foreign <= RUNTIME_TOO.get(name, set()), name
        assert {module for module in imported(path) if module.startswith("sagemaker_project_runtime.")} <= {
            KNOWN_METRICS
        }, name


@pytest.mark.parametrize("path", [KIT / f"{name}.py" for name in sorted(SHARED)], ids=lambda path: path.stem)
def test_what_parts_share_is_plain(path: Path) -> None:
    assert packages(path) <= {*sys.stdlib_module_names, "sagemaker_project_kit"}


def test_looking_for_a_metric_loads_nothing_heavy() -> None:
    code = (
        f"import sys, {KNOWN_METRICS} as known; assert known.is_known('auc', 'binary') and known.is_minimized('rmse');"
        "print(sorted({'numpy', 'xgboost', 'pandas', 'model_build.evaluate'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert done.stdout.strip() == "[]"


def test_only_what_makes_steps_uses_the_sdk() -> None:
    assert {path.name for path in (KIT / "pipeline").rglob("*.py") if "sagemaker" in packages(path)} == USES_SDK


@pytest.mark.parametrize("folder", ["steps", "serving"])
def test_what_runs_inside_jobs_needs_what_the_images_carry(folder: str) -> None:
    for path in [*(RUNTIME / folder).glob("*.py"), RUNTIME / "job.py"]:
        assert packages(path) - set(sys.stdlib_module_names) <= INSIDE_JOBS, path.name
