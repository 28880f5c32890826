"""The API of CodeCommit, as far as people, seeding programs, dispatchers and pipelines use it.

Shapes are those of botocore's model of 2015-04-13. Comments and approval rules are not there; pull requests are in
pull_requests.py. How much a commit of the API takes: "Quotas in AWS CodeCommit" in its user guide, and what its model
says of FileContentSizeLimitExceededException.
"""

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from rehearsal.emulator import seams
from rehearsal.emulator.codecommit import repositories
from rehearsal.emulator.codecommit.git import Change, GitError
from rehearsal.emulator.codecommit.repositories import Record, announce, find
from rehearsal.emulator.service import AwsError, Service, tag_finders

Request = dict[str, Any]
_COMMIT_FILES, _FILE_BYTES, _COMMIT_BYTES = 100, 6 * 2**20, 7 * 2**20
Result = TypeVar("Result")

codecommit = Service("codecommit", target="CodeCommit_20150413")


@codecommit.operation
def create_repository(request: Request) -> Request:
    """Make an empty repository."""
    record = repositories.create(
        request["repositoryName"],
        request.get("repositoryDescription", ""),
        request.get("kmsKeyId", ""),
        request.get("tags"),
    )
    return {"repositoryMetadata": record.metadata()}


@codecommit.operation
def get_repository(request: Request) -> Request:
    """What is known of one."""
    return {"repositoryMetadata": find(request["repositoryName"]).metadata()}


@codecommit.operation
def batch_get_repositories(request: Request) -> Request:
    """Several at once; those that are not there are listed apart."""
    found = {name: repositories.repositories.get(name) for name in request["repositoryNames"]}
    return {
        "repositories": [record.metadata() for record in found.values() if record],
        "repositoriesNotFound": [name for name, record in found.items() if record is None],
    }


@codecommit.operation
def list_repositories(request: Request) -> Request:
    """Names and ids."""
    every = repositories.repositories.values()
    return {"repositories": [{"repositoryName": record.name, "repositoryId": record.id} for record in every]}


@codecommit.operation
def delete_repository(request: Request) -> Request:
    """Remove one; that there is none is no error."""
    identifier = repositories.delete(request["repositoryName"])
    return {"repositoryId": identifier} if identifier else {}


@codecommit.operation
def update_default_branch(request: Request) -> Request:
    """What a clone checks out."""
    record = find(request["repositoryName"])
    _branch(record, request["defaultBranchName"])
    record.git.set_default_branch(request["defaultBranchName"])
    return {}


@codecommit.operation
def tag_resource(request: Request) -> Request:
    """Add tags."""
    _of_arn(request["resourceArn"]).tags.update(request["tags"])
    return {}


@codecommit.operation
def untag_resource(request: Request) -> Request:
    """Remove tags."""
    tags = _of_arn(request["resourceArn"]).tags
    for key in request["tagKeys"]:
        tags.pop(key, None)
    return {}


@codecommit.operation
def list_tags_for_resource(request: Request) -> Request:
    """The tags of one."""
    return {"tags": _of_arn(request["resourceArn"]).tags}


@codecommit.operation
def list_branches(request: Request) -> Request:
    """The names of the branches."""
    return {"branches": sorted(find(request["repositoryName"]).git.branches())}


@codecommit.operation
def get_branch(request: Request) -> Request:
    """A branch and its commit."""
    name = request["branchName"]
    return {"branch": {"branchName": name, "commitId": _branch(find(request["repositoryName"]), name)}}


@codecommit.operation
def create_branch(request: Request) -> Request:
    """A new branch at a commit."""
    record, name = find(request["repositoryName"]), request["branchName"]
    if name in record.git.branches():
        raise AwsError("BranchNameExistsException", f"Branch {name} already exists")
    commit = _commit_id(record, request["commitId"])
    _moving(record, lambda: record.git.update(f"refs/heads/{name}", commit))
    return {}


@codecommit.operation
def delete_branch(request: Request) -> Request:
    """Remove a branch, unless it is the default one."""
    record, name = find(request["repositoryName"]), request["branchName"]
    if name == record.git.default_branch:
        raise AwsError("DefaultBranchCannotBeDeletedException", f"{name} is the default branch")
    commit = _branch(record, name)
    _moving(record, lambda: record.git.delete(f"refs/heads/{name}"))
    return {"deletedBranch": {"branchName": name, "commitId": commit}}


@codecommit.operation
def get_commit(request: Request) -> Request:
    """A commit with its people, parents and message."""
    record = find(request["repositoryName"])
    try:
        commit = record.git.commit(request["commitId"])
    except GitError:
        raise AwsError("CommitIdDoesNotExistException", f"{request['commitId']} does not exist") from None
    people = {"author": commit.author, "committer": commit.committer}
    return {
        "commit": {
            "commitId": commit.id,
            "treeId": commit.tree,
            "parents": list(commit.parents),
            "message": commit.message,
            "additionalData": "",
            **{role: dict(zip(("name", "email", "date"), person, strict=True)) for role, person in people.items()},
        }
    }


@codecommit.operation
def get_differences(request: Request) -> Request:
    """The files that differ between two commits, in pages."""
    record = find(request["repositoryName"])
    before, after = request.get("beforeCommitSpecifier", ""), request["afterCommitSpecifier"]
    commits = [_commit_id(record, name) if name else "" for name in (before, after)]
    paths = [request.get(f"{side}Path", "").strip("/") for side in ("before", "after")]
    changes = [change for change in record.git.changes(*commits) if _below(change.path, paths)]
    start = int(request.get("NextToken") or 0)
    end = start + int(request.get("MaxResults") or 400)
    page = {"differences": [_difference(change) for change in changes[start:end]]}
    return page | ({"NextToken": str(end)} if end < len(changes) else {})


def _below(path: str, folders: list[str]) -> bool:
    given = [folder for folder in folders if folder]
    return not given or any(path == folder or path.startswith(f"{folder}/") for folder in given)


def _difference(change: Change) -> Request:
    sides = {"beforeBlob": change.before, "afterBlob": change.after}
    blobs = {
        key: {"blobId": side[1], "path": change.path, "mode": side[0]}
        for key, side in sides.items()
        if side is not None
    }
    return {**blobs, "changeType": change.kind}


@codecommit.operation
def get_file(request: Request) -> Request:
    """One file of a commit, by default of the default branch."""
    record = find(request["repositoryName"])
    commit = _commit_id(record, request.get("commitSpecifier") or record.git.default_branch)
    path = request["filePath"].lstrip("/")
    try:
        mode, _, blob, _ = record.git.entry(commit, path)
    except GitError:
        raise AwsError("FileDoesNotExistException", f"{path} does not exist in {commit}") from None
    content = record.git.file(commit, path)
    modes = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}
    return {
        "commitId": commit,
        "blobId": blob,
        "filePath": path,
        "fileMode": modes.get(mode, "NORMAL"),
        "fileSize": len(content),
        "fileContent": content,
    }


@codecommit.operation
def get_folder(request: Request) -> Request:
    """What lies in a folder of a commit."""
    record = find(request["repositoryName"])
    commit = _commit_id(record, request.get("commitSpecifier") or record.git.default_branch)
    folder = request["folderPath"].strip("/")
    entries = record.git.tree(commit, folder)
    if folder and not entries:
        raise AwsError("FolderDoesNotExistException", f"{folder} does not exist in {commit}")
    files = [{"blobId": entry[2], "absolutePath": entry[3]} for entry in entries if entry[1] == "blob"]
    folders = [{"treeId": entry[2], "absolutePath": entry[3]} for entry in entries if entry[1] == "tree"]
    tree = record.git.commit(commit).tree
    return {"commitId": commit, "folderPath": folder, "treeId": tree, "subFolders": folders, "files": files}


@codecommit.operation
def create_commit(request: Request) -> Request:
    """A commit with files written and removed; a first one makes the branch."""
    written, gone = request.get("putFiles", []), [entry["filePath"] for entry in request.get("deleteFiles", [])]
    put = {entry["filePath"]: base64.b64decode(entry.get("fileContent") or b"") for entry in written}
    _require_fit(put, gone, len(written))
    executable = {entry["filePath"]: entry["fileMode"] == "EXECUTABLE" for entry in written if "fileMode" in entry}
    record, commit = _write(request, put, gone, executable)
    return {"commitId": commit, "treeId": record.git.commit(commit).tree}


def _require_fit(put: dict[str, bytes], gone: list[str], written: int) -> None:
    """Raise AwsError for what one commit of the API does not take."""
    if not written and not gone:
        raise AwsError("FileEntryRequiredException", "The commit cannot be created because no files are specified")
    if written + len(gone) > _COMMIT_FILES:
        raise AwsError("MaximumFileEntriesExceededException", f"A commit takes at most {_COMMIT_FILES} files")
    if len({*put, *gone}) < written + len(gone):
        raise AwsError("SamePathRequestException", "A file is named twice")
    sizes = [len(content) for content in put.values()]
    if max(sizes, default=0) > _FILE_BYTES or sum(sizes) > _COMMIT_BYTES:
        raise AwsError("FileContentSizeLimitExceededException", "A file takes 6 MB, all of a commit together 7 MB")


@codecommit.operation
def put_file(request: Request) -> Request:
    """A commit that writes one file."""
    content = base64.b64decode(request["fileContent"])
    record, commit = _write(request, {request["filePath"]: content}, [], unchanged="SameFileContentException")
    return {"commitId": commit, "treeId": record.git.commit(commit).tree}


def _write(
    request: Request,
    put: dict[str, bytes],
    gone: list[str],
    executable: dict[str, bool] | None = None,
    unchanged: str = "NoChangeException",
) -> tuple[Record, str]:
    record, branch = find(request["repositoryName"]), request["branchName"]
    parent, tip = request.get("parentCommitId", ""), record.git.branches().get(branch, "")
    if tip and not parent:
        raise AwsError("ParentCommitIdRequiredException", f"{branch} has commits: parentCommitId must be given")
    if parent != tip:
        raise AwsError("ParentCommitIdOutdatedException", f"{branch} is at {tip or 'no commit'}, not at {parent}")
    if not record.git.branches():
        record.git.set_default_branch(branch)
    if parent:
        _require_change(record, parent, put, gone, executable or {}, unchanged)
    message = request.get("commitMessage") or "Changed with CodeCommit"
    return record, _moving(record, lambda: record.git.commit_files(parent, branch, message, put, gone, executable))


def _require_change(
    record: Record, parent: str, put: dict[str, bytes], gone: list[str], executable: dict[str, bool], unchanged: str
) -> None:
    known = set(record.git.files(parent)) if gone else set()
    if missing := [path for path in gone if path not in known]:
        raise AwsError("FileDoesNotExistException", f"{missing[0]} does not exist in {parent}")
    if not gone and all(record.git.holds(parent, path, put[path], executable.get(path)) for path in put):
        raise AwsError(unchanged, "The commit would change nothing")


def _moving(record: Record, change: Callable[[], Result]) -> Result:
    """Do what moves a branch, and tell EventBridge."""
    before = record.git.refs()
    result = change()
    announce(record, before, record.git.refs())
    return result


def _branch(record: Record, name: str) -> str:
    commit = record.git.branches().get(name)
    if commit is None:
        raise AwsError("BranchDoesNotExistException", f"Branch {name} does not exist in {record.name}")
    return commit


def _commit_id(record: Record, name: str) -> str:
    try:
        return record.git.resolve(name)
    except GitError:
        raise AwsError("CommitDoesNotExistException", f"{name} does not exist in {record.name}") from None


def _of_arn(arn: str) -> Record:
    return find(arn.rpartition(":")[2])


@tag_finders.append
def _tags_of(arn: str) -> dict[str, str] | None:
    """The tags of a repository, for conditions on aws:ResourceTag."""
    _, _, service, place, owner, name = arn.split(":", 5)
    if service != "codecommit":
        return None
    with seams.scope(owner, place):
        record = repositories.repositories.get(name)
        return record.tags if record else None
