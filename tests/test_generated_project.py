"""A freshly baked project, worked with as its team would: its own checks, its own tests, a run, a stranger's file."""

import csv

import pytest

from scripts.bake import bake
from scripts.project import Project

pytestmark = pytest.mark.bake


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project for all tests here; a folder name with a space, as people have them."""
    return Project(bake(tmp_path_factory.mktemp("a folder"), project_slug="Churn-9", owner="Équipe"))


def succeed(project: Project, *words: str, **values: str) -> str:
    """Run a verb that must succeed; show all it printed if it does not."""
    code, text = project.output(*words, **values)
    if code:
        pytest.fail(f"make {' '.join(words)} ended with {code}:\n{text}", pytrace=False)
    return text


def versions(project: Project) -> list[str]:
    """The registered versions."""
    return sorted(path.stem for path in (project.path / ".local" / "registry").glob("*/[0-9]*.json"))


@pytest.mark.parametrize("verb", ["check", "test"])
def test_its_own_checks_and_tests(project: Project, verb: str) -> None:
    succeed(project, verb)


def test_a_run_registers_a_model_and_a_second_one_needs_no_network(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(project, "run")
    assert versions(project)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "Installing" not in succeed(project, "run")


def test_a_file_with_an_awkward_name(project: Project) -> None:
    folder = project.path / "Ça & là"
    folder.mkdir()
    source, target = folder / 'it\'s "mine" (1).csv', 'größe; "neu"'
    with (
        (project.path / "data" / "churn.csv").open(encoding="utf-8") as rows,
        source.open("w", encoding="utf-8") as copy,
    ):
        head, *body = csv.reader(rows)
        csv.writer(copy).writerows([[target, *head[1:]], *body])
    before = len(versions(project))
    succeed(project, "run", DATA=str(source.relative_to(project.path)), TARGET=target, PROBLEM="binary")
    assert len(versions(project)) == before + 1
