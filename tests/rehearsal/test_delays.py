"""What was just written does not count yet where permissions are decided, and a new project does not depend on it."""

import copy
import itertools
import json
import time
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from rehearsal import host
from service_catalog import joiner, names
from tests.infrastructure.cloudformation import load
from tests.numbers import next_account
from tests.rehearsal.conftest import Account, allow

TABLE = host.ROOT / "rehearsal" / "emulator" / "delays.toml"
PROJECT = host.ROOT / "{{cookiecutter.project_slug}}"
PACE = 100
TAGGED = {"StringEquals": {"aws:ResourceTag/team": "mine"}}


@pytest.fixture(scope="module")
def delayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """A running emulator that checks every call, and where what is written counts late."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", str(PACE))
        with host.emulator(tmp_path_factory.mktemp("delayed"), enforce=True, delays=True) as running:
            yield running


@pytest.fixture
def late(delayed: host.Emulator) -> Account:
    """An account of this test's own, where what is written counts late."""
    return Account(delayed, next_account())


def allowed(call: Any, **request: Any) -> bool:
    """Whether a call is allowed; whatever else it may answer."""
    try:
        call(**request)
    except ClientError as error:
        return "AccessDenied" not in error.response["Error"]["Code"]
    return True


def test_each_delay_has_a_public_source() -> None:
    delays = tomllib.loads(TABLE.read_text(encoding="utf-8"))["delay"]
    assert {each["what"] for each in delays} == {"tags", "aliases", "policies", "roles"}
    for each in delays:
        assert each["source"].startswith(("https://docs.aws.amazon.com/", "https://github.com/")), each
        assert each["seconds"] > 0 and each["says"], each


def waited(since: float, begin: Callable[[], bool]) -> float:
    """After how many seconds something was begun that came out as it should, begun again and again."""
    begun = []

    def again() -> bool:
        begun.append(time.monotonic() - since)
        return begin()

    until(again)
    return begun[-1]


def test_the_tags_of_a_key_count_after_five_minutes(late: Account) -> None:
    role = late.role("r", "a.amazonaws.com", allow("kms:DescribeKey", **TAGGED), allow("kms:ListAliases"))
    api = late.emulator.as_role("kms", role)
    until(lambda: allowed(api.list_aliases))  # its policy counts by then
    root = {"AWS": f"arn:aws:iam::{late.id}:root"}
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]})
    tags = [{"TagKey": "team", "TagValue": "mine"}]
    key = late.client("kms").create_key(Policy=policy, Tags=tags)["KeyMetadata"]["KeyId"]
    assert waited(time.monotonic(), lambda: allowed(api.describe_key, KeyId=key)) >= 0.9 * 300 / PACE

    late.client("kms").tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "other"}])
    assert waited(time.monotonic(), lambda: not allowed(api.describe_key, KeyId=key)) >= 0.9 * 300 / PACE


def test_the_tags_of_a_queue_count_after_a_minute(late: Account) -> None:
    role = late.role("r", "a.amazonaws.com", allow("sqs:GetQueueAttributes", **TAGGED), allow("sqs:ListQueues"))
    api = late.emulator.as_role("sqs", role)
    until(lambda: allowed(api.list_queues))
    made = time.monotonic()
    url = late.client("sqs").create_queue(QueueName="q", tags={"team": "mine"})["QueueUrl"]
    assert waited(made, lambda: allowed(api.get_queue_attributes, QueueUrl=url)) >= 60 / PACE


def test_a_new_policy_counts_after_a_minute(late: Account) -> None:
    made = time.monotonic()
    role = late.role("r", "a.amazonaws.com", allow("s3:ListAllMyBuckets"))
    api = late.emulator.as_role("s3", role)
    assert waited(made, lambda: allowed(api.list_buckets)) >= 60 / PACE


def test_whom_a_role_trusts_counts_for_services_after_half_a_minute(late: Account) -> None:
    role = late.role("r", "a.amazonaws.com", allow("sns:*"))
    api = late.emulator.as_role("sns", role)
    until(lambda: allowed(api.list_topics))
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}}}
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = time.monotonic()
    late.client("iam").update_assume_role_policy(RoleName="r", PolicyDocument=json.dumps({"Statement": [trust]}))
    stacks = (f"stack-{number}" for number in itertools.count())

    def stack() -> bool:
        return str(late.stack(next(stacks), topic, RoleARN=role)["StackStatus"]) == "CREATE_COMPLETE"

    assert waited(made, stack) >= 30 / PACE


def key_with(statements: tuple[str, ...]) -> dict[str, Any]:
    """A project's key and its alias as the product makes them, with those statements of its policy alone."""
    resources = copy.deepcopy(load(joiner.template("product.yaml").text)["Resources"])
    key = resources["Key"]
    policy = key["Properties"]["KeyPolicy"]
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] in statements]
    given = {name: {"Type": "String", "Default": "x"} for name in ("Owner", "CostCenter", "SageMakerProjectName")}
    given["SageMakerProjectId"] = {"Type": "String", "Default": "p-1"}
    return {"Parameters": given, "Resources": {"Key": key, "KeyAlias": resources["KeyAlias"]}}


def maker(late: Account, name: str, path: str, statements: list[Any], given: dict[str, Any]) -> str:
    """A role of CloudFormation with statements out of a template: its ARN. A stack makes it, so it counts at once."""
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policy = {"PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    role = {
        "RoleName": name,
        "Path": path,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "ManagedPolicyArns": [{"Ref": "Policy"}],
    }
    resources = {
        "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": policy},
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
    }
    made = late.stack("roles", {"Parameters": given, "Resources": resources})
    assert made["StackStatus"] == "CREATE_COMPLETE", late.reasons("roles")
    return f"arn:aws:iam::{late.id}:role{path}{name}"


@pytest.fixture
def launching(late: Account) -> str:
    """The launch role with what the portfolio lets it do with data."""
    data = load(joiner.template("portfolio.yaml").text)["Resources"]["LaunchOfData"]
    statements = data["Properties"]["PolicyDocument"]["Statement"]
    return maker(late, names.LAUNCH_ROLE, "/sagemaker-projects/", statements, {})


OF_THE_LAUNCH_ROLE = ("TheLaunchRoleNeedsNoTag", "TheLaunchRoleLendsItToServices")


def test_a_new_projects_key_is_the_launch_roles_before_its_tag_counts(late: Account, launching: str) -> None:
    template = key_with(("IamOfThisAccountDecides", *OF_THE_LAUNCH_ROLE))
    stack = late.stack("project", template, RoleARN=launching)
    assert stack["StackStatus"] == "CREATE_COMPLETE", late.reasons("project")


def test_without_the_keys_own_policy_it_would_not_be(late: Account, launching: str) -> None:
    stack = late.stack("project", key_with(("IamOfThisAccountDecides",)), RoleARN=launching)
    assert stack["StackStatus"].startswith("ROLLBACK")
    assert "kms:EnableKeyRotation" in late.reasons("project")


def test_a_stages_queue_is_its_roles_before_its_tag_counts(late: Account) -> None:
    """The queue of batch predictions, under what CloudFormation's role in a stage may do with queues."""
    stage = load(joiner.template("stage.yaml").text)["Resources"].values()
    policies = [each["Properties"]["PolicyDocument"]["Statement"] for each in stage if "ManagedPolicy" in each["Type"]]
    of_queues = [one for each in policies for one in each if ":sqs:" in str(one.get("Resource"))]
    given = {name: {"Type": "String", "Default": name.lower()[:8]} for name in ("SageMakerProjectId", "StageName")}
    role = maker(late, "cloudformation", "/", of_queues, given)
    batch = load((PROJECT / "model_deploy" / "batch.yaml").read_text(encoding="utf-8"))["Resources"]
    queue = copy.deepcopy(batch["LostMessages"])
    del queue["Properties"]["KmsMasterKeyId"]  # a parameter
    policy = {"Queues": [{"Ref": "LostMessages"}], "PolicyDocument": {"Version": "2012-10-17", "Statement": []}}
    resources = {"LostMessages": queue, "LostMessagesPolicy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}}
    tags = [{"Key": "sagemaker:deployment-stage", "Value": given["StageName"]["Default"]}]
    stack = late.stack("batch", {"Parameters": given, "Resources": resources}, RoleARN=role, Tags=tags)
    assert stack["StackStatus"] == "CREATE_COMPLETE", late.reasons("batch")
