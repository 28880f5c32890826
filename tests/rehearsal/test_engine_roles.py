"""Where permissions are enforced, each call of a pipeline and of a build is judged by the policies of its role."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kit.tests.waiting import until
from rehearsal import host
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.test_codepipeline import RELEASE, WORD, Delivery, build, deploy, stage

OWN, THERE = next_account(), next_account()
# role → what a pipeline like ours needs, and nothing else
NEEDS: dict[str, Sequence[str]] = {
    "pipeline": ("codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive", "s3:PutObject",
                 "codecommit:GetUploadArchiveStatus", "codebuild:StartBuild", "codebuild:BatchGetBuilds",
                 "sts:AssumeRole"),
    "build": ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:PutObject"),
    "deploy": ("s3:GetObject", "cloudformation:DescribeStacks", "cloudformation:CreateStack", "iam:PassRole"),
    "stack": ("ssm:PutParameter", "ssm:GetParameters", "ssm:AddTagsToResource",
              "ssm:DeleteParameter"),
}  # fmt: skip


@pytest.fixture(scope="module")
def enforced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """An emulator that enforces permissions."""
    with host.emulator(tmp_path_factory.mktemp("enforced"), enforce=True) as running:
        yield running


def allow(account: Account, role: str, actions: Sequence[str]) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("iam").put_role_policy(RoleName=role, PolicyName="needs", PolicyDocument=policy)


def make_role(account: Account, name: str, principal: dict[str, str]) -> str:
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    allow(account, name, NEEDS[name])
    return arn


@pytest.fixture(scope="module")
def delivery(enforced: host.Emulator) -> Delivery:
    """A pipeline of one account that builds there and deploys into another, with just enough permissions."""
    own, there = Account(enforced, OWN), Account(enforced, THERE)
    found = Delivery(own)
    allow(own, "pipeline", NEEDS["pipeline"])
    allow(own, "build", NEEDS["build"])
    deployer = make_role(there, "deploy", {"AWS": found.role})
    service_role = make_role(there, "stack", {"Service": "cloudformation.amazonaws.com"})
    readers = {"Effect": "Allow", "Principal": {"AWS": deployer}, "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**readers, "Resource": f"arn:aws:s3:::{found.bucket}/*"}]}
    own.client("s3").put_bucket_policy(Bucket=found.bucket, Policy=json.dumps(policy))
    project = found.project("release", RELEASE)
    release = build("Release", project, {"WORD": "#{variables.WORD}"}, outputs=["Release"], namespace="Release")
    settings = {"ParameterOverrides": '{"Word": "x"}', "RoleArn": service_role}
    away = deploy("Deploy", "away", settings, roleArn=deployer)
    found.create(stage("Release", release), stage("Deploy", away), variables=WORD)
    return found


PIPELINE = f"pipeline-{OWN}"


@pytest.fixture(scope="module")
def first(delivery: Delivery, enforced: host.Emulator) -> dict[str, Any]:
    """What the first execution did, while nothing was missing yet."""
    status, state = delivery.finished(PIPELINE), delivery.client.get_pipeline_state(name=PIPELINE)["stageStates"]
    return {"status": status, "state": state, "denials": enforced.admin("denials"), "used": enforced.admin("used")}


def test_with_what_it_needs_the_pipeline_succeeds(first: dict[str, Any]) -> None:
    assert first["status"] == "Succeeded", (first["state"], first["denials"])
    assert first["denials"] == []
    used = first["used"]
    for role, actions in NEEDS.items():
        arn = f"arn:aws:iam::{THERE if role in ('deploy', 'stack') else OWN}:role/{role}"
        assert set(used[arn]["used"]) <= set(actions)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("role", "action", "failing"),
    [
        ("pipeline", "codecommit:UploadArchive", "Source"),
        ("pipeline", "s3:PutObject", "Source"),
        ("pipeline", "codebuild:StartBuild", "Release"),
        ("pipeline", "sts:AssumeRole", "Deploy"),
        ("build", "s3:GetObject", "Release"),
        ("build", "logs:CreateLogStream", "Release"),
        ("build", "s3:PutObject", "Release"),
        ("deploy", "s3:GetObject", "Deploy"),
        ("deploy", "iam:PassRole", "Deploy"),
    ],
)
def test_without_one_of_them_it_fails_where_that_is_needed(
    delivery: Delivery, enforced: host.Emulator, role: str, action: str, failing: str
) -> None:
    account = Account(enforced, THERE if role == "deploy" else OWN)
    until(lambda: delivery.executions(PIPELINE)[-1]["status"] != "InProgress")
    if failing == "Deploy":
        cloudformation = Account(enforced, THERE).client("cloudformation")
        cloudformation.delete_stack(StackName="away")
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="away", WaiterConfig={"Delay": 0.1})
    allow(account, role, [entry for entry in NEEDS[role] if entry != action])
    try:
        delivery.client.start_pipeline_execution(name=PIPELINE)
        assert delivery.finished(PIPELINE, len(delivery.executions(PIPELINE))) == "Failed"
    finally:
        allow(account, role, NEEDS[role])
    error = delivery.action(PIPELINE, failing)["errorDetails"]
    assert action in error["message"] or action in str(_denials(enforced, role)), error
    assert action in [denial["action"] for denial in _denials(enforced, role)]


def _denials(enforced: host.Emulator, role: str) -> list[dict[str, Any]]:
    return [denial for denial in enforced.admin("denials") if denial["role"].endswith(f":role/{role}")]
