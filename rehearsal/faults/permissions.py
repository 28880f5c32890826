"""A role that is not allowed what it needs."""

from rehearsal.faults import edge
from rehearsal.faults.deploying import action
from rehearsal.faults.fault import fault
from rehearsal.faults.production import require_untouched, sight
from rehearsal.story import pipelines, releasing
from rehearsal.story.world import World, expect


@fault("second-approved", is_denied=True)
def production_denied(world: World) -> None:
    """Production's role is denied: the release stops with its name, staging and production stay as they are"""
    staging = sight(world, "staging")
    edge.deny(world, "sagemaker-prod-cloudformation", "prod", ["sagemaker:UpdateEndpoint"])
    releasing.allow_production(world)
    found = action(world, world.kept["release"], "Production/Endpoint")
    expect(found["status"] == "Failed", "the release to fail", found["status"], world.logs / "log")
    pipelines.finished(world, "deploy", world.kept["release"])
    words = pipelines.failure(world, "deploy", world.kept["release"])
    for word in ("Production/Endpoint", "sagemaker-prod-cloudformation", "sagemaker:UpdateEndpoint"):
        expect(word in words, f"the pipeline to name {word}", words)
    require_untouched(world, "staging", staging, 2)
    releasing.require_serving(world, "prod", 1)
    world.say(words)
