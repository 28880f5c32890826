"""CodeCommit: a project's repository as a person with rights of her own changes it, by a branch and a pull request.

Limits: "CreateCommit" and FileContentSizeLimitExceededException in CodeCommit's API reference, "Quotas in AWS
CodeCommit" in its user guide: 100 files in a commit, 6 MB a file, 7 MB together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.errors import ProjectError
from service_catalog.threeway import File

COMMIT_FILES = 100
COMMIT_BYTES = 6_000_000
TITLE, DESCRIPTION = 150, 10_240
_MODES = {True: "EXECUTABLE", False: "NORMAL"}
Files = Mapping[str, File | None]


@dataclass(frozen=True)
class Repository:
    """A repository of CodeCommit; `name` as CodeCommit knows it."""

    client: Any
    name: str

    def exists(self) -> bool:
        """Whether it is there."""
        try:
            self.client.get_repository(repositoryName=self.name)
        except ClientError as error:
            if errors.code(error) == "RepositoryDoesNotExistException":
                return False
            raise
        return True

    def head(self, branch: str) -> str:
        """The newest commit of a branch; empty if there is no such branch."""
        try:
            found = self.client.get_branch(repositoryName=self.name, branchName=branch)
        except ClientError as error:
            if errors.code(error) == "BranchDoesNotExistException":
                return ""
            raise
        return str(found["branch"]["commitId"])

    def read(self, path: str, commit: str) -> File | None:
        """A file of a commit; None if it has none of that name."""
        try:
            found = self.client.get_file(repositoryName=self.name, commitSpecifier=commit, filePath=path)
        except ClientError as error:
            if errors.code(error) == "FileDoesNotExistException":
                return None
            raise
        return File(found["fileContent"], found["fileMode"] == "EXECUTABLE")

    def request(self, branch: str) -> str:
        """The open pull request from a branch; empty if there is none."""
        pages = self.client.get_paginator("list_pull_requests").paginate(
            repositoryName=self.name, pullRequestStatus="OPEN"
        )
        for id_ in (id_ for page in pages for id_ in page["pullRequestIds"]):
            targets = self.client.get_pull_request(pullRequestId=id_)["pullRequest"]["pullRequestTargets"]
            if any(target["sourceReference"] == f"refs/heads/{branch}" for target in targets):
                return str(id_)
        return ""

    def commit(self, branch: str, start: str, files: Files, message: str) -> None:
        """Bring a branch, made at `start` unless it is there, to hold these files; twice is once.

        Raises ProjectError for a file that is too large for the API.
        """
        tip = self.head(branch)
        if not tip:
            self.client.create_branch(repositoryName=self.name, branchName=branch, commitId=start)
            tip = start
        elif tip != start:  # begun by a run that did not end
            files = {path: file for path, file in files.items() if self.read(path, tip) != file}
        for batch in batches(files):
            put = [
                {"filePath": path, "fileMode": _MODES[file.executable], "fileContent": file.content}
                for path, file in batch.items()
                if file is not None
            ]
            gone = [{"filePath": path} for path, file in batch.items() if file is None]
            answer = self.client.create_commit(
                repositoryName=self.name,
                branchName=branch,
                parentCommitId=tip,
                commitMessage=message,
                **({"putFiles": put} if put else {}),
                **({"deleteFiles": gone} if gone else {}),
            )
            tip = answer["commitId"]

    def open(self, branch: str, onto: str, title: str, description: str) -> str:
        """A pull request; the number of the one that is open already, if there is one."""
        if found := self.request(branch):
            return found
        target = {"repositoryName": self.name, "sourceReference": branch, "destinationReference": onto}
        answer = self.client.create_pull_request(
            title=title[:TITLE], description=description[:DESCRIPTION], targets=[target]
        )
        return str(answer["pullRequest"]["pullRequestId"])


def batches(files: Files) -> Iterator[dict[str, File | None]]:
    """As many files as one commit takes, removals last: what is added must not meet what it replaces twice."""
    batch: dict[str, File | None] = {}
    size = 0
    for path, file in sorted(files.items(), key=lambda item: (item[1] is None, item[0])):
        bytes_ = len(file.content) if file else 0
        if bytes_ > COMMIT_BYTES:
            raise ProjectError(
                f"{path} has {bytes_:,} bytes, and CodeCommit's API takes {COMMIT_BYTES:,} in a commit: clone the "
                "repository and name the clone with --clone FOLDER."
            )
        if len(batch) == COMMIT_FILES or size + bytes_ > COMMIT_BYTES:
            yield batch
            batch, size = {}, 0
        batch[path] = file
        size += bytes_
    if batch:
        yield batch
