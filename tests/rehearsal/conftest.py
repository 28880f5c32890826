"""One emulator for the session, an account of its own for each test."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from rich.console import Console

from kit.tests.waiting import until
from rehearsal import host
from rehearsal.story import STORY
from rehearsal.story.rehearse import rehearse
from rehearsal.story.world import Options
from tests.numbers import next_account

Size = Literal["small", "medium"]
# As long as a project's name may be, with upper case and a digit first; the other story has the usual name.
NAMES = {"small": Options.name, "medium": "9-Lives-OF-a-Customer-in-NORTH-1"}
# A whole story through each channel: one account takes the template from S3, three take it from Service Catalog.
CHANNELS: dict[str, Literal["catalog", "s3"]] = {"small": "s3", "medium": "catalog"}


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """A running emulator; permissions are not enforced."""
    with host.emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """A running emulator that checks every call."""
    with host.emulator(tmp_path_factory.mktemp("enforcing"), enforce=True) as running:
        yield running


def allow(*actions: str, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    """A statement that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


class Account:
    """An account of the emulator that nothing else uses: clients to it, and what tests do in it."""

    def __init__(self, running: host.Emulator, number: str) -> None:
        self.emulator, self.id = running, number

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """A client as the account's root."""
        return self.emulator.client(service, self.id, region)

    def store(self, name: str, content: str | bytes | dict[str, Any]) -> str:
        """Put an object into a bucket of this account; its https URL."""
        bucket = f"bucket-of-{self.id}"
        s3 = self.client("s3")
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=name, Body=json.dumps(content) if isinstance(content, dict) else content)
        return f"https://{bucket}.s3.us-east-1.amazonaws.com/{name}"

    def role(self, name: str, service: str, *statements: dict[str, Any], **more: Any) -> str:
        """Make a role that a service and this account's root may assume; its ARN."""
        principal = {"Service": service, "AWS": f"arn:aws:iam::{self.id}:root"}
        trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
        iam = self.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more)["Role"]
        if statements:
            policy = {"Version": "2012-10-17", "Statement": list(statements)}
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return str(made["Arn"])

    def stack(self, name: str, template: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
        """Make a stack and wait for it to settle."""
        body = json.dumps(template) if isinstance(template, dict) else template
        given = {"TemplateURL": self.store(f"{name}.yaml", body)} if len(body) > 51200 else {"TemplateBody": body}
        formation = self.client("cloudformation")
        formation.create_stack(StackName=name, Capabilities=["CAPABILITY_NAMED_IAM"], **given, **more)
        return self.settled(name)

    def settled(self, name: str) -> dict[str, Any]:
        """A stack once nothing is in progress."""
        formation = self.client("cloudformation")

        def stack() -> dict[str, Any] | None:
            found: dict[str, Any] = formation.describe_stacks(StackName=name)["Stacks"][0]
            return None if found["StackStatus"].endswith("_IN_PROGRESS") else found

        return until(stack) or {}

    def reasons(self, name: str) -> str:
        """Why resources of a stack failed."""
        events = self.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        return "\n".join(
            event.get("ResourceStatusReason", "") for event in events if "FAILED" in event["ResourceStatus"]
        )


@pytest.fixture
def account(emulator: host.Emulator) -> Account:
    """An account of this test's own."""
    return Account(emulator, next_account())


@pytest.fixture
def guarded(enforcing: host.Emulator) -> Account:
    """An account of this test's own, where permissions are enforced."""
    return Account(enforcing, next_account())


@pytest.fixture(scope="session")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Size], Path]:
    """The folder of the whole story in one account or in three, each played once for all tests that look at it.

    In one account, tags, new roles and new policies count as late as on AWS.
    """

    @functools.cache
    def played(size: Size) -> Path:
        folder = tmp_path_factory.mktemp(size)
        with (folder / "shown").open("w") as shown:
            options = Options(size=size, name=NAMES[size], channel=CHANNELS[size])
            return rehearse(STORY, options, Console(file=shown), folder)

    return played


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for an emulator of this test's own."""
    return tmp_path / "emulator"
