"""Stacks in states in which nobody can update them, and updates that change nothing."""

from typing import Any

from rehearsal.faults import edge
from rehearsal.faults.deploying import run_by_hand
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.production import require_untouched, sight
from rehearsal.faults.refusing import refuses, require_words, run
from rehearsal.story import ending, pipelines, publishing, releasing
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect


@fault("registered", is_denied=True)
def first_release_rolled_back(world: World) -> None:
    """The first endpoint cannot be made, its stack is in ROLLBACK_COMPLETE: told, and once deleted a retry works"""
    edge.deny(world, "sagemaker-staging-cloudformation", "staging", ["sagemaker:CreateEndpoint"])
    execution = releasing.decide(world, 1)
    require_failed(world, execution, "Staging/Endpoint", "sagemaker:CreateEndpoint", "ROLLBACK_COMPLETE")
    edge.allow_again(world, "sagemaker-staging-cloudformation", "staging")
    retry(world, execution, "Staging")
    words = require_failed(world, execution, "Staging/Endpoint", "ROLLBACK_COMPLETE")
    formation = world.client("cloudformation", "engineer", "staging")
    formation.delete_stack(StackName=_stack(world, "staging"))
    world.wait(
        lambda: _status(world, "staging") is None or None, "the stack to be deleted", PATIENCE, world.logs / "log"
    )
    retry(world, execution, "Staging")
    require_succeeded(world, execution, "Staging/Endpoint")
    releasing.require_serving(world, "staging", 1)
    world.say(words)


@fault("second-approved")
def stack_of_production_in_progress(world: World) -> None:
    """Somebody updates production's stack at that moment: the release stops, says so, and a retry works"""
    edge_call = {"operation": "UpdateEndpoint", "hold": "passes", "caller": "sagemaker-prod-cloudformation"}
    with edge.calls(world.emulator, edge_call):
        _update_by_hand(world, CapturePercent="30")
        edge.wait_for_held(world, "UpdateEndpoint")
        releasing.allow_production(world)
        words = require_failed(world, world.kept["release"], "Production/Endpoint", "UPDATE_IN_PROGRESS")
    world.wait(lambda: _settled(world, "prod"), "the other update to end", PATIENCE, world.logs / "log")
    releasing.require_serving(world, "prod", 1)
    require_retry_to_release(world)
    world.say(words)


@fault("second-approved")
def nothing_to_change(world: World) -> None:
    """What is released is released again: each stack without a change counts as a success, and stays as it was"""
    before = sight(world, "staging")
    releasing.allow_production(world, "Rejected")
    pipelines.finished(world, "deploy", world.kept["release"])
    execution = run_by_hand(world)
    for name in ("Endpoint", "Batch", "Monitoring"):
        require_succeeded(world, execution, f"Staging/{name}")
    require_untouched(world, "staging", before, 2)


@fault("published", is_denied=True)
def creation_rolled_back(world: World) -> None:
    """A project cannot be made: cause and two commands are told, they work, and what is left of it is told"""
    role = "sagemaker-projects-launch"
    edge.deny(world, role, "tooling", ["lambda:CreateFunction"])
    words = ("create", world.project.name, *_answers(world))
    done = run(world, *words)
    said = " ".join(done.text.split())
    expect(done.code == 1, "create to fail", said[-400:], done.log)
    require_words(said, ["lambda:CreateFunction", "Remove that cause", "delete", "create"], done.log)
    failed = str(world.client("sagemaker").describe_project(ProjectName=world.project.name)["ProjectId"])
    edge.allow_again(world, role, "tooling")
    told = refuses(world, *words, says=["There is a project", "CreateFailed", "lambda:CreateFunction"])
    for verb in (("delete", world.project.name, "--yes", *publishing.stages(world)), words):
        done = run(world, *verb)
        expect(done.code == 0, f"`{verb[0]}` to succeed", done.text[-600:], done.log)
        told += done.text
    world.project.id = failed
    left = [name for name in ending.leftovers(world) if name not in told]
    surprising = [name for name in left if not _is_key_on_its_way_out(world, name)]
    expect(not surprising, "nothing of the first try to be left but what delete said", surprising)
    world.say(said[said.find("error:") :][:300])


def _is_key_on_its_way_out(world: World, name: str) -> bool:
    """A rollback schedules the deletion of a key, which takes a week at least."""
    kms = world.client("kms")
    keys = [each["KeyId"] for each in kms.list_keys()["Keys"]]
    return name in keys and kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "PendingDeletion"


# --- what these share ------------------------------------------------------------------------------------------------


def require_failed(world: World, execution: str, *says: str) -> str:
    """The execution fails, and the action that did says this."""
    ended = pipelines.finished(world, "deploy", execution, PATIENCE)
    words = last_failure(world, execution)
    expect(ended["status"] == "Failed", "the release to fail", f"{ended['status']}: {words}")
    missing = [each for each in says if each not in words]
    expect(not missing, f"the pipeline to name {missing}", words, world.logs / "log")
    return words


def last_failure(world: World, execution: str) -> str:
    """Which action failed last, and what it says."""
    for each in reversed(pipelines.actions(world, "deploy", execution)):
        if each["status"] == "Failed":
            result = each.get("output", {}).get("executionResult", {})
            found = result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")
            return f"{each['stageName']}/{each['actionName']}: {found}"
    return "no action failed"


def retry(world: World, execution: str, stage: str) -> None:
    """Press "Retry failed actions"."""
    world.client("codepipeline").retry_stage_execution(
        pipelineName=world.project.pipeline("deploy"),
        stageName=stage,
        pipelineExecutionId=execution,
        retryMode="FAILED_ACTIONS",
    )


def require_retry_to_release(world: World) -> None:
    """A retry of production succeeds, and version 2 serves there."""
    retry(world, world.kept["release"], "Production")
    require_succeeded(world, world.kept["release"], "Production/Endpoint")
    releasing.require_serving(world, "prod", 2)


def require_succeeded(world: World, execution: str, name: str) -> None:
    """The newest run of an action, stage/action, succeeds."""

    def probe() -> bool | None:
        pipelines.tell(world, "deploy", execution)
        runs = [each for each in pipelines.actions(world, "deploy", execution) if _name(each) == name]
        if runs and runs[-1]["status"] == "Failed" and _ended(world, execution):
            raise StoryError(f"{name} to succeed", last_failure(world, execution), world.logs / "log")
        return True if runs and runs[-1]["status"] == "Succeeded" else None

    world.wait(probe, f"{name} to succeed", PATIENCE, world.logs / "log")


def _name(found: dict[str, Any]) -> str:
    return f"{found['stageName']}/{found['actionName']}"


def _ended(world: World, execution: str) -> bool:
    found = [each for each in pipelines.executions(world, "deploy") if each["pipelineExecutionId"] == execution]
    return found[0]["status"] in pipelines.ENDED


def _stack(world: World, stage: str) -> str:
    return f"sagemaker-{world.project.full_name}-{stage}-endpoint"


def _status(world: World, stage: str) -> str | None:
    stacks = world.client("cloudformation", "engineer", stage).describe_stacks()["Stacks"]
    found = [each["StackStatus"] for each in stacks if each["StackName"] == _stack(world, stage)]
    return str(found[0]) if found and found[0] != "DELETE_COMPLETE" else None


def _settled(world: World, stage: str) -> bool | None:
    status = _status(world, stage)
    return True if status and not status.endswith("IN_PROGRESS") else None


def _update_by_hand(world: World, **values: str) -> None:
    """Change parameters of production's stack as a person does in the console."""
    formation = world.client("cloudformation", "engineer", "prod")
    stack = formation.describe_stacks(StackName=_stack(world, "prod"))["Stacks"][0]
    known = [each["ParameterKey"] for each in stack["Parameters"] if each["ParameterKey"] not in values]
    formation.update_stack(
        StackName=_stack(world, "prod"),
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[
            *({"ParameterKey": key, "UsePreviousValue": True} for key in known),
            *({"ParameterKey": key, "ParameterValue": value} for key, value in values.items()),
        ],
    )


def _answers(world: World) -> list[str]:
    accounts = world.options.accounts
    given = {"StagingAccountId": accounts["staging"], "ProdAccountId": accounts["prod"]}
    return [word for key, value in given.items() for word in ("--parameter", f"{key}={value}")]
