"""A role that is not allowed what it needs."""

from rehearsal.faults import edge
from rehearsal.faults.deploying import action
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.production import require_untouched, sight
from rehearsal.story import pipelines, programs, publishing, releasing
from rehearsal.story.errors import DeniedError, StoryError
from rehearsal.story.play import require_no_denial
from rehearsal.story.world import World, expect

CREATES = "[cloudformation:CreateStack, cloudformation:UpdateStack]"


@fault("second-approved", is_denied=True)
def production_denied(world: World) -> None:
    """Production's role is denied: the release stops with its name, staging and production stay as they are"""
    edge.deny(world, "sagemaker-prod-cloudformation", "prod", ["sagemaker:UpdateEndpoint"])
    require_denied(world)


def require_denied(world: World) -> None:
    """Let the release into production: it fails there, for the missing permission, and nothing is changed."""
    staging = sight(world, "staging")
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


@fault("registered", is_denied=True)
def stage_role_without_an_action(world: World) -> None:
    """The stages' template lacks an action of the deploying role: role, resource and the statement to add are named"""
    folder = publishing.repository(world)
    path = folder / "service_catalog" / "templates" / "stage" / "roles-of-pipelines.yaml"
    text = path.read_text(encoding="utf-8")
    expect(text.count(CREATES) == 1, f"{CREATES} in it once", text.count(CREATES), path)
    path.write_text(text.replace(CREATES, "[cloudformation:UpdateStack]"), encoding="utf-8")
    publishing.commit(folder, "A mistake")
    programs.catalog(world, "publish", *publishing.arguments(world))
    pipelines.finished(world, "deploy", releasing.decide(world, 1), PATIENCE)
    words = _denied(world)
    role, action = "role/sagemaker-projects/sagemaker-staging-deploy", "cloudformation:CreateStack"
    expect(f"{role} may not do {action} on arn:aws:" in words, f"the denial to name {role} and {action}", words)
    expect(f"- Effect: Allow\n  Action: {action}\n  Resource: arn:aws:" in words, "the statement to add", words)
    world.say(words.splitlines()[0])


def _denied(world: World) -> str:
    """What is said of the calls that were denied."""
    try:
        require_no_denial(world)
    except DeniedError as error:
        return error.found
    raise StoryError("a call to be denied", "none was")
