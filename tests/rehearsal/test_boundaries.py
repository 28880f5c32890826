"""The rehearsal and the project know nothing of each other: they meet at AWS's APIs, files and processes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HALVES = {"sagemaker_project_kit", "sagemaker_project_runtime", "kit", "model_build", "model_deploy"}


def imports(file: Path) -> Iterator[str]:
    """The first part of every module that a file imports, except from its own package."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize(
    ("package", "foreign"),
    [
        ("rehearsal", HALVES | {"service_catalog", "tests"}),
        ("service_catalog", HALVES | {"rehearsal", "tests"}),
        ("scripts", HALVES | {"tests"}),
    ],
)
def test_a_package_keeps_to_itself(package: str, foreign: set[str]) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    assert {file.name: found for file in files if (found := foreign & set(imports(file)))} == {}


def test_the_project_has_no_trace_of_the_rehearsal(project_folder: Path) -> None:
    texts = {path: path.read_bytes().lower() for path in project_folder.rglob("*") if path.is_file()}
    assert [path.name for path, text in texts.items() if b"rehearsal" in text] == []
