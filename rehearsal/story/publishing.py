"""The platform engineer offers the product to Studio, from a clone of this repository as it stands."""

import subprocess
from pathlib import Path
from typing import Any

from rehearsal.story import people, programs
from rehearsal.story.world import World, expect
from scripts.bake import clean_copy

PRODUCT = "ML project: build, release, monitor"
VISIBLE = {"Key": "sagemaker:studio-visibility", "Value": "true"}
STACKS = {
    "tooling": "sagemaker-projects-portfolio",
    "staging": "sagemaker-projects-staging",
    "prod": "sagemaker-projects-prod",
}


def publish(world: World) -> None:
    """Publish the product: portfolio, roles of the stages, seed and first version."""
    take_repository(repository(world))
    programs.catalog(world, "publish", *arguments(world))
    for purpose, stack in STACKS.items():
        status = world.client("cloudformation", purpose=purpose).describe_stacks(StackName=stack)["Stacks"][0]
        expect(status["StackStatus"] == "CREATE_COMPLETE", f"{stack} to be complete", status["StackStatus"])
    versions = offered_versions(world)
    expect(len(versions) == 1, "one version in Studio's list of templates", [each["Name"] for each in versions])
    world.facts.template_version = versions[0]["Name"]
    world.say(f"Studio's list of templates has version {versions[0]['Name']}")


def publish_again(world: World) -> None:
    """Publishing the same again would change nothing."""
    done = programs.catalog(world, "publish", "--plan", *arguments(world))
    unwanted = [line for line in done.text.splitlines() if line.strip().startswith(("+", "~", "-"))]
    expect(not unwanted, "nothing to create, update or delete", unwanted, done.log)


def arguments(world: World) -> list[str]:
    """How this company publishes; its engineers may launch and upgrade projects too."""
    return [*stages(world), "--set", f"portfolio.MoreStudioRoles={people.ROLES['engineer']}"]


def stages(world: World) -> list[str]:
    """How the command line reaches the accounts of the stages."""
    if world.options.size == "small":
        return []
    return ["--stage-profile", "staging=staging", "--stage-profile", "prod=prod"]


def repository(world: World) -> Path:
    """The engineer's clone."""
    return world.folder / "repository"


def take_repository(folder: Path) -> None:
    """Everything that git would take of this repository, in one commit: what none holds yet is rehearsed too."""
    clean_copy(folder)
    commit(folder, "As it stands")


def commit(folder: Path, message: str) -> None:
    """Commit whatever changed in a folder."""
    author = ["-c", "user.name=engineer", "-c", "user.email=team@example.com"]
    for words in (["init", "--quiet"], ["add", "--all"], [*author, "commit", "--quiet", "-m", message]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def offered_product(world: World) -> str:
    """The id of the product as Studio's list of templates finds it: offered to this person, and tagged as visible."""
    catalog = world.client("servicecatalog", "scientist")
    found = catalog.search_products()["ProductViewSummaries"]
    named = [product for product in found if product["Name"] == PRODUCT]
    expect(len(named) == 1, f"the product {PRODUCT!r} among those offered", [product["Name"] for product in found])
    tags = world.client("servicecatalog").describe_product_as_admin(Id=named[0]["ProductId"])["Tags"]
    expect(VISIBLE in tags, f"the tag {VISIBLE}, without which Studio does not list it", tags)
    return str(named[0]["ProductId"])


def offered_versions(world: World) -> list[dict[str, Any]]:
    """The versions of the product that can be provisioned, newest first."""
    catalog = world.client("servicecatalog", "scientist")
    found = catalog.describe_product(Id=offered_product(world))["ProvisioningArtifacts"]
    active = [each for each in found if each.get("Guidance", "DEFAULT") == "DEFAULT"]
    return sorted(active, key=lambda each: (each["CreatedTime"], each["Name"]), reverse=True)
