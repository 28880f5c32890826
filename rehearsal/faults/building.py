"""The build half when AWS slows it down, when its pipeline runs already, when the champion is gone or spoilt."""

from pathlib import Path
from typing import Any

from rehearsal.faults import edge, models
from rehearsal.faults.deploying import release_words, require_no_endpoint, require_no_traceback, run_by_hand
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.models import place
from rehearsal.story import building, changing, pipelines, releasing
from rehearsal.story.world import World, expect


@fault("registered", is_long=True)
def training_throttled(world: World) -> None:
    """AWS asks the build to slow down, twice in each call of the pipeline: it does, and registers its model"""
    operations = ("UpdatePipeline", "AddTags", "StartPipelineExecution", "DescribePipelineExecution")
    with edge.calls(world.emulator, *(edge.throttled(operation, 2, "-train") for operation in operations)):
        execution = train(world)
        pipelines.succeeded(world, "build", execution, PATIENCE)
        met = edge.met(world.emulator)
    expect(met == 2 * len(operations), "each call to be asked twice to slow down", met)
    require_versions(world, 1, 2)


@fault("registered", is_long=True)
def throttled_for_ever(world: World) -> None:
    """AWS asks both halves to slow down for ever: both end in words, and nothing is registered or deployed"""
    endless = (
        edge.throttled("UpdatePipeline", caller="-train"),
        edge.throttled("ListModelPackages", caller="-release"),
    )
    with edge.calls(world.emulator, *endless):
        build, release = train(world), run_by_hand(world)
        for half, execution in (("build", build), ("deploy", release)):
            ended = pipelines.finished(world, half, execution, PATIENCE)
            expect(ended["status"] == "Failed", f"the {half} pipeline to fail", ended["status"])
    for words in (changing.build_words(world, build), release_words(world, release)):
        require_no_traceback(words)
        expect("ThrottlingException" in words and "reached max retries" in words, "words about it", words[-600:])
    require_versions(world, 1)
    require_no_endpoint(world)
    world.say(next(line for line in words.splitlines() if "ThrottlingException" in line))


@fault("registered", is_long=True)
def training_while_one_runs(world: World) -> None:
    """A push while somebody's execution of the training runs changes the pipeline and trains; both end well"""
    sagemaker = world.client("sagemaker")
    name = f"{world.project.full_name}-training"
    with edge.calls(world.emulator, {"operation": "CreateModelPackage", "hold": "passes"}):
        with edge.calls(world.emulator, {"operation": "UpdatePipeline", "caller": "-train", "hold": "passes"}):
            execution = train(world)
            edge.wait_for_held(world, "UpdatePipeline")
            first = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
            edge.wait_for_held(world, "CreateModelPackage")
        world.wait(lambda: _second(world, name), "a second execution of the training", PATIENCE, world.logs / "log")
    pipelines.succeeded(world, "build", execution, PATIENCE)
    world.wait(lambda: _ended(world, first), "the first execution to end", PATIENCE, world.logs / "log")
    require_versions(world, 1, 2, 3)


@fault("in-production", is_long=True)
def champion_gone(world: World) -> None:
    """The data of the model in production is gone: the build says so, registers nothing, and production serves on"""
    uri = models.model_data(world, 1)
    world.client("s3").delete_object(**place(uri))
    execution = train(world)
    ended = pipelines.finished(world, "build", execution, PATIENCE)
    words = changing.build_words(world, execution)
    expect(ended["status"] == "Failed", "the build to fail", f"{ended['status']}: {words[-400:]}")
    expect(f"no S3 objects found under {uri}" in words, f"the build to name {uri}", words[-600:], *_logs(world))
    expect("is the model of version 1 of" in words, "the build to name the version", words[-600:], *_logs(world))
    require_versions(world, 1)
    releasing.require_serving(world, "prod", 1)


def _logs(world: World) -> list[Path]:
    return [world.logs / "codebuild", world.logs / "log"]


def train(world: World) -> str:
    """Push other hyperparameters; the build that this starts."""
    return changing.push_hyperparameters(world, {"num_round": "90"}, "Train for longer")


def require_versions(world: World, *versions: int) -> None:
    """These versions are registered and no other."""
    found = [package["ModelPackageVersion"] for package in building.packages(world)]
    expect(found == list(versions), f"the versions {list(versions)}", found)


def _second(world: World, pipeline: str) -> bool | None:
    found = world.client("sagemaker").list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    return True if len([each for each in found if each["PipelineExecutionStatus"] == "Executing"]) >= 2 else None


def _ended(world: World, execution: str) -> dict[str, Any] | None:
    found: dict[str, Any] = world.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)
    expect(found["PipelineExecutionStatus"] != "Failed", "it to succeed", found.get("FailureReason"))
    return found if found["PipelineExecutionStatus"] == "Succeeded" else None
