"""Packages from AWS CodeArtifact: only when asked for, and without a trace of the token."""

import sys
from pathlib import Path

import pytest

from tests.baking import Outcome, Shell
from tests.template.test_make import program, project

__all__ = ["project"]  # a fixture

TOKEN = "token-that-nobody-may-see"  # noqa: S105 - stands for one
AWS = f"""#!/bin/sh
echo "$@" >> aws.txt
case "$2" in
  get-authorization-token) echo {TOKEN};;
  get-repository-endpoint) echo https://example-444444444444.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/;;
esac
"""
# Stands for Python, for pip and for uv, and says which index each was given.
PYTHON = f"""#!/bin/sh
case "$1 $2" in
  "-c import sys, venv"*) echo "$0"; exit;;
  "-m venv") mkdir -p .venv/bin; ln -sf ../../python .venv/bin/python; exit;;
  "-m pip") echo "pip $PIP_INDEX_URL" >> index.txt; mkdir -p .venv/uv/bin; touch .venv/uv/bin/uv; exit;;
  "pip install") echo "uv $UV_DEFAULT_INDEX" >> index.txt; echo "$@" >> words.txt; exit;;
esac
exec {sys.executable} "$@"
"""
INDEX = f"https://aws:{TOKEN}@example-444444444444.d.codeartifact.eu-west-1.amazonaws.com/pypi/python/simple/"
ASKED = {"CODEARTIFACT_DOMAIN": "example", "CODEARTIFACT_REPOSITORY": "python"}


@pytest.fixture
def machine(project: Path) -> Path:
    """A project on a machine with an aws and a python that only note what they are asked."""
    (project / "bin").mkdir()
    program(project / "bin" / "aws", AWS)
    program(project / "python", PYTHON)
    return project


def install(machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Outcome:
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", *ASKED, "CODEARTIFACT_DOMAIN_OWNER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{machine / 'bin'}:/usr/bin:/bin")
    tools = ("PYTHON=./python", "UV=./python")
    return shell.run("make", *tools, ".venv/local.installed", folder=machine)


def noted(machine: Path, name: str) -> list[str]:
    try:
        return (machine / name).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def test_pip_and_uv_get_the_index_and_nobody_sees_the_token(
    machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = install(machine, shell, monkeypatch, **ASKED)
    assert outcome.code == 0, outcome.text
    assert noted(machine, "index.txt") == [f"pip {INDEX}", f"uv {INDEX}"]
    assert TOKEN not in outcome.text
    files = [path for path in machine.rglob("*") if path.is_file() and path.name not in ("aws", "index.txt")]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


def test_the_domain_of_another_account_is_named(machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, shell, monkeypatch, **ASKED, CODEARTIFACT_DOMAIN_OWNER="444444444444")
    assert noted(machine, "aws.txt")[0] == (
        "codeartifact get-authorization-token --domain example --domain-owner 444444444444 --output text"
        " --query authorizationToken"
    )


def test_nothing_is_asked_where_nobody_wants_it(machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = install(machine, shell, monkeypatch)
    assert outcome.code == 0, outcome.text
    assert noted(machine, "aws.txt") == []
    assert noted(machine, "index.txt") == ["pip ", "uv "]


def test_a_refusal_ends_the_installation_with_a_sentence(
    machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(machine / "bin" / "aws", "#!/bin/sh\necho AccessDeniedException >&2\nexit 254\n")
    outcome = install(machine, shell, monkeypatch, **ASKED)
    assert outcome.code != 0
    assert "CodeArtifact gave no token or no address for the repository python of example" in outcome.text
    assert noted(machine, "index.txt") == []
