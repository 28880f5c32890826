"""What a team's files import is on the kit's list, and what is on the list is there, documented, and stays a while."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

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


def value(name: str) -> Any:
    """What a listed name stands for."""
    from sagemaker_project_kit.pipeline.session import offline

    module, _, attribute = name.rpartition(".")
    with offline():
        return getattr(importlib.import_module(module), attribute)


def _documentation(found: Any) -> str:
    """A docstring that somebody wrote: those of data classes and named tuples begin with their own call."""
    text = inspect.getdoc(found) or ""
    return "" if text.startswith(f"{found.__name__}(") else text


def test_what_is_on_the_list_is_there_and_documented() -> None:
    undocumented = [
        name
        for name in sorted(listed())
        if (inspect.isclass(found := value(name)) or inspect.isfunction(found)) and not _documentation(found)
    ]
    assert listed()
    assert undocumented == []


def test_what_the_version_before_listed_is_still_there() -> None:
    major, minor = map(int, MINOR.split("."))
    files = [RELEASED / f"{major}.{each}.txt" for each in (minor - 1, minor)]
    names = [name for file in files if file.is_file() for name in file.read_text(encoding="utf-8").split()]
    assert names
    for name in names:
        value(name)


def test_the_list_of_this_version_is_kept() -> None:
    """For the tests of the next one. After a wanted change: write the sorted names of the README's table into it."""
    assert set((RELEASED / f"{MINOR}.txt").read_text(encoding="utf-8").split()) == listed()
