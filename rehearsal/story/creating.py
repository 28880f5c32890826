"""A data scientist makes a project in Studio."""

from typing import Any

from rehearsal.story import channels, people, provider
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect

OWNER, COST_CENTER = "churn-team", "4711"
PATIENCE = 120


def create(world: World) -> None:
    """Create a project as Studio does."""
    if world.options.provider == "connection":
        provider.connect(world)
    sagemaker, channel = world.client("sagemaker", "scientist"), channels.of(world)
    sagemaker.create_project(
        ProjectName=world.project.name,
        ProjectDescription="Which customers leave",
        Tags=[{"Key": "sagemaker:user-profile-name", "Value": people.USER}],
        **channel.asked(world, answers(world)),
    )
    project = world.wait(lambda: _finished(world, sagemaker), "the project to be created", PATIENCE, world.logs / "log")
    world.project.id, world.project.arn = project["ProjectId"], project["ProjectArn"]
    world.facts.project = world.project.full_name
    world.project.stack = channel.stack(world, project)
    _require_complete(world)
    if world.options.provider == "connection":
        provider.require_filled(world)


def answers(world: World) -> dict[str, str]:
    """What the scientist fills in."""
    given = {"Owner": OWNER, "CostCenter": COST_CENTER}
    if world.options.size == "medium":
        accounts = world.options.accounts
        given |= {"StagingAccountId": accounts["staging"], "ProdAccountId": accounts["prod"]}
    if world.options.provider == "connection":
        given |= provider.answers(world)
    return given


def _finished(world: World, sagemaker: Any) -> dict[str, Any] | None:
    project: dict[str, Any] = sagemaker.describe_project(ProjectName=world.project.name)
    world.say(f"{project['ProjectStatus']}{_progress(world)}")
    if project["ProjectStatus"] == "CreateFailed":
        reason = channels.of(world).complaint(project)
        raise StoryError("the project to be created", reason or "CreateFailed", *_failures(world), world.logs / "log")
    return project if project["ProjectStatus"] == "CreateCompleted" else None


def _progress(world: World) -> str:
    """How many resources of the stack that is being made are complete."""
    cloudformation = world.client("cloudformation")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if stack["StackStatus"] == "CREATE_IN_PROGRESS":
            found = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
            done = sum(each["ResourceStatus"] == "CREATE_COMPLETE" for each in found)
            return f", {done} resources made"
    return ""


def _failures(world: World) -> list[str]:
    """Why resources of stacks failed."""
    cloudformation = world.client("cloudformation")
    found = []
    for stack in cloudformation.describe_stacks()["Stacks"]:
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            events = cloudformation.describe_stack_events(StackName=stack["StackName"])["StackEvents"]
            found += [
                f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
                for each in events
                if each["ResourceStatus"].endswith("FAILED")
            ]
    return found[-6:]


def _require_complete(world: World) -> None:
    """The stack is complete, and everything of it that can carry tags carries the project's."""
    cloudformation = world.client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=world.project.stack)["Stacks"][0]
    expect(stack["StackStatus"] == "CREATE_COMPLETE", "the project's stack to be complete", stack["StackStatus"])
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    wanted = {"sagemaker:project-name": world.project.name, "sagemaker:project-id": world.project.id}
    expect(wanted.items() <= tags.items(), f"the tags {wanted} on the stack", tags)
    resources = cloudformation.describe_stack_resources(StackName=world.project.stack)["StackResources"]
    world.say(f"{world.project.full_name}: {len(resources)} resources")
