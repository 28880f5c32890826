"""The repositories of CodeCommit: what is known of each, its folder, and the event when a branch or tag moves.

Event: "Monitoring CodeCommit events", https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

import hashlib
import io
import shutil
import tempfile
import time
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.emulator.codecommit.git import NOBODY, Repository
from rehearsal.emulator.service import AwsError, Store, account, address, caller, emit, region, state_folder


@dataclass
class Record:
    """One repository. `folder` is relative to the service's own, so that the state folder can be moved."""

    name: str
    id: str
    arn: str
    folder: str
    description: str = ""
    kms_key: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)

    @property
    def git(self) -> Repository:
        return Repository(state_folder("codecommit") / self.folder)

    def metadata(self) -> dict[str, object]:
        """As GetRepository tells it. A repository without a branch has no default branch."""
        git = self.git
        found = {
            "accountId": self.arn.split(":")[4],
            "repositoryId": self.id,
            "repositoryName": self.name,
            "repositoryDescription": self.description or None,
            "defaultBranch": git.default_branch if git.branches() else None,
            "lastModifiedDate": self.modified,
            "creationDate": self.created,
            "cloneUrlHttp": f"{address()}/v1/repos/{self.name}",
            "Arn": self.arn,
            "kmsKeyId": self.kms_key or None,
        }
        return {key: value for key, value in found.items() if value is not None}


repositories: Store[Record] = Store("repositories")


def find(name: str) -> Record:
    """The repository called `name`, in the account of the call. Raises AwsError."""
    record = repositories.get(name)
    if record is None:
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")
    return record


def create(name: str, description: str = "", kms_key: str = "", tags: Mapping[str, str] | None = None) -> Record:
    """Make an empty repository. Raises AwsError if the name is taken."""
    identifier = str(uuid.uuid4())
    arn = f"arn:aws:codecommit:{region()}:{account()}:{name}"
    place = Path(account(), region(), f"{hashlib.sha256(identifier.encode()).hexdigest()[:12]}.git")
    record = Record(name, identifier, arn, str(place), description, kms_key, dict(tags or {}))
    if repositories.setdefault(name, record) is not record:
        raise AwsError("RepositoryNameExistsException", f"Repository named {name} already exists")
    record.git.create()
    return record


def delete(name: str) -> str | None:
    """Remove a repository with its history; its id, or None if there was none, which is no error."""
    record = repositories.pop(name)
    if record is None:
        return None
    shutil.rmtree(record.git.path, ignore_errors=True)
    return record.id


def seed(record: Record, archive: bytes, branch: str) -> None:
    """The first commit, from a zip archive, as AWS::CodeCommit::Repository makes it of Code.S3."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(archive)) as content:
            for entry in content.infolist():
                path = Path(content.extract(entry, folder))
                if path.is_file() and entry.external_attr >> 16 & 0o100:
                    path.chmod(0o755)
        record.git.set_default_branch(branch)
        record.git.commit_folder(Path(folder), branch, "Initial commit")
    announce(record, {}, record.git.refs())


def announce(record: Record, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Tell EventBridge about each branch and tag that is new, moved or gone."""
    changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    if changed:
        record.modified = time.time()
    for name in changed:
        emit(
            "aws.codecommit",
            "CodeCommit Repository State Change",
            _detail(record, name, before.get(name), after.get(name)),
            [record.arn],
        )


def _detail(record: Record, reference: str, old: str | None, new: str | None) -> dict[str, object]:
    event = "referenceUpdated" if old and new else "referenceCreated" if new else "referenceDeleted"
    kind, short = ("branch", "refs/heads/") if reference.startswith("refs/heads/") else ("tag", "refs/tags/")
    return {
        "callerUserArn": caller(),
        "commitId": new or NOBODY,
        "event": event,
        **({"oldCommitId": old} if old else {}),
        "referenceFullName": reference,
        "referenceName": reference.removeprefix(short),
        "referenceType": kind,
        "repositoryId": record.id,
        "repositoryName": record.name,
    }
