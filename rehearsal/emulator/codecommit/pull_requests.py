"""Pull requests of CodeCommit: opened, read, listed and closed. Merging, comments and approval rules are not there.

"CreatePullRequest", "GetPullRequest", "ListPullRequests" and "UpdatePullRequestStatus", CodeCommit API reference.
"""

import itertools
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from rehearsal.emulator import resources
from rehearsal.emulator.codecommit.operations import codecommit
from rehearsal.emulator.codecommit.repositories import Record, find
from rehearsal.emulator.service import AwsError, Store, caller

Request = dict[str, Any]


@dataclass
class PullRequest:
    """One of them. References are full names; commits are those of source and destination when it was opened."""

    id: str
    token: str
    title: str
    description: str
    repository: str
    source: str
    destination: str
    commits: tuple[str, str]
    author: str
    status: str = "OPEN"
    created: float = field(default_factory=time.time)

    def document(self) -> Request:
        """As GetPullRequest tells it."""
        target = {
            "repositoryName": self.repository,
            "sourceReference": self.source,
            "destinationReference": self.destination,
            "sourceCommit": self.commits[0],
            "destinationCommit": self.commits[1],
            "mergeMetadata": {"isMerged": False},
        }
        return {
            "pullRequestId": self.id,
            "title": self.title,
            "description": self.description,
            "lastActivityDate": self.created,
            "creationDate": self.created,
            "pullRequestStatus": self.status,
            "authorArn": self.author,
            "pullRequestTargets": [target],
            "clientRequestToken": self.token,
        }


pull_requests: Store[PullRequest] = Store("pull_requests")


@codecommit.operation
def create_pull_request(request: Request) -> Request:
    """Open one; the same token again is the same request."""
    token = request.get("clientRequestToken") or str(uuid.uuid4())
    for known in pull_requests.values():
        if known.token == token:
            return {"pullRequest": known.document()}
    if len(request["targets"]) != 1:
        raise AwsError("InvalidTargetsException", "A pull request has one target")
    (target,) = request["targets"]
    record = find(target["repositoryName"])
    source, source_commit = _reference(record, target["sourceReference"])
    destination, onto = _reference(record, target.get("destinationReference") or record.git.default_branch)
    if source == destination:
        raise AwsError("SourceAndDestinationAreSameException", f"{source} cannot be merged into itself")
    made = PullRequest(
        id=next(number for number in map(str, itertools.count(1)) if number not in pull_requests),
        token=token,
        title=request["title"],
        description=request.get("description", ""),
        repository=record.name,
        source=source,
        destination=destination,
        commits=(source_commit, onto),
        author=caller(),
    )
    pull_requests[made.id] = made
    return {"pullRequest": made.document()}


def _reference(record: Record, name: str) -> tuple[str, str]:
    """The full name of a branch, and its commit."""
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    if not full.startswith("refs/heads/"):
        raise AwsError("ReferenceTypeNotSupportedException", f"{name} is no branch")
    commit = record.git.refs().get(full)
    if commit is None:
        raise AwsError("ReferenceDoesNotExistException", f"{name} does not exist in {record.name}")
    return full, commit


@codecommit.operation
def get_pull_request(request: Request) -> Request:
    """One of them."""
    return {"pullRequest": _find(request["pullRequestId"]).document()}


@codecommit.operation
def list_pull_requests(request: Request) -> Request:
    """Their numbers, the newest first."""
    name, status = find(request["repositoryName"]).name, request.get("pullRequestStatus")
    fitting = [one for one in pull_requests.values() if one.repository == name and status in (None, one.status)]
    return {"pullRequestIds": [one.id for one in reversed(fitting)]}


@codecommit.operation
def update_pull_request_status(request: Request) -> Request:
    """Close one; a closed one cannot be opened again."""
    found = _find(request["pullRequestId"])
    if found.status == "CLOSED" and request["pullRequestStatus"] == "OPEN":
        raise AwsError("InvalidPullRequestStatusUpdateException", "A closed pull request cannot be opened again")
    found.status = request["pullRequestStatus"]
    return {"pullRequest": found.document()}


def _find(number: str) -> PullRequest:
    found = pull_requests.get(number)
    if found is None:
        raise AwsError("PullRequestDoesNotExistException", f"Pull request {number} does not exist")
    return found


@resources.request_finders.append
def _repository_of(number: str) -> str:
    """The repository of a pull request: what its calls act on."""
    found = pull_requests.get(number)
    return found.repository if found else ""
