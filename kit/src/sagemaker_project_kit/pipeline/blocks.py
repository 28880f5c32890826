"""What the project's pipelines are put together from: inputs, outputs, networks and reports of jobs, caching, retries.

A thin layer over the SageMaker SDK (v3); like pipeline.py it is imported inside session.offline() only.
"""

import re
from typing import Any

from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep
from sagemaker.train.configs import Networking

from sagemaker_project_kit.pipeline.tables import Environment, Model

PROCESSING = "/opt/ml/processing"
CACHE = CacheConfig(enable_caching=True, expire_after="P30D")
RETRY_CALL = StepRetryPolicy(
    exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
    interval_seconds=10,
    backoff_rate=2.0,
    max_attempts=5,
)
RETRY_JOB = SageMakerJobStepRetryPolicy(
    exception_types=[SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, SageMakerJobExceptionTypeEnum.INTERNAL_ERROR],
    interval_seconds=60,
    backoff_rate=2.0,
    max_attempts=4,
)
RETRIES = [RETRY_CALL, RETRY_JOB]


def job_input(name: str, uri: Any) -> ProcessingInput:
    """A folder that a processing job reads."""
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path=f"{PROCESSING}/input/{name}",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=source)


def job_output(name: str, parts: list[Any]) -> ProcessingOutput:
    """A folder that a processing job writes; a part that is None stands for the execution's id."""
    values = [ExecutionVariables.PIPELINE_EXECUTION_ID if part is None else part for part in parts]
    target = ProcessingS3Output(
        s3_uri=Join(on="/", values=values), local_path=f"{PROCESSING}/output/{name}", s3_upload_mode="EndOfJob"
    )
    return ProcessingOutput(output_name=name, s3_output=target)


def output_uri(step: ProcessingStep, name: str) -> Any:
    """Where a step's output lies, for the steps that read it."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def processing_network(environment: Environment) -> NetworkConfig | None:
    """The team's network for a processing job, and no other; None leaves it to SageMaker."""
    if not environment.subnet_ids:
        return None
    return NetworkConfig(subnets=environment.subnet_ids, security_group_ids=environment.security_group_ids)


def training_network(environment: Environment) -> Networking | None:
    """The same for a training job, and for each of a tuning job."""
    if not environment.subnet_ids:
        return None
    return Networking(subnets=environment.subnet_ids, security_group_ids=environment.security_group_ids)


def report(name: str, path: str) -> PropertyFile:
    """A JSON file of the output `evaluation` that conditions and messages can read."""
    return PropertyFile(name=name, output_name="evaluation", path=path)


def read(step: ProcessingStep, property_file: str, path: str) -> JsonGet:
    """A value in a JSON report of an earlier step."""
    return JsonGet(step_name=step.name, property_file=property_file, json_path=path)


def sentence(evaluate: ProcessingStep, key: str) -> Join:
    """The message of a Fail step, taken from gate.json."""
    # The SDK accepts JsonGet inside Join for a Fail step and published pipelines use it; the developer guide shows
    # parameters only (build-and-manage-steps, "Fail step"). Unproven without an account.
    return Join(on="", values=[read(evaluate, "Gate", key), "; the figures are in gate.json"])


def search_range(kind: str, values: list[Any]) -> Any:
    """The range of a search, of the kind that model.py declares: SageMaker refuses whole numbers as another kind than
    the image registers.
    """
    if kind == "Categorical":
        return CategoricalParameter(values)
    return (IntegerParameter if kind == "Integer" else ContinuousParameter)(values[0], values[1])


def metric_definitions(model: Model, metric: str) -> list[dict[str, str]] | None:
    """How a search finds its objective in the log: not told to an image of a built-in algorithm, which brings its own
    expressions along and refuses others ("You can't override the metric definitions for Amazon SageMaker algorithms").
    """
    if model.is_built_in:
        return None
    return [{"Name": f"validation:{metric}", "Regex": rf"\[[0-9]+\].*validation-{re.escape(metric)}:(\S+)"}]
