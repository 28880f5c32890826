"""The training pipeline: preprocess → train or tune → evaluate → two gates → register.

Written with the SageMaker SDK so that a data scientist can extend it: add a method that returns a step, and name it in
`definition`. What it yields, the definition JSON, is what SageMaker and local/ run. It reads no file and, imported and
called inside session.offline(), makes no call.
Baselines, bias and attribution join between Evaluate and the gates, as further processing steps on Evaluate's inputs.
"""

import json
from dataclasses import dataclass
from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ModelPackageModelCard
from sagemaker.core.training.configs import Compute, InputData, OutputDataConfig, StoppingCondition
from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionLessThanOrEqualTo
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import ParameterFloat, ParameterString
from sagemaker.core.workflow.pipeline_definition_config import PipelineDefinitionConfig
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import ProcessingStep, TrainingStep, TuningStep
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner
from sagemaker_project_kit.pipeline.blocks import (
    CACHE,
    PROCESSING,
    RETRIES,
    RETRY_CALL,
    job_input,
    job_output,
    metric_definitions,
    output_uri,
    processing_network,
    read,
    report,
    search_range,
    sentence,
    training_network,
)
from sagemaker_project_kit.pipeline.session import offline_session
from sagemaker_project_kit.pipeline.staging import Locations, file_name
from sagemaker_project_kit.pipeline.tables import Settings

SKLEARN_VERSION = "1.9-0"  # of the image that prepares the data
CODE = f"{PROCESSING}/input/code"

FAMILIES = {problem: f"{problem}_classification_metrics" for problem in ("binary", "multiclass")} | {
    "regression": "regression_metrics"
}


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

    def all(self) -> list[Any]:
        """In the order in which Studio shows them."""
        return list(vars(self).values())


def build(settings: Settings, locations: Locations) -> str:
    """The definition of the training pipeline as JSON; the same settings and locations give the same bytes."""
    return TrainingPipeline(settings, locations).definition()


class TrainingPipeline:
    """The steps, and what they share: session, images, parameters and places in S3."""

    def __init__(self, settings: Settings, locations: Locations) -> None:
        """Nothing is called and nothing is uploaded."""
        self.settings, self.locations = settings, locations
        environment = settings.environment
        self.bucket, self.role = environment.artifact_bucket, environment.pipeline_role_arn
        self.kms_key = environment.kms_key_arn or None
        self.session = offline_session(self.bucket, environment.region)
        model = settings.model
        self.model_image = image_uris.retrieve(model.image, environment.region, version=model.image_version)
        self.sklearn_image = image_uris.retrieve("sklearn", environment.region, version=SKLEARN_VERSION)
        self.parameters = _parameters(settings, locations)

    def definition(self) -> str:
        """Wire the steps together."""
        preprocess = self.preprocess()
        train = self.train(preprocess) if self.settings.train.tuning.strategy == "off" else self.tune(preprocess)
        evaluate = self.evaluate(preprocess, train)
        register = self.register(preprocess, train, evaluate)
        pipeline = Pipeline(
            name=self.settings.pipeline_name,
            parameters=self.parameters.all(),
            steps=[preprocess, train, evaluate, self.gates(evaluate, register)],
            sagemaker_session=self.session,
            pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=False),
        )
        return str(pipeline.definition())

    def preprocess(self) -> ProcessingStep:
        """Raw rows → train, validation and test sets and the fitted transformation."""
        arguments = ["--data", f"{PROCESSING}/input/data", "--config", f"{PROCESSING}/input/config/preprocess.json"]
        return self._processing(
            "Preprocess",
            self.sklearn_image,
            arguments,
            inputs={"data": self.parameters.data_uri, "config": self.locations.config},
            outputs=["train", "validation", "test", "transformation", "summary"],
            property_files=[PropertyFile(name="Summary", output_name="summary", path="summary.json")],
        )

    def train(self, preprocess: ProcessingStep) -> TrainingStep:
        """One training job: train of model.py in script mode."""
        trainer = self._trainer(preprocess)
        return TrainingStep(name="Train", step_args=trainer.train(), cache_config=CACHE, retry_policies=RETRIES)

    def tune(self, preprocess: ProcessingStep) -> TuningStep:
        """The same job many times, searching the ranges of project.toml."""
        tuning = self.settings.train.tuning
        metric, direction = self.settings.model.objectives[self.settings.data.problem_type]
        tuner = HyperparameterTuner(
            model_trainer=self._trainer(preprocess),
            objective_metric_name=f"validation:{metric}",
            objective_type=direction,
            metric_definitions=metric_definitions(self.settings.model, metric),
            hyperparameter_ranges={
                name: search_range(self.settings.model.tunable[name], values) for name, values in tuning.ranges.items()
            },
            max_jobs=tuning.max_jobs,
            max_parallel_jobs=tuning.max_parallel_jobs,
            strategy=tuning.strategy.capitalize(),
        )
        channels = _channels(preprocess)
        return TuningStep(
            name="Tune", step_args=tuner.tune(inputs=channels), cache_config=CACHE, retry_policies=RETRIES
        )

    def model_uri(self, train: TrainingStep | TuningStep) -> Any:
        """Where the trained, or the best found, model.tar.gz lies."""
        if isinstance(train, TuningStep):
            return train.get_top_model_s3_uri(
                0, self.bucket, self.locations.models.removeprefix(f"s3://{self.bucket}/")
            )
        return train.properties.ModelArtifacts.S3ModelArtifacts

    def evaluate(self, preprocess: ProcessingStep, train: TrainingStep | TuningStep) -> ProcessingStep:
        """Judge the model, and the champion beside it, on the same unseen rows."""
        parameters = self.parameters
        folders = ["model", "test", "champion"]
        arguments = [word for name in folders for word in (f"--{name}", f"{PROCESSING}/input/{name}")]
        arguments += ["--metric", self.settings.evaluate.metric, "--threshold", parameters.threshold.to_string()]
        arguments += ["--champion-tolerance", parameters.tolerance.to_string()]
        return self._processing(
            "Evaluate",
            self.model_image,
            arguments,
            inputs={
                "model": self.model_uri(train),
                "test": output_uri(preprocess, "test"),
                "champion": parameters.champion_uri,
            },
            outputs=["evaluation", "contract"],
            property_files=[
                report("Evaluation", "evaluation.json"),
                report("Gate", "gate.json"),
                report("Model", "model.json"),
            ],
        )

    def gates(self, evaluate: ProcessingStep, register: ModelStep) -> ConditionStep:
        """Register only above the threshold and not worse than the champion by more than the tolerance."""
        family, metric = FAMILIES[self.settings.data.problem_type], self.settings.evaluate.metric
        reaches = (
            ConditionLessThanOrEqualTo if self.settings.evaluate.lower_is_better else ConditionGreaterThanOrEqualTo
        )
        champion = ConditionStep(
            name="CheckChampion",
            conditions=[
                ConditionLessThanOrEqualTo(read(evaluate, "Gate", "champion_shortfall"), self.parameters.tolerance)
            ],
            if_steps=[register],
            else_steps=[FailStep(name="WorseThanChampion", error_message=sentence(evaluate, "champion_message"))],
        )
        return ConditionStep(
            name="CheckThreshold",
            conditions=[reaches(read(evaluate, "Evaluation", f"{family}.{metric}.value"), self.parameters.threshold)],
            if_steps=[champion],
            else_steps=[FailStep(name="BelowThreshold", error_message=sentence(evaluate, "threshold_message"))],
        )

    def register(
        self, preprocess: ProcessingStep, train: TrainingStep | TuningStep, evaluate: ProcessingStep
    ) -> ModelStep:
        """A new version in the model package group, with the evidence that a person or the deploy half asks for."""
        contract = output_uri(evaluate, "contract")
        statistics = Join(on="/", values=[output_uri(evaluate, "evaluation"), "evaluation.json"])
        model = ModelBuilder(
            s3_model_data_url=self.model_uri(train),
            image_uri=self.model_image,
            sagemaker_session=self.session,
            role_arn=self.role,
            # Without these the SDK writes an empty SAGEMAKER_PROGRAM and the endpoint cannot import the handler.
            env_vars={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
        )
        types = ["text/csv", "application/json", "application/jsonlines"]
        arguments = model.register(
            model_package_group_name=self.settings.model_package_group,
            content_types=types,
            response_types=types,
            inference_instances=["ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge"],
            transform_instances=["ml.m5.large", "ml.m5.xlarge"],
            approval_status=self.parameters.approval,
            model_metrics=ModelMetrics(
                model_statistics=MetricsSource(content_type="application/json", s3_uri=statistics)
            ),
            customer_metadata_properties={
                "git_commit": self.parameters.git_commit,
                "data_sha256": read(preprocess, "Summary", "data_sha256"),
                "pipeline_execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
                "contract_uri": contract,
                "framework": read(evaluate, "Model", "name"),
                "framework_version": read(evaluate, "Model", "version"),
            },
            domain="MACHINE_LEARNING",
            task=_task(self.settings.data.problem_type),
            sample_payload_url=Join(on="/", values=[contract, "sample_payload.tar.gz"]),
            model_card=ModelPackageModelCard(model_card_content=_model_card(self.settings), model_card_status="Draft"),
        )
        return ModelStep(name="Register", step_args=arguments, retry_policies=[RETRY_CALL])

    def _processing(
        self,
        name: str,
        image: str,
        arguments: list[Any],
        *,
        inputs: dict[str, Any],
        outputs: list[str],
        property_files: list[PropertyFile],
    ) -> ProcessingStep:
        """A job that runs sagemaker_project_runtime.steps.<name>; each input and output is a folder of its own name."""
        processor = Processor(
            role=self.role,
            image_uri=image,
            entrypoint=["python3", "-m", f"sagemaker_project_runtime.steps.{name.lower()}"],
            instance_count=1,
            instance_type=self.parameters.processing_instance,
            volume_kms_key=self.kms_key,
            output_kms_key=self.kms_key,
            max_runtime_in_seconds=self.settings.train.max_runtime_minutes * 60,
            env={"PYTHONPATH": CODE, "SM_OUTPUT_DIR": "/opt/ml/output"},
            network_config=processing_network(self.settings.environment),
            sagemaker_session=self.session,
        )
        step_args = processor.run(
            inputs=[job_input(key, uri) for key, uri in {**inputs, "code": self.locations.package}.items()],
            outputs=[job_output(key, self.locations.run(name, key)) for key in outputs],
            arguments=[*arguments, "--output", f"{PROCESSING}/output"],
        )
        return ProcessingStep(
            name=name, step_args=step_args, property_files=property_files, cache_config=CACHE, retry_policies=RETRIES
        )

    def _trainer(self, preprocess: ProcessingStep) -> ModelTrainer:
        train = self.settings.train
        seconds = train.max_runtime_minutes * 60
        waiting = {"max_wait_time_in_seconds": 2 * seconds} if train.spot else {}
        return ModelTrainer(
            training_image=self.model_image,
            role=self.role,
            sagemaker_session=self.session,
            base_job_name="train",
            compute=Compute(
                instance_type=self.parameters.training_instance,
                instance_count=1,
                volume_size_in_gb=30,
                volume_kms_key_id=self.kms_key,
                enable_managed_spot_training=train.spot,
            ),
            networking=training_network(self.settings.environment),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=seconds, **waiting),
            output_data_config=OutputDataConfig(s3_output_path=self.locations.models, kms_key_id=self.kms_key),
            input_data_config=_channels(preprocess),
            hyperparameters=self._hyperparameters(),
        )

    def _hyperparameters(self) -> dict[str, Any]:
        """Script mode as AWS's images read it: the program and its archive travel as JSON strings."""
        script = {
            "sagemaker_program": json.dumps("train.py"),
            "sagemaker_submit_directory": json.dumps(self.locations.archive),
        }
        tuned = self.settings.train.tuning.ranges if self.settings.train.tuning.strategy != "off" else {}
        return {
            name: value for name, value in self.settings.train.hyperparameters.items() if name not in tuned
        } | script


def _parameters(settings: Settings, locations: Locations) -> Parameters:
    return Parameters(
        data_uri=ParameterString("InputDataUri", default_value=locations.data),
        champion_uri=ParameterString("ChampionModelUri", default_value=locations.no_champion),
        threshold=ParameterFloat("MetricThreshold", default_value=settings.evaluate.threshold),
        tolerance=ParameterFloat("ChampionTolerance", default_value=settings.evaluate.champion_tolerance),
        approval=ParameterString(
            "ModelApprovalStatus",
            default_value="PendingManualApproval",
            enum_values=["PendingManualApproval", "Approved", "Rejected"],
        ),
        git_commit=ParameterString("GitCommit", default_value="unknown"),
        training_instance=ParameterString("TrainingInstanceType", default_value=settings.train.instance_type),
        processing_instance=ParameterString(
            "ProcessingInstanceType", default_value=settings.train.processing_instance_type
        ),
    )


def _channels(preprocess: ProcessingStep) -> list[InputData]:
    return [
        InputData(channel_name=name, data_source=output_uri(preprocess, name))
        for name in ("train", "validation", "transformation")
    ]


def _task(problem_type: str) -> str:
    return "REGRESSION" if problem_type == "regression" else "CLASSIFICATION"


def _model_card(settings: Settings) -> str:
    """The simplified card of a model package: https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html."""
    data = settings.data
    purpose = f"Predicts {data.target} ({data.problem_type}) from the columns of {file_name(data.source)}."
    card = {
        "intended_uses": {"purpose_of_model": purpose, "risk_rating": "Unknown"},
        "business_details": {
            "line_of_business": settings.project.cost_center,
            "business_stakeholders": settings.project.owner,
        },
        "training_details": {
            "objective_function": {
                "notes": f"Judged by {settings.evaluate.metric} on rows that were not used in training."
            },
            "training_observations": f"{settings.framework}; hyperparameters in the training job.",
        },
        "additional_information": {
            "custom_details": {"pipeline": settings.pipeline_name, "problem_type": data.problem_type}
        },
    }
    return json.dumps(card, sort_keys=True)
