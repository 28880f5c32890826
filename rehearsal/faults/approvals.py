"""Decisions about models that come to nothing, come twice, come late, or are taken back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.faults import edge, models
from rehearsal.faults.deploying import (
    release_words,
    released,
    require_deploys_nothing,
    require_no_endpoint,
    require_no_traceback,
    run_by_hand,
)
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.production import require_untouched, sight
from rehearsal.story import pipelines, releasing
from rehearsal.story.world import World, expect


@fault("registered", series="evidence")
def nothing_approved(world: World) -> None:
    """No model is approved: the pipeline is green, says what it waits for, and deploys nothing"""
    execution = run_by_hand(world)
    require_deploys_nothing(world, execution, "waiting")
    words = release_words(world, execution)
    expect("approve one to release it" in words, "Release to say what it waits for", words[-400:])
    require_no_endpoint(world)


@fault("in-production")
def package_deleted_meanwhile(world: World) -> None:
    """The approved version is deleted between being listed and being read: nothing is released, production serves on"""
    before = sight(world, "prod")
    with edge.calls(world.emulator, {"operation": "DescribeModelPackage", "caller": "-release", "hold": "passes"}):
        execution = run_by_hand(world)
        edge.wait_for_held(world, "DescribeModelPackage")
        arn = releasing.package(world, 1)["ModelPackageArn"]
        world.client("sagemaker").delete_model_package(ModelPackageName=arn)
    require_deploys_nothing(world, execution, "waiting")
    require_no_traceback(release_words(world, execution))
    require_untouched(world, "prod", before, None)
    found = releasing.endpoint(world, "prod")
    expect(found is not None and found["EndpointStatus"] == "InService", "production to serve on", found)
    world.say("nothing is released, and production is in service")


@fault("registered")
def package_deleted_after_its_approval(world: World) -> None:
    """The version that an approval names is deleted before Release reads it: refused in words, nothing deployed"""
    with edge.calls(world.emulator, {"operation": "DescribeModelPackage", "caller": "-release", "hold": "passes"}):
        execution = releasing.decide(world, 1)
        edge.wait_for_held(world, "DescribeModelPackage")
        arn = releasing.package(world, 1)["ModelPackageArn"]
        world.client("sagemaker").delete_model_package(ModelPackageName=arn)
    pipelines.finished(world, "deploy", execution)
    words = release_words(world, execution)
    expect("does not exist (any more): approve a version that does" in words, "Release to say so", words[-400:])
    require_no_traceback(words)
    require_no_endpoint(world)
    world.say(next(line for line in words.splitlines() if "does not exist" in line))


@fault("second-approved")
def rejected_during_deploy(world: World) -> None:
    """A version is rejected while it waits for production: it does not get there, and staging goes back"""
    production = sight(world, "prod")
    first = world.kept["release"]
    arn = releasing.package(world, 2)["ModelPackageArn"]
    world.client("sagemaker", "approver").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    releasing.allow_production(world)
    ended = pipelines.finished(world, "deploy", first)
    words = pipelines.failure(world, "deploy", first)
    expect(ended["status"] == "Failed" and "Production/Confirm" in words, "Confirm to stop it", words)
    require_untouched(world, "prod", production)
    back = pipelines.started(world, "deploy")["pipelineExecutionId"]
    chosen = released(world, back)["MODEL_PACKAGE_ARN"]
    expect(chosen.endswith("/1"), "version 1 to be released in its place", chosen)
    world.say("production serves version 1, and staging goes back to it")


@fault("registered")
def approval_delivered_twice(world: World) -> None:
    """The same approval is delivered twice: one deployment"""
    queue = _queue_of_approvals(world)
    execution = releasing.decide(world, 1)
    event = world.wait(lambda: _received(world, queue), "the event of the approval", PATIENCE, world.logs / "log")
    again = _deliver(world, event)
    expect(again == [execution], f"the execution {execution} again", again)
    releasing.require_nothing_starts(world, "deploy", 1)
    world.say("the second delivery names the first one's deployment")


@fault("in-production", series="approvals")
def approved_again(world: World) -> None:
    """What is in production is approved once more: nothing is deployed a second time"""
    stages = {stage: sight(world, stage) for stage in releasing.STAGES}
    execution = releasing.decide(world, 1)
    require_deploys_nothing(world, execution, "nothing")
    words = release_words(world, execution)
    expect("is released to every stage already: a duplicate event" in words, "Release to say why", words[-400:])
    for stage, before in stages.items():
        require_untouched(world, stage, before)


@fault("in-production", series="approvals")
def approval_that_comes_late(world: World) -> None:
    """An older approval arrives after a later one was released: production keeps the later one"""
    production = sight(world, "prod")
    arn = releasing.package(world, models.register_again(world, status="Approved"))["ModelPackageArn"]
    releasing.require_nothing_starts(world, "deploy", 1)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    (execution,) = _deliver(world, _approval(arn, hour_ago))
    pipelines.started(world, "deploy")
    require_deploys_nothing(world, execution, "nothing")
    words = release_words(world, execution)
    expect("came late" in words, "Release to say that it came late", words[-400:])
    require_untouched(world, "prod", production)
    world.say(next(line.strip() for line in words.splitlines() if "came late" in line))


@fault("registered")
def release_throttled(world: World) -> None:
    """AWS asks Release to slow down, twice in each of its calls: it does, and the model is released"""
    operations = ("DescribeModelPackage", "DescribeEndpoint", "AssumeRole")
    with edge.calls(world.emulator, *(edge.throttled(operation, 2, "-release") for operation in operations)):
        status = released(world, releasing.decide(world, 1))["RELEASE_STATUS"]
        met = edge.met(world.emulator)
    expect(status == "release" and met >= 4, "a release, asked to slow down", f"{status}, asked {met} times")
    world.say(f"asked {met} times to slow down, and released")


@fault("registered")
def approval_that_starts_nothing(world: World) -> None:
    """Nothing can be started for an approval: its event is kept where an alarm watches; delivered again, it releases"""
    name = f"sagemaker-{world.project.id}-lost-events"
    queue = world.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    (alarm,) = world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    watched = [each["Value"] for each in alarm["Dimensions"]]
    expect(watched == [name] and bool(alarm["AlarmActions"]), "an alarm on the queue that tells somebody", alarm)
    # An error that StartPipelineExecution documents, and that no client tries to overcome.
    code, words = "ConcurrentPipelineExecutionsLimitExceededException", "The pipeline has reached the limit"
    with edge.calls(world.emulator, edge.refused("StartPipelineExecution", code, words, "-dispatcher")):
        arn = releasing.package(world, 1)["ModelPackageArn"]
        world.client("sagemaker", "approver").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
        kept = world.wait(lambda: _received(world, queue), "the event to be kept", PATIENCE, world.logs / "log")
    event = kept.get("requestPayload", kept)
    (execution,) = _deliver(world, event)
    pipelines.started(world, "deploy")
    expect(released(world, execution)["MODEL_PACKAGE_ARN"] == arn, f"the release of {arn}", event)
    world.say("the event was kept, and delivered again it released the model")


# --- events, as EventBridge delivers them ----------------------------------------------------------------------------


def _queue_of_approvals(world: World) -> str:
    """A queue of the engineer's own that gets the events that the project's function gets."""
    sqs, events = world.client("sqs"), world.client("events")
    url = str(sqs.create_queue(QueueName="watch-approvals")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Model Package State Change"]}
    events.put_rule(Name="watch-approvals", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="watch-approvals", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def _received(world: World, queue: str) -> dict[str, Any] | None:
    messages = world.client("sqs").receive_message(QueueUrl=queue).get("Messages")
    return json.loads(messages[0]["Body"]) if messages else None


def _deliver(world: World, event: dict[str, Any]) -> list[str]:
    """Call the project's function with an event, as EventBridge does, perhaps not for the first time."""
    name = f"sagemaker-{world.project.id}-dispatcher"
    answer = world.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    found = json.loads(answer["Payload"].read())
    expect("FunctionError" not in answer, "the function to succeed", found)
    executions: list[str] = found
    return executions


def _approval(arn: str, time: datetime) -> dict[str, Any]:
    return {
        "id": f"late-{time:%H%M%S}",
        "source": "aws.sagemaker",
        "time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        "detail": {"ModelPackageArn": arn},
    }
