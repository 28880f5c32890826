"""The figures that scripts/figures.py prints: a project is small, and a change to it stays in one place."""

import subprocess
from pathlib import Path

import pytest

from scripts import figures


def test_a_project_can_be_read_in_an_hour() -> None:
    count = figures.owned()
    assert 20 < count.files <= figures.MOST_FILES
    assert 1_000 < count.lines <= figures.MOST_LINES
    assert count.is_met


@pytest.mark.parametrize("title", figures.touched())
def test_a_recipe_touches_few_files(title: str) -> None:
    assert 1 <= len(figures.touched()[title]) <= figures.MOST_TOUCHED


def test_what_is_counted(tmp_path: Path) -> None:
    """Files that git ignores, locks, data, the wheel and the golden definition are not the team's to read."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    apart = ("data/x.csv", "vendor/kit.whl", "requirements.lock", "tests/golden/definition.json")
    for name in ("a.py", *apart, "build/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n2\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("build/\n", encoding="utf-8")
    assert figures.owned(tmp_path) == figures.Owned(files=2, lines=3, apart=len(apart))
