"""The platform engineer offers the product to Studio, from a clone of this repository as it stands."""

import subprocess
from pathlib import Path

from rehearsal.story import channels, programs
from rehearsal.story.world import World, expect
from scripts.bake import clean_copy

STACKS = {
    "tooling": channels.PORTFOLIO,
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
    channel = channels.of(world)
    channel.grant(world)
    world.facts.template_version = channel.newest(world)
    world.say(f"Studio's list of templates has version {world.facts.template_version}")


def publish_again(world: World) -> None:
    """Publishing the same again would change nothing."""
    done = programs.catalog(world, "publish", "--plan", *arguments(world))
    unwanted = [line for line in done.text.splitlines() if line.strip().startswith(("+", "~", "-"))]
    expect(not unwanted, "nothing to create, update or delete", unwanted, done.log)


def arguments(world: World) -> list[str]:
    """How this company publishes."""
    return [*stages(world), *channels.of(world).arguments]


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
