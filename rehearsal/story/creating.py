"""A data scientist makes a project in Studio."""

from typing import Any

from rehearsal.story import people, provider
from rehearsal.story.errors import StoryError
from rehearsal.story.publishing import offered_product, offered_versions
from rehearsal.story.world import World, expect

OWNER, COST_CENTER = "churn-team", "4711"
PATIENCE = 120


def create(world: World) -> None:
    """Create a project as Studio does."""
    if world.options.provider == "connection":
        provider.connect(world)
    sagemaker = world.client("sagemaker", "scientist")
    sagemaker.create_project(
        ProjectName=world.project.name,
        ProjectDescription="Which customers leave",
        ServiceCatalogProvisioningDetails=_details(world),
        Tags=[{"Key": "sagemaker:user-profile-name", "Value": people.USER}],
    )
    project = world.wait(lambda: _finished(world, sagemaker), "the project to be created", PATIENCE, world.logs / "log")
    world.project.id, world.project.arn = project["ProjectId"], project["ProjectArn"]
    world.facts.project = world.project.full_name
    provisioned = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    world.project.provisioned_product, world.project.stack = provisioned, _stack(world, provisioned)
    _require_complete(world)
    if world.options.provider == "connection":
        provider.require_filled(world)


def _details(world: World) -> dict[str, Any]:
    """Product, version and answers, as Studio's form sends them: every parameter that the launch path asks for."""
    catalog = world.client("servicecatalog", "scientist")
    product, version = offered_product(world), offered_versions(world)[0]["Id"]
    path = catalog.list_launch_paths(ProductId=product)["LaunchPathSummaries"][0]["Id"]
    asked = catalog.describe_provisioning_parameters(ProductId=product, ProvisioningArtifactId=version, PathId=path)[
        "ProvisioningArtifactParameters"
    ]
    given = answers(world)
    unknown = set(given) - {each["ParameterKey"] for each in asked}
    expect(not unknown, "the form to ask for everything that is answered", sorted(unknown))
    return {
        "ProductId": product,
        "ProvisioningArtifactId": version,
        "PathId": path,
        "ProvisioningParameters": [{"Key": key, "Value": value} for key, value in given.items()],
    }


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
        reason = project.get("ServiceCatalogProvisionedProductDetails", {}).get("ProvisionedProductStatusMessage", "")
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


def _stack(world: World, provisioned: str) -> str:
    """The stack of a provisioned product: Service Catalog's search tells it as the physical id."""
    catalog = world.client("servicecatalog")
    found = catalog.search_provisioned_products(Filters={"SearchQuery": [f"id:{provisioned}"]})["ProvisionedProducts"]
    expect(len(found) == 1, f"one provisioned product {provisioned}", found)
    return str(found[0]["PhysicalId"])


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
