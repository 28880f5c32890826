"""The command line as a person types it: every verb end to end, and errors in their words instead of a traceback."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from scripts.bake import ROOT
from service_catalog import names, seed
from service_catalog.__main__ import main
from service_catalog.aws.account import Account
from service_catalog.release import Source
from service_catalog.waiting import Site
from tests.service_catalog.accounts import Accounts

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def small_seed(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    """So that what is typed here publishes what the other tests publish."""
    monkeypatch.setattr(Source, "read", lambda: source)


def said(capsys: Capture) -> str:
    return capsys.readouterr().err


def test_a_life_as_it_is_typed(accounts: Accounts, source: Source, small_seed: None, capsys: Capture) -> None:
    number = accounts.number()
    accounts.profile("tooling", number)
    place = ["--profile", "tooling"]
    assert main(["publish", "--uncommitted", *place]) == 0
    assert 'make create NAME=NAME ARGS="--region eu-west-1 --profile tooling"' in capsys.readouterr().out
    assert main(["create", "typed", "--parameter", "Owner=me", *place]) == 0
    assert "RepositoryUrl" in capsys.readouterr().out
    assert main(["upgrade", "typed", *place]) == 0
    output = capsys.readouterr().out
    assert "nothing differs" in output
    assert re.search(r"code +typed +follows .* already", output)
    assert main(["doctor", *place]) in (0, 1)
    assert main(["delete", "typed", *place]) == 1
    assert "give --yes, or --plan" in said(capsys)
    assert main(["delete", "typed", "--yes", *place]) == 0
    assert Site(accounts.new(number=number)).studio.project("typed") is None
    assert main(["delete", "--orphans", *place]) == 0
    assert f"in {number}; there is no project typed (id " in capsys.readouterr().out


def test_stages_are_published_with_their_profiles(accounts: Accounts, small_seed: None, capsys: Capture) -> None:
    for name in ("tooling", "staging", "prod"):
        accounts.profile(name, accounts.number())
    stages = [word for stage in names.STAGES for word in ("--stage-profile", f"{stage}={stage}")]
    assert main(["publish", "--plan", "--profile", "tooling", *stages]) == 0
    output = capsys.readouterr().out
    assert "sagemaker-projects-prod" in output
    assert "10 to create" in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["create", "x" * 33], "has 33 characters: a project's name has at most 32"),
        (["create", "x", "--parameter", "Owner"], "--parameter Owner: must be KEY=VALUE"),
        (
            ["publish", "--stage-account", "test=222222222222"],
            "--stage-account test: there is no such stage; there is prod",
        ),
        (["publish", "--set", "ProviderName=x"], "must be STACK.KEY=VALUE"),
        (["publish", "--uncommitted", "--version", "a b"], "--version 'a b' must be 1 to 64 letters"),
        (["delete"], "Name the project to delete"),
        (["doctor", "--profile", "nobody"], "aws configure list-profiles"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    accounts: Accounts,
    small_seed: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", accounts.number())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert main(words) == 1
    assert message in said(capsys)


def test_no_region_and_no_credentials_are_told(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["create", "x"]) == 1
    assert "give --region" in said(capsys)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert main(["create", "x", "--region", "eu-west-1"]) == 1
    assert "There are no AWS credentials" in said(capsys)


def test_changes_that_no_commit_holds_are_not_published_by_accident(
    monkeypatch: pytest.MonkeyPatch, small_seed: None, capsys: Capture
) -> None:
    monkeypatch.setattr(seed, "uncommitted", lambda: ["a.py", "b.py", "c.py", "d.py"])
    assert main(["publish", "--region", "eu-west-1"]) == 1
    assert "No commit holds a.py, b.py, c.py and 1 more" in said(capsys)


def test_an_interruption_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*_: object) -> Account:
        raise KeyboardInterrupt

    monkeypatch.setattr(Account, "opened", interrupted)
    assert main(["create", "x"]) == 130
    assert "run the same command again" in said(capsys)


@pytest.mark.parametrize("pressed", [EOFError, KeyboardInterrupt, None])
def test_a_no_at_the_question_is_no_error(
    accounts: Accounts,
    published: Account,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    pressed: type[BaseException] | None,
) -> None:
    def answer(*_: object, **__: object) -> str:
        if pressed:
            raise pressed
        return "n"

    accounts.profile("asked", published.id)
    project = "asked" if pressed is None else f"asked-{pressed.__name__}"
    assert main(["create", project, "--profile", "asked"]) == 0
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(Console, "input", answer)
    assert main(["delete", project, "--profile", "asked"]) == 1
    shown = capsys.readouterr()
    assert shown.out.endswith("Nothing was deleted.\n")
    assert shown.err == ""


def test_help_is_instant_and_names_every_verb() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "service_catalog", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for verb in ("publish", "create", "upgrade", "delete", "doctor"):
        assert verb in done.stdout
    assert "boto3" not in done.stderr


@pytest.mark.parametrize("verb", ["publish", "create", "upgrade", "delete", "doctor"])
def test_every_verb_has_a_plan(verb: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert "--plan" in capsys.readouterr().out


def test_only_one_folder_talks_to_aws() -> None:
    files = [path for path in (ROOT / "service_catalog").rglob("*.py") if "import boto3" in path.read_text("utf-8")]
    assert {path.relative_to(ROOT / "service_catalog") for path in files} == {Path("aws/account.py")}
