"""The commands as people and CodeBuild type them: on this machine with folders, and in AWS with moto and stubs."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from kit.tests.deploy.conftest import (
    ENVIRONMENT,
    EXPECTED,
    GROUP,
    NOON,
    REGION,
    SAMPLE,
    SCHEMA,
    TOOLING,
    Register,
    arn,
    lines,
    stubbed,
)
from kit.tests.deploy.events import APPROVAL, event
from kit.tests.deploy.server import Behaviour, serving
from kit.tests.deploy.test_aws_edges import looks
from kit.tests.places import PROJECT
from sagemaker_project_kit.deploy import __main__ as command
from sagemaker_project_kit.deploy import quotas, wiring
from sagemaker_project_kit.deploy.api import IAM, Api
from sagemaker_project_kit.deploy.config import Budget
from sagemaker_project_kit.deploy.release import Sight
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.store import FolderStore
from sagemaker_project_kit.deploy.target import ServerTarget

METADATA = {"contract_uri": "s3://artifacts/contract"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    for name in (*ENVIRONMENT, "MODEL_PACKAGE_ARN", "STAGE", command.RELEASE_INPUT):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Options that keep everything in the test's folder."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("MODEL_PACKAGE_GROUP", GROUP)
    return ["--local", str(tmp_path), "--build", str(tmp_path / "build")]


def package_in(build: Path) -> str:
    found = json.loads((build / "release" / "release.json").read_text(encoding="utf-8"))
    return str(found.get("package_arn", ""))


# --- on this machine -------------------------------------------------------------------------------------------------


def test_a_life_on_this_machine(
    here: list[str], register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Released, verified and remembered in both stages; a second version, a rollback to the first."""
    build = tmp_path / "build"
    for version in (1, 2):
        register(version, minutes=version)
        assert command.main(["release", *here]) == 0
        with serving(Behaviour()) as url:
            for stage in ("staging", "prod"):
                asked = ["verify", "--stage", stage, "--target", url, "--seconds", "1", *here]
                assert command.main(asked) == 0, capsys.readouterr()
                assert (build / "verify" / stage / "junit.xml").is_file()
    assert package_in(build).endswith("/2")
    assert command.main(["rollback", *here]) == 0
    assert package_in(build).endswith("/1")
    assert "/2 is still Approved: reject it" in " ".join(capsys.readouterr().out.split())


def test_a_failed_verify_is_red_and_not_remembered(
    here: list[str], register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(1)
    command.main(["release", *here])
    with serving(Behaviour(accepts_any_type=True)) as url:
        assert command.main(["verify", "--stage", "prod", "--target", url, "--seconds", "1", *here]) == 1
    error = capsys.readouterr().err
    assert "prod: churn-p-1/1 failed 1 of 16 checks; an unknown content type is refused" in error
    assert "Traceback" not in error
    assert (tmp_path / "build" / "verify" / "prod" / "summary.md").is_file()
    assert not (tmp_path / "s3" / "local-artifacts").exists()
    assert command.main(["rollback", *here]) == 1
    assert "there is no earlier release to go back to" in capsys.readouterr().err


def test_an_event_is_followed(here: list[str], register: Register, tmp_path: Path) -> None:
    register(1, minutes=1)
    register(2, minutes=9)
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event(1, "Approved", 1, APPROVAL)), encoding="utf-8")
    assert command.main(["release", "--event", str(path), *here]) == 0
    assert package_in(tmp_path / "build").endswith("/1")


@pytest.mark.parametrize("model", ["1", f"{GROUP}/1"])
def test_a_version_is_named_briefly(here: list[str], register: Register, tmp_path: Path, model: str) -> None:
    register(1)
    register(2, minutes=9)
    assert command.main(["release", "--model", model, "--stage", "prod", *here]) == 0
    assert package_in(tmp_path / "build").endswith("/1")
    assert not (tmp_path / "build" / "release" / "staging").exists()


def test_waiting_is_green(here: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "registry").mkdir()
    assert command.main(["release", *here]) == 0
    assert "waiting: no version in model package group churn-p-1 is approved yet" in capsys.readouterr().out
    assert command.main(["verify", "--stage", "prod", *here]) == 1
    assert "there is nothing to verify: no version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["release", "--model", "other/1"], "model 'other/1': must be a version of churn-p-1 such as 3, or an ARN"),
        (["verify", "--stage", "production"], "stage 'production': must be one of staging, prod"),
        (["verify"], "stage '': must be one of staging, prod"),
        (["verify", "--stage", "prod"], "run `make release` first"),
        (["release", "--confirm"], "run `make release` first"),
        (["release", "--event", "none.json"], "there is no event file none.json"),
    ],
)
def test_each_refusal_is_one_sentence(
    here: list[str], register: Register, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    register(1)
    assert command.main([*arguments, *here]) == 1
    output = capsys.readouterr()
    assert sentence in output.err
    assert output.err.startswith("error: ")
    assert len(output.err.splitlines()) == 1


def test_a_machine_without_models_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["release", "--local", str(tmp_path / "none")]) == 1
    assert "holds no registry: run `make run` and `make approve` first" in capsys.readouterr().err


def test_an_unexpected_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, here: list[str]) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(wiring, "on_this_machine", broken)
    with pytest.raises(ZeroDivisionError):
        command.main(["release", *here])


def test_the_help_names_every_verb() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sagemaker_project_kit.deploy", "--help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"release", "verify", "rollback"} <= set(shown.stdout.replace(",", " ").split())


def test_the_deploy_half_needs_neither_the_other_half_nor_the_sdk() -> None:
    modules = ", ".join(f"sagemaker_project_kit.deploy.{name}" for name in ("__main__", "wiring", "rollback"))
    script = f"import sys, {modules}\nprint(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in shown.stdout.split()}
    assert not loaded & {"model_build", "local", "sagemaker", "numpy", "pandas", "pydantic"}


# --- in AWS ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry with one version that waits for approval, and its contract; the ARN of that version."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(quotas, "read", lambda _: {"ml.m5.large": 10.0})  # moto has no Service Quotas
    with mock_aws():
        s3, sagemaker = boto3.client("s3", region_name=REGION), boto3.client("sagemaker", region_name=REGION)
        s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration={"LocationConstraint": REGION})
        texts = {"schema.json": json.dumps(SCHEMA), "sample.jsonl": lines(SAMPLE), "expected.jsonl": lines(EXPECTED)}
        for name, text in texts.items():
            s3.put_object(Bucket="artifacts", Key=f"contract/{name}", Body=text.encode())
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        container = {
            "Image": f"{TOOLING}.dkr.ecr.{REGION}.amazonaws.com/x:1",
            "ModelDataUrl": "s3://artifacts/1.tar.gz",
        }
        package = sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            ModelApprovalStatus="PendingManualApproval",
            CustomerMetadataProperties=METADATA,
        )
        yield str(package["ModelPackageArn"])


def test_release_in_aws_waits_then_releases(cloud: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ["--build", str(tmp_path)]
    assert command.main(["release", *build]) == 0
    assert "waiting: " in capsys.readouterr().out
    sagemaker = boto3.client("sagemaker", region_name=REGION)
    approve = {"ModelPackageArn": cloud, "CustomerMetadataProperties": METADATA}  # which moto forgets without
    sagemaker.update_model_package(**approve, ModelApprovalStatus="Approved")
    assert command.main(["release", *build]) == 0, capsys.readouterr()
    assert package_in(tmp_path) == cloud
    assert command.main(["release", "--confirm", *build]) == 0
    sagemaker.update_model_package(**approve, ModelApprovalStatus="Rejected")
    assert command.main(["release", "--confirm", *build]) == 1
    assert "is Rejected; only Approved is released" in capsys.readouterr().err


def test_a_missing_environment_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["release"]) == 1
    error = capsys.readouterr().err
    assert "10 problems to solve before anything is touched" in error
    assert "environment variable ARTIFACT_BUCKET: is missing" in error


class Runtime:
    """SageMaker's runtime in front of a server on loopback; it takes InvokeEndpoint's parameters and nothing else."""

    def __init__(self, url: str) -> None:
        self._target = ServerTarget(url, 2)

    def invoke_endpoint(self, *, EndpointName: str, Body: bytes, ContentType: str, Accept: str = "") -> dict[str, Any]:  # noqa: N803
        answer = self._target.invoke(Body, ContentType, Accept)
        if answer.status != 200:
            details: Any = {
                "Error": {"Code": "ModelError"},
                "OriginalStatusCode": answer.status,
                "OriginalMessage": "no",
            }
            raise ClientError(details, "InvokeEndpoint")
        return {"Body": io.BytesIO(answer.body), "ContentType": answer.content_type}


class Clients:
    """A stage's clients: strict stubs, and the runtime above; its API is the same server."""

    def __init__(self, sagemaker: Any, cloudformation: Any, url: str) -> None:
        self.sagemaker, self.cloudformation, self._url = sagemaker, cloudformation, url

    def api(self, found: Api, timeout: float) -> ServerTarget:
        assert found == API
        return ServerTarget(self._url, timeout)

    def runtime(self, connections: int, timeout: float) -> Runtime:
        return Runtime(self._url)


API = Api("https://a1.execute-api.eu-west-1.amazonaws.com/staging/predictions", IAM)
API_STACK = {
    "StackName": "sagemaker-churn-p-1-staging-api",
    "CreationTime": NOON,
    "StackStatus": "CREATE_COMPLETE",
    "Outputs": [{"OutputKey": "PredictionsUrl", "OutputValue": API.url}],
    "Parameters": [{"ParameterKey": "ApiAuthorization", "ParameterValue": API.authorization}],
}


def verify_endpoint(
    settings: Settings, registry: Any, store: FolderStore, package: str, live: list[Any], *stacks: Any
) -> Any:
    limits = Budget(seconds=0.2, requests_per_second=100, endpoint_wait_seconds=0, capture_wait_seconds=0.1)
    with (
        serving(Behaviour()) as url,
        stubbed("sagemaker", *live) as sagemaker,
        stubbed("cloudformation", *stacks) as cloudformation,
    ):
        clients: Any = Clients(sagemaker, cloudformation, url)
        project = wiring.Project(settings, registry, store, lambda _: Sight(), lambda _: clients)
        tested = wiring.Tested("staging")
        return wiring.verification(project, tested, limits, {"package_arn": package}, lambda _: None).run()


def test_an_endpoint_is_verified_where_capture_is_told_to_go(
    settings: Settings, registry: Any, register: Register, store: FolderStore
) -> None:
    register(1)
    capture = {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": "s3://artifacts/datacapture/staging",
        "KmsKeyId": "key",
    }
    live = looks(DataCaptureConfig=capture)
    stacks = ("describe_stacks", {"StackName": API_STACK["StackName"]}, {"Stacks": [API_STACK]})
    found = verify_endpoint(settings, registry, store, arn(1), live, stacks)
    (result,) = found.failed
    assert result.name == "captured traffic arrives"
    assert [each.outcome for each in found.results if each.name == "its API answers as it does"] == ["passed"]
    assert "s3://artifacts/datacapture/staging/churn-p-1-staging/AllTraffic/20" in result.detail


def test_a_silent_rollback_turns_verify_red(
    settings: Settings, registry: Any, register: Register, store: FolderStore
) -> None:
    register(2)
    live = looks(package=arn(1), FailureReason="alarm churn-5xx went off")
    found = verify_endpoint(settings, registry, store, arn(2), live)
    (result,) = found.failed
    assert result.name == "it runs the released model"
    assert "was rolled back (FailureReason: alarm churn-5xx went off" in result.detail


def test_an_endpoint_still_updating_is_waited_for_with_a_bound(
    settings: Settings, registry: Any, register: Register, store: FolderStore
) -> None:
    register(1)
    (result,) = verify_endpoint(settings, registry, store, arn(1), looks("Updating")).failed
    assert "is still Updating after 0 s" in result.detail


def test_what_was_rejected_during_deployment_turns_verify_red(
    settings: Settings, registry: Any, register: Register, store: FolderStore
) -> None:
    register(1, "Rejected")
    (result,) = verify_endpoint(settings, registry, store, arn(1), []).failed
    assert result.detail == "model package churn-p-1/1 is Rejected; only Approved is released"


def test_a_denied_look_turns_verify_red_with_a_report(
    settings: Settings, registry: Any, register: Register, store: FolderStore
) -> None:
    register(1)
    denied = ("describe_endpoint", None, ("AccessDeniedException", "not authorized to DescribeEndpoint", 403))
    (result,) = verify_endpoint(settings, registry, store, arn(1), [denied]).failed
    assert "not authorized to DescribeEndpoint" in result.detail


def test_the_limits_of_the_alarms_are_the_budget() -> None:
    for stage in ("staging", "prod"):
        found = json.loads((PROJECT / "model_deploy" / "config" / f"{stage}.json").read_text(encoding="utf-8"))[
            "Parameters"
        ]
        budget = wiring.budget(stage)
        assert budget.p99_milliseconds == float(found["MaxModelLatencyMs"]) + float(found["MaxOverheadLatencyMs"])
        assert budget.error_share == float(found["Max5xxShare"])
        assert budget.seconds <= 60
