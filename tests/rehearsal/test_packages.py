"""The model registry: versions, approval, lists, and the events that the deploy half waits for."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from tests.infrastructure.events import recorded
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox

SPECIFICATION = {
    "Containers": [{"Image": "image:1", "ModelDataUrl": "s3://bucket/model.tar.gz", "Environment": {"A": "b"}}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


def register(sagemaker: Any, **more: Any) -> str:
    """A version in the group `models`; its ARN."""
    answer = sagemaker.create_model_package(
        ModelPackageGroupName="models", InferenceSpecification=SPECIFICATION, **more
    )
    return str(answer["ModelPackageArn"])


@pytest.fixture
def sagemaker(account: Account) -> Any:
    """An account with the group `models`."""
    client = account.client("sagemaker")
    client.create_model_package_group(ModelPackageGroupName="models")
    return client


def test_every_field_is_kept(sagemaker: Any) -> None:
    fields = {
        "ModelPackageDescription": "churn",
        "CustomerMetadataProperties": {"git_commit": "abc", "contract_uri": "s3://bucket/contract"},
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/e.json"}}
        },
        "ModelCard": {"ModelCardContent": json.dumps({"model_overview": {}}), "ModelCardStatus": "Draft"},
        "DriftCheckBaselines": {"Bias": {"ConfigFile": {"S3Uri": "s3://bucket/bias.json"}}},
        "MetadataProperties": {"GeneratedBy": "me"},
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://bucket/sample.tar.gz",
    }
    arn = register(sagemaker, **fields)
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    assert {name: found[name] for name in fields} == fields
    assert found["InferenceSpecification"] == SPECIFICATION
    assert (found["ModelPackageVersion"], found["ModelApprovalStatus"]) == (1, "PendingManualApproval")
    assert found["ModelPackageStatus"] == "Completed"
    assert arn.endswith(":model-package/models/1")


def test_a_number_is_never_given_twice(sagemaker: Any) -> None:
    arns = [register(sagemaker) for _ in range(2)]
    sagemaker.delete_model_package(ModelPackageName=arns[1])
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package(ModelPackageName=arns[1])
    assert register(sagemaker).endswith("/3")


def test_lists_filter_sort_and_page(sagemaker: Any) -> None:
    arns = [register(sagemaker) for _ in range(13)]
    for arn in arns[:11]:
        sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    first = sagemaker.list_model_packages(ModelPackageGroupName="models")
    assert len(first["ModelPackageSummaryList"]) == 10
    pages = sagemaker.get_paginator("list_model_packages")

    def listed(**more: Any) -> list[int]:
        found = pages.paginate(ModelPackageGroupName="models", **more)
        return [each["ModelPackageVersion"] for page in found for each in page["ModelPackageSummaryList"]]

    assert listed() == list(range(1, 14))
    assert listed(SortOrder="Descending") == list(range(13, 0, -1))
    assert listed(ModelApprovalStatus="Approved") == list(range(1, 12))
    moment = sagemaker.describe_model_package(ModelPackageName=arns[9])["CreationTime"]
    assert listed(CreationTimeAfter=moment) == [11, 12, 13]
    assert listed(CreationTimeBefore=moment) == list(range(1, 10))
    assert sagemaker.list_model_packages()["ModelPackageSummaryList"] == []


def test_what_sagemaker_refuses(sagemaker: Any) -> None:
    with pytest.raises(ClientError, match=r"ModelPackageGroup .* does not exist"):
        sagemaker.create_model_package(ModelPackageGroupName="none", InferenceSpecification=SPECIFICATION)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_model_packages(ModelPackageGroupName="none")
    with pytest.raises(ClientError, match="Both ModelPackageName and ModelPackageGroupName"):
        register(sagemaker, ModelPackageName="own")
    with pytest.raises(ClientError, match=r"Member must satisfy enum value set: \[Approved, Rejected"):
        register(sagemaker, ModelApprovalStatus="Fine")
    with pytest.raises(ClientError, match="less than or equal to"):
        register(sagemaker, CustomerMetadataProperties={"a": "b" * 257})
    register(sagemaker)
    with pytest.raises(ClientError, match="still has model packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="models")


def test_a_token_registers_once(sagemaker: Any) -> None:
    token = "a" * 36
    assert register(sagemaker, ClientToken=token) == register(sagemaker, ClientToken=token)
    assert register(sagemaker).endswith("/2")


def test_metadata_is_edited_and_removed(sagemaker: Any) -> None:
    arn = register(sagemaker, CustomerMetadataProperties={"a": "1", "b": "2"})
    before = sagemaker.describe_model_package(ModelPackageName=arn)
    sagemaker.update_model_package(
        ModelPackageArn=arn, CustomerMetadataProperties={"c": "3"}, CustomerMetadataPropertiesToRemove=["a"]
    )
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected", ApprovalDescription="too slow")
    after = sagemaker.describe_model_package(ModelPackageName=arn)
    assert after["CustomerMetadataProperties"] == {"b": "2", "c": "3"}
    assert (after["ModelApprovalStatus"], after["ApprovalDescription"]) == ("Rejected", "too slow")
    assert after["LastModifiedTime"] > before["LastModifiedTime"]


def test_events_name_what_changed(account: Account, sagemaker: Any) -> None:
    inbox = Inbox(account, {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"]})
    arn = register(sagemaker)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"a": "1"})
    details = until(lambda: found if len(found := inbox.details()) == 3 else None) or []
    assert [detail["UpdatedModelPackageFields"] for detail in details] == [
        [],
        ["ModelApprovalStatus"],
        ["CustomerMetadataProperties"],
    ]
    assert [detail["ModelApprovalStatus"] for detail in details] == ["PendingManualApproval", "Approved", "Approved"]
    for name, detail in zip(("model-package-registered", "model-package-approved"), details, strict=False):
        expected = recorded()[name]["detail"]
        assert expected.keys() <= detail.keys()
        assert {key: type(value) for key, value in expected.items()} == {key: type(detail[key]) for key in expected}
    assert details[0]["ModelPackageName"] == "models/1"


def test_another_account_can_read_by_the_arn(account: Account, sagemaker: Any) -> None:
    arn = register(sagemaker)
    other = account.emulator.client("sagemaker", "222222222222")
    assert other.describe_model_package(ModelPackageName=arn)["ModelPackageVersion"] == 1
    with pytest.raises(ClientError, match="does not exist"):
        other.describe_model_package(ModelPackageName=arn.replace(account.id, "222222222222"))
