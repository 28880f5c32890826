"""The training pipeline: preprocess → train or tune → evaluate → two gates → register.

A step is a function that makes it, named in STEPS in the order in which the steps can run. To add one, write a function
and name it there: README, "Another step". What comes of it, the definition JSON, is what SageMaker and `make run` run.
"""

from sagemaker_project_kit.pipeline.context import Context, Step, definition
from sagemaker_project_kit.pipeline.gates import failure, gate, keeps_up_with_champion, meets_threshold
from sagemaker_project_kit.pipeline.jobs import Report, folder, processing_step, training_step
from sagemaker_project_kit.pipeline.registration import register_step
from sagemaker_project_kit.pipeline.staging import Locations
from sagemaker_project_kit.pipeline.tables import Settings


def preprocess(context: Context) -> Step:
    """Raw rows → train, validation and test sets and the fitted transformation."""
    return processing_step(
        context,
        "Preprocess",
        module="sagemaker_project_runtime.steps.preprocess",
        image=context.images.processing,
        inputs={"data": context.parameters.data_uri, "config": context.locations.config},
        options={"config": f"{folder('config')}/preprocess.json"},
        outputs=["train", "validation", "test", "transformation", "summary"],
        reports=[Report("Summary", output="summary", file="summary.json")],
    )


def train(context: Context) -> Step:
    """One training job; with [train.tuning] of project.toml a search, of which the best model counts."""
    channels = ("train", "validation", "transformation")
    return training_step(context, {name: context.output("Preprocess", name) for name in channels})


def evaluate(context: Context) -> Step:
    """Judge the model, and the champion beside it, on the same unseen rows."""
    return processing_step(
        context,
        "Evaluate",
        module="sagemaker_project_runtime.steps.evaluate",
        image=context.images.model,
        inputs={
            "model": context.model(),
            "test": context.output("Preprocess", "test"),
            "champion": context.parameters.champion_uri,
        },
        options={
            "metric": context.settings.evaluate.metric,
            "threshold": context.parameters.threshold.to_string(),
            "champion-tolerance": context.parameters.tolerance.to_string(),
        },
        outputs=["evaluation", "contract"],
        reports=[
            Report("Evaluation", output="evaluation", file="evaluation.json"),
            Report("Gate", output="evaluation", file="gate.json"),
            Report("Model", output="evaluation", file="model.json"),
        ],
    )


def check(context: Context) -> Step:
    """Register only what reaches the threshold and is not worse than the champion by more than the tolerance."""
    champion = gate(
        "CheckChampion",
        keeps_up_with_champion(context, "Evaluate"),
        then=register(context),
        otherwise=failure(context, "WorseThanChampion", "Evaluate", "champion_message"),
    )
    return gate(
        "CheckThreshold",
        meets_threshold(context, "Evaluate"),
        then=champion,
        otherwise=failure(context, "BelowThreshold", "Evaluate", "threshold_message"),
    )


def register(context: Context) -> Step:
    """A new version in the model package group, with the evidence that a person or the deploy half asks for."""
    return register_step(
        context,
        "Register",
        evaluation="Evaluate",
        metadata={"data_sha256": context.read("Preprocess", "Summary", "data_sha256")},
    )


STEPS = [preprocess, train, evaluate, check]


def build(settings: Settings, locations: Locations) -> str:
    """The definition as JSON; the same settings and locations give the same bytes."""
    return definition(settings, locations, STEPS)
