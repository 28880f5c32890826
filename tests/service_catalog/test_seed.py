"""The seed: the same bytes whenever and wherever it is baked, and every file that a first commit would hold."""

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from service_catalog import seed
from service_catalog.errors import SourceError
from tests.baking import Baker, Shell, files_below


@pytest.fixture(scope="module")
def baked() -> seed.Seed:
    return seed.from_template()


def archive(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The least that counts as a project."""
    folder = tmp_path / "project"
    for name in ("project.toml", "Makefile", "model_build/__init__.py", "model_deploy/__init__.py", "data/a b.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / ".gitignore").write_text(".venv/\n*.log\n")
    (folder / ".venv").mkdir()
    (folder / ".venv" / "big").write_text("left out")
    (folder / "run.log").write_text("left out")
    return folder


def test_two_bakes_are_the_same_bytes(baked: seed.Seed) -> None:
    assert seed.from_template().content == baked.content


def test_it_holds_what_cookiecutter_makes(baked: seed.Seed, baker: Baker) -> None:
    made = baker.bake(**seed.ANSWERS)
    with archive(baked.content) as content:
        assert set(content.namelist()) == made.files()
        assert content.read("project.toml").decode() == made.read("project.toml")
    assert baked.files == len(made.files())


def test_no_answer_is_left_open_and_none_is_of_one_team(baked: seed.Seed) -> None:
    with archive(baked.content) as content:
        rendered = content.read("project.toml").decode() + content.read("README.md").decode()
    assert "cookiecutter" not in rendered
    assert "churn" not in rendered.partition("[data]")[0]


def test_neither_time_nor_order_nor_umask_shows(project: Path) -> None:
    first = seed.from_folder(project)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))
        if path.is_file():
            path.chmod(0o600)
    assert seed.from_folder(project).content == first.content


def test_entries_are_sorted_stored_and_of_two_modes(project: Path) -> None:
    (project / "run.sh").write_text("#!/bin/sh\n")
    (project / "run.sh").chmod(0o700)
    with archive(seed.from_folder(project).content) as content:
        names = content.namelist()
        assert names == sorted(names)
        assert {entry.compress_type for entry in content.infolist()} == {zipfile.ZIP_STORED}
        modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in content.infolist()}
    assert modes.pop("run.sh") == 0o755
    assert set(modes.values()) == {0o644}


def test_a_changed_byte_changes_the_hash(project: Path) -> None:
    before = seed.from_folder(project).sha256
    (project / "Makefile").write_text("changed")
    assert seed.from_folder(project).sha256 != before


def test_what_gitignore_leaves_out_is_left_out_without_git(project: Path) -> None:
    with archive(seed.from_folder(project).content) as content:
        assert set(content.namelist()) == files_below(project) - {".venv/big", "run.log"}


def test_a_repository_and_a_plain_folder_give_the_same(project: Path, shell: Shell) -> None:
    plain = seed.from_folder(project)
    shell.commit_all(project, "first")
    assert seed.from_folder(project).content == plain.content


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is not a project of this template: it has no project.toml, Makefile"):
        seed.from_folder(tmp_path)


def test_changes_that_no_commit_holds_are_named(tmp_path: Path, shell: Shell) -> None:
    with pytest.raises(SourceError, match="not a git repository"):
        seed.uncommitted(tmp_path)
    shell.commit_all(shell.folder, "first") if any(shell.folder.iterdir()) else None
    (shell.folder / "a").write_text("1")
    shell.commit_all(shell.folder, "second")
    assert seed.uncommitted(shell.folder) == []
    (shell.folder / "a").write_text("2")
    (shell.folder / "b c").write_text("3")
    assert len(seed.uncommitted(shell.folder)) == 2
