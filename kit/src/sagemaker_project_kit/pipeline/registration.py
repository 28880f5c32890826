"""The step that registers a model, with the evidence for those who approve it. Imported inside offline() only."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.shapes import ModelPackageModelCard
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.mlops.workflow.model_step import ModelStep
from sagemaker.serve.model_builder import ModelBuilder

from sagemaker_project_kit.pipeline.context import Context, join
from sagemaker_project_kit.pipeline.jobs import RETRY_CALL
from sagemaker_project_kit.pipeline.machines import of_image
from sagemaker_project_kit.pipeline.staging import file_name

DEFAULT_ACCEPT = "*/*"  # as the contract says
CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]


def register_step(
    context: Context,
    name: str,
    *,
    evaluation: str,
    metadata: Mapping[str, Any],
    inference_instances: Sequence[str] = (),
    transform_instances: Sequence[str] = (),
) -> ModelStep:
    """A new version in the model package group, of what Context.model() is.

    `evaluation`: the step with the outputs evaluation and contract and the report Model. `metadata`: what the version
    says of itself, beside its commit, execution, contract and framework. The instance types are those of the image
    (machines.py), which the templates of the deploy half offer; name others only for templates of your own.
    """
    machines = of_image(context.settings.model.image)
    contract = context.output(evaluation, "contract")
    statistics = join(context.output(evaluation, "evaluation"), "evaluation.json")
    is_regression = context.settings.data.problem_type == "regression"
    arguments = _model(context).register(
        model_package_group_name=context.settings.model_package_group,
        content_types=CONTENT_TYPES,
        response_types=CONTENT_TYPES,
        inference_instances=list(inference_instances or machines.inference),
        transform_instances=list(transform_instances or machines.transform),
        approval_status=context.parameters.approval,
        model_metrics=ModelMetrics(model_statistics=MetricsSource(content_type="application/json", s3_uri=statistics)),
        customer_metadata_properties=_metadata(context, evaluation, metadata),
        domain="MACHINE_LEARNING",
        task="REGRESSION" if is_regression else "CLASSIFICATION",
        sample_payload_url=join(contract, "sample_payload.tar.gz"),
        model_card=ModelPackageModelCard(model_card_content=_model_card(context), model_card_status="Draft"),
    )
    return ModelStep(name=name, step_args=arguments, retry_policies=[RETRY_CALL])


def _model(context: Context) -> ModelBuilder:
    return ModelBuilder(
        s3_model_data_url=context.model(),
        image_uri=context.images.model,
        sagemaker_session=context.session,
        role_arn=context.role,
        # Without these the SDK writes an empty SAGEMAKER_PROGRAM and the endpoint cannot import the handler.
        env_vars={
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            # Else AWS's toolkit answers JSON, whatever was sent, to who asks for no format.
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": DEFAULT_ACCEPT,
        },
    )


def _metadata(context: Context, evaluation: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "git_commit": context.parameters.git_commit,
        **metadata,
        "pipeline_execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
        "contract_uri": context.output(evaluation, "contract"),
        "framework": context.read(evaluation, "Model", "name"),
        "framework_version": context.read(evaluation, "Model", "version"),
    }


def _model_card(context: Context) -> str:
    """The simplified card of a model package: https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html."""
    settings = context.settings
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
            "training_observations": f"{context.settings.framework}; hyperparameters in the training job.",
        },
        "additional_information": {
            "custom_details": {"pipeline": settings.pipeline_name, "problem_type": data.problem_type}
        },
    }
    return json.dumps(card, sort_keys=True)
