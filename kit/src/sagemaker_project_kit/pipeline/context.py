"""What the steps of a pipeline share: settings, images, parameters, places in S3, and the steps before them.

A thin layer over the SageMaker SDK (v3); like pipeline.py it is imported inside session.offline() only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.core.workflow.pipeline_definition_config import PipelineDefinitionConfig
from sagemaker.mlops.workflow.pipeline import Pipeline

from sagemaker_project_kit.pipeline.session import offline_session
from sagemaker_project_kit.pipeline.staging import Locations
from sagemaker_project_kit.pipeline.tables import Settings

SKLEARN_VERSION = "1.9-0"  # of the image that prepares the data

Step = Any  # a step of the SDK: ProcessingStep, TrainingStep, TuningStep, ConditionStep, …


@dataclass(frozen=True)
class Images:
    """Which of AWS's images run the jobs. `model`: what trains, evaluates and serves; `processing`: what prepares."""

    model: str
    processing: str


def images(settings: Settings) -> Images:
    """The images in the project's region; which one is the model's says model.py."""
    region, model = settings.environment.region, settings.model
    return Images(
        model=image_uris.retrieve(model.image, region, version=model.image_version),
        processing=image_uris.retrieve("sklearn", region, version=SKLEARN_VERSION),
    )


@dataclass(frozen=True)
class Parameters:
    """What may differ between two executions of the same definition."""

    data_uri: ParameterString
    champion_uri: ParameterString
    threshold: ParameterFloat
    tolerance: ParameterFloat
    approval: ParameterString
    git_commit: ParameterString
    training_instance: ParameterString
    processing_instance: ParameterString

    @classmethod
    def of(cls, settings: Settings, locations: Locations) -> "Parameters":
        """In the order in which Studio shows them, with the defaults of project.toml."""
        evaluate, train = settings.evaluate, settings.train
        statuses = ["PendingManualApproval", "Approved", "Rejected"]
        return cls(
            data_uri=ParameterString("InputDataUri", default_value=locations.data),
            champion_uri=ParameterString("ChampionModelUri", default_value=locations.no_champion),
            threshold=ParameterFloat("MetricThreshold", default_value=evaluate.threshold),
            tolerance=ParameterFloat("ChampionTolerance", default_value=evaluate.champion_tolerance),
            approval=ParameterString("ModelApprovalStatus", default_value=statuses[0], enum_values=statuses),
            git_commit=ParameterString("GitCommit", default_value="unknown"),
            training_instance=ParameterString("TrainingInstanceType", default_value=train.instance_type),
            processing_instance=ParameterString("ProcessingInstanceType", default_value=train.processing_instance_type),
        )


class StepOrderError(Exception):
    """A step asks for a step, or for an output of one, that is not there; the message says what there is."""


class Context:
    """What a function that makes a step gets. Nothing is called and nothing is uploaded."""

    def __init__(self, settings: Settings, locations: Locations) -> None:
        self.settings = settings
        self.locations = locations
        self.parameters = Parameters.of(settings, locations)
        self.images = images(settings)
        environment = settings.environment
        self.bucket, self.role = environment.artifact_bucket, environment.pipeline_role_arn
        self.kms_key = environment.kms_key_arn or None
        self.session = offline_session(self.bucket, environment.region)
        self._steps: dict[str, Step] = {}
        self._outputs: dict[str, tuple[str, ...]] = {}

    def add(self, step: Step, outputs: Sequence[str] = ()) -> Step:
        """Remember a step for those after it, and the `outputs` of a processing step."""
        self._steps[step.name] = step
        if outputs:
            self._outputs[step.name] = tuple(outputs)
        return step

    def step(self, *names: str) -> Step:
        """The step that has been made under one of these names. Raises StepOrderError."""
        for name in names:
            if name in self._steps:
                return self._steps[name]
        made = ", ".join(self._steps) or "none"
        raise StepOrderError(f"There is no step {' or '.join(names)} yet, only {made}: name it earlier in STEPS.")

    def output(self, step: str, name: str) -> Any:
        """Where an output of an earlier processing step lies, as the input of another. Raises StepOrderError."""
        properties = self.step(step).properties
        written = self._outputs.get(step, (name,))
        if name not in written:
            raise StepOrderError(f"{step} has no output {name!r}, only {', '.join(written)}.")
        return properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri

    def model(self) -> Any:
        """Where the trained, or the best found, model.tar.gz lies. Raises StepOrderError before there is one."""
        step = self.step("Tune", "Train")
        if step.name == "Tune":
            prefix = self.locations.models.removeprefix(f"s3://{self.bucket}/")
            return step.get_top_model_s3_uri(0, self.bucket, prefix)
        return step.properties.ModelArtifacts.S3ModelArtifacts

    def read(self, step: str, report: str, path: str) -> JsonGet:
        """A value in a JSON report of an earlier step: `path` such as target.counts. Raises StepOrderError."""
        known = [each.name for each in self.step(step).property_files or []]
        if report not in known:
            raise StepOrderError(f"{step} has no report {report!r}, only {', '.join(known) or 'none'}.")
        return JsonGet(step_name=step, property_file=report, json_path=path)


def join(*parts: Any) -> Join:
    """A URI of parts that are known only when the pipeline runs."""
    return Join(on="/", values=list(parts))


def definition(settings: Settings, locations: Locations, steps: Sequence[Callable[[Context], Step]]) -> str:
    """The definition as JSON of what `steps` make in their order; the same input gives the same bytes.

    Raises:
        StepOrderError: a step asks for what no earlier one has made.
    """
    context = Context(settings, locations)
    pipeline = Pipeline(
        name=settings.pipeline_name,
        parameters=list(vars(context.parameters).values()),
        steps=[context.add(make(context)) for make in steps],
        sagemaker_session=context.session,
        # Left alone, every execution makes an experiment and a trial, which stay when the pipeline is deleted
        # (developer guide, "Amazon SageMaker Experiments integration").
        pipeline_experiment_config=None,
        pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=False),
    )
    return str(pipeline.definition())
