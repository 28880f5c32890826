"""A release that fails on real requests, and one that changes the instances under autoscaling."""

from typing import Any

from rehearsal.faults import edge
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.models import LARGER, loyal_customers
from rehearsal.faults.stacks import require_succeeded
from rehearsal.story import pipelines, releasing
from rehearsal.story.traffic import Known, invoke, json_body, traffic
from rehearsal.story.world import World, expect

# A deployment looks at the alarms before it begins, and again and again while the new instances answer.
LOOKS_AT_ALARMS = {"operation": "DescribeAlarms", "caller": "-endpoint", "hold": "passes", "after": 1}


@fault("second-approved")
def endpoint_5xx(world: World) -> None:
    """The new model answers customers with errors: it is rolled back, the pipeline says so, the old one serves on"""
    rows, _ = loyal_customers(world)
    client = world.client("sagemaker-runtime", "application", "prod")
    old = Known("version 1", invoke(client, world.project.endpoint("prod"), json_body(rows)))
    with traffic(world, "prod", rows, [old]) as heard:
        world.wait(lambda: True if heard.totals[old.name] >= 20 else None, "answers of version 1", PATIENCE)
        with edge.calls(world.emulator, LOOKS_AT_ALARMS):  # so that the canary lasts as long as this takes to notice
            releasing.allow_production(world)
            edge.wait_for_held(world, "DescribeAlarms")
            world.wait(lambda: _rung(world), "an alarm of production to go off", PATIENCE, world.logs / "log")
        ended = pipelines.finished(world, "deploy", world.kept["release"], PATIENCE)
        served = heard.totals[old.name]
        world.wait(lambda: True if heard.totals[old.name] >= served + 20 else None, "answers of version 1", PATIENCE)
    words = pipelines.failure(world, "deploy", world.kept["release"])
    total = heard.failed + sum(heard.totals.values())
    expect(
        ended["status"] == "Failed" and "Production/Endpoint" in words, "the pipeline to fail at the endpoint", words
    )
    expect(0 < heard.failed < total / 2, "some requests, not most, to fail", f"{heard.failed} of {total}")
    releasing.require_serving(world, "prod", 1)
    world.say(f"{heard.failed} of {total} requests failed, then it was rolled back")


@fault("second-approved")
def other_instances_under_autoscaling(world: World) -> None:
    """Another instance type while autoscaling is on: autoscaling is taken off, and put back after the update"""
    expect(_type(world) != LARGER and len(_targets(world)) == 1, "other instances, scaled", _targets(world))
    releasing.allow_production(world)
    require_succeeded(world, world.kept["release"], "Production/Scaling")
    expect(_type(world) == LARGER, f"production on {LARGER}", _type(world))
    expect(len(_targets(world)) == 1, "one scalable target again", _targets(world))
    releasing.require_serving(world, "prod", 2)
    world.say(f"production runs on {LARGER} and scales")


def _rung(world: World) -> bool | None:
    """Whether an alarm of production is in alarm."""
    found = world.client("cloudwatch", "engineer", "prod").describe_alarms(StateValue="ALARM")["MetricAlarms"]
    return True if found else None


def _type(world: World) -> str:
    """The instance type of production."""
    sagemaker = world.client("sagemaker", "engineer", "prod")
    found = releasing.endpoint(world, "prod") or {}
    config = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    return str(config["ProductionVariants"][0]["InstanceType"])


def _targets(world: World) -> list[dict[str, Any]]:
    """What autoscaling scales in production."""
    client = world.client("application-autoscaling", "engineer", "prod")
    found: list[dict[str, Any]] = client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    return found
