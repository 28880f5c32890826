"""scripts/: a verb's processes end with the block that started them, and nothing of ours reaches them."""

import os
import sys
from pathlib import Path

import pytest

from kit.tests.waiting import until
from scripts.bake import tracked_files
from scripts.laptop import csv_text, read_csv, read_json, read_lines, same
from scripts.project import Project, ProjectError, environment, running

CHILD = "import time; time.sleep(60)"
PARENT = f"""
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}])
pathlib.Path("draft").write_text(str(child.pid))
pathlib.Path("draft").rename("child")
child.wait()
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def noted(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def test_a_block_that_is_interrupted_takes_its_processes_along(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), running([sys.executable, "-c", PARENT], tmp_path) as parent:
        child = int(until(lambda: noted(tmp_path / "child")))
        raise KeyboardInterrupt
    assert parent.returncode is not None
    assert not is_running(child)


def test_nothing_of_our_make_reaches_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "VIRTUAL_ENV", "PYTHONPYCACHEPREFIX", "DATA"):
        monkeypatch.setenv(name, "ours")
    assert "ours" not in environment().values()


def test_a_failing_verb_is_named(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("run:\n\t@echo said; exit 3\n")
    project = Project(tmp_path)
    with pytest.raises(ProjectError, match="`make run`"):
        project.make("run")
    code, text = project.output("run")
    assert code != 0
    assert text.startswith("said\n")


def test_a_server_that_dies_is_reported_with_what_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("serve:\n\t@echo no model; exit 1\n")
    with pytest.raises(ProjectError, match="no model"), Project(tmp_path).serving(tmp_path / "log"):
        pytest.fail("there is no server")


def test_what_git_ignores_is_not_copied() -> None:
    names = {str(path) for path in tracked_files(Path(__file__).parent.parent)}
    assert "cookiecutter.json" in names
    assert not {name for name in names if "__pycache__" in name or name.startswith(("build/", ".venv/"))}


def test_the_three_formats() -> None:
    answers = [{"prediction": 'a "b", c', "probability": 0.25}]
    assert read_csv('"a ""b"", c",0.25\n') == answers
    assert read_json('{"predictions": [{"prediction": "a \\"b\\", c", "probability": 0.25}]}') == answers
    assert read_lines('{"prediction": "a \\"b\\", c", "probability": 0.25}\n\n') == answers
    assert csv_text([{"a": None, "b": "x,y"}]) == 'a,b\n,"x,y"\n'


def test_answers_differ_by_label_or_by_more_than_rounding() -> None:
    answer = {"prediction": "Yes", "probability": 0.7}
    assert same(answer, answer | {"probability": 0.7000001})
    assert not same(answer, answer | {"probability": 0.701})
    assert not same(answer, answer | {"prediction": "No"})
