"""Calls go wrong as they are wished to, and no other call does."""

import threading
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from kit.tests.waiting import PATIENCE, until
from rehearsal.faults import edge
from rehearsal.host import Emulator
from tests.rehearsal.conftest import Account


@pytest.fixture(autouse=True)
def clean(emulator: Emulator) -> Iterator[None]:
    """No wish is left for the next test."""
    yield
    with edge.calls(emulator):
        pass


def test_a_call_is_throttled_so_many_times(emulator: Emulator, account: Account) -> None:
    client = account.client("sagemaker")
    with edge.calls(emulator, edge.throttled("ListProjects", 2)):
        for _ in range(2):
            with pytest.raises(ClientError) as caught:
                client.list_projects()
            assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        client.list_endpoints()
        client.list_projects()
        assert edge.met(emulator) == 2


def test_calls_before_those_that_are_meant_pass(emulator: Emulator, account: Account) -> None:
    client = account.client("sagemaker")
    with edge.calls(emulator, edge.throttled("ListProjects", 1) | {"after": 2}):
        client.list_projects()
        client.list_projects()
        with pytest.raises(ClientError, match="Rate exceeded"):
            client.list_projects()
        client.list_projects()


def test_a_service_that_speaks_xml_is_throttled_too(emulator: Emulator, account: Account) -> None:
    client = account.client("cloudformation")
    with edge.calls(emulator, edge.throttled("DescribeStacks")):
        for _ in range(2):
            with pytest.raises(ClientError, match="Rate exceeded") as caught:
                client.describe_stacks()
            assert caught.value.response["Error"]["Code"] == "ThrottlingException"
        client.list_stacks()
    client.describe_stacks()


def test_only_the_caller_that_is_named_is_concerned(emulator: Emulator, account: Account) -> None:
    role = account.role("slow", "sagemaker.amazonaws.com")
    with edge.calls(emulator, edge.throttled("ListProjects", caller="slow")):
        account.client("sagemaker").list_projects()
        with pytest.raises(ClientError, match="Rate exceeded"):
            emulator.as_role("sagemaker", role).list_projects()


@pytest.mark.parametrize(("hold", "groups"), [("passes", 1), ("lost", 0)])
def test_a_call_is_held_until_its_wish_is_taken_back(
    emulator: Emulator, account: Account, hold: str, groups: int
) -> None:
    client = account.client("sagemaker")
    outcomes: list[str] = []

    def make() -> None:
        try:
            client.create_model_package_group(ModelPackageGroupName="held")
            outcomes.append("made")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    with edge.calls(emulator, {"operation": "CreateModelPackageGroup", "hold": hold}):
        making = threading.Thread(target=make)
        making.start()
        until(lambda: edge.held(emulator, "CreateModelPackageGroup") == 1)
        making.join(0.1)
        assert not outcomes
    making.join(PATIENCE)
    assert outcomes == ["made" if groups else "InternalFailure"]
    assert len(client.list_model_package_groups()["ModelPackageGroupSummaryList"]) == groups


def test_a_call_stays_held_while_another_wish_comes_and_goes(emulator: Emulator, account: Account) -> None:
    client = account.client("sagemaker")
    with edge.calls(emulator, {"operation": "CreateModelPackageGroup", "hold": "passes"}):
        making = threading.Thread(target=client.create_model_package_group, kwargs={"ModelPackageGroupName": "held"})
        making.start()
        until(lambda: edge.held(emulator, "CreateModelPackageGroup") == 1)
        with edge.calls(emulator, edge.throttled("ListProjects")), pytest.raises(ClientError, match="Rate exceeded"):
            client.list_projects()
        client.list_projects()
        assert edge.held(emulator, "CreateModelPackageGroup") == 1
    making.join(PATIENCE)
    assert client.list_model_package_groups()["ModelPackageGroupSummaryList"]


def test_a_held_call_whose_caller_gives_up_is_lost(emulator: Emulator, account: Account) -> None:
    client = account.client("sagemaker")
    impatient = boto3.client(
        "sagemaker",
        "us-east-1",
        endpoint_url=emulator.address,
        aws_access_key_id=account.id,
        aws_secret_access_key=account.id,
        config=Config(read_timeout=0.3, retries={"max_attempts": 0}),
    )
    with edge.calls(emulator, {"operation": "CreateModelPackageGroup", "hold": "passes"}):
        with pytest.raises(ReadTimeoutError):
            impatient.create_model_package_group(ModelPackageGroupName="held")
        until(lambda: edge.held(emulator, "CreateModelPackageGroup") == 0)
    assert client.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
