"""The build half's edge to AWS: uploads, the pipeline, its executions and the champion. Clients are passed in.

It starts and watches; it never approves a model.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.config import Config

from sagemaker_project_kit.pipeline.settings import SettingsError
from sagemaker_project_kit.pipeline.tables import LOCAL_ACCOUNT, Settings

FIRST_POLL_SECONDS, POLL_SECONDS = 0.5, 10.0
# Backs off when AWS asks to slow down, as the deploy half does: an execution that runs must not lose its watcher.
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 8})
FINAL = {"Succeeded", "Failed", "Stopped"}


@dataclass(frozen=True)
class Step:
    """One step of an execution as far as it has come; `job` is that of a training or tuning step."""

    name: str
    status: str
    reason: str
    job: str = ""


class ExecutionFailedError(Exception):
    """A pipeline execution ended in another state than Succeeded; the message names steps and reasons."""

    def __init__(self, message: str, failed: Sequence[Step] = ()) -> None:
        super().__init__(message)
        self.failed = failed


@dataclass(frozen=True)
class Champion:
    """The version that every new model is compared with: the one approved last, and its model.tar.gz."""

    package_arn: str
    uri: str

    def explain(self, error: ExecutionFailedError) -> ExecutionFailedError:
        """The same error, and what to do where it is about this version's data; SageMaker names only the object."""
        if self.uri not in str(error):
            return error
        group, version = self.package_arn.rsplit("/", 2)[1:]
        reject = f"--model-package-arn {self.package_arn} --model-approval-status Rejected"
        return ExecutionFailedError(
            f"{error}\n{self.uri} is the model of version {version} of {group}, the one approved last, which every new "
            f"model is compared with. If it is gone, approve another version, or reject this one "
            f"(aws sagemaker update-model-package {reject}); then train again."
        )


def require_account(settings: Settings) -> None:
    """Refuse to talk to AWS with the stand-ins that a laptop uses.

    Raises:
        SettingsError: naming the environment variables that product.yaml would have set.
    """
    environment = settings.environment
    missing = {
        "ARTIFACT_BUCKET": environment.artifact_bucket == "local-artifacts",
        "PIPELINE_ROLE_ARN": f":{LOCAL_ACCOUNT}:role/local" in environment.pipeline_role_arn,
        "MODEL_PACKAGE_GROUP": not environment.model_package_group,
    }
    if names := [name for name, absent in missing.items() if absent]:
        message = (
            f"set {', '.join(names)}: running on AWS needs the environment that the project's stack gives to CodeBuild"
        )
        raise SettingsError([f"{message}; to run on this machine instead, type `make run`"])


def upload(s3: Any, assets: dict[str, Path], kms_key_arn: str) -> list[str]:
    """Upload what is not there yet (keys carry a content hash) and return the URIs that were uploaded."""
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_arn} if kms_key_arn else {}
    missing = [(uri, path) for uri, path in assets.items() if not _exists(s3, uri)]
    for uri, path in missing:
        s3.upload_file(str(path), *_split(uri), ExtraArgs=encryption)
    return [uri for uri, _ in missing]


def upsert(sagemaker: Any, settings: Settings, definition: str) -> str:
    """Create the pipeline or update it, with the project's tags, and return its ARN."""
    arguments = {
        "PipelineName": settings.pipeline_name,
        "PipelineDefinition": definition,
        "RoleArn": settings.environment.pipeline_role_arn,
        "PipelineDescription": f"Trains and registers {settings.model_package_group}.",
    }
    tags = [{"Key": key, "Value": value} for key, value in settings.tags.items()]
    try:
        arn = str(sagemaker.update_pipeline(**arguments)["PipelineArn"])
    except sagemaker.exceptions.ClientError as error:
        if not _is_missing(error):
            raise
        return str(sagemaker.create_pipeline(**arguments, Tags=tags)["PipelineArn"])
    sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    return arn


def champion(sagemaker: Any, group: str) -> Champion | None:
    """The version that was approved last, or None.

    ListModelPackages cannot sort by approval, so the time at which an approved version was last modified stands for it.
    """
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved"
    )
    try:
        arns = [package["ModelPackageArn"] for page in pages for package in page["ModelPackageSummaryList"]]
    except sagemaker.exceptions.ClientError as error:
        if not _is_missing(error):
            raise
        return None
    packages = [package for arn in arns for package in _described(sagemaker, arn)]
    if not packages:
        return None
    newest = max(packages, key=_last_changed)
    return Champion(newest["ModelPackageArn"], newest["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def _last_changed(package: dict[str, Any]) -> tuple[Any, int]:
    """When a version was approved; of two in one moment, the later one."""
    return package.get("LastModifiedTime") or package["CreationTime"], package.get("ModelPackageVersion", 0)


def _described(sagemaker: Any, arn: str) -> Iterator[dict[str, Any]]:
    """A version, unless it was deleted after it was listed."""
    try:
        yield sagemaker.describe_model_package(ModelPackageName=arn)
    except sagemaker.exceptions.ClientError as error:
        if not _is_missing(error):
            raise


def start(sagemaker: Any, pipeline: str, parameters: dict[str, str]) -> str:
    """Start an execution and return its ARN."""
    values = [{"Name": name, "Value": value} for name, value in parameters.items()]
    return str(
        sagemaker.start_pipeline_execution(PipelineName=pipeline, PipelineParameters=values)["PipelineExecutionArn"]
    )


def watch(sagemaker: Any, execution: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[list[Step]]:
    """Yield the steps of an execution each time one of them changes, until it ends.

    It looks often at first, as steps out of the cache take a moment only, and less often the longer it lasts.

    Raises:
        ExecutionFailedError: it failed or was stopped.
    """
    last: list[Step] = []
    pause = FIRST_POLL_SECONDS
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
        steps = _steps(sagemaker, execution)
        if steps != last:
            yield steps
        last = steps
        if status["PipelineExecutionStatus"] in FINAL:
            return _raise_unless_succeeded(status, steps)
        sleep(pause)
        pause = min(POLL_SECONDS, 1.25 * pause)


def _raise_unless_succeeded(status: dict[str, Any], steps: list[Step]) -> None:
    if status["PipelineExecutionStatus"] == "Succeeded":
        return
    failed = [step for step in steps if step.status == "Failed"]
    reasons = [f"{step.name}: {step.reason}" for step in failed] or [status.get("FailureReason", "no reason given")]
    ended = status["PipelineExecutionStatus"].lower()
    raise ExecutionFailedError(f"the execution {ended}: " + "; ".join(reasons), failed)


def _steps(sagemaker: Any, execution: str) -> list[Step]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=execution, SortOrder="Ascending"
    )
    found = [step for page in pages for step in page["PipelineExecutionSteps"]]
    return [Step(step["StepName"], step["StepStatus"], step.get("FailureReason", ""), _job(step)) for step in found]


def _job(step: dict[str, Any]) -> str:
    """The name of the training or tuning job that a step has started."""
    metadata = step.get("Metadata") or {}
    job = metadata.get("TrainingJob") or metadata.get("TuningJob") or {}
    return str(job.get("Arn", "")).rpartition("/")[2]


def _is_missing(error: Any) -> bool:
    """SageMaker answers ResourceNotFound for some things that do not exist and ValidationException for others."""
    message = error.response["Error"]["Message"].lower()
    return error.response["Error"]["Code"] == "ResourceNotFound" or any(
        words in message for words in ("does not exist", "could not find")
    )


def _exists(s3: Any, uri: str) -> bool:
    bucket, key = _split(uri)
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        # Without s3:ListBucket a missing object answers 403; uploading it again is harmless.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return False
        raise
    return True


def _split(uri: str) -> tuple[str, str]:
    parts = urlparse(uri)
    return parts.netloc, parts.path.lstrip("/")
