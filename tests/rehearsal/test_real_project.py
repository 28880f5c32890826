"""The project's own pipeline, as its build uploads it, run by the emulator; its model approved and served."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.tests.waiting import until
from rehearsal import host
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role

pytestmark = pytest.mark.story
ACCOUNT = next_account()
GROUP = "churn-p-abc"


@pytest.fixture(scope="module")
def project(project_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project that may be changed."""
    return Path(shutil.copytree(project_folder, tmp_path_factory.mktemp("copy") / "project"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An emulator whose jobs and endpoints run with the kit's local part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", "100")
        with host.emulator(tmp_path_factory.mktemp("real")) as emulator:
            yield Account(emulator, ACCOUNT)


@pytest.fixture(scope="module")
def roles(running: Account) -> str:
    """The bucket and group are there as well."""
    running.client("s3").create_bucket(Bucket="artifacts")
    running.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    return role(running, "jobs", "sagemaker")


def _environment(address: str, roles: str) -> dict[str, str]:
    """What the train project's build finds."""
    own = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "rehearsal",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "SAGEMAKER_PROJECT_NAME": "churn",
        "SAGEMAKER_PROJECT_ID": "p-abc",
        "MODEL_PACKAGE_GROUP": GROUP,
        "ARTIFACT_BUCKET": "artifacts",
        "PIPELINE_ROLE_ARN": roles,
    }
    return {**os.environ, **own}


@pytest.fixture(scope="module")
def execution(running: Account, roles: str, project: Path) -> dict[str, Any]:
    """What `make train` starts, when it has ended, and the packages that nobody has looked at yet."""
    environment = _environment(running.emulator.address, roles)
    command = [sys.executable, "-m", "sagemaker_project_kit.pipeline", "run", "--no-wait"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sagemaker = running.client("sagemaker")
    (pipeline,) = sagemaker.list_pipelines()["PipelineSummaries"]
    (started,) = sagemaker.list_pipeline_executions(PipelineName=pipeline["PipelineName"])["PipelineExecutionSummaries"]
    arn = started["PipelineExecutionArn"]

    def ended() -> Any:
        found = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        return found if found["PipelineExecutionStatus"] != "Executing" else None

    found: dict[str, Any] = until(ended)
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, MaxResults=50)["PipelineExecutionSteps"]
    packages = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    return {**found, "Steps": {step["StepName"]: step for step in steps}, "Packages": packages}


def test_every_step_succeeds_and_the_model_waits_for_approval(running: Account, execution: dict[str, Any]) -> None:
    reasons = {name: step.get("FailureReason") for name, step in execution["Steps"].items()}
    assert execution["PipelineExecutionStatus"] == "Succeeded", reasons
    assert {"Preprocess", "Train", "Evaluate", "CheckThreshold", "CheckChampion"} < set(execution["Steps"])
    (package,) = execution["Packages"]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    described = running.client("sagemaker").describe_model_package(ModelPackageName=package["ModelPackageArn"])
    assert described["CustomerMetadataProperties"]["pipeline_execution"] == execution["PipelineExecutionArn"]


def test_the_approved_model_answers_as_its_contract_says(
    running: Account, execution: dict[str, Any], roles: str
) -> None:
    sagemaker = running.client("sagemaker")
    arn = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"][0]["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.create_model(ModelName="churn", PrimaryContainer={"ModelPackageName": arn}, ExecutionRoleArn=roles)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "churn",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="churn", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="churn", EndpointConfigName="churn")

    def status() -> str:
        found = str(sagemaker.describe_endpoint(EndpointName="churn")["EndpointStatus"])
        return "" if found == "Creating" else found

    assert until(status) == "InService"
    contract = sagemaker.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"]["contract_uri"]
    sample, expected = (_object(running, f"{contract}/{name}.jsonl").splitlines()[0] for name in ("sample", "expected"))
    answer = running.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="churn", Body=sample, ContentType="application/jsonlines", Accept="application/jsonlines"
    )
    assert json.loads(answer["Body"].read()) == pytest.approx(json.loads(expected))


def _object(running: Account, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = running.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content
