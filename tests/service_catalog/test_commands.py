"""Commands in messages: what a person pastes reaches the program as it was meant, through the shell and make."""

import os
import subprocess
from pathlib import Path

import boto3
import pytest

from service_catalog.aws.account import Account
from service_catalog.commands import aws, command
from service_catalog.errors import InputError
from tests.service_catalog.accounts import Accounts


def account(profile: str = "") -> Account:
    return Account(boto3.Session(), "eu-west-1", profile)


def test_a_command_has_the_region_and_a_profile_only_if_one_was_given() -> None:
    assert command("publish", account()) == 'make publish ARGS="--region eu-west-1"'
    typed = command("create", account("tooling"), "--plan", name="churn")
    assert typed == 'make create NAME=churn ARGS="--plan --region eu-west-1 --profile tooling"'
    assert aws(account("tooling"), "s3", "ls", "…") == "aws s3 ls … --region eu-west-1 --profile tooling"


@pytest.mark.parametrize("word", ["plain", "two words", "it's", "$HOME", 'a"b', "a`b", "back\\slash", "x*"])
def test_what_is_pasted_arrives_through_the_shell_and_make(tmp_path: Path, word: str) -> None:
    (tmp_path / "Makefile").write_text("publish:\n\t@printf '%s\\n' $(ARGS)\n")
    typed = command("publish", account(), word)
    # A person's terminal is not below a make, whose variables would let this one tell of the folders it enters.
    terminal = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["bash", "-c", typed], cwd=tmp_path, env=terminal, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [word, "--region", "eu-west-1"]


def test_aws_region_counts_before_the_profiles_and_after_the_option(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.profile("tooling", accounts.number(), "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert Account.opened("tooling").region == "eu-central-1"
    assert Account.opened("tooling", "us-east-1").region == "us-east-1"
    monkeypatch.delenv("AWS_REGION")
    assert Account.opened("tooling").region == "eu-west-1"


def test_a_profile_is_remembered_in_another_region(accounts: Accounts) -> None:
    accounts.profile("tooling", accounts.number())
    assert Account.opened("tooling").in_region("us-east-1").profile == "tooling"


def test_a_region_that_does_not_exist_is_told_with_the_nearest(accounts: Accounts) -> None:
    with pytest.raises(InputError, match=r"--region eu-wst-1: AWS has no such region; did you mean 'eu-west-1'"):
        Account.opened(region="eu-wst-1")
    assert Account.opened(region="cn-north-1").region == "cn-north-1"
