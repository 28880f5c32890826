"""The template as a git repository: baked from a URL, and brought up to date with cruft."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.baking import PROJECT_FOLDER, Baker, Shell, files_below


@pytest.fixture
def repository(template: Path, tmp_path: Path, shell: Shell) -> Path:
    """The working tree, committed to a repository of the test's own."""
    folder = Path(shutil.copytree(template, tmp_path / "template.git"))
    shell.commit_all(folder, "A")
    return folder


def replace(path: Path, old: str, new: str) -> None:
    """Edit a file as a person would."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_bake_from_a_git_url(repository: Path, shell: Shell, project_folder: Path) -> None:
    project = Baker(repository.as_uri(), shell).bake(project_slug="From-a-url")
    assert project.files() == files_below(project_folder)
    assert project.settings()["project"]["name"] == "From-a-url"


def cruft(shell: Shell, *words: str, folder: Path | None = None) -> str:
    return shell.do(sys.executable, "-m", "cruft", *words, folder=folder)


def test_cruft_brings_a_change_and_keeps_the_users_own(repository: Path, shell: Shell) -> None:
    cruft(shell, "create", repository.as_uri(), "--no-input")
    project = shell.folder / "customer-churn"
    replace(project / "project.toml", "threshold = 0.80", "threshold = 0.83")
    (project / "data" / "mine.csv").write_text("a,b\n1,2\n")
    shell.commit_all(project, "ours")

    replace(repository / PROJECT_FOLDER / "Makefile", ".DEFAULT_GOAL := help", "# news\n.DEFAULT_GOAL := help")
    replace(repository / PROJECT_FOLDER / "project.toml", "num_round = 300", "num_round = 301")
    (repository / PROJECT_FOLDER / "model_build" / "added.py").write_text('"""New."""\n')
    shell.commit_all(repository, "B")

    cruft(shell, "update", "-y", folder=project)
    text = (project / "project.toml").read_text(encoding="utf-8")
    assert re.findall(r"^(?:threshold|num_round) = \S+", text, re.MULTILINE) == ["num_round = 301", "threshold = 0.83"]
    assert "# news" in (project / "Makefile").read_text(encoding="utf-8")
    assert (project / "model_build" / "added.py").is_file()
    assert (project / "data" / "mine.csv").is_file()
    assert not list(project.rglob("*.rej"))
    assert "up to date" in cruft(shell, "check", folder=project)
