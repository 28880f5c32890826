"""The edge to AWS, against moto: uploads once, updates in place, finds the champion, tells why an execution failed."""

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from kit.tests.pipeline.conftest import Load
from sagemaker_project_kit.pipeline import aws
from sagemaker_project_kit.pipeline.settings import SettingsError
from sagemaker_project_kit.pipeline.tables import Settings

pytestmark = pytest.mark.usefixtures("api_models")
ENVIRONMENT = {
    "ARTIFACT_BUCKET": "artifacts",
    "PIPELINE_ROLE_ARN": "arn:aws:iam::222222222222:role/pipeline",
    "MODEL_PACKAGE_GROUP": "churn-p-1",
    "SAGEMAKER_PROJECT_ID": "p-1",
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.fixture
def sagemaker(cloud: None) -> Any:
    return boto3.client("sagemaker", region_name="eu-west-1")


@pytest.fixture
def s3(cloud: None) -> Any:
    client = boto3.client("s3", region_name="eu-west-1")
    client.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return client


def test_a_laptops_stand_ins_never_reach_aws(load: Load) -> None:
    with pytest.raises(SettingsError, match="set ARTIFACT_BUCKET, PIPELINE_ROLE_ARN, MODEL_PACKAGE_GROUP"):
        aws.require_account(load())
    aws.require_account(load(environ=ENVIRONMENT))


def test_upload_sends_each_object_once_and_encrypted(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n", encoding="utf-8")
    assets = {"s3://artifacts/churn/data/1/a.csv": file}
    key = "arn:aws:kms:eu-west-1:222222222222:key/1"
    assert aws.upload(s3, assets, key) == list(assets)
    assert aws.upload(s3, assets, key) == []
    head = s3.head_object(Bucket="artifacts", Key="churn/data/1/a.csv")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)


def test_upsert_creates_then_updates(sagemaker: Any, load: Load) -> None:
    settings: Settings = load(environ=ENVIRONMENT)
    first = aws.upsert(sagemaker, settings, '{"Version": "2020-12-01", "Steps": [], "Parameters": []}')
    second = aws.upsert(sagemaker, settings, '{"Version": "2020-12-01", "Steps": [], "Parameters": [], "Metadata": {}}')
    assert first == second
    described = sagemaker.describe_pipeline(PipelineName="churn-p-1-training")
    assert "Metadata" in described["PipelineDefinition"]
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=second)["Tags"]}
    assert tags == settings.tags


def _register(sagemaker: Any, model: str) -> str:
    container = {"Image": "222222222222.dkr.ecr.eu-west-1.amazonaws.com/x:1", "ModelDataUrl": f"s3://artifacts/{model}"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    registered = sagemaker.create_model_package(
        ModelPackageGroupName="churn-p-1",
        InferenceSpecification=specification,
        ModelApprovalStatus="PendingManualApproval",
    )
    return str(registered["ModelPackageArn"])


def test_the_champion_is_the_version_approved_last(sagemaker: Any) -> None:
    assert aws.champion(sagemaker, "churn-p-1") is None
    sagemaker.create_model_package_group(ModelPackageGroupName="churn-p-1")
    first, second = _register(sagemaker, "1.tar.gz"), _register(sagemaker, "2.tar.gz")
    assert aws.champion(sagemaker, "churn-p-1") is None
    for arn in (second, first):  # the older version is approved last: a rollback
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    assert aws.champion(sagemaker, "churn-p-1") == aws.Champion(first, "s3://artifacts/1.tar.gz")


def test_a_failure_for_want_of_the_champions_data_names_its_version_and_the_way_out() -> None:
    arn, uri = "arn:aws:sagemaker:eu-west-1:222222222222:model-package/churn-p-1/7", "s3://artifacts/7.tar.gz"
    champion = aws.Champion(arn, uri)
    told = str(champion.explain(aws.ExecutionFailedError(f"Evaluate: no S3 objects found under {uri}")))
    assert told.startswith(f"Evaluate: no S3 objects found under {uri}")
    assert "version 7 of churn-p-1" in told
    assert f"update-model-package --model-package-arn {arn} --model-approval-status Rejected" in told
    other = aws.ExecutionFailedError("Train: no capacity")
    assert champion.explain(other) is other


def test_a_version_that_is_deleted_after_it_was_listed_is_no_champion(
    sagemaker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="churn-p-1")
    kept, deleted = _register(sagemaker, "1.tar.gz"), _register(sagemaker, "2.tar.gz")
    for arn in (kept, deleted):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    describe = sagemaker.describe_model_package

    def missing(ModelPackageName: str) -> Any:  # noqa: N803 - the API's name
        if ModelPackageName == deleted:
            details: Any = {"Code": "ValidationException", "Message": f"ModelPackage {deleted} does not exist"}
            raise ClientError({"Error": details}, "DescribeModelPackage")
        return describe(ModelPackageName=ModelPackageName)

    monkeypatch.setattr(sagemaker, "describe_model_package", missing)
    assert aws.champion(sagemaker, "churn-p-1") == aws.Champion(kept, "s3://artifacts/1.tar.gz")


def _watched(
    statuses: list[tuple[str, list[dict[str, Any]]]], sleep: Callable[[float], None] = lambda _: None
) -> Iterator[list[aws.Step]]:
    """An execution as SageMaker's API would report it, poll by poll; botocore checks every field."""
    client = boto3.client("sagemaker", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(client)
    for status, steps in statuses:
        stub.add_response(
            "describe_pipeline_execution", {"PipelineExecutionStatus": status, "FailureReason": "a step failed"}
        )
        stub.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": steps})
    with stub:
        execution = "arn:aws:sagemaker:eu-west-1:222222222222:pipeline/p/execution/abcdefghijkl"
        yield from aws.watch(client, execution, sleep=sleep)
    stub.assert_no_pending_responses()


def _step(status: str, reason: str = "") -> dict[str, Any]:
    started = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return {"StepName": "Train", "StepStatus": status, "StartTime": started} | (
        {"FailureReason": reason} if reason else {}
    )


def test_watch_tells_each_change_once() -> None:
    polls = [
        ("Executing", [_step("Executing")]),
        ("Executing", [_step("Executing")]),
        ("Succeeded", [_step("Succeeded")]),
    ]
    assert [[step.status for step in steps] for steps in _watched(polls)] == [["Executing"], ["Succeeded"]]


def test_watch_looks_less_often_the_longer_it_lasts() -> None:
    pauses: list[float] = []
    list(_watched([*[("Executing", [_step("Executing")])] * 30, ("Succeeded", [])], pauses.append))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (aws.FIRST_POLL_SECONDS, aws.POLL_SECONDS)


def test_a_failed_execution_names_step_and_reason() -> None:
    with pytest.raises(aws.ExecutionFailedError, match="failed: Train: no capacity"):
        list(_watched([("Failed", [_step("Failed", "no capacity")])]))
    with pytest.raises(aws.ExecutionFailedError, match="stopped: a step failed"):
        list(_watched([("Stopped", [])]))
