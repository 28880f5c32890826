"""What the tests of builds and pipelines share: roles, small repositories, waiting, and events caught in a queue."""

import io
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account


def role(account: Account, name: str, service: str) -> str:
    """A role without policies that a service may assume; its ARN."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    return arn


def archive(files: Mapping[str, str]) -> bytes:
    """A zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as target:
        for name, text in files.items():
            target.writestr(name, text)
    return content.getvalue()


def names(content: bytes) -> list[str]:
    """What lies in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        return sorted(source.namelist())


AT_REST_SECONDS = 0.5  # the files of one state are written one after the other


def saved(state: Path, text: str) -> bool:
    """Whether a file of an emulator's state, as a restart would read it, holds a text, and no file is being written."""
    files = [*(state / "stores").glob("*.pickle"), *(state / "ministack").glob("*.json")]
    last = max((path.stat().st_mtime for path in files), default=0)
    return any(text.encode() in path.read_bytes() for path in files) and time.time() > last + AT_REST_SECONDS


class Inbox:
    """Catches the events that fit a pattern, in a queue."""

    def __init__(self, account: Account, pattern: Mapping[str, object]) -> None:
        self._sqs, events = account.client("sqs"), account.client("events")
        self._url = self._sqs.create_queue(QueueName=f"inbox-{time.monotonic_ns()}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        name = arn.rpartition(":")[2]
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "inbox", "Arn": arn}])
        self._seen: list[dict[str, Any]] = []

    def details(self) -> list[dict[str, Any]]:
        """The details of all events so far, in their order."""
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._seen.append(json.loads(message["Body"])["detail"])
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return self._seen

    def at_least(self, count: int) -> list[dict[str, Any]]:
        """The details of at least so many events."""
        until(lambda: len(self.details()) >= count)
        return self._seen


def commit(account: Account, repository: str, files: Mapping[str, str], branch: str = "main") -> str:
    """Write files in one commit; its id."""
    codecommit = account.client("codecommit")
    known = codecommit.list_branches(repositoryName=repository)["branches"]
    parent = {}
    if branch in known:
        tip = codecommit.get_branch(repositoryName=repository, branchName=branch)["branch"]["commitId"]
        parent = {"parentCommitId": tip}
    put = [{"filePath": path, "fileContent": text.encode()} for path, text in files.items()]
    made: str = codecommit.create_commit(repositoryName=repository, branchName=branch, putFiles=put, **parent)[
        "commitId"
    ]
    return made
