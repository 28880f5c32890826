"""What production looked like before something went wrong, and that it still does."""

from dataclasses import dataclass
from typing import Any

from rehearsal.story import releasing
from rehearsal.story.world import World, expect


@dataclass(frozen=True)
class Sight:
    """What an endpoint runs: its configuration and when it was last changed; nothing of it where there is none."""

    config: str
    changed: Any
    stacks: tuple[tuple[str, str, Any], ...]


def sight(world: World, stage: str) -> Sight:
    """The endpoint of a stage and the stage's stacks as they are now."""
    found = releasing.endpoint(world, stage) or {}
    stacks = world.client("cloudformation", "engineer", stage).describe_stacks()["Stacks"]
    own = [each for each in stacks if f"{world.project.full_name}-{stage}-" in each["StackName"]]
    seen = [(each["StackName"], each["StackStatus"], each.get("LastUpdatedTime")) for each in own]
    return Sight(found.get("EndpointConfigName", ""), found.get("LastModifiedTime"), tuple(sorted(seen)))


def require_untouched(world: World, stage: str, before: Sight, version: int | None = 1) -> None:
    """A stage is as it was, and its endpoint answers as a version does; with None, there is no endpoint."""
    after = sight(world, stage)
    expect(after == before, f"{stage} to be as it was: {before}", after, world.logs / "log")
    if version:
        releasing.require_serving(world, stage, version)
