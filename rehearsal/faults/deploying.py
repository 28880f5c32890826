"""What faults of the deploy pipeline share: starting it, watching only its Release, and what that printed."""

from typing import Any

from rehearsal.faults.fault import PATIENCE
from rehearsal.story import pipelines, releasing
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect


def run_by_hand(world: World) -> str:
    """Press "Release change"; the execution."""
    client = world.client("codepipeline")
    execution = str(client.start_pipeline_execution(name=world.project.pipeline("deploy"))["pipelineExecutionId"])
    started = pipelines.started(world, "deploy")["pipelineExecutionId"]
    expect(started == execution, f"the execution {execution} and no other", started)
    return execution


def action(world: World, execution: str, name: str) -> dict[str, Any]:
    """An action of an execution, stage/action, when it has ended."""

    def probe() -> dict[str, Any] | None:
        pipelines.tell(world, "deploy", execution)
        for each in pipelines.actions(world, "deploy", execution):
            if f"{each['stageName']}/{each['actionName']}" == name and each["status"] != "InProgress":
                return each
        return None

    return world.wait(probe, f"{name} to end", PATIENCE, world.logs / "log")


def release_words(world: World, execution: str) -> str:
    """What the build of an execution's Release printed."""
    for each in pipelines.actions(world, "deploy", execution):
        if each["stageName"] == "Release":
            return pipelines.printed(world, each["output"]["executionResult"]["externalExecutionId"])
    raise StoryError("a Release in the execution", "there is none")


def released(world: World, execution: str) -> dict[str, str]:
    """RELEASE_STATUS and MODEL_PACKAGE_ARN, once Release has succeeded."""
    found = action(world, execution, "Release/Release")
    words = release_words(world, execution)
    expect(found["status"] == "Succeeded", "Release to succeed", words[-600:], world.logs / "codebuild")
    variables: dict[str, str] = found["output"]["outputVariables"]
    return variables


def require_refused(world: World, execution: str, *says: str) -> None:
    """Release fails with these words, and the execution with it: no stage is begun."""
    found = action(world, execution, "Release/Release")
    words = release_words(world, execution)
    expect(found["status"] == "Failed", "Release to refuse it", f"{found['status']}: {words[-600:]}")
    pipelines.finished(world, "deploy", execution, PATIENCE)
    missing = [each for each in says if each not in words]
    expect(not missing, f"Release to say {missing}", words[-800:], world.logs / "codebuild")
    require_no_traceback(words)
    begun = {each["stageName"] for each in pipelines.actions(world, "deploy", execution)}
    expect(begun <= {"Source", "Release"}, "no stage to begin", sorted(begun))
    world.say(" ".join(line.strip() for line in words.splitlines() if any(each in line for each in says))[:300])


def require_no_traceback(words: str) -> None:
    """What a build printed is for a person."""
    expect("Traceback (most recent call last)" not in words, "a sentence, no traceback", words[-1500:])


def require_deploys_nothing(world: World, execution: str, status: str) -> None:
    """The execution succeeds, with this RELEASE_STATUS, and begins no stage."""
    pipelines.succeeded(world, "deploy", execution, PATIENCE)
    found = pipelines.variables(world, "deploy", execution).get("RELEASE_STATUS")
    expect(found == status, f"RELEASE_STATUS {status}", f"{found}: {release_words(world, execution)[-400:]}")
    begun = {each["stageName"] for each in pipelines.actions(world, "deploy", execution)}
    expect(begun == {"Source", "Release"}, "the stages after Release to be skipped", sorted(begun))
    world.say(f"RELEASE_STATUS {status}: no stage was begun")


def require_no_endpoint(world: World) -> None:
    """No stage has an endpoint."""
    for stage in releasing.STAGES:
        expect(releasing.endpoint(world, stage) is None, f"no endpoint in {stage}", "there is one")
