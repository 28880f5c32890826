"""Whose code is where: the installed runtime and the team's package. Imports neither the SDK nor the team's modules."""

import ast
from pathlib import Path

import sagemaker_project_runtime

RUNTIME = Path(sagemaker_project_runtime.__path__[0])
TEAM = "model_build"
# Of the team's modules, this one needs the SDK and stays on the machine that writes the definition.
PIPELINE = "pipeline.py"
WHEELS = "job_wheels"  # beside both, where the runtime looks for them
_SUFFIXES = (".py", ".toml")


def source_files(folder: Path) -> list[Path]:
    """The code in a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)


def shaping_files(root: Path) -> list[Path]:
    """The team's pipeline.py and what of the team's package it imports: what the definition's shape depends on."""
    found: list[Path] = []
    waiting = [root / TEAM / PIPELINE]
    while waiting:
        path = waiting.pop()
        if path not in found and path.is_file():
            found.append(path)
            places = [root.joinpath(*name.split(".")) for name in _imported(path)]
            waiting += [file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")]
    return sorted(found)


def _imported(path: Path) -> set[str]:
    """The team's modules that a file may import; `from model_build import features` names one too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(filter(None, [TEAM if node.level else "", node.module]))
            names |= {start, *(f"{start}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith(f"{TEAM}.")}


def shipped_files(root: Path) -> dict[str, Path]:
    """What travels to SageMaker, by its place there: the installed runtime and the team's own modules."""
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": path
        for folder in (RUNTIME, root / TEAM)
        for path in source_files(folder)
        if path != root / TEAM / PIPELINE
    }
