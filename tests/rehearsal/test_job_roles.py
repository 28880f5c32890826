"""Whose credentials a pipeline and its jobs use, where permissions are enforced."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal import host
from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.definitions import Building

SAGEMAKER = "sagemaker.amazonaws.com"
READ = allow("s3:GetObject", "s3:ListBucket")
WRITE = allow("s3:PutObject")
LOG = allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
START = allow("sagemaker:CreateProcessingJob", "sagemaker:CreateModelPackage")
# What a container finds: the credentials of its role, for calls of its own.
WHO = """
    import json, os, pathlib
    found = {name: name in os.environ for name in ("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL")}
    pathlib.Path(os.environ["SM_OUTPUT"], "result.json").write_text(json.dumps(found))
"""


def run(guarded: Account, job: list[dict[str, Any]], pipeline: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Run a processing step and a registration under roles with these statements; the steps."""
    building = Building(guarded)
    jobs = guarded.role("worker", SAGEMAKER, *job)
    building.role = guarded.role("starter", SAGEMAKER, *pipeline)
    step = building.measure(**more)
    step["Arguments"]["RoleArn"] = jobs
    building.pipeline([step, building.register("s3://bucket/model.tar.gz", **{"Domain": "OTHER"})])
    return building.finish(building.start())


def passing(guarded: Account) -> dict[str, Any]:
    """Leave to pass the jobs' role."""
    return allow("iam:PassRole", resource=f"arn:aws:iam::{guarded.id}:role/worker")


def test_exactly_these_grants_are_enough(guarded: Account) -> None:
    steps = run(guarded, [READ, WRITE, LOG], [START, passing(guarded)])
    assert {name: step["StepStatus"] for name, step in steps.items()} == {
        "Measure": "Succeeded",
        "Register": "Succeeded",
    }
    used = guarded.emulator.admin("used")
    assert set(used[f"arn:aws:iam::{guarded.id}:role/worker"]["used"]) == {
        *("s3:GetObject", "s3:ListBucket", "s3:PutObject"),
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    }


@pytest.mark.parametrize(
    ("job", "denied"),
    [
        ([WRITE, LOG], "s3:ListBucket"),
        ([READ, LOG], "s3:PutObject"),
        ([allow("s3:ListBucket"), WRITE, LOG], "s3:GetObject"),
    ],
)
def test_a_grant_that_the_job_lacks_fails_its_step(guarded: Account, job: list[dict[str, Any]], denied: str) -> None:
    steps = run(guarded, job, [START, passing(guarded)])
    assert steps["Measure"]["StepStatus"] == "Failed"
    assert "Access" in steps["Measure"]["FailureReason"]
    worker = f"arn:aws:iam::{guarded.id}:role/worker"
    assert denied in [item["action"] for item in guarded.emulator.admin("denials") if item["role"] == worker]


def test_the_pipeline_needs_leave_to_pass_the_role(guarded: Account) -> None:
    steps = run(guarded, [READ, WRITE, LOG], [START])
    assert "iam:PassRole" in steps["Measure"]["FailureReason"]


def test_a_role_that_does_not_trust_sagemaker_is_not_assumed(guarded: Account) -> None:
    building = Building(guarded)
    step = building.measure()
    step["Arguments"]["RoleArn"] = guarded.role("worker", "lambda.amazonaws.com", READ, WRITE, LOG)
    building.role = guarded.role("starter", SAGEMAKER, START, passing(guarded))
    building.pipeline([step])
    steps = building.finish(building.start())
    assert "sts:AssumeRole" in steps["Measure"]["FailureReason"]


def test_an_isolated_container_has_no_credentials(account: Account) -> None:
    building = Building(account)
    for isolated in (False, True):
        step = building.measure(code=WHO)
        step["Arguments"]["NetworkConfig"] = {"EnableNetworkIsolation": isolated}
        building.pipeline([step])
        execution = building.start()
        building.finish(execution)
        text = building.read(f"s3://{building.bucket}/runs/{execution.rpartition('/')[2]}/Measure/result.json").decode()
        assert ("true" in text, "false" in text) == (not isolated, isolated)


def test_another_account_serves_a_package_only_where_the_group_says_so(
    guarded: Account, enforcing: host.Emulator
) -> None:
    building = Building(guarded)
    arn = building.sagemaker.create_model_package(
        ModelPackageGroupName="models",
        InferenceSpecification=building.register("s3://bucket/model.tar.gz")["Arguments"]["InferenceSpecification"],
    )["ModelPackageArn"]
    stage = Account(enforcing, str(int(guarded.id) + 10**11))
    deployer = stage.role("deployer", "cloudformation.amazonaws.com", allow("sagemaker:*", "iam:PassRole"))
    server = stage.role("server", SAGEMAKER, READ)
    sagemaker = enforcing.as_role("sagemaker", deployer)
    request = {"PrimaryContainer": {"ModelPackageName": arn}, "ExecutionRoleArn": server}
    with pytest.raises(ClientError, match="no policy of the model package group allows it"):
        sagemaker.create_model(ModelName="m", **request)
    statement = allow("sagemaker:CreateModel", resource=arn.rpartition("/")[0] + "/*")
    policy = {"Statement": [{**statement, "Principal": {"AWS": f"arn:aws:iam::{stage.id}:root"}}]}
    building.sagemaker.put_model_package_group_policy(ModelPackageGroupName="models", ResourcePolicy=json.dumps(policy))
    sagemaker.create_model(ModelName="m", **request)
    with pytest.raises(ClientError, match="sagemaker:DescribeModelPackage"):
        sagemaker.describe_model_package(ModelPackageName=arn)
