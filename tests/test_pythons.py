"""The oldest and the newest Python of this machine: each sets up a project, trains, serves and passes its tests."""

import json
import os
from pathlib import Path

import pytest

from scripts.bake import bake
from scripts.project import Project, call
from tests.pythons import found

pytestmark = pytest.mark.bake

FOUND = found()
EDGES = {".".join(map(str, version)): path for version, path in [*FOUND.items()][:1] + [*FOUND.items()][-1:]}


def test_both_ends_of_what_the_readme_promises_are_played() -> None:
    """A person may have one Python; continuous integration may not: it would show nothing about the other end."""
    fewest = 2 if os.environ.get("CI") else 1
    assert len(EDGES) >= fewest, f"found {list(EDGES)}: install the oldest Python that is supported, or the newest"


@pytest.mark.parametrize("version", EDGES)
def test_a_project_lives_on_it(version: str, tmp_path: Path) -> None:
    project = Project(bake(tmp_path))
    for verb in ("run", "approve", "test"):
        code, text = project.output(verb, PYTHON=str(EDGES[version]))
        assert code == 0, text
    settings = (project.path / ".venv" / "pyvenv.cfg").read_text(encoding="utf-8")
    assert version in settings, settings
    with project.serving(tmp_path / "log") as url:
        answer = call(f"{url}/invocations", sample(project), "application/jsonlines")
    assert answer.status == 200, answer.text
    assert 0 <= json.loads(answer.text)["probability"] <= 1


def sample(project: Project) -> str:
    """A row of the registered contract."""
    path = next((project.path / ".local" / "s3").rglob("sample.jsonl"))
    return path.read_text(encoding="utf-8").splitlines()[0]
