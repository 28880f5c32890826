"""The build pipeline makes a model of the seed and registers it; nothing is released before a person approves."""

import json
from typing import Any
from urllib.parse import urlparse

from rehearsal.report.facts import Curve, ModelFact
from rehearsal.story import pipelines
from rehearsal.story.world import World, expect

METRICS = ("accuracy", "auc", "f1", "precision", "recall", "rmse", "mae", "mse", "r2")


def build(world: World) -> None:
    """The build pipeline checks, tests and trains, started by its creation."""
    execution = pipelines.first(world, "build")
    pipelines.succeeded(world, "build", execution["pipelineExecutionId"], 600)
    world.say(f"execution {execution['pipelineExecutionId'][:8]} succeeded")


def waits_for_approval(world: World) -> None:
    """The first deployment is green, deploys nothing and says what it waits for."""
    execution = pipelines.first(world, "deploy")["pipelineExecutionId"]
    pipelines.succeeded(world, "deploy", execution)
    status = pipelines.variables(world, "deploy", execution).get("RELEASE_STATUS")
    expect(status == "waiting", "RELEASE_STATUS waiting", status)
    begun = {action["stageName"] for action in pipelines.actions(world, "deploy", execution)}
    expect(begun == {"Source", "Release"}, "the stages after Release to be skipped", sorted(begun))


def registered(world: World) -> None:
    """The model is registered with its evaluation, and waits for a person."""
    package = packages(world)[-1]
    expect(package["ModelPackageVersion"] == 1, "version 1 to be the newest", package["ModelPackageVersion"])
    expect(package["ModelApprovalStatus"] == "PendingManualApproval", "it to wait for a person", package)
    note_model(world, package, "registered first")
    model = world.facts.models[-1]
    expect(model.metrics.get("auc", 0) >= 0.8, "an auc of at least 0.80, as project.toml demands", model.metrics)
    world.say(f"version 1, auc {model.metrics['auc']:.4f}")


def packages(world: World) -> list[dict[str, Any]]:
    """The versions in the project's group, oldest first."""
    client = world.client("sagemaker", "scientist")
    found = client.list_model_packages(
        ModelPackageGroupName=world.project.full_name, SortBy="CreationTime", SortOrder="Ascending"
    )
    return [package for package in found["ModelPackageSummaryList"] if package.get("ModelPackageVersion")]


def note_model(world: World, package: dict[str, Any], remark: str) -> None:
    """Put a version's evaluation among the facts."""
    described = world.client("sagemaker", "scientist").describe_model_package(
        ModelPackageName=package["ModelPackageArn"]
    )
    uri = described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]
    model = model_fact(package["ModelPackageVersion"], described["ModelApprovalStatus"], read(world, uri))
    model.remark = remark
    world.facts.models = [each for each in world.facts.models if each.version != model.version] + [model]
    world.facts.primary_metric, world.facts.threshold = "auc", 0.8


def read(world: World, uri: str) -> dict[str, Any]:
    """A JSON document of S3."""
    place = urlparse(uri)
    body = world.client("s3", "scientist").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]
    document: dict[str, Any] = json.load(body)
    return document


def model_fact(version: int, status: str, evaluation: dict[str, Any]) -> ModelFact:
    """What evaluation.json, in Model Monitor's format, says of a version."""
    metrics = next(iter(evaluation.values()))
    values = {name: entry["value"] for name, entry in metrics.items() if name in METRICS and "value" in entry}
    curves = {}
    if roc := metrics.get("receiver_operating_characteristic_curve"):
        curves["ROC"] = _curve(roc["false_positive_rates"], roc["true_positive_rates"])
    if precision := metrics.get("precision_recall_curve"):
        curves["Precision and recall"] = _curve(precision["recalls"], precision["precisions"])
    return ModelFact(version, status, values, curves, metrics.get("confusion_matrix", {}))


def _curve(x: list[float], y: list[float]) -> Curve:
    """Every other point is enough for a picture."""
    return Curve([*x[::2], x[-1]], [*y[::2], y[-1]])
