"""Steps that are jobs: a processing job that runs a module of Python, and the job or search that trains.

Each gets the project's network, key, time limit, caching and retries. Imported inside session.offline() only.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import CategoricalParameter, ContinuousParameter, IntegerParameter
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.training.configs import Compute, InputData, Networking, OutputDataConfig, StoppingCondition
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep, TuningStep
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

from sagemaker_project_kit.pipeline.context import Context
from sagemaker_project_kit.pipeline.tables import Model, Settings

PROCESSING = "/opt/ml/processing"
CODE = f"{PROCESSING}/input/code"
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


class Report(NamedTuple):
    """A JSON file of an output that conditions, messages and the registry may read: Context.read(step, name, path)."""

    name: str
    output: str
    file: str


def folder(name: str) -> str:
    """Where a processing job finds its input `name`."""
    return f"{PROCESSING}/input/{name}"


def processing_step(
    context: Context,
    name: str,
    *,
    module: str,
    image: str,
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    options: Mapping[str, Any] | None = None,
    reports: Sequence[Report] = (),
    instance_type: Any = None,
    instance_count: int = 1,
) -> ProcessingStep:
    """A job that runs `python -m module` on the project's code.

    Each input is a folder, handed over as `--<input> /opt/ml/processing/input/<input>`; `options` come after them and
    may replace one. What the module writes into `<--output>/<output>` is kept. The module may be one of the team's,
    such as model_build.drift; it imports what the image carries.
    """
    processor = Processor(
        role=context.role,
        image_uri=image,
        entrypoint=["python3", "-m", module],
        instance_count=instance_count,
        instance_type=instance_type or context.parameters.processing_instance,
        volume_kms_key=context.kms_key,
        output_kms_key=context.kms_key,
        max_runtime_in_seconds=context.settings.train.max_runtime_minutes * 60,
        env={"PYTHONPATH": CODE, "SM_OUTPUT_DIR": "/opt/ml/output"},
        network_config=_network(NetworkConfig, context.settings),
        sagemaker_session=context.session,
    )
    words = {key: folder(key) for key in inputs} | dict(options or {}) | {"output": f"{PROCESSING}/output"}
    step_args = processor.run(
        inputs=[_input(key, uri) for key, uri in {**inputs, "code": context.locations.package}.items()],
        outputs=[_output(key, context.locations.run(name, key)) for key in outputs],
        arguments=[word for key, value in words.items() for word in (f"--{key}", value)],
    )
    files = [PropertyFile(name=each.name, output_name=each.output, path=each.file) for each in reports]
    step = ProcessingStep(
        name=name, step_args=step_args, property_files=files, cache_config=CACHE, retry_policies=RETRIES
    )
    context.add(step, outputs)
    return step


def training_step(context: Context, channels: Mapping[str, Any]) -> Any:
    """The step Train, one training job; with [train.tuning] of project.toml the step Tune, many of the same.

    `channels`: what the job reads, by name. What a search improves, and of which kind each range is, says model.py.
    """
    inputs = [InputData(channel_name=name, data_source=uri) for name, uri in channels.items()]
    trainer = _trainer(context, inputs)
    tuning = context.settings.train.tuning
    single = TrainingStep(name="Train", step_args=trainer.train(), cache_config=CACHE, retry_policies=RETRIES)
    if tuning.strategy == "off":
        return single
    model = context.settings.model
    metric, direction = model.objectives[context.settings.data.problem_type]
    tuner = HyperparameterTuner(
        model_trainer=trainer,
        objective_metric_name=f"validation:{metric}",
        objective_type=direction,
        metric_definitions=_metric_definitions(model, metric),
        hyperparameter_ranges={name: _range(model.tunable[name], values) for name, values in tuning.ranges.items()},
        max_jobs=tuning.max_jobs,
        max_parallel_jobs=tuning.max_parallel_jobs,
        strategy=tuning.strategy.capitalize(),
    )
    return SearchStep(single, name="Tune", step_args=tuner.tune(inputs=inputs))


class SearchStep(TuningStep):  # type: ignore[misc]  # the SDK says nothing of its types
    """Jobs that are each what the step Train would be, but for the values that are searched.

    SDK 3.27 leaves fields out when it copies them into a tuning job (`sagemaker.train.tuner` takes three of
    ResourceConfig): the key of the disk, the input mode of a channel. They come from the request of the single job.
    """

    def __init__(self, single: TrainingStep, **options: Any) -> None:
        super().__init__(**options, cache_config=CACHE, retry_policies=RETRIES)
        self._single = single

    @property
    def arguments(self) -> Any:
        """The request CreateHyperParameterTuningJob."""
        job = {field: value for field, value in self._single.arguments.items() if field != "HyperParameters"}
        request = super().arguments
        return {**request, "TrainingJobDefinition": _completed(request["TrainingJobDefinition"], job)}


def _completed(value: Any, from_: Any) -> Any:
    """`value` with what only the other has, at every depth; lists of one length part by part."""
    if isinstance(value, dict) and isinstance(from_, dict):
        return from_ | {key: _completed(part, from_.get(key)) for key, part in value.items()}
    if isinstance(value, list) and isinstance(from_, list) and len(value) == len(from_):
        return [_completed(*pair) for pair in zip(value, from_, strict=True)]
    return value


def _input(name: str, uri: Any) -> ProcessingInput:
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path=folder(name),
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=source)


def _output(name: str, parts: list[Any]) -> ProcessingOutput:
    """A part that is None stands for the execution's id."""
    values = [ExecutionVariables.PIPELINE_EXECUTION_ID if part is None else part for part in parts]
    target = ProcessingS3Output(
        s3_uri=Join(on="/", values=values), local_path=f"{PROCESSING}/output/{name}", s3_upload_mode="EndOfJob"
    )
    return ProcessingOutput(output_name=name, s3_output=target)


def _network(kind: Any, settings: Settings) -> Any:
    """The team's network for a job, and no other, in the SDK's class for it; None leaves it to SageMaker."""
    environment = settings.environment
    if not environment.subnet_ids:
        return None
    return kind(subnets=environment.subnet_ids, security_group_ids=environment.security_group_ids)


def _trainer(context: Context, inputs: list[InputData]) -> ModelTrainer:
    train = context.settings.train
    seconds = train.max_runtime_minutes * 60
    waiting = {"max_wait_time_in_seconds": 2 * seconds} if train.spot else {}
    return ModelTrainer(
        training_image=context.images.model,
        role=context.role,
        sagemaker_session=context.session,
        base_job_name="train",
        compute=Compute(
            instance_type=context.parameters.training_instance,
            instance_count=1,
            volume_size_in_gb=30,
            volume_kms_key_id=context.kms_key,
            enable_managed_spot_training=train.spot,
        ),
        networking=_network(Networking, context.settings),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=seconds, **waiting),
        output_data_config=OutputDataConfig(s3_output_path=context.locations.models, kms_key_id=context.kms_key),
        input_data_config=inputs,
        hyperparameters=_hyperparameters(context),
    )


def _hyperparameters(context: Context) -> dict[str, Any]:
    """Script mode as AWS's images read it: the program and its archive travel as JSON strings."""
    train = context.settings.train
    tuned = train.tuning.ranges if train.tuning.strategy != "off" else {}
    given = {name: value for name, value in train.hyperparameters.items() if name not in tuned}
    return given | {
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(context.locations.archive),
    }


def _range(kind: str, values: list[Any]) -> Any:
    """Of the kind that model.py declares: SageMaker refuses whole numbers as another kind than the image registers."""
    if kind == "Categorical":
        return CategoricalParameter(values)
    return (IntegerParameter if kind == "Integer" else ContinuousParameter)(values[0], values[1])


def _metric_definitions(model: Model, metric: str) -> list[dict[str, str]] | None:
    """How a search finds its objective in the log: not told to an image of a built-in algorithm, which brings its own
    expressions along and refuses others ("You can't override the metric definitions for Amazon SageMaker algorithms").
    """
    if model.is_built_in:
        return None
    return [{"Name": f"validation:{metric}", "Regex": rf"\[[0-9]+\].*validation-{re.escape(metric)}:(\S+)"}]
