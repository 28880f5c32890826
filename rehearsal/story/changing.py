"""A data scientist pushes changes: a worse model is refused, a better one released, halves leave each other alone."""

import re

from rehearsal.story import building, pipelines, releasing, repository
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect

WORSE = {"num_round": "2", "max_depth": "2"}
BETTER = {
    "num_round": "300",
    "max_depth": "4",
    "eta": "0.05",
    "min_child_weight": "5",
    "subsample": "0.6",
    "colsample_bytree": "0.5",
}


def push_changes(world: World) -> None:
    """Meanwhile a scientist pushes two changes, one after the other; each starts a build with its own commit."""
    world.kept["better"] = push_hyperparameters(world, BETTER, "Train more carefully")
    world.kept["worse"] = push_hyperparameters(world, WORSE, "Train faster")


def better(world: World) -> None:
    """A better model is registered and approved for staging; its code leaves the deployment alone."""
    pipelines.succeeded(world, "build", world.kept["better"], 600)
    package = building.packages(world)[-1]
    expect(package["ModelPackageVersion"] == 2, "version 2 to be registered", package["ModelPackageVersion"])
    building.note_model(world, package, "trained more carefully")
    pipelines.require_known(world)
    first, second = (model.metrics["auc"] for model in world.facts.models)
    expect(second > first, f"an auc above {first:.4f}", f"{second:.4f}")
    world.say(f"version 2, auc {second:.4f} after {first:.4f}")
    releasing.decide(world, 2)


def worse(world: World) -> None:
    """A worse model is refused: nothing is registered, and the pipeline says why."""
    execution = world.kept["worse"]
    ended = pipelines.finished(world, "build", execution, 600)
    expect(ended["status"] == "Failed", "the build pipeline to fail", ended["status"], world.logs)
    words = build_words(world, execution)
    expect("auc" in words, "the build to say that the model's auc is not good enough", words[-400:], world.logs)
    versions = [package["ModelPackageVersion"] for package in building.packages(world)]
    known = [1, 2, world.kept["flawed"]]
    expect(versions == known, f"versions {known} and no other", versions, world.logs)
    world.say(next(line for line in words.splitlines() if "auc" in line).strip())


def canary(world: World) -> None:
    """The better one is released to production with a canary, while traffic runs and not one request fails."""
    releasing.reach_approval(world)
    rows, old = releasing.contract(world, 1)
    _, new = releasing.contract(world, 2)
    heard = releasing.shift(world, "Version 2 to production", rows, old, new)
    releasing.require_shift(world, heard)
    releasing.require_canary(world, heard, old, new)
    releasing.require_serving(world, "prod", 2)
    building.note_model(world, releasing.package(world, 2), "trained more carefully")  # it is approved now


def push_hyperparameters(world: World, values: dict[str, str], message: str) -> str:
    """Change [train.hyperparameters] of project.toml and push; returns the build that this starts."""
    path = repository.folder(world) / "project.toml"
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^{name} = \S+", f"{name} = {value}", text, count=1)
        expect(count == 1, f"{name} in project.toml", "it is not there", path)
    commit = repository.push(world, "project.toml", text, message)
    world.say(f"pushed {commit[:8]}: {message}")
    return built_from(world, commit, message)


def built_from(world: World, commit: str, message: str) -> str:
    """The one build that a push has started, once it has taken that very commit; it is told of until it ends."""
    execution = str(pipelines.started(world, "build")["pipelineExecutionId"])
    taken = pipelines.commit(world, "build", execution)
    expect(taken == commit, f"a build with commit {commit}", taken, world.logs / "log")
    pipelines.tell_beside(world, "build", execution, message)
    return execution


def build_words(world: World, execution: str) -> str:
    """Everything that the build of an execution printed."""
    for action in pipelines.actions(world, "build", execution):
        external = action.get("output", {}).get("executionResult", {}).get("externalExecutionId", "")
        if action["input"]["actionTypeId"]["provider"] == "CodeBuild":
            return pipelines.printed(world, external)
    raise StoryError("a build in the execution", "there is none")


def push_half(world: World) -> None:
    """A scientist pushes a change of the deploy half, which starts a deployment with that commit."""
    path = "model_deploy/config/staging.json"
    text = (repository.folder(world) / path).read_text(encoding="utf-8")
    changed = text.replace('"CapturePercent": "100"', '"CapturePercent": "50"')
    expect(changed != text, "CapturePercent of staging to be 100", "it is not", path)
    commit = repository.push(world, path, changed, "Capture half of staging's traffic")
    execution = world.kept["other half"] = str(pipelines.started(world, "deploy")["pipelineExecutionId"])
    taken = pipelines.commit(world, "deploy", execution)
    expect(taken == commit, f"a deployment with commit {commit}", taken, world.logs / "log")
    pipelines.tell_beside(world, "deploy", execution, "Capture half of staging's traffic")


def other_half(world: World) -> None:
    """The push to the deploy half was deployed with it, and trained nothing."""
    release = world.kept["other half"]
    releasing.reach_approval(world, release)
    releasing.allow_production(world, "Rejected", release)
    ended = pipelines.finished(world, "deploy", release)
    expect(ended["status"] == "Failed", "the deployment to end with the rejection", ended["status"], world.logs)
    found = releasing.endpoint(world, "staging")
    percent = found["DataCaptureConfig"]["CurrentSamplingPercentage"] if found else None
    expect(percent == 50, "staging to capture 50 % of its traffic", percent, world.logs)
    pipelines.require_known(world)
