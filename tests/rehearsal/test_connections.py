"""CodeConnections: a repository of a provider, what starts pipelines there, and builds that push to it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from rehearsal.emulator.codepipeline import patterns
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role, until

PUSH = {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["model_build/**", "Makefile"]}}


class Provider:
    """A repository at the local host, a connection to it, and a working copy."""

    def __init__(self, account: Account, folder: Path) -> None:
        self.account, self.name = account, f"team/project-{account.id}"
        self.address = f"{account.emulator.address}/provider/{self.name}"
        urlopen(Request(self.address, method="PUT"))  # noqa: S310 - our own address on loopback
        made = account.client("codeconnections").create_connection(ProviderType="GitHub", ConnectionName="c")
        self.connection = made["ConnectionArn"]
        self.work = folder / "work"
        self.git("init", "--quiet", "--initial-branch=main", str(self.work), folder=folder)

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        command = ["git", *identity, "-C", str(folder or self.work), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def push(self, files: Mapping[str, str], branch: str = "main") -> str:
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change")
        self.git("push", "--quiet", f"{self.address}.git", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def shake_hands(self) -> None:
        assert self.connection in self.account.emulator.admin("handshake")


@pytest.fixture
def provider(account: Account, tmp_path: Path) -> Provider:
    """An empty repository behind a pending connection."""
    return Provider(account, tmp_path)


def pipeline(provider: Provider, triggers: list[dict[str, Any]], detect: str = "false") -> str:
    """A pipeline whose source is the connection."""
    account = provider.account
    account.client("s3").create_bucket(Bucket=f"artifacts-{account.id}")
    settings = {"ConnectionArn": provider.connection, "FullRepositoryId": provider.name, "BranchName": "main"}
    kind = {"owner": "AWS", "version": "1"}
    source = {"name": "Source", "actionTypeId": {**kind, "category": "Source", "provider": "CodeStarSourceConnection"},
              "configuration": {**settings, "DetectChanges": detect}, "outputArtifacts": [{"name": "S"}]}  # fmt: skip
    approve = {"name": "Approve", "actionTypeId": {**kind, "category": "Approval", "provider": "Manual"}}
    wanted = [
        {"providerType": "CodeStarSourceConnection", "gitConfiguration": {"sourceActionName": "Source", "push": [push]}}
        for push in triggers
    ]
    declaration = {
        "name": f"pipeline-{account.id}",
        "roleArn": role(account, "pipeline", "codepipeline"),
        "pipelineType": "V2",
        "executionMode": "PARALLEL",
        "artifactStore": {"type": "S3", "location": f"artifacts-{account.id}"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Approve", "actions": [approve]}],
        **({"triggers": wanted} if wanted else {}),
    }
    account.client("codepipeline").create_pipeline(pipeline=declaration)
    return str(declaration["name"])


def runs(provider: Provider, name: str) -> list[tuple[str, str]]:
    """(what started it, revision) of each execution that has its source, oldest first."""
    found = provider.account.client("codepipeline").list_pipeline_executions(pipelineName=name)
    listed = reversed(found["pipelineExecutionSummaries"])
    return [
        (entry["trigger"]["triggerType"], entry["sourceRevisions"][0]["revisionId"])
        for entry in listed
        if entry["sourceRevisions"]
    ]


def test_a_pending_connection_is_told_and_a_handshake_makes_it_available(provider: Provider) -> None:
    name = pipeline(provider, [])
    client = provider.account.client("codepipeline")
    failed = until(lambda: (state := client.get_pipeline_state(name=name)["stageStates"][0]["actionStates"][0].get(
        "latestExecution", {})).get("errorDetails") and state)  # fmt: skip
    assert "is PENDING, not AVAILABLE" in failed["errorDetails"]["message"]
    provider.shake_hands()
    describe = provider.account.client("codeconnections").get_connection
    assert describe(ConnectionArn=provider.connection)["Connection"]["ConnectionStatus"] == "AVAILABLE"


def test_only_a_push_that_passes_the_filters_starts_a_pipeline(provider: Provider) -> None:
    provider.shake_hands()
    first = provider.push({"README.md": "hello"})
    name = pipeline(provider, [PUSH])
    until(lambda: runs(provider, name) == [("CreatePipeline", first)])
    provider.push({"README.md": "other", "model_deploy/x": "1"})
    provider.push({"model_build/deep/train.py": "1"}, branch="feature")
    wanted = provider.push({"docs/x": "1", "model_build/deep/train.py": "2"})
    also = provider.push({"Makefile": "all:"})
    until(lambda: len(runs(provider, name)) >= 3)
    assert runs(provider, name) == [("CreatePipeline", first), ("WebhookV2", wanted), ("WebhookV2", also)]


def test_without_triggers_the_source_action_decides(provider: Provider) -> None:
    provider.shake_hands()
    provider.push({"README.md": "hello"})
    name = pipeline(provider, [], detect="true")
    until(lambda: len(runs(provider, name)) == 1)
    provider.push({"a": "1"}, branch="feature")
    tip = provider.push({"a": "2"})
    until(lambda: len(runs(provider, name)) == 2)
    assert runs(provider, name)[-1] == ("WebhookV2", tip)


SEED = """
version: 0.2
phases:
  build:
    commands:
      - test -z "$(git ls-remote "$URL")"
      - git init --quiet --initial-branch=main . && echo seeded > file && git add --all
      - git -c user.name=a -c user.email=a@example.com commit --quiet --message Start
      - git push "$URL" HEAD:refs/heads/main
"""


def test_a_build_fills_an_empty_repository_through_its_connection(provider: Provider) -> None:
    account, (region, number, _, identifier) = provider.account, _parts(provider.connection)
    url = f"https://codeconnections.{region}.amazonaws.com/git-http/{number}/{region}/{identifier}/{provider.name}.git"
    client = account.client("codebuild")
    client.create_project(
        name="seed",
        source={"type": "NO_SOURCE", "buildspec": SEED},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
                     "environmentVariables": [{"name": "URL", "value": url}]},
        serviceRole=role(account, "seed", "codebuild"),
    )  # fmt: skip

    def status() -> str:
        identifier = client.start_build(projectName="seed")["build"]["id"]
        return str(until(lambda: (build := client.batch_get_builds(ids=[identifier])["builds"][0])["buildComplete"]
                         and build["buildStatus"]))  # fmt: skip

    assert status() == "FAILED"  # the connection is pending
    provider.shake_hands()
    assert status() == "SUCCEEDED"
    assert "refs/heads/main" in provider.git("ls-remote", f"{provider.address}.git")
    assert status() == "FAILED"  # it is not empty any more


def _parts(arn: str) -> list[str]:
    return [*arn.split(":")[3:5], *arn.split(":")[5].split("/")]


@pytest.mark.parametrize(
    ("path", "pattern", "fit"),
    [
        ("model_build/a/b.py", "model_build/**", True),
        ("model_build/a.py", "model_build/*", True),
        ("model_build/a/b.py", "model_build/*", False),
        ("model_builds/a.py", "model_build/**", False),
        ("a.py", "*.{py,toml}", True),
        ("a.txt", "*.{py,toml}", False),
        ("ab", "a?", True),
        ("b1", "[ab]1", True),
        ("x.py", "x[.]py", True),
        ("xapy", "x.py", False),
        ("a,b", "a,b", True),
    ],
)
def test_glob_patterns(path: str, pattern: str, fit: bool) -> None:
    assert patterns.fits(path, pattern) is fit


@pytest.mark.parametrize(
    ("push", "reference", "paths", "begins"),
    [
        ({}, "refs/heads/any", ["a"], True),
        ({"tags": {"includes": ["v*"]}}, "refs/tags/v1", [], True),
        ({"tags": {"includes": ["v*"]}}, "refs/heads/v1", [], False),
        ({}, "refs/tags/v1", [], False),
        ({"branches": {"excludes": ["wip/*"]}}, "refs/heads/wip/a", ["a"], False),
        ({"branches": {"includes": ["main"], "excludes": ["main"]}}, "refs/heads/main", ["a"], False),
        ({"filePaths": {"includes": ["a/**"], "excludes": ["a/docs/**"]}}, "refs/heads/m", ["a/docs/x"], False),
        ({"filePaths": {"includes": ["a/**"], "excludes": ["a/docs/**"]}}, "refs/heads/m", ["a/docs/x", "a/y"], True),
    ],
)
def test_filters_of_pushes(push: dict[str, Any], reference: str, paths: list[str], begins: bool) -> None:
    assert patterns.starts(push, reference, paths) is begins
