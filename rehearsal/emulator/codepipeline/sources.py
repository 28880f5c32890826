"""Source actions: CodeCommit and S3. What a connection leads to is in connections.py."""

import hashlib
import json

from rehearsal.emulator.codecommit import repositories
from rehearsal.emulator.codecommit.git import Commit
from rehearsal.emulator.codepipeline.work import ActionFailedError, Work
from rehearsal.emulator.service import region


def from_codecommit(work: Work) -> None:
    """The branch's newest commit, or the one that the execution was started with, as a zip archive."""
    name, branch = work.setting("RepositoryName"), work.setting("BranchName")
    if work.configuration.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        raise ActionFailedError("ConfigurationError", "OutputArtifactFormat must be CODE_ZIP in the rehearsal")
    codecommit = work.client("codecommit")
    tip = codecommit.get_branch(repositoryName=name, branchName=branch)["branch"]["commitId"]
    chosen = work.execution.revisions.get(work.run.action.name, tip)
    codecommit.get_commit(repositoryName=name, commitId=chosen)
    repository = repositories.find(name)
    for permission in ("UploadArchive", "GetUploadArchiveStatus"):
        work.require(f"codecommit:{permission}", repository.arn, {})
    git = repository.git
    commit = git.commit(chosen)
    work.put(git.archive(commit.id), commit.id, commit.message.strip(), _page(name, commit.id))
    work.run.variables = {**describe(commit, branch), "RepositoryName": name}
    work.run.external_id, work.run.summary = commit.id, commit.message.strip()


def _page(name: str, commit: str) -> str:
    home = f"https://{region()}.console.aws.amazon.com/codesuite/codecommit"
    return f"{home}/repositories/{name}/commit/{commit}?region={region()}"


def describe(commit: Commit, branch: str) -> dict[str, str]:
    """The variables that a source action gives ("CodeCommit source action reference")."""
    return {
        "CommitId": commit.id,
        "CommitMessage": commit.message.strip(),
        "BranchName": branch,
        "AuthorDate": commit.author[2],
        "CommitterDate": commit.committer[2],
    }


def from_s3(work: Work) -> None:
    """An archive as it lies in a bucket."""
    bucket, key = work.setting("S3Bucket"), work.setting("S3ObjectKey")
    chosen = work.execution.revisions.get(work.run.action.name)
    found = work.client("s3").get_object(Bucket=bucket, Key=key, **({"VersionId": chosen} if chosen else {}))
    content = found["Body"].read()
    revision = found.get("VersionId") or hashlib.md5(content, usedforsecurity=False).hexdigest()
    work.put(content, revision, json.dumps({"ETag": found["ETag"]}))
    work.run.variables = {"BucketName": bucket, "ObjectKey": key, "ETag": found["ETag"], "VersionId": revision}
    work.run.external_id = revision
