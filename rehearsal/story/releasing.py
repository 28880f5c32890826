"""A person approves a model; it goes to staging, is verified, and after another approval to production."""

import json
from typing import Any
from urllib.parse import urlparse

from rehearsal.report.facts import ShiftFact
from rehearsal.story import building, pipelines
from rehearsal.story.errors import StoryError
from rehearsal.story.traffic import Heard, Known, Row, invoke, json_body
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
    pipelines.succeeded(world, "deploy", world.kept["release"])
    require_serving(world, "prod", 1)
    building.note_model(world, package(world, 1), "released first")


def unrelated_edit(world: World) -> None:
    """An unrelated edit of the model's metadata starts nothing."""
    before = pipelines.known(world, "deploy")
    sagemaker = world.client("sagemaker", "scientist")
    sagemaker.update_model_package(
        ModelPackageArn=package(world, 1)["ModelPackageArn"], CustomerMetadataProperties={"reviewed_by": "churn-team"}
    )
    require_nothing_starts(world, "deploy", before)


def require_nothing_starts(world: World, half: str, before: set[str], seconds: float = 3) -> None:
    """Watch for a while. An approval or a push starts its pipeline within a second here."""
    try:
        found = pipelines.started(world, half, before, seconds)
    except StoryError as error:
        if "after that time" in error.found:
            return
        raise
    raise StoryError(f"nothing to start the {half} pipeline", str(found["trigger"]), world.logs / "log")


def decide(world: World, version: int, status: str = "Approved") -> str:
    """Approve or reject a version as the approver; returns the one deployment that this starts."""
    before = pipelines.known(world, "deploy")
    arn = package(world, version)["ModelPackageArn"]
    world.client("sagemaker", "approver").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription="Looked at the evaluation"
    )
    execution = str(pipelines.started(world, "deploy", before)["pipelineExecutionId"])
    world.kept["release"] = execution
    given = execution_variables(world, execution)
    expect(given.get("MODEL_PACKAGE_ARN") == arn, f"the deployment to name {arn}", given, world.logs / "log")
    world.say(f"deployment {execution[:8]} of version {version}")
    return execution


def execution_variables(world: World, execution: str) -> dict[str, str]:
    """The variables that an execution of the deploy pipeline was started with."""
    found = world.client("codepipeline", "scientist").get_pipeline_execution(
        pipelineName=world.project.pipeline("deploy"), pipelineExecutionId=execution
    )["pipelineExecution"]
    return {each["name"]: each["resolvedValue"] for each in found.get("variables", [])}


def reach_approval(world: World, seconds: float = 300) -> None:
    """Wait until the deployment asks for approval. Raises StoryError if it ends before."""

    def probe() -> bool | None:
        execution = world.kept["release"]
        found = next(each for each in pipelines.executions(world, "deploy") if each["pipelineExecutionId"] == execution)
        if found["status"] in pipelines.ENDED:
            words = pipelines.failure(world, "deploy", execution)
            raise StoryError("the deployment to ask for approval", f"{found['status']}: {words}", world.logs)
        pipelines.tell(world, "deploy", execution)
        return True if approval_token(world) else None

    world.wait(probe, "the deployment to ask for approval", seconds, world.logs)


def approval_token(world: World) -> str:
    """The token of the approval that waits; empty if none does."""
    state = world.client("codepipeline", "approver").get_pipeline_state(name=world.project.pipeline("deploy"))
    for stage in state["stageStates"]:
        for action in stage["actionStates"]:
            latest = action.get("latestExecution", {})
            if stage["stageName"] == "Approve" and latest.get("status") == "InProgress":
                return str(latest.get("token", ""))
    return ""


def allow_production(world: World, status: str = "Approved") -> None:
    """Answer the approval."""
    world.client("codepipeline", "approver").put_approval_result(
        pipelineName=world.project.pipeline("deploy"),
        stageName="Approve",
        actionName="Approve",
        result={"summary": "Staging passed its tests", "status": status},
        token=approval_token(world),
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


def note_shift(world: World, title: str, outcome: str, heard: Heard, marks: dict[str, float]) -> None:
    """Put a deployment under traffic among the facts."""
    world.facts.shifts.append(ShiftFact(title, outcome, heard.samples(), marks))


def watch_shift(world: World, heard: Heard, new: str) -> dict[str, float]:
    """Wait for the endpoint in production to be updated; returns when what of it was seen, in the traffic's seconds."""
    marks: dict[str, float] = {}

    def probe() -> bool | None:
        found = endpoint(world, "prod")
        status = found["EndpointStatus"] if found else "gone"
        if status == "Updating":
            marks.setdefault("update begins", heard.now)
        if heard.totals[new]:
            marks.setdefault("canary", heard.now)
        if status != "InService" or marks:
            world.say(f"endpoint {status}: {heard.failed} of {sum(heard.totals.values()) // 50 * 50} requests failed")
        return True if "update begins" in marks and status == "InService" else None

    world.wait(probe, "the endpoint of production to be updated", 120, world.logs)
    marks["update ends"] = heard.now
    return marks


def require_canary(world: World, heard: Heard, old: str, new: str) -> None:
    """For a while a small share of the answers came from the new model, before all of them did."""
    mixed = [sample for sample in heard.samples() if sample.answers.get(old) and sample.answers.get(new)]
    answers = sum(sum(sample.answers.values()) for sample in mixed)
    share = sum(sample.answers[new] for sample in mixed) / answers if answers else 0.0
    expect(0.02 < share < 0.5, "the canary to take about a tenth of the traffic at first", f"{share:.0%}")
    world.say(f"the canary answered {share:.0%} of the requests while both fleets did")
