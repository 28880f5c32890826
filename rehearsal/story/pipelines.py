"""Watching CodePipeline as a person does: what runs, what the build prints, how it ended and why."""

from typing import Any

from rehearsal.story.errors import StoryError
from rehearsal.story.waiting import told_why_nothing_came
from rehearsal.story.world import World, expect

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")
Execution = dict[str, Any]


def executions(world: World, half: str) -> list[Execution]:
    """Executions of the build or deploy pipeline, oldest first."""
    client = world.client("codepipeline", "scientist")
    name = world.project.pipeline(half)
    found: list[Execution] = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return found[::-1]


def first(world: World, half: str) -> Execution:
    """The execution with the seed: its pipeline's creation starts it, or the push that fills an empty repository."""
    if world.options.provider == "connection":
        _noted(world, half).extend(
            each["pipelineExecutionId"] for each in executions(world, half) if _by_creation(each)
        )
    return started(world, half)


def _by_creation(execution: Execution) -> bool:
    return str(execution["trigger"]["triggerType"]) == "CreatePipeline"


def started(world: World, half: str, seconds: float = 30) -> Execution:
    """The execution that has started and that no step knows of yet.

    Raises StoryError when there is none in time, or more than one.
    """

    def probe() -> Execution | None:
        found = unknown(world, half)
        expect(len(found) <= 1, f"one execution of the {half} pipeline to start", list(map(_cause, found)))
        return found[0] if found else None

    with told_why_nothing_came(world):
        found = world.wait(probe, f"an execution of the {half} pipeline to start", seconds, world.logs / "log")
    _noted(world, half).append(found["pipelineExecutionId"])
    return found


def unknown(world: World, half: str) -> list[Execution]:
    """The executions that no step has waited for."""
    return [each for each in executions(world, half) if each["pipelineExecutionId"] not in _noted(world, half)]


def require_known(world: World) -> None:
    """Every execution is one that a step waited for. Raises StoryError for any other: something started it unasked."""
    for half in world.kept.get("executions", {}):
        require_nothing_else(world, half)


def require_nothing_else(world: World, half: str) -> None:
    """The same, of one half."""
    found = unknown(world, half)
    expect(not found, f"nothing else to start the {half} pipeline", list(map(_cause, found)), world.logs / "log")


def _noted(world: World, half: str) -> list[str]:
    """The ids of the executions that steps know of, of one half."""
    noted: list[str] = world.kept.setdefault("executions", {}).setdefault(half, [])
    return noted


def _cause(execution: Execution) -> str:
    """Which execution it is, and what started it."""
    trigger = execution["trigger"]
    revision = "".join(each.get("revisionId", "")[:8] for each in execution.get("sourceRevisions", []))
    words = f"{execution['pipelineExecutionId'][:8]} by {trigger['triggerType']} {trigger.get('triggerDetail', '')}"
    return f"{words} with commit {revision}" if revision else words


def commit(world: World, half: str, execution: str) -> str:
    """The commit that an execution took, as soon as it has."""

    def probe() -> str | None:
        found = status(world, half, execution)
        return next((each["revisionId"] for each in found.get("artifactRevisions", [])), None)

    return world.wait(probe, f"execution {execution} of the {half} pipeline to take its source", 30, *_logs(world))


def status(world: World, half: str, execution: str) -> Execution:
    """An execution as it is now."""
    found: Execution = world.client("codepipeline", "scientist").get_pipeline_execution(
        pipelineName=world.project.pipeline(half), pipelineExecutionId=execution
    )["pipelineExecution"]
    return found


def finished(world: World, half: str, execution: str, seconds: float = 300) -> Execution:
    """The execution when it has ended, however; what it is at is said meanwhile."""

    def probe() -> Execution | None:
        found = status(world, half, execution)
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
    return sorted(found, key=lambda each: (each["startTime"], each["actionExecutionId"]))


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
    """Say which action runs, and for a build the last line it printed; every two seconds is enough for a person."""
    if world.is_time_to_tell():
        world.say(at(world, half, execution))


def at(world: World, half: str, execution: str) -> str:
    """Which action of an execution runs, and for a build the last line it printed; empty when none does."""
    running = [each for each in actions(world, half, execution) if each["status"] == "InProgress"]
    if not running:
        return ""
    action = running[-1]
    external = action.get("output", {}).get("executionResult", {}).get("externalExecutionId", "")
    is_build = action["input"]["actionTypeId"]["provider"] == "CodeBuild"
    line = last_line(world, external) if is_build and external else ""
    return f"{action['stageName']}/{action['actionName']}{f': {line}' if line else ''}"


def tell_beside(world: World, half: str, execution: str, title: str) -> None:
    """From now on, whatever the story waits for, tell what this execution is at, until it has ended."""

    def look() -> str | None:
        ended = status(world, half, execution)["status"] in ENDED
        return None if ended else f"{half} pipeline, {title}: {at(world, half, execution) or 'waiting'}"

    world.beside.append(look)


def last_line(world: World, build: str) -> str:
    """The last line that a build has printed."""
    events = _events(world, build, limit=1, startFromHead=False)
    return str(events[-1]["message"]).strip()[:140] if events else ""


def printed(world: World, build: str) -> str:
    """The last lines that a build printed, at most as many as one call gives."""
    return "\n".join(str(event["message"]).rstrip() for event in _events(world, build, startFromHead=False))


def _events(world: World, build: str, **how: Any) -> list[dict[str, Any]]:
    place = _stream(world, build)
    if not place:
        return []
    logs = world.client("logs", "scientist")
    try:
        events: list[dict[str, Any]] = logs.get_log_events(**place, **how)["events"]
    except logs.exceptions.ResourceNotFoundException:
        return []  # named before it is made
    return events


def _stream(world: World, build: str) -> dict[str, str]:
    """Where a build's lines are; empty as long as that has no name. It never changes: it is asked for once."""
    if build not in world.streams:
        found = world.client("codebuild", "scientist").batch_get_builds(ids=[build])["builds"]
        place = found[0].get("logs", {}) if found else {}
        if not place.get("streamName"):
            return {}
        world.streams[build] = {"logGroupName": place["groupName"], "logStreamName": place["streamName"]}
    return world.streams[build]


def _logs(world: World) -> list[object]:
    """Where the output of builds and jobs lies."""
    return [world.logs / "codebuild", world.logs / "log"]
