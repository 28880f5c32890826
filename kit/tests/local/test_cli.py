"""The command line: quick to start, importing only what it may."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kit.tests.local.pipelines import Project, compare, condition
from kit.tests.places import SOURCES

ALLOWED = {"sagemaker_project_kit", "rich", "uvicorn"}
LAZY = {"search.py": {"numpy", "scipy", "sklearn", "threadpoolctl"}}


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(
    "path", sorted((SOURCES / "sagemaker_project_kit" / "local").rglob("*.py")), ids=lambda path: path.name
)
def test_local_imports_neither_half_nor_an_sdk(path: Path) -> None:
    foreign = imported(path) - set(sys.stdlib_module_names) - ALLOWED
    assert foreign <= LAZY.get(path.name, set())


def test_help_loads_nothing_heavy(project: Project) -> None:
    code = """
import json, runpy, sys
sys.argv = ["local", "--help"]
try:
    runpy.run_module("sagemaker_project_kit.local", run_name="__main__")
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & {"rich", "uvicorn", "numpy", "sklearn", "asyncio", "subprocess"}
    assert "serve" in done.stdout and "registry" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run"], ["registry"], ["run", "x.json", "--jobs", "0"]])
def test_wrong_usage(project: Project, arguments: list[str]) -> None:
    result = project.command(*arguments)
    assert result.code == 2 and "usage:" in result.err


def test_a_folder_that_cannot_be_made(project: Project) -> None:
    (project.root / "runs").write_text("a file, not a folder")
    result = project.run([condition("Yes", compare("Equals", 1, 1), [], [])])
    assert result.code == 2 and "runs" in result.err and "Traceback" not in result.err
    assert project.leftovers() == []


def test_the_summary_shows_the_gate_and_where_things_are(project: Project) -> None:
    from kit.tests.local.pipelines import OUTPUT, processing

    gate = {
        "metric": "rmse",
        "direction": "minimize",
        "value": 12.5,
        "threshold": 20,
        "constant_guess": 31.25,
        "champion": {"present": True, "value": 14.0, "reason": None},
    }
    write = f"""
        import json, pathlib, sys
        out = pathlib.Path(sys.argv[1])
        (out / "gate.json").write_text(json.dumps({gate!r}))
        (out / "evaluation.json").touch()
    """
    files = [
        {"PropertyFileName": "Gate", "OutputName": "evaluation", "FilePath": "gate.json"},
        {"PropertyFileName": "Evaluation", "OutputName": "evaluation", "FilePath": "evaluation.json"},
    ]
    code = project.script("gate", write)
    step = processing("Evaluate", code, [f"{OUTPUT}/evaluation"], outputs=["evaluation"], PropertyFiles=files)
    result = project.run([step])
    assert result.code == 0, result.out
    for shown in (
        "rmse on the test set",
        "12.5",
        "threshold ≤",
        "20",
        "14",
        "31.25",
        "outputs/Evaluate/evaluation/evaluation.json",
    ):
        assert shown in result.out
    assert result.execution["Gate"] == gate
    assert result.execution["PropertyFiles"]["Evaluate.Gate"].endswith("/Evaluate/evaluation/gate.json")
