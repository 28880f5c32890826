"""A person approves a model; it goes to staging, is verified, and after another approval to production."""

import json
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlparse

from rehearsal.report.facts import ShiftFact
from rehearsal.story import building, pipelines
from rehearsal.story.errors import StoryError
from rehearsal.story.traffic import AFTERWARDS_PER_SECOND, Heard, Known, Row, begin, invoke, json_body
from rehearsal.story.world import World, expect

STAGES = ("staging", "prod")


def approve(world: World) -> None:
    """Approve the model: one deployment starts, and it names this version."""
    decide(world, 1)


def staging(world: World) -> None:
    """Staging is deployed and verified, and waits for approval; production is untouched."""
    reach_approval(world)
    require_serving(world, "staging", 1)
    expect(endpoint(world, "prod") is None, "no endpoint in production before it is approved", "there is one")


def production(world: World) -> None:
    """Approve production: the model answers there as it did when it was evaluated."""
    allow_production(world)
    world.wait(lambda: _is_serving(world), "an endpoint in production", 300, world.logs)
    require_serving(world, "prod", 1)
    building.note_model(world, package(world, 1), "released first")


def _is_serving(world: World) -> bool | None:
    """Whether there is an endpoint in production."""
    found = endpoint(world, "prod")
    if found and found["EndpointStatus"] == "InService":
        return True
    require_under_way(world, world.kept["release"], "an endpoint in production")
    return None


def verified(world: World) -> None:
    """Production is verified, and the pipeline of the first release is green."""
    pipelines.succeeded(world, "deploy", world.kept["release"])


def unrelated_edit(world: World) -> None:
    """An unrelated edit of the model's metadata starts nothing."""
    sagemaker = world.client("sagemaker", "scientist")
    sagemaker.update_model_package(
        ModelPackageArn=package(world, 1)["ModelPackageArn"], CustomerMetadataProperties={"reviewed_by": "churn-team"}
    )
    require_nothing_starts(world, "deploy", 1.5)


def require_nothing_starts(world: World, half: str, seconds: float) -> None:
    """Watch for a while: an approval or a push starts its pipeline within a second here.

    What starts even later fails the step that it happens in: each execution must be one that a step waits for.
    """
    until = time.monotonic() + seconds

    def probe() -> bool | None:
        pipelines.require_nothing_else(world, half)
        return True if time.monotonic() > until else None

    world.wait(probe, "nothing to start", seconds + 30)


def decide(world: World, version: int, status: str = "Approved") -> str:
    """Approve or reject a version as the approver; returns the one deployment that this starts."""
    arn = package(world, version)["ModelPackageArn"]
    world.client("sagemaker", "approver").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription="Looked at the evaluation"
    )
    execution = str(pipelines.started(world, "deploy")["pipelineExecutionId"])
    world.kept["release"] = execution
    given = execution_variables(world, execution)
    expect(given.get("MODEL_PACKAGE_ARN") == arn, f"the deployment to name {arn}", given, world.logs / "log")
    world.say(f"deployment {execution[:8]} of version {version}")
    return execution


def execution_variables(world: World, execution: str) -> dict[str, str]:
    """The variables that an execution of the deploy pipeline was started with."""
    found = pipelines.status(world, "deploy", execution)
    return {each["name"]: each["resolvedValue"] for each in found.get("variables", [])}


def reach_approval(world: World, release: str = "") -> None:
    """Wait until a deployment, the one that was decided last or another, asks for approval.

    Raises StoryError if it ends before.
    """
    execution = release or world.kept["release"]

    def probe() -> bool | None:
        require_under_way(world, execution, "the deployment to ask for approval")
        return True if approval_token(world, execution) else None

    world.wait(probe, "the deployment to ask for approval", 300, world.logs)


def require_under_way(world: World, execution: str, expected: str) -> None:
    """Tell what a deployment is at. Raises StoryError with its own words if it has ended without what is expected."""
    status = pipelines.status(world, "deploy", execution)["status"]
    if status in pipelines.ENDED:
        words = pipelines.failure(world, "deploy", execution)
        raise StoryError(expected, f"the deployment {status.lower()}: {words}", world.logs)
    pipelines.tell(world, "deploy", execution)


def approval_token(world: World, execution: str) -> str:
    """The token of the approval that a deployment waits for; empty while it does not, or another one does."""
    state = world.client("codepipeline", "approver").get_pipeline_state(name=world.project.pipeline("deploy"))
    stage = next(each for each in state["stageStates"] if each["stageName"] == "Approve")
    if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution:
        return ""
    waiting = [action.get("latestExecution", {}) for action in stage["actionStates"]]
    return next((str(each.get("token", "")) for each in waiting if each.get("status") == "InProgress"), "")


def allow_production(world: World, status: str = "Approved", release: str = "") -> None:
    """Answer the approval that a deployment, the one that was decided last or another, asks for."""
    world.client("codepipeline", "approver").put_approval_result(
        pipelineName=world.project.pipeline("deploy"),
        stageName="Approve",
        actionName="Approve",
        result={"summary": "Staging passed its tests", "status": status},
        token=approval_token(world, release or world.kept["release"]),
    )


# --- what is registered, and what runs -------------------------------------------------------------------------------


def package(world: World, version: int) -> dict[str, Any]:
    """A version of the project's group."""
    found = [each for each in building.packages(world) if each["ModelPackageVersion"] == version]
    expect(len(found) == 1, f"version {version} to be registered", "it is not")
    return found[0]


def contract(world: World, version: int) -> tuple[list[Row], Known]:
    """The sample rows that a version was registered with, and its answers to them."""
    described = world.client("sagemaker", "scientist").describe_model_package(
        ModelPackageName=package(world, version)["ModelPackageArn"]
    )
    uri = described["CustomerMetadataProperties"]["contract_uri"]
    expected = read_lines(world, f"{uri}/expected.jsonl")
    return read_lines(world, f"{uri}/sample.jsonl"), Known(
        f"version {version}", [row["probability"] for row in expected]
    )


def read_lines(world: World, uri: str) -> list[Row]:
    """JSON Lines of S3."""
    place = urlparse(uri)
    body = world.client("s3", "scientist").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"]
    return [json.loads(line) for line in body.read().decode("utf-8").splitlines() if line]


def endpoint(world: World, stage: str) -> dict[str, Any] | None:
    """The endpoint of a stage, if there is one."""
    sagemaker = world.client("sagemaker", "engineer", stage)
    name = world.project.endpoint(stage)
    found = sagemaker.list_endpoints(NameContains=name)["Endpoints"]
    if name not in [each["EndpointName"] for each in found]:
        return None
    described: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    return described


def require_serving(world: World, stage: str, version: int) -> None:
    """The endpoint of a stage answers the version's sample rows as it did when it was evaluated."""
    found = endpoint(world, stage)
    status = found["EndpointStatus"] if found else "there is no endpoint"
    expect(status == "InService", f"the endpoint of {stage} to be in service", status)
    rows, known = contract(world, version)
    answers = invoke(
        world.client("sagemaker-runtime", "application", stage), world.project.endpoint(stage), json_body(rows)
    )
    expect(known.gave(answers), f"{stage} to answer as version {version}", answers)
    world.say(f"{stage} answers {len(rows)} rows as version {version} did when it was evaluated")


# --- a deployment under traffic --------------------------------------------------------------------------------------


def shift(world: World, title: str, rows: Sequence[Row], old: Known, new: Known) -> Heard:
    """Approve production while clients ask it, and wait until its endpoint was updated, however that ended.

    Clients ask about `rows`; `old` and `new` tell by the answers which version gave them. They go on asking, whatever
    steps come next, until the pipeline has ended. Returns what they see.
    """
    release = world.kept["release"]

    def is_over() -> bool:
        return pipelines.status(world, "deploy", release)["status"] in pipelines.ENDED

    heard = world.heard = begin(world, "prod", rows, [old, new], is_over)
    world.wait(lambda: True if heard.totals[old.name] >= 20 else None, f"answers of {old.name}", 20)
    marks = {"approved": heard.now}
    allow_production(world)
    marks |= watch_shift(world, heard, new)
    heard.per_second = AFTERWARDS_PER_SECOND
    world.facts.shifts.append(ShiftFact(title, "", heard.samples(), marks))
    return heard


def watch_shift(world: World, heard: Heard, new: Known) -> dict[str, float]:
    """Wait for the endpoint in production to be updated; returns when what of it was seen, in the traffic's seconds."""
    marks: dict[str, float] = {}
    sagemaker, name = world.client("sagemaker", "engineer", "prod"), world.project.endpoint("prod")

    def probe() -> bool | None:
        status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
        if status == "Updating":
            marks.setdefault("update begins", heard.now)
        if heard.totals[new.name]:
            marks.setdefault("canary", heard.now)
        if marks:
            world.say(f"endpoint {status}: {heard.failed} of {sum(heard.totals.values()) // 50 * 50} requests failed")
        else:
            require_under_way(world, world.kept["release"], "the endpoint of production to be updated")
        return True if "update begins" in marks and status == "InService" else None

    world.wait(probe, "the endpoint of production to be updated", 120, world.logs)
    return marks | {"update ends": heard.now}


def require_shift(world: World, heard: Heard) -> None:
    """Not one request failed so far, and none was answered by a third model."""
    names = [known.name for known in heard.versions]
    outcome = ", ".join(f"{heard.totals[name]:,} answers of {name}" for name in names)
    world.facts.shifts[-1].outcome = outcome
    expect(heard.failed == 0, "no request to fail", heard.complaints, world.logs)
    expect(set(heard.totals) == set(names), f"answers of {' and '.join(names)} only", heard.totals, world.logs)
    world.say(outcome)


def require_unharmed(world: World) -> None:
    """The pipeline has ended green, and until then no request failed."""
    require_shift(world, end_traffic(world, "pipeline green"))


def end_traffic(world: World, mark: str) -> Heard:
    """Clients ask no more, as a pipeline has ended in the way that `mark` says; the report shows all that they saw."""
    heard, fact = world.heard, world.facts.shifts[-1]
    if heard is None:
        raise StoryError("clients to ask production", "there are none")
    heard.end()
    fact.samples, fact.marks = heard.samples(), fact.marks | {mark: heard.ended}
    return heard


def require_canary(world: World, heard: Heard, old: Known, new: Known) -> None:
    """For a while a small share of the answers came from the new model, before all of them did."""
    mixed = [each.answers for each in heard.samples() if each.answers.get(old.name) and each.answers.get(new.name)]
    total = sum(sum(answers.values()) for answers in mixed)
    share = sum(answers[new.name] for answers in mixed) / total if total else 0.0
    expect(0.02 < share < 0.5, "the canary to take about a tenth of the traffic at first", f"{share:.0%}", world.logs)
    world.say(f"the canary answered {share:.0%} of the requests while both fleets did")
