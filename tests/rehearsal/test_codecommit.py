"""CodeCommit: ordinary git works with it, and its API and events tell what git did."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.numbers import next_account
from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.engines import Inbox, archive, commit

PATTERN = {"source": ["aws.codecommit"], "detail-type": ["CodeCommit Repository State Change"]}


@pytest.fixture
def codecommit(account: Account) -> Any:
    """A client."""
    return account.client("codecommit")


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def clone(url: str, folder: Path) -> Path:
    subprocess.run(["git", "clone", "--quiet", url, str(folder)], check=True, capture_output=True)
    return folder


def create(account: Account, name: str = "") -> str:
    name = name or f"repository-{account.id}"
    account.client("codecommit").create_repository(repositoryName=name)
    return name


def test_what_git_pushes_the_api_tells(account: Account, codecommit: Any, tmp_path: Path) -> None:
    name = create(account)
    first = commit(account, name, {"model_build/train.py": "1", "README.md": "hello"})
    work = clone(
        codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"], tmp_path / "work"
    )
    (work / "model_build/train.py").write_text("2")
    (work / "README.md").unlink()
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "Train better\n\nMuch better.")
    git(work, "push", "--quiet", "origin", "main")

    pushed = codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"]
    assert pushed == git(work, "rev-parse", "HEAD")
    found = codecommit.get_commit(repositoryName=name, commitId=pushed)["commit"]
    assert (found["parents"], found["message"]) == ([first], "Train better\n\nMuch better.\n")
    assert (found["author"]["name"], found["author"]["email"]) == ("Ada", "ada@example.com")
    differences = codecommit.get_differences(
        repositoryName=name, beforeCommitSpecifier=first, afterCommitSpecifier=pushed
    )["differences"]
    kinds = {(entry.get("afterBlob") or entry["beforeBlob"])["path"]: entry["changeType"] for entry in differences}
    assert kinds == {"model_build/train.py": "M", "README.md": "D", "run.sh": "A"}
    file = codecommit.get_file(repositoryName=name, filePath="run.sh")
    assert (file["fileContent"], file["fileMode"]) == (b"#!/bin/sh\n", "EXECUTABLE")


def test_differences_come_in_pages_and_below_a_path(account: Account, codecommit: Any) -> None:
    name = create(account)
    tip = commit(account, name, {f"data/{number}.csv": "x" for number in range(7)} | {"other": "x"})
    pages = codecommit.get_paginator("get_differences").paginate(
        repositoryName=name, afterCommitSpecifier=tip, afterPath="data", PaginationConfig={"PageSize": 3}
    )
    sizes = [len(page["differences"]) for page in pages]
    assert sizes == [3, 3, 1]


def test_each_reference_that_moves_is_an_event(account: Account, codecommit: Any, tmp_path: Path) -> None:
    inbox, name = Inbox(account, PATTERN), create(account)
    first = commit(account, name, {"a": "1"})
    work = clone(
        codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"], tmp_path / "work"
    )
    (work / "a").write_text("2")
    git(work, "commit", "--quiet", "--all", "--message", "2")
    git(work, "tag", "v1")
    git(work, "push", "--quiet", "origin", "main", "v1", "main:feature")
    git(work, "push", "--quiet", "origin", ":feature")
    head = git(work, "rev-parse", "HEAD")
    told = {(event["event"], event["referenceFullName"]): event for event in inbox.at_least(5)}
    assert set(told) == {
        ("referenceCreated", "refs/heads/main"),
        ("referenceUpdated", "refs/heads/main"),
        ("referenceCreated", "refs/heads/feature"),
        ("referenceDeleted", "refs/heads/feature"),
        ("referenceCreated", "refs/tags/v1"),
    }
    update = told["referenceUpdated", "refs/heads/main"]
    assert (update["oldCommitId"], update["commitId"]) == (first, head)
    assert (update["repositoryName"], update["referenceName"], update["referenceType"]) == (name, "main", "branch")
    assert told["referenceCreated", "refs/tags/v1"]["referenceType"] == "tag"
    assert "oldCommitId" not in told["referenceCreated", "refs/heads/main"]


def test_a_push_that_changes_nothing_is_no_event(account: Account, codecommit: Any, tmp_path: Path) -> None:
    inbox, name = Inbox(account, PATTERN), create(account)
    commit(account, name, {"a": "1"})
    work = clone(
        codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"], tmp_path / "work"
    )
    git(work, "push", "--quiet", "origin", "main")
    codecommit.create_branch(repositoryName=name, branchName="marker", commitId=git(work, "rev-parse", "HEAD"))
    assert [event["referenceName"] for event in inbox.at_least(2)] == ["main", "marker"]


def test_a_name_in_two_accounts_needs_the_account_in_the_address(
    account: Account, emulator: Any, tmp_path: Path
) -> None:
    other = Account(emulator, next_account())
    name = f"shared-{account.id}"
    for owner, text in ((account, "mine"), (other, "theirs")):
        create(owner, name)
        commit(owner, name, {"who": text})
    url = f"{emulator.address}/v1/repos/{name}"
    environment = {"PATH": os.environ["PATH"], "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    refused = subprocess.run(["git", "ls-remote", url], capture_output=True, text=True, env=environment)
    assert refused.returncode
    assert "Username" in refused.stderr
    work = clone(url.replace("://", f"://{other.id}:x@"), tmp_path / "work")
    assert (work / "who").read_text() == "theirs"


def test_a_stack_seeds_its_repository_with_every_file(account: Account, codecommit: Any, tmp_path: Path) -> None:
    inbox = Inbox(account, PATTERN)
    name, bucket = f"seeded-{account.id}", f"seeds-{account.id}"
    account.client("s3").create_bucket(Bucket=bucket)
    seed = archive({"README.md": "hello", ".gitignore": "build\n", "build/kept": "although ignored"})
    account.client("s3").put_object(Bucket=bucket, Key="seed.zip", Body=seed)
    code = {"BranchName": "trunk", "S3": {"Bucket": bucket, "Key": "seed.zip"}}
    template = {
        "Resources": {
            "R": {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": name, "Code": code}}
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["R", "CloneUrlHttp"]}}},
    }
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="seeded", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="seeded", WaiterConfig={"Delay": 0.1})
    [output] = cloudformation.describe_stacks(StackName="seeded")["Stacks"][0]["Outputs"]
    work = clone(output["OutputValue"], tmp_path / "work")
    assert git(work, "rev-parse", "--abbrev-ref", "HEAD") == "trunk"
    assert set(git(work, "ls-files").splitlines()) == {"README.md", ".gitignore", "build/kept"}
    assert [event["event"] for event in inbox.at_least(1)] == ["referenceCreated"]
    cloudformation.delete_stack(StackName="seeded")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="seeded", WaiterConfig={"Delay": 0.1})
    assert codecommit.list_repositories()["repositories"] == []


def test_a_stale_parent_is_refused(account: Account, codecommit: Any) -> None:
    name = create(account)
    first = commit(account, name, {"a": "1"})
    commit(account, name, {"a": "2"})
    file = {"repositoryName": name, "branchName": "main", "filePath": "a", "fileContent": b"3"}
    with pytest.raises(codecommit.exceptions.ParentCommitIdOutdatedException):
        codecommit.put_file(**file, parentCommitId=first)
    with pytest.raises(codecommit.exceptions.ParentCommitIdRequiredException):
        codecommit.put_file(**file)


@pytest.mark.parametrize(
    ("operation", "error", "more"),
    [
        ("get_repository", "RepositoryDoesNotExistException", {}),
        ("get_branch", "RepositoryDoesNotExistException", {"branchName": "main"}),
    ],
)
def test_what_is_not_there_has_its_own_error(codecommit: Any, operation: str, error: str, more: dict[str, str]) -> None:
    with pytest.raises(getattr(codecommit.exceptions, error)):
        getattr(codecommit, operation)(repositoryName="nowhere", **more)


def test_a_repository_ends_with_its_history(account: Account, codecommit: Any, emulator: Any) -> None:
    name = create(account)
    commit(account, name, {"a": "1"})
    codecommit.delete_repository(repositoryName=name)
    assert "repositoryId" not in codecommit.delete_repository(repositoryName=name)
    create(account, name)
    assert "defaultBranch" not in codecommit.get_repository(repositoryName=name)["repositoryMetadata"]


# --- what the API writes ----------------------------------------------------------------------------------------------


def write(codecommit: Any, name: str, parent: str, **more: Any) -> str:
    commit: str = codecommit.create_commit(repositoryName=name, branchName="main", parentCommitId=parent, **more)[
        "commitId"
    ]
    return commit


def put(count: int = 1, size: int = 1, **more: str) -> list[dict[str, Any]]:
    return [{"filePath": f"{number}.txt", "fileContent": b"x" * size, **more} for number in range(count)]


def test_a_commit_writes_removes_and_sets_modes(account: Account, codecommit: Any) -> None:
    name = create(account)
    first = commit(account, name, {"a": "1", "b": "2"})
    tip = write(codecommit, name, first, putFiles=put(fileMode="EXECUTABLE"), deleteFiles=[{"filePath": "a"}])
    found = codecommit.get_folder(repositoryName=name, folderPath="/")["files"]
    assert [file["absolutePath"] for file in found] == ["0.txt", "b"]
    assert codecommit.get_file(repositoryName=name, filePath="0.txt")["fileMode"] == "EXECUTABLE"
    write(codecommit, name, tip, putFiles=put(fileMode="NORMAL"))
    assert codecommit.get_file(repositoryName=name, filePath="0.txt")["fileMode"] == "NORMAL"


@pytest.mark.parametrize(
    ("files", "error"),
    [
        ({"putFiles": put(101)}, "MaximumFileEntriesExceededException"),
        ({"putFiles": put(1, 6 * 2**20 + 1)}, "FileContentSizeLimitExceededException"),
        ({"putFiles": put(2, 4 * 2**20)}, "FileContentSizeLimitExceededException"),
        ({"putFiles": put(), "deleteFiles": [{"filePath": "0.txt"}]}, "SamePathRequestException"),
        ({"deleteFiles": [{"filePath": "nowhere"}]}, "FileDoesNotExistException"),
        ({"putFiles": [{"filePath": "a", "fileContent": b"1"}]}, "NoChangeException"),
        ({}, "FileEntryRequiredException"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_one_commit_does_not_take(account: Account, codecommit: Any, files: Any, error: str) -> None:
    name = create(account)
    first = commit(account, name, {"a": "1"})
    with pytest.raises(getattr(codecommit.exceptions, error)):
        write(codecommit, name, first, **files)
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == first


def test_a_pull_request_is_opened_once_listed_and_closed(account: Account, codecommit: Any) -> None:
    name = create(account)
    codecommit.create_branch(repositoryName=name, branchName="next", commitId=commit(account, name, {"a": "1"}))
    wish = {
        "title": "Next",
        "description": "Why",
        "targets": [{"repositoryName": name, "sourceReference": "next", "destinationReference": "main"}],
        "clientRequestToken": "one",
    }
    made = codecommit.create_pull_request(**wish)["pullRequest"]
    assert codecommit.create_pull_request(**wish)["pullRequest"]["pullRequestId"] == made["pullRequestId"]
    [target] = made["pullRequestTargets"]
    assert (target["sourceReference"], target["destinationReference"]) == ("refs/heads/next", "refs/heads/main")
    assert codecommit.list_pull_requests(repositoryName=name, pullRequestStatus="OPEN")["pullRequestIds"] == ["1"]
    assert codecommit.get_pull_request(pullRequestId="1")["pullRequest"]["description"] == "Why"
    codecommit.update_pull_request_status(pullRequestId="1", pullRequestStatus="CLOSED")
    assert codecommit.list_pull_requests(repositoryName=name, pullRequestStatus="OPEN")["pullRequestIds"] == []
    with pytest.raises(codecommit.exceptions.InvalidPullRequestStatusUpdateException):
        codecommit.update_pull_request_status(pullRequestId="1", pullRequestStatus="OPEN")


@pytest.mark.parametrize(
    ("source", "error"),
    [("main", "SourceAndDestinationAreSameException"), ("gone", "ReferenceDoesNotExistException")],
)
def test_a_pull_request_needs_two_branches(account: Account, codecommit: Any, source: str, error: str) -> None:
    name = create(account)
    commit(account, name, {"a": "1"})
    with pytest.raises(getattr(codecommit.exceptions, error)):
        codecommit.create_pull_request(title="x", targets=[{"repositoryName": name, "sourceReference": source}])
    with pytest.raises(codecommit.exceptions.PullRequestDoesNotExistException):
        codecommit.get_pull_request(pullRequestId="7")


def test_calls_that_name_a_pull_request_alone_act_on_its_repository(guarded: Account) -> None:
    name, other = create(guarded, f"allowed-{guarded.id}"), create(guarded, f"other-{guarded.id}")
    for repository in (name, other):
        tip = commit(guarded, repository, {"a": "1"})
        guarded.client("codecommit").create_branch(repositoryName=repository, branchName="next", commitId=tip)
    actions = [f"codecommit:{action}" for action in ("CreatePullRequest", "GetPullRequest", "ListPullRequests")]
    arn = f"arn:aws:codecommit:us-east-1:{guarded.id}:{name}"
    role = guarded.role("upgrader", "a.amazonaws.com", allow(*actions, resource=arn))
    api = guarded.emulator.as_role("codecommit", role)

    def target(repository: str) -> list[dict[str, str]]:
        return [{"repositoryName": repository, "sourceReference": "next", "destinationReference": "main"}]

    number = api.create_pull_request(title="Next", targets=target(name))["pullRequest"]["pullRequestId"]
    assert api.get_pull_request(pullRequestId=number)["pullRequest"]["title"] == "Next"
    assert api.list_pull_requests(repositoryName=name)["pullRequestIds"] == [number]
    elsewhere = guarded.client("codecommit").create_pull_request(title="x", targets=target(other))["pullRequest"]
    refusals: list[Callable[[], object]] = [
        lambda: api.create_pull_request(title="Next", targets=target(other)),
        lambda: api.get_pull_request(pullRequestId=elsewhere["pullRequestId"]),
        lambda: api.update_pull_request_status(pullRequestId=number, pullRequestStatus="CLOSED"),
    ]
    for refused in refusals:
        with pytest.raises(ClientError, match="not authorized to perform: codecommit:"):
            refused()
