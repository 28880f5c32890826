"""A data scientist pushes changes: a worse model is refused, a better one released, halves leave each other alone."""

import re

from rehearsal.story import building, pipelines, releasing, repository
from rehearsal.story.errors import StoryError
from rehearsal.story.traffic import traffic
from rehearsal.story.world import World, expect

WORSE = {"num_round": "2", "max_depth": "2"}
BETTER = {"num_round": "800", "eta": "0.03", "colsample_bytree": "0.4", "subsample": "0.7", "min_child_weight": "5"}


def worse(world: World) -> None:
    """A worse model is refused: nothing is registered, and the pipeline says why."""
    before = [package["ModelPackageVersion"] for package in building.packages(world)]
    execution = push_hyperparameters(world, WORSE, "Train faster")
    ended = pipelines.finished(world, "build", execution)
    expect(ended["status"] == "Failed", "the build pipeline to fail", ended["status"])
    words = build_words(world, execution)
    expect("auc" in words, "the build to say that the model's auc is not good enough", words[-400:])
    after = [package["ModelPackageVersion"] for package in building.packages(world)]
    expect(after == before, f"the versions {before} and no other", after)
    world.say(next(line for line in words.splitlines() if "auc" in line).strip())


def better(world: World) -> None:
    """A better model is trained and registered; its code leaves the deployment alone."""
    before = pipelines.known(world, "deploy")
    execution = push_hyperparameters(world, BETTER, "Train more carefully")
    pipelines.succeeded(world, "build", execution, 600)
    package = building.packages(world)[-1]
    expect(package["ModelPackageVersion"] == 2, "version 2 to be registered", package["ModelPackageVersion"])
    building.note_model(world, package, "trained more carefully")
    releasing.require_nothing_starts(world, "deploy", before, 1)
    first, second = (model.metrics["auc"] for model in world.facts.models)
    expect(second > first, f"an auc above {first:.4f}", f"{second:.4f}")
    world.say(f"version 2, auc {second:.4f} after {first:.4f}")


def canary(world: World) -> None:
    """It is released to production with a canary, while traffic runs and not one request fails."""
    releasing.decide(world, 2)
    releasing.reach_approval(world)
    rows, old = releasing.contract(world, 1)
    _, new = releasing.contract(world, 2)
    with traffic(world, "prod", rows, [old, new]) as heard:
        world.wait(lambda: True if heard.totals[old.name] >= 20 else None, "answers of version 1", 20)
        marks = {"approved": heard.now}
        releasing.allow_production(world)
        marks |= releasing.watch_shift(world, heard, new.name)
        pipelines.succeeded(world, "deploy", world.kept["release"])
        marks["pipeline is green"] = heard.now
    outcome = f"{heard.totals[old.name]} answers of version 1, {heard.totals[new.name]} of version 2"
    releasing.note_shift(world, "Version 2 to production", outcome, heard, marks)
    expect(heard.failed == 0, "no request to fail", dict(heard.messages))
    expect(set(heard.totals) == {old.name, new.name}, "answers of versions 1 and 2 only", heard.totals)
    releasing.require_serving(world, "prod", 2)
    releasing.require_canary(world, heard, old.name, new.name)
    world.say(outcome)


def push_hyperparameters(world: World, values: dict[str, str], message: str) -> str:
    """Change [train.hyperparameters] of project.toml and push; returns the build that this starts."""
    path = repository.folder(world) / "project.toml"
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"(?m)^{name} = \S+", f"{name} = {value}", text, count=1)
        expect(count == 1, f"{name} in project.toml", "it is not there", path)
    before = pipelines.known(world, "build")
    commit = repository.push(world, "project.toml", text, message)
    world.say(f"pushed {commit[:8]}: {message}")
    return str(pipelines.started(world, "build", before)["pipelineExecutionId"])


def build_words(world: World, execution: str) -> str:
    """Everything that the build of an execution printed."""
    for action in pipelines.actions(world, "build", execution):
        external = action.get("output", {}).get("executionResult", {}).get("externalExecutionId", "")
        if action["input"]["actionTypeId"]["provider"] == "CodeBuild":
            return pipelines.printed(world, external)
    raise StoryError("a build in the execution", "there is none")


def other_half(world: World) -> None:
    """A push to the deploy half deploys with it, and trains nothing."""
    before, trained = pipelines.known(world, "deploy"), pipelines.known(world, "build")
    path = "model_deploy/config/staging.json"
    text = (repository.folder(world) / path).read_text(encoding="utf-8")
    changed = text.replace('"CapturePercent": "100"', '"CapturePercent": "50"')
    expect(changed != text, "CapturePercent of staging to be 100", "it is not", path)
    repository.push(world, path, changed, "Capture half of staging's traffic")
    world.kept["release"] = pipelines.started(world, "deploy", before)["pipelineExecutionId"]
    releasing.reach_approval(world)
    releasing.allow_production(world, "Rejected")
    ended = pipelines.finished(world, "deploy", world.kept["release"])
    expect(ended["status"] == "Failed", "the deployment to end with the rejection", ended["status"])
    found = releasing.endpoint(world, "staging")
    percent = found["DataCaptureConfig"]["CurrentSamplingPercentage"] if found else None
    expect(percent == 50, "staging to capture 50 % of its traffic", percent)
    releasing.require_nothing_starts(world, "build", trained, 1)
