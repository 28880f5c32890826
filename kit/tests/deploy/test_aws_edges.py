"""The edges to AWS against strict stubs: exactly these calls, each parameter and answer checked by botocore."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from moto import mock_aws

from kit.tests.deploy.conftest import GROUP, NOON, REGION, STAGING, TOOLING, arn, content, stubbed
from sagemaker_project_kit.deploy import endpoint, quotas
from sagemaker_project_kit.deploy.endpoint import Endpoint, Variant
from sagemaker_project_kit.deploy.errors import EndpointError, RegistryError, StoreError
from sagemaker_project_kit.deploy.history import History, Release
from sagemaker_project_kit.deploy.registry import SageMakerRegistry
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.store import S3Store
from sagemaker_project_kit.deploy.target import AsyncTarget, EndpointTarget

NAME = "churn-p-1-staging"
MISSING = ("ValidationException", 'Could not find endpoint "arn:…".', 400)
DENIED = ("AccessDeniedException", "User is not authorized", 403)
THROTTLED = ("ThrottlingException", "Rate exceeded", 400)
LIST = {"ModelPackageGroupName": GROUP, "ModelApprovalStatus": "Approved"}


def summary(version: int) -> dict[str, Any]:
    return {
        "ModelPackageArn": arn(version),
        "ModelPackageGroupName": GROUP,
        "ModelPackageVersion": version,
        "CreationTime": NOON,
        "ModelPackageStatus": "Completed",
    }


# --- registry --------------------------------------------------------------------------------------------------------


def test_approved_packages_are_listed_over_pages_and_described() -> None:
    calls = (
        ("list_model_packages", LIST, {"ModelPackageSummaryList": [summary(2)], "NextToken": "more"}),
        ("list_model_packages", {**LIST, "NextToken": "more"}, {"ModelPackageSummaryList": [summary(1)]}),
        ("describe_model_package", {"ModelPackageName": arn(2)}, content(2)),
        ("describe_model_package", {"ModelPackageName": arn(1)}, content(1)),
    )
    with stubbed("sagemaker", *calls) as client:
        found = SageMakerRegistry(client).approved(GROUP)
    assert [package.version for package in found] == [2, 1]
    assert found[0].approved_at == NOON
    assert found[0].contract_uri == "s3://artifacts/churn/contract/2"


@pytest.mark.parametrize(
    "answer",
    [("ValidationException", "ModelPackage arn:… does not exist.", 400), content(2, "Rejected")],
    ids=["deleted", "rejected"],
)
def test_a_version_that_goes_between_list_and_describe_is_left_out(answer: Any) -> None:
    calls = (
        ("list_model_packages", LIST, {"ModelPackageSummaryList": [summary(2), summary(1)]}),
        ("describe_model_package", {"ModelPackageName": arn(2)}, answer),
        ("describe_model_package", {"ModelPackageName": arn(1)}, content(1)),
    )
    with stubbed("sagemaker", *calls) as client:
        assert [package.version for package in SageMakerRegistry(client).approved(GROUP)] == [1]


def test_a_group_that_is_not_there_yet_has_no_packages() -> None:
    answer = ("ValidationException", "ModelPackageGroup churn-p-1 does not exist.", 400)
    with stubbed("sagemaker", ("list_model_packages", LIST, answer)) as client:
        assert SageMakerRegistry(client).approved(GROUP) == []


@pytest.mark.parametrize("answer", [DENIED, THROTTLED], ids=["denied", "throttled"])
def test_other_errors_of_the_registry_are_not_taken_for_absence(answer: Any) -> None:
    calls = (("list_model_packages", LIST, answer),)
    with stubbed("sagemaker", *calls) as client, pytest.raises(ClientError, match=answer[1]):
        SageMakerRegistry(client).approved(GROUP)
    with (
        stubbed("sagemaker", ("describe_model_package", {"ModelPackageName": arn(1)}, answer)) as client,
        pytest.raises(ClientError, match=answer[1]),
    ):
        SageMakerRegistry(client).describe(arn(1))


def test_a_deleted_package_is_told_with_its_arn() -> None:
    answer = ("ValidationException", "ModelPackage does not exist", 400)
    calls = (("describe_model_package", {"ModelPackageName": arn(9)}, answer),)
    with stubbed("sagemaker", *calls) as client, pytest.raises(RegistryError, match=f"{arn(9)} does not exist"):
        SageMakerRegistry(client).describe(arn(9))


def test_an_unexpected_call_fails() -> None:
    with pytest.raises(Exception, match="DescribeModelPackage"), stubbed("sagemaker") as client:
        SageMakerRegistry(client).describe(arn(1))


# --- endpoint --------------------------------------------------------------------------------------------------------


def described(status: str = "InService", **more: Any) -> dict[str, Any]:
    return {
        "EndpointName": NAME,
        "EndpointArn": f"arn:aws:sagemaker:{REGION}:{STAGING}:endpoint/{NAME}",
        "EndpointConfigName": "config-1",
        "EndpointStatus": status,
        "CreationTime": NOON,
        "LastModifiedTime": NOON,
    } | more


def endpoint_config(*variants: tuple[str, str], **more: Any) -> dict[str, Any]:
    return {
        "EndpointConfigName": "config-1",
        "EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{STAGING}:endpoint-config/config-1",
        "ProductionVariants": [
            {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
            for name, model in variants
        ],
        "CreationTime": NOON,
    } | more


def model(name: str, container: dict[str, Any]) -> dict[str, Any]:
    model_arn = f"arn:aws:sagemaker:{REGION}:{STAGING}:model/{name}"
    return {"ModelName": name, "ModelArn": model_arn, "CreationTime": NOON, "PrimaryContainer": container}


def looks(status: str = "InService", package: str = arn(1), **more: Any) -> list[tuple[str, dict[str, Any], Any]]:
    return [
        ("describe_endpoint", {"EndpointName": NAME}, described(status, **more)),
        ("describe_endpoint_config", {"EndpointConfigName": "config-1"}, endpoint_config(("AllTraffic", "model-1"))),
        ("describe_model", {"ModelName": "model-1"}, model("model-1", {"ModelPackageName": package})),
    ]


def test_an_endpoint_tells_what_it_runs_and_captures() -> None:
    capture = {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 20,
        "DestinationS3Uri": "s3://artifacts/datacapture/staging",
        "KmsKeyId": "key",
    }
    with stubbed("sagemaker", *looks(DataCaptureConfig=capture)) as client:
        found = endpoint.find(client, NAME)
    assert found is not None
    assert found.champion == Variant("AllTraffic", arn(1), "", "ml.m5.large")
    assert (found.capture_uri, found.capture_percent, found.is_async) == (
        "s3://artifacts/datacapture/staging",
        20,
        False,
    )


def test_capture_that_is_switched_off_is_none() -> None:
    capture = {
        "EnableCapture": False,
        "CaptureStatus": "Stopped",
        "CurrentSamplingPercentage": 20,
        "DestinationS3Uri": "s3://artifacts/datacapture/staging",
        "KmsKeyId": "key",
    }
    with stubbed("sagemaker", *looks(DataCaptureConfig=capture)) as client:
        found = endpoint.find(client, NAME)
    assert found is not None
    assert found.capture_uri == ""


def test_no_endpoint_is_no_error_before_the_first_release() -> None:
    with stubbed("sagemaker", ("describe_endpoint", {"EndpointName": NAME}, MISSING)) as client:
        assert endpoint.find(client, NAME) is None
    endpoint.require_idle(None)


def test_a_denied_look_is_not_taken_for_absence() -> None:
    call = ("describe_endpoint", {"EndpointName": NAME}, DENIED)
    with stubbed("sagemaker", call) as client, pytest.raises(ClientError, match="not authorized"):
        endpoint.find(client, NAME)


def live(status: str = "InService", package: str = "", data: str = "", reason: str = "") -> Endpoint:
    variants = {"AllTraffic": Variant("AllTraffic", package, data, "ml.m5.large")}
    return Endpoint(NAME, status, reason, "config-1", variants)


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"])
def test_an_endpoint_already_updating_is_left_alone(status: str) -> None:
    with pytest.raises(EndpointError, match=f"endpoint {NAME} is {status} right now: wait until it is InService"):
        endpoint.require_idle(live(status))


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed"])
def test_an_endpoint_beyond_update_is_told_with_its_reason(status: str) -> None:
    with pytest.raises(EndpointError, match=r"takes no update \(FailureReason: no capacity\)"):
        endpoint.require_idle(live(status, reason="no capacity"))


def test_the_released_package_is_recognised() -> None:
    assert endpoint.require_released(live(package=arn(2)), arn(2), "s3://m").package_arn == arn(2)
    assert endpoint.require_released(live(data="s3://m"), arn(2), "s3://m").model_data == "s3://m"


def test_a_silent_rollback_is_a_failure_that_names_the_reason() -> None:
    with pytest.raises(EndpointError) as caught:
        endpoint.require_released(live(package=arn(1), reason="alarm 5xx went off"), arn(2), "s3://m")
    sentence = str(caught.value)
    assert (
        f"is InService but runs {arn(1)} instead of the released {arn(2)}: the deployment was rolled back" in sentence
    )
    assert "FailureReason: alarm 5xx went off" in sentence


def test_a_failed_endpoint_is_a_failure_that_names_the_reason() -> None:
    with pytest.raises(EndpointError, match="is Failed: FailureReason: no capacity"):
        endpoint.require_released(live("Failed", arn(2), reason="no capacity"), arn(2), "s3://m")


def test_an_endpoint_without_the_champions_variant_is_a_failure() -> None:
    empty = Endpoint(NAME, "InService", "", "config-1", {})
    with pytest.raises(EndpointError, match="runs no variant AllTraffic"):
        endpoint.require_released(empty, arn(1), "s3://m")


def test_an_update_is_waited_for() -> None:
    naps: list[float] = []
    with stubbed("sagemaker", *looks("Updating"), *looks("Updating"), *looks()) as client:
        found = endpoint.wait(client, NAME, 600, sleep=naps.append)
    assert found.status == "InService"
    assert naps == [endpoint.POLL_SECONDS] * 2


def test_an_update_is_waited_for_no_longer_than_allowed() -> None:
    times = iter([0.0, 5.0, 11.0])
    with (
        stubbed("sagemaker", *looks("Updating"), *looks("Updating")) as client,
        pytest.raises(EndpointError, match="is still Updating after 10 s"),
    ):
        endpoint.wait(client, NAME, 10, sleep=lambda _: None, clock=lambda: next(times))


def test_an_endpoint_that_is_gone_is_told() -> None:
    with (
        stubbed("sagemaker", ("describe_endpoint", {"EndpointName": NAME}, MISSING)) as client,
        pytest.raises(EndpointError, match=f"there is no endpoint {NAME}"),
    ):
        endpoint.wait(client, NAME, 10)


# --- quotas ----------------------------------------------------------------------------------------------------------


def quota(name: str, value: float) -> dict[str, Any]:
    return {"ServiceCode": "sagemaker", "QuotaName": name, "Value": value}


def test_quotas_tell_which_instance_types_a_region_has() -> None:
    asked = {"ServiceCode": "sagemaker", "MaxResults": 100}
    usual = {"Quotas": [quota("ml.m5.large for endpoint usage", 2), quota("ml.c5.large for endpoint usage", 1)]}
    applied = {"Quotas": [quota("ml.m5.large for endpoint usage", 4), quota("ml.m5.large for training job usage", 8)]}
    calls = (("list_aws_default_service_quotas", asked, usual), ("list_service_quotas", asked, applied))
    with stubbed("service-quotas", *calls) as client:
        found = quotas.read(client)
    assert found == {"ml.m5.large": 4, "ml.c5.large": 1}
    assert quotas.problem(found, "ml.m5.large", 4, REGION) == ""
    assert quotas.problem(found, "ml.m5.large", 6, REGION).startswith(
        "6 of ml.m5.large are needed and the account's quota"
    )
    assert quotas.problem(found, "ml.m5.larg", 1, REGION) == (
        "eu-west-1 has no ml.m5.larg for endpoints; did you mean 'ml.m5.large'?"
    )


def test_quotas_that_may_not_be_read_claim_nothing() -> None:
    with stubbed("service-quotas", ("list_aws_default_service_quotas", None, DENIED)) as client:
        assert quotas.read(client) is None
    assert quotas.problem(None, "ml.any", 1, REGION) == ""


# --- invocation ------------------------------------------------------------------------------------------------------


def body(text: bytes) -> StreamingBody:
    return StreamingBody(io.BytesIO(text), len(text))


def test_an_invocation_names_variant_and_content_types() -> None:
    asked = {
        "EndpointName": NAME,
        "TargetVariant": "AllTraffic",
        "Body": b"{}",
        "ContentType": "application/json",
        "Accept": "text/csv",
    }
    answered = {"Body": body(b"1"), "ContentType": "text/csv; charset=utf-8"}
    with stubbed("sagemaker-runtime", ("invoke_endpoint", asked, answered)) as client:
        answer = EndpointTarget(client, NAME, "AllTraffic").invoke(b"{}", "application/json", "text/csv")
    assert (answer.status, answer.body, answer.kind) == (200, b"1", "text/csv")


def test_the_status_of_the_container_counts_not_that_of_the_service() -> None:
    client = boto3.client("sagemaker-runtime", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        modeled = {"OriginalStatusCode": 415, "OriginalMessage": "not supported"}
        stub.add_client_error("invoke_endpoint", "ModelError", "Received 415", 424, modeled_fields=modeled)
        answer = EndpointTarget(client, NAME).invoke(b"<x/>", "application/xml", "text/csv")
    assert (answer.status, answer.excerpt) == (415, "not supported")


def test_a_throttled_invocation_is_an_answer_like_any_other() -> None:
    with stubbed(
        "sagemaker-runtime", ("invoke_endpoint", None, ("ThrottlingException", "Rate exceeded", 429))
    ) as client:
        answer = EndpointTarget(client, NAME).invoke(b"{}", "application/json", "text/csv")
    assert (answer.status, answer.excerpt) == (429, "Rate exceeded")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name=REGION)
        client.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
        yield client


def invoke_async(s3: Any, answers: dict[str, str], wait: float = 5) -> Any:
    """Ask an asynchronous endpoint whose answers are there already."""
    store = S3Store(s3, "")
    for key, text in answers.items():
        s3.put_object(Bucket="artifacts", Key=key, Body=text.encode())
    answered = {
        "InferenceId": "1",
        "OutputLocation": "s3://artifacts/async/out",
        "FailureLocation": "s3://artifacts/async/fail",
    }
    with stubbed("sagemaker-runtime", ("invoke_endpoint_async", None, answered)) as client:
        target = AsyncTarget(client, store, NAME, "s3://artifacts/async/answers", wait, sleep=lambda _: None)
        return target.invoke(b"{}", "application/json", "application/json")


def test_an_asynchronous_answer_is_fetched(s3: Any) -> None:
    answer = invoke_async(s3, {"async/out": "[1]"})
    assert (answer.status, answer.body, answer.kind) == (200, b"[1]", "application/json")
    (request,) = s3.list_objects_v2(Bucket="artifacts", Prefix="async/answers/verify/")["Contents"]
    assert s3.get_object(Bucket="artifacts", Key=request["Key"])["Body"].read() == b"{}"


def test_an_asynchronous_failure_is_told(s3: Any) -> None:
    assert invoke_async(s3, {"async/fail": "no column 'plan'"}).excerpt == "no column 'plan'"


def test_an_asynchronous_answer_is_not_waited_for_without_end(s3: Any) -> None:
    answer = invoke_async(s3, {}, wait=0)
    assert (answer.status, answer.excerpt) == (0, "no answer at s3://artifacts/async/out within 0 s")


# --- S3 --------------------------------------------------------------------------------------------------------------


def test_history_is_kept_encrypted_and_read_newest_first(s3: Any, settings: Settings) -> None:
    history = History(settings, S3Store(s3, settings.kms_key))
    for version, hour in ((2, 11), (1, 12), (3, 9)):
        time = f"2026-11-20T{hour:02}:00:00.000Z"
        uri = history.remember(Release(arn(version), GROUP, version, "prod", time, time, "abc", "p-1"))
    assert uri == "s3://artifacts/churn-p-1/releases/prod/2026-11-20T090000.000Z-3.json"
    assert [release.version for release in history.releases("prod")] == [1, 2, 3]
    assert history.latest("staging") is None
    head = s3.head_object(Bucket="artifacts", Key="churn-p-1/releases/prod/2026-11-20T090000.000Z-3.json")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", settings.kms_key)


def test_what_is_no_record_of_this_project_is_left_out(s3: Any, settings: Settings) -> None:
    history = History(settings, S3Store(s3, settings.kms_key))
    time = "2026-11-20T09:00:00.000Z"
    history.remember(Release(arn(1), GROUP, 1, "prod", time, time, "abc", "p-1"))
    history.remember(Release(arn(2), GROUP, 2, "prod", time, time, "abc", "an-earlier-project-of-this-name"))
    for name in ("z.json", "y.txt"):
        s3.put_object(Bucket="artifacts", Key=f"churn-p-1/releases/prod/{name}", Body=b"{")
    assert [release.version for release in history.releases("prod")] == [1]


def test_s3_tells_a_missing_object_and_lists_times(s3: Any) -> None:
    store = S3Store(s3, "")
    before = datetime.now(UTC).replace(microsecond=0)
    store.write("s3://artifacts/capture/a.jsonl", "x")
    with pytest.raises(StoreError, match=r"s3://artifacts/none cannot be read: it is not there"):
        store.read("s3://artifacts/none")
    (entry,) = store.list("s3://artifacts/capture")
    assert entry.uri == "s3://artifacts/capture/a.jsonl"
    after = datetime.now(UTC)
    assert before <= entry.modified <= after
    assert f"{TOOLING}" not in entry.uri
