"""CodeConnections: a repository of a provider, what starts pipelines there, and builds that push to it."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from rehearsal.emulator.codepipeline import patterns
from service_catalog import names
from tests.rehearsal.companies import HALVES, Company, running_company
from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.engines import role

PUSH = {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["model_build/**", "Makefile"]}}


class Provider:
    """A repository at the local host, a connection to it, and a working copy."""

    def __init__(self, account: Account, folder: Path, name: str = "project") -> None:
        self.account, self.name = account, f"team/{name}-{account.id}"
        self.address = f"{account.emulator.address}/provider/{self.name}"
        urlopen(Request(self.address, method="PUT"))  # noqa: S310 - our own address on loopback
        made = account.client("codeconnections").create_connection(ProviderType="GitHub", ConnectionName=name)
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
    wanted = declaration(provider, triggers, detect)
    provider.account.client("codepipeline").create_pipeline(pipeline=wanted)
    return str(wanted["name"])


def declaration(provider: Provider, triggers: list[dict[str, Any]], detect: str = "false") -> dict[str, Any]:
    """What of it CreatePipeline takes; its bucket and role are there."""
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
    return {
        "name": f"pipeline-{account.id}",
        "roleArn": role(account, "pipeline", "codepipeline"),
        "pipelineType": "V2",
        "executionMode": "PARALLEL",
        "artifactStore": {"type": "S3", "location": f"artifacts-{account.id}"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Approve", "actions": [approve]}],
        **({"triggers": wanted} if wanted else {}),
    }


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


def test_who_makes_a_pipeline_must_be_allowed_to_pass_the_connection(guarded: Account, tmp_path: Path) -> None:
    provider = Provider(guarded, tmp_path)
    wanted, own = declaration(provider, [PUSH]), allow("codepipeline:CreatePipeline", "iam:PassRole")
    maker = guarded.role("maker", "ec2.amazonaws.com", own)
    client = guarded.emulator.as_role("codepipeline", maker)
    with pytest.raises(ClientError, match="not authorized to perform: codeconnections:PassConnection"):
        client.create_pipeline(pipeline=wanted)
    to_pipelines = {"StringEquals": {"codeconnections:PassedToService": "codepipeline.amazonaws.com"}}
    passing = allow("codeconnections:PassConnection", resource=provider.connection, **to_pipelines)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own, passing]})
    guarded.client("iam").put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=policy)
    assert client.create_pipeline(pipeline=wanted)["pipeline"]["name"] == wanted["name"]


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


# --- a project of the real product behind a connection, every call checked -------------------------------------------

FILES = {"README.md": "A seed", "model_build/x.py": "", "model_deploy/x.yaml": ""}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """An account where the product is published, with a seed that concerns both halves."""
    with running_company(tmp_path_factory.mktemp("company"), FILES) as company:
        yield company


@pytest.fixture(scope="module")
def hosted(company: Company, tmp_path_factory: pytest.TempPathFactory) -> Provider:
    """An empty repository at the provider, and a connection to it that nobody has completed."""
    return Provider(company.account, tmp_path_factory.mktemp("hosted"))


@pytest.fixture(scope="module")
def project(company: Company, hosted: Provider) -> names.Project:
    """A project whose code is there."""
    return company.make("Behind-A-Connection", **answers(hosted))


def answers(hosted: Provider) -> dict[str, str]:
    """What Studio's form asks about the repository."""
    return {"RepositoryProvider": "Connection", "ConnectionArn": hosted.connection, "RepositoryId": hosted.name}


def seeding(company: Company, project: names.Project, build: str = "") -> tuple[str, str]:
    """How a seeding ended and what it printed; without an id, the first one, which the stack's completion starts."""
    client, name = company.account.client("codebuild"), project.build("seed")
    found = until(lambda: [build] if build else client.list_builds_for_project(projectName=name)["ids"][-1:])
    ended = until(lambda: (one := client.batch_get_builds(ids=found)["builds"][0])["buildComplete"] and one)
    place = ended["logs"]
    events = company.account.client("logs").get_log_events(
        logGroupName=place["groupName"], logStreamName=place["streamName"]
    )["events"]
    return ended["buildStatus"], " ".join(event["message"].strip() for event in events)


def seed_again(company: Company, project: names.Project) -> tuple[str, str]:
    """Start it by hand, as the pending build's last line says."""
    started = company.account.client("codebuild").start_build(projectName=project.build("seed"))
    return seeding(company, project, started["build"]["id"])


@pytest.fixture(scope="module")
def pending(company: Company, hosted: Provider, project: names.Project) -> dict[str, Any]:
    """What there was before the connection was completed."""
    status, words = seeding(company, project)
    until(lambda: company.is_quiet(project))
    runs = [(run["trigger"]["triggerType"], run["status"]) for half in HALVES for run in company.runs(project, half)]
    return {"status": status, "words": words, "runs": runs, "refs": hosted.git("ls-remote", f"{hosted.address}.git")}


def test_a_pending_connection_fails_the_seeding_with_a_sentence_and_not_the_project(
    project: names.Project, pending: dict[str, Any]
) -> None:
    assert pending["status"] == "FAILED"
    assert "Nothing was pushed: the connection is PENDING." in pending["words"]
    assert f"start-build --project-name {project.build('seed')}" in pending["words"]
    assert pending["runs"] == [("CreatePipeline", "Failed")] * len(HALVES)
    assert pending["refs"] == ""


@pytest.fixture(scope="module")
def filled(company: Company, hosted: Provider, project: names.Project, pending: dict[str, Any]) -> str:
    """The connection is completed and the seeding started again; what that printed. The seed is checked out."""
    assert pending["refs"] == ""
    hosted.shake_hands()
    status, words = seed_again(company, project)
    assert status == "SUCCEEDED", words
    hosted.git("pull", "--quiet", f"{hosted.address}.git", "main")
    return words


def runs_of(company: Company, project: names.Project) -> list[int]:
    """How many executions each half has had."""
    return [len(company.runs(project, half)) for half in HALVES]


def test_after_the_handshake_the_seed_is_the_first_commit_and_starts_both_halves(
    company: Company, hosted: Provider, project: names.Project, filled: str
) -> None:
    assert f"{hosted.name} is not empty" not in filled
    first = hosted.git("rev-list", "--max-parents=0", "HEAD")
    assert hosted.git("ls-tree", "-r", "--name-only", first).split() == sorted(FILES)
    until(lambda: min(runs_of(company, project)) >= 2 and company.is_quiet(project))
    for half in HALVES:
        run = company.runs(project, half)[1]
        revision = run["sourceRevisions"][0]["revisionId"]
        assert (run["trigger"]["triggerType"], revision) == ("WebhookV2", first)


@pytest.mark.usefixtures("filled")
def test_seeding_again_changes_nothing_and_starts_nothing(
    company: Company, hosted: Provider, project: names.Project
) -> None:
    until(lambda: company.is_quiet(project))
    before = hosted.git("ls-remote", f"{hosted.address}.git"), runs_of(company, project)
    status, words = seed_again(company, project)
    assert status == "SUCCEEDED"
    assert f"{hosted.name} is not empty and stays as it is" in words
    assert (hosted.git("ls-remote", f"{hosted.address}.git"), runs_of(company, project)) == before


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("path", "concerned"),
    [("data/x.csv", ["build"]), ("model_deploy/y", ["deploy"]), ("README.md", []), ("Makefile", ["build", "deploy"])],
)
def test_a_push_starts_the_halves_that_it_concerns(
    company: Company, hosted: Provider, project: names.Project, path: str, concerned: list[str]
) -> None:
    until(lambda: company.is_quiet(project))
    before, denied = runs_of(company, project), company.account.emulator.admin("denials")
    commit = hosted.push({path: f"changed {path}"})
    wanted = [number + (half in concerned) for half, number in zip(HALVES, before, strict=True)]
    until(lambda: runs_of(company, project) == wanted and company.is_quiet(project))
    revisions = {half: company.runs(project, half)[-1]["sourceRevisions"][0]["revisionId"] for half in HALVES}
    assert [half for half in HALVES if revisions[half] == commit] == concerned
    assert company.account.emulator.admin("denials") == denied


@pytest.mark.usefixtures("filled")
def test_without_the_right_to_use_the_connection_the_seeding_fails_and_the_denial_names_it(
    company: Company, hosted: Provider, project: names.Project
) -> None:
    iam, role = company.account.client("iam"), project.role("seed")
    held = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]}  # fmt: skip
    for name, document in held.items():
        kept = [each for each in document["Statement"] if "UseConnection" not in str(each["Action"])]
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**document, "Statement": kept}))
    try:
        status, words = seed_again(company, project)
    finally:
        for name, document in held.items():
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))
    assert status == "FAILED"
    assert f"{hosted.name} cannot be read" in words
    denied = company.account.emulator.admin("denials")[-1]
    assert denied["role"].endswith(f"/{role}")
    assert (denied["action"], denied["resource"]) == ("codeconnections:UseConnection", hosted.connection)


def test_deleting_the_project_leaves_the_repository_alone_and_says_so(company: Company, tmp_path: Path) -> None:
    hosted = Provider(company.account, tmp_path, "left-alone")
    project = company.make("Leaves-Its-Code", **answers(hosted))
    seeding(company, project)
    hosted.shake_hands()
    status, words = seed_again(company, project)
    assert status == "SUCCEEDED", words
    hosted.git("pull", "--quiet", f"{hosted.address}.git", "main")
    before = hosted.git("ls-remote", f"{hosted.address}.git")
    done = company.end(project.name)
    kept = [(change.name, change.detail) for change in done if (change.action, change.kind) == ("keep", "repository")]
    assert kept == [(hosted.name, "the code, at the git provider")]
    assert hosted.git("ls-remote", f"{hosted.address}.git") == before
    hosted.push({"model_build/after.py": "nobody listens"})
    found = company.account.client("codeconnections").get_connection(ConnectionArn=hosted.connection)
    assert found["Connection"]["ConnectionStatus"] == "AVAILABLE"
