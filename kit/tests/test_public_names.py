"""What a team's files import is on the kit's list, and what is on the list is there, documented, and stays a while."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from kit.tests.places import KIT, PROJECT

ROW = re.compile(r"^\| `(sagemaker_project_\w+(?:\.\w+)+)` \| (`.+`) \|$", re.MULTILINE)
RELEASED = Path(__file__).parent / "released"
VERSION = tomllib.loads((KIT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
MINOR = ".".join(VERSION.split(".")[:2])


def listed() -> set[str]:
    """The names in the table of the README, as module.name."""
    table = (KIT / "README.md").read_text(encoding="utf-8").split("## What a team's files may import")[1]
    return {f"{module}.{name}" for module, names in ROW.findall(table) for name in re.findall(r"`(\w+)`", names)}


def imported(text: str) -> set[str]:
    """What a Python text imports of the kit, as module.name."""
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module]
    found = {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}
    found |= {alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names}
    return {name for name in found if name.startswith("sagemaker_project_")}


def is_allowed(name: str) -> bool:
    """A name of the list, or a module of it."""
    return name in listed() or any(each.startswith(f"{name}.") for each in listed())


@pytest.mark.parametrize("path", sorted(PROJECT.rglob("*.py")), ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_project_imports_what_is_on_the_list(path: Path) -> None:
    assert not {name for name in imported(path.read_text(encoding="utf-8")) if not is_allowed(name)}


def test_the_recipes_import_what_is_on_the_list() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\+?(from sagemaker_project_\S+ import .+|import sagemaker_project_\S+)$", text, re.MULTILINE)
    assert lines
    assert not {name for line in lines for name in imported(line) if not is_allowed(name)}


# In a process of its own: importing the SDK is for the tests of the definition to watch.
LOOK = """
import importlib, inspect, json, sys
from sagemaker_project_kit.pipeline.session import offline

def look(name):
    module, _, attribute = name.rpartition(".")
    found = getattr(importlib.import_module(module), attribute, None)
    text = inspect.getdoc(found) or ""
    written = not text.startswith(attribute + "(")  # those of data classes and named tuples that nobody wrote
    return found is not None, bool(text and written) or not (inspect.isclass(found) or inspect.isfunction(found))

with offline():
    print(json.dumps({name: look(name) for name in sys.argv[1:]}))
"""


def look(names: Iterable[str]) -> dict[str, tuple[bool, bool]]:
    """Name → whether it is there, and whether it is documented or only a value."""
    command = [sys.executable, "-c", LOOK, *sorted(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    return {name: (there, documented) for name, (there, documented) in json.loads(done.stdout).items()}


def test_what_this_version_and_the_one_before_list_is_there_and_documented() -> None:
    major, minor = map(int, MINOR.split("."))
    released = [RELEASED / f"{major}.{each}.txt" for each in (minor - 1, minor)]
    before = {name for path in RELEASED.iterdir() if path in released for name in path.read_text("utf-8").split()}
    found = look(listed() | before)
    assert len(found) > 20
    assert [name for name, (there, _) in found.items() if not there] == []
    assert [name for name, (_, documented) in found.items() if not documented] == []


def test_the_list_of_this_version_is_kept() -> None:
    """For the tests of the next one. After a wanted change: write the sorted names of the README's table into it."""
    assert set((RELEASED / f"{MINOR}.txt").read_text(encoding="utf-8").split()) == listed()
