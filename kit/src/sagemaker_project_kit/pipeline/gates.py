"""Conditions between evaluation and registration. Imported inside session.offline() only."""

from typing import Any

from sagemaker.core.workflow.conditions import ConditionGreaterThanOrEqualTo, ConditionLessThanOrEqualTo
from sagemaker.core.workflow.functions import Join
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep

from sagemaker_project_kit.pipeline.context import Context
from sagemaker_project_runtime.steps.known_metrics import FAMILIES


def gate(name: str, condition: Any, *, then: Any, otherwise: FailStep) -> ConditionStep:
    """Go on with the step `then` if the condition holds, else end the execution with the Fail step `otherwise`."""
    return ConditionStep(name=name, conditions=[condition], if_steps=[then], else_steps=[otherwise])


def meets_threshold(context: Context, evaluation: str) -> Any:
    """Whether the metric of project.toml, in the report Evaluation of the step `evaluation`, reaches the threshold."""
    judged = context.settings.evaluate
    reaches = ConditionLessThanOrEqualTo if judged.lower_is_better else ConditionGreaterThanOrEqualTo
    family = FAMILIES[context.settings.data.problem_type]
    return reaches(
        context.read(evaluation, "Evaluation", f"{family}.{judged.metric}.value"), context.parameters.threshold
    )


def keeps_up_with_champion(context: Context, evaluation: str) -> Any:
    """Whether the model is not worse than the approved one by more than the tolerance."""
    shortfall = context.read(evaluation, "Gate", "champion_shortfall")
    return ConditionLessThanOrEqualTo(shortfall, context.parameters.tolerance)


def failure(context: Context, name: str, evaluation: str, message: str) -> FailStep:
    """The end of an execution, with the sentence `message` of gate.json."""
    # The SDK accepts JsonGet inside Join for a Fail step and published pipelines use it; the developer guide shows
    # parameters only (build-and-manage-steps, "Fail step"). Unproven without an account.
    sentence = Join(on="", values=[context.read(evaluation, "Gate", message), "; the figures are in gate.json"])
    return FailStep(name=name, error_message=sentence)
