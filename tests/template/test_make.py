"""The generated project's Makefile: what it hands on, and what it says when the machine lacks something."""

import json
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.baking import Outcome, Shell

RECORDER = """#!{python}
import json, sys
with open("calls.jsonl", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
"""
AWKWARD = [
    "with space.csv",
    "it's.csv",
    'a "quoted" one.csv',
    "größe 顧客.csv",
    "a;b&c|d.csv",
    "--help",
    "back`tick`",
    "#1",
]


@pytest.fixture
def project(project_folder: Path, shell: Shell) -> Path:
    """The template folder, unrendered, in a place of its own."""
    return Path(shutil.copytree(project_folder, shell.folder / "my project"))


def program(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def recorded(project: Path, shell: Shell, *words: str) -> list[list[str]]:
    """What make would have handed to Python, with the environment taken as installed."""
    recorder = program(project / "recorder", RECORDER.format(python=sys.executable))
    stamps = [f".venv/{groups}.installed" for groups in ("local", "local+steps", "dev")]
    installed = [f"--assume-old={name}" for name in ("install", *stamps)]
    shell.do("make", *installed, f"PY=./{recorder.name}", *words, folder=project)
    return [json.loads(line) for line in (project / "calls.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("value", AWKWARD)
def test_values_arrive_as_they_are(project: Path, shell: Shell, value: str) -> None:
    synthesize, run = recorded(project, shell, "run", f"DATA={value}", f"TARGET={value}", "PROBLEM=binary")
    expected = [f"--data={value}", f"--target={value}", "--problem=binary"]
    assert synthesize == ["-m", "sagemaker_project_kit.pipeline", "synthesize", *expected]
    assert run == ["-m", "sagemaker_project_kit.local", "run", "build/definition.json", "--assets", "build/assets.json"]


def test_without_values_nothing_is_handed_on(project: Path, shell: Shell) -> None:
    assert recorded(project, shell, "run")[0] == ["-m", "sagemaker_project_kit.pipeline", "synthesize"]


def test_serve_and_approve_name_a_model(project: Path, shell: Shell) -> None:
    calls = recorded(project, shell, "approve", "serve", "MODEL=churn/2", "PORT=8081")
    assert calls[0] == ["-m", "sagemaker_project_kit.local", "registry", "approve", "churn/2"]
    assert calls[1] == ["-m", "sagemaker_project_kit.local", "serve", "churn/2", "--port", "8081"]


def test_a_push_runs_every_test_but_the_slow_ones_and_once(project: Path, shell: Shell) -> None:
    calls = recorded(project, shell, "-j2", "test-build")
    synthesize = ["-m", "sagemaker_project_kit.pipeline", "synthesize"]  # what the golden definition is held against
    assert calls == [synthesize, ["-m", "pytest", "-m", "not slow", "--junit-xml=build/tests/test-build.xml"]]


@pytest.mark.parametrize("broken", ["types", "templates", "test-build"])
def test_what_fails_among_others_fails_the_build_and_is_named(project: Path, shell: Shell, broken: str) -> None:
    """As CodeBuild runs them: all at once, and each to its end."""
    failing = f'case "$*" in *{PARTS[broken]}*) exit 1;; esac; echo "$*" >> done'
    for name in ("python", "cfn-lint"):
        program(project / name, f"#!/bin/sh\n{failing}\n")
    (project / "GNUmakefile").write_text("include Makefile\nPY = ./python\nBIN = .\n", encoding="utf-8")
    installed = ["--assume-old=install", "--assume-old=.venv/dev.installed"]
    words = ["-j2", "--keep-going", "test-build", "check", "definition"]
    outcome = shell.run("make", *installed, *words, folder=project)
    assert outcome.code != 0
    assert re.search(rf"\[\w*[Mm]akefile:\d+: {broken}\] Error 1", outcome.text)
    done = (project / "done").read_text()
    assert [name for name, words in PARTS.items() if words not in done] == [broken]


PARTS = {"style": "format", "types": "mypy", "templates": "endpoint.yaml", "test-build": "test-build",
         "definition": "synthesize"}  # fmt: skip


def test_help_lists_every_verb(project: Path, shell: Shell) -> None:
    listed = re.findall(r"^make (\S+)", shell.do("make", folder=project), re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.*)", (project / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony
    assert sorted(listed) == sorted(phony[1].split())


def refused(project: Path, shell: Shell, *words: str) -> Outcome:
    outcome = shell.run("make", *words, folder=project)
    assert outcome.code != 0
    assert not list(project.glob(".venv/*.installed"))
    return outcome


def test_a_machine_without_a_fitting_python(project: Path, shell: Shell) -> None:
    outcome = refused(project, shell, "run", "PYTHON=false no-such-python")
    sentence = "No Python 3.11 or newer with the venv module found (tried: false no-such-python)"
    assert outcome.text.startswith(sentence)
    assert not (project / ".venv").exists()


@pytest.mark.bake
def test_a_python_without_pip_of_its_own(project: Path, shell: Shell) -> None:
    shell.do(sys.executable, "-m", "venv", "--without-pip", "bare", folder=project)
    shell.do("make", ".venv/local.installed", "PYTHON=bare/bin/python", folder=project)


@pytest.mark.bake
def test_a_package_with_another_hash_is_refused(project: Path, shell: Shell) -> None:
    lock = project / "requirements.lock"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"(?<=^h11==)(.*?)(?=^\w)", spoiled, text, flags=re.MULTILINE | re.DOTALL), encoding="utf-8")
    outcome = shell.run("make", ".venv/local.installed", folder=project)
    assert outcome.code != 0
    assert "Hash mismatch for `h11" in outcome.text
    assert not (project / ".venv" / "local.installed").exists()


def spoiled(pins: re.Match[str]) -> str:
    """The same pins with hashes of nothing."""
    return re.sub(r"sha256:\w{8}", "sha256:00000000", pins[0])


@pytest.mark.bake
def test_an_interrupted_installation_is_repeated(project: Path, shell: Shell) -> None:
    shell.do("make", ".venv/local.installed", folder=project)
    assert shell.do("make", ".venv/local.installed", folder=project).startswith(
        "make: '.venv/local.installed' is up to date"
    )
    (project / ".venv" / "local.installed").unlink()
    assert "Installing the groups local" in shell.do("make", ".venv/local.installed", folder=project)
    (project / "requirements.lock").touch()
    assert "Setting up .venv" in shell.do("make", ".venv/local.installed", folder=project)


@pytest.mark.bake
def test_uv_is_fetched_once_and_again_when_spoilt(
    project: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of one machine's builds only the first asks the index for uv; the hashes of the lock say which is meant."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    setup = ("make", "--always-make", ".venv/uv.installed")
    nowhere = (
        *setup,
        "WITH_INDEX=export PIP_INDEX_URL=http://127.0.0.1:9/ PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= PIP_RETRIES=0;",
    )
    assert shell.run(*nowhere, folder=project).code != 0
    shell.do(*setup, folder=project)
    (kept,) = (tmp_path / "cache").glob("uv-*")
    shell.do(*nowhere, folder=project)
    assert (project / ".venv" / "bin" / "uv").read_bytes() == kept.read_bytes()
    kept.write_bytes(kept.read_bytes()[:1000])
    assert shell.run(*nowhere, folder=project).code != 0
    shell.do(*setup, folder=project)
    lock = project / "requirements.lock"
    lock.write_text(re.sub(r"(?<=^uv==)(.*?)(?=^\w)", spoiled, lock.read_text("utf-8"), flags=re.M | re.S), "utf-8")
    assert "DO NOT MATCH THE HASHES" in shell.run(*setup, folder=project).text
