"""docs/fidelity.md as a table: every row has a verdict, a source where it decides, and tests that exist."""

import ast
import functools
import re

import pytest

from scripts.bake import ROOT, tracked_files

DOCUMENT = ROOT / "docs" / "fidelity.md"
VERDICTS = {"confirmed", "refuted", "open"}
NONE = "—"
# How code says that it rests on something that nobody has seen.
DOUBTS = re.compile(
    r"could not be confirmed|could not be checked|unproven|undocumented|not documented|try it live", re.IGNORECASE
)
# Comments that say so, each with words of its row.
KNOWN = {
    "kit/src/sagemaker_project_kit/pipeline/gates.py": "JsonGet",
    "rehearsal/emulator/sagemaker/providers.py": "names stacks",
    "service_catalog/templates/portfolio/launch-role.yaml": "S3 channel",
    "service_catalog/templates/portfolio/portfolio.yaml": "choice of tag options",
    "service_catalog/templates/product/form.yaml": "SagemakerTemplateParameterRules",
    "service_catalog/templates/stage/role-of-cloudformation.yaml": "belongs to an API",
    "tests/infrastructure/house/identity.py": "Service Catalog keeps a template",
    "tests/rehearsal/test_many_projects.py": "differ in case",
    "tests/service_catalog/roles/matrix.toml": "TemplateURL",
    "tests/service_catalog/roles/arns.py": "cuts a stack's name",
    "tests/service_catalog/test_product.py": "Python 3.12",
    "{{cookiecutter.project_slug}}/model_deploy/endpoint.yaml": "composite alarm",
}
SEARCHED = ("kit", "rehearsal", "service_catalog", "tests", "{{cookiecutter.project_slug}}")


def rows(text: str) -> list[list[str]]:
    """The cells of every row below a header that begins with "assumption"."""
    tables = re.findall(r"^\| assumption \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for table in tables for line in table.splitlines()]


ROWS = rows(DOCUMENT.read_text(encoding="utf-8"))


@functools.cache
def functions(path: str) -> set[str]:
    """The tests of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def faults(row: list[str]) -> list[str]:
    """What is wrong with a row."""
    if len(row) != 4:
        return [f"has {len(row)} cells"]
    _, verdict, source, tests = row
    named = re.findall(r"`([^`]+\.py)::(\w+)`", tests)
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in functions(path)]
    return [
        *[f"{verdict!r} is no verdict" for _ in range(verdict not in VERDICTS)],
        *["decides without a source" for _ in range(verdict != "open" and source in ("", NONE))],
        *["names no test" for _ in range(not named and tests != NONE)],
        *[f"{name} does not exist" for name in missing],
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_is_complete(row: list[str]) -> None:
    assert faults(row) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["it is so", "assumed", "a guide", "`tests/test_fidelity.py::test_a_row_is_complete`"], "no verdict"),
        (["it is so", "confirmed", NONE, "`tests/test_fidelity.py::test_a_row_is_complete`"], "without a source"),
        (["it is so", "open", NONE, "somewhere"], "names no test"),
        (["it is so", "open", NONE, "`tests/test_fidelity.py::test_gone`"], "does not exist"),
        (["it is so", "open", NONE, "`tests/test_gone.py::test_gone`"], "does not exist"),
        (["it is so", "open"], "cells"),
    ],
)
def test_a_bad_row_is_told(row: list[str], said: str) -> None:
    (fault,) = faults(row)
    assert said in fault


def test_no_row_is_lost() -> None:
    lines = DOCUMENT.read_text("utf-8").splitlines()
    assert len(ROWS) == sum(any(f" | {verdict} | " in line for verdict in VERDICTS) for line in lines)
    assert len({row[0] for row in ROWS}) == len(ROWS) > 40


def test_what_code_doubts_is_a_row() -> None:
    kinds = {".py", ".yaml", ".yml", ".toml"}
    here = {"tests/test_fidelity.py", "kit/tests/test_public_names.py"}  # its own words, and a variable's name
    texts = {
        path.as_posix(): path for path in tracked_files(ROOT) if path.suffix in kinds and path.parts[0] in SEARCHED
    }
    doubting = {name for name, path in texts.items() if DOUBTS.search((ROOT / path).read_text("utf-8"))}
    assert doubting - here == set(KNOWN)
    assert [words for words in KNOWN.values() if not any(words in row[0] for row in ROWS)] == []
