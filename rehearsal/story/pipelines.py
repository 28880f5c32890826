"""Watching CodePipeline as a person does: what runs, what the build prints, how it ended and why."""

from typing import Any

from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")
Execution = dict[str, Any]


def executions(world: World, half: str) -> list[Execution]:
    """Executions of the build or deploy pipeline, oldest first."""
    client = world.client("codepipeline", "scientist")
    name = world.project.pipeline(half)
    found: list[Execution] = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return found[::-1]


def known(world: World, half: str) -> set[str]:
    """The ids of all executions so far, to tell a new one from them."""
    return {each["pipelineExecutionId"] for each in executions(world, half)}


def started(world: World, half: str, before: set[str], seconds: float = 30) -> Execution:
    """The execution that has started since; raises StoryError when there is none in time, or more than one."""

    def probe() -> Execution | None:
        new = [each for each in executions(world, half) if each["pipelineExecutionId"] not in before]
        expect(len(new) <= 1, f"one execution of the {half} pipeline to start", [each["trigger"] for each in new])
        return new[0] if new else None

    return world.wait(probe, f"an execution of the {half} pipeline to start", seconds, world.logs / "log")


def finished(world: World, half: str, execution: str, seconds: float = 300) -> Execution:
    """The execution when it has ended, however; what it is at is said meanwhile."""

    def probe() -> Execution | None:
        found = next(each for each in executions(world, half) if each["pipelineExecutionId"] == execution)
        if found["status"] not in ENDED:
            tell(world, half, execution)
            return None
        return found

    return world.wait(probe, f"execution {execution} of the {half} pipeline to end", seconds, world.logs / "log")


def succeeded(world: World, half: str, execution: str, seconds: float = 300) -> Execution:
    """The execution when it has succeeded. Raises StoryError with the message of the action that failed."""
    ended = finished(world, half, execution, seconds)
    if ended["status"] != "Succeeded":
        raise StoryError(
            f"the {half} pipeline to succeed", f"{ended['status']}: {failure(world, half, execution)}", *_logs(world)
        )
    return ended


def actions(world: World, half: str, execution: str) -> list[dict[str, Any]]:
    """The actions that an execution began, in the order in which they began."""
    client = world.client("codepipeline", "scientist")
    found: list[dict[str, Any]] = client.list_action_executions(
        pipelineName=world.project.pipeline(half), filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]
    return sorted(found, key=lambda each: each["startTime"])


def failure(world: World, half: str, execution: str) -> str:
    """Which action failed, and what it says."""
    for action in actions(world, half, execution):
        if action["status"] in ("Failed", "Abandoned"):
            result = action.get("output", {}).get("executionResult", {})
            words = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
            return f"{action['stageName']}/{action['actionName']}: {words}"
    return "no action failed"


def variables(world: World, half: str, execution: str) -> dict[str, str]:
    """What the actions of an execution exported, by name."""
    found: dict[str, str] = {}
    for action in actions(world, half, execution):
        found |= action.get("output", {}).get("outputVariables", {})
    return found


def tell(world: World, half: str, execution: str) -> None:
    """Say which action runs, and for a build the last line it printed."""
    running = [each for each in actions(world, half, execution) if each["status"] == "InProgress"]
    for action in running[-1:]:
        external = action.get("output", {}).get("executionResult", {}).get("externalExecutionId", "")
        is_build = action["input"]["actionTypeId"]["provider"] == "CodeBuild"
        line = last_line(world, external) if is_build and external else ""
        world.say(f"{action['stageName']}/{action['actionName']}{f': {line}' if line else ''}")


def last_line(world: World, build: str) -> str:
    """The last line that a build has printed."""
    events = _events(world, build, limit=1, startFromHead=False)
    return str(events[-1]["message"]).strip()[:140] if events else ""


def printed(world: World, build: str) -> str:
    """The last lines that a build printed, at most as many as one call gives."""
    return "\n".join(str(event["message"]).rstrip() for event in _events(world, build, startFromHead=False))


def _events(world: World, build: str, **how: Any) -> list[dict[str, Any]]:
    found = world.client("codebuild", "scientist").batch_get_builds(ids=[build])["builds"]
    place = found[0].get("logs", {}) if found else {}
    if not place.get("streamName"):
        return []
    logs = world.client("logs", "scientist")
    try:
        events: list[dict[str, Any]] = logs.get_log_events(
            logGroupName=place["groupName"], logStreamName=place["streamName"], **how
        )["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []  # named before it is made
    return events


def _logs(world: World) -> list[object]:
    """Where the output of builds and jobs lies."""
    return [world.logs / "codebuild", world.logs / "log"]
