"""A command that must refuse: with a sentence that a person can act on, and before anything is made."""

import re
import sys
from pathlib import Path
from typing import Any

from rehearsal.story import programs
from rehearsal.story.world import World, expect

TRACEBACK = "Traceback (most recent call last)"


def refuses(world: World, *words: str, says: list[str], code: int = 1) -> str:
    """Run `python -m service_catalog` and check that it refuses, says this and changes nothing; what it said."""
    before = made(world)
    done = run(world, *words)
    said = " ".join(done.text.split())
    expect(done.code == code, f"`{' '.join(words)}` to be refused", f"exit code {done.code}: {said[-300:]}", done.log)
    require_words(said, says, done.log)
    after = made(world)
    expect(after == before, "nothing to be made", f"{before} before, {after} after", done.log)
    world.say(said[said.find("error:") :][:300])
    return said


def run(world: World, *words: str) -> programs.Output:
    """Run `python -m service_catalog` in the engineer's clone, however it ends."""
    command = [sys.executable, "-m", "service_catalog", *words]
    return programs.run(world, f"catalog-{words[0]}", command, world.folder / "repository")


def require_words(said: str, wanted: list[str], *where: Path) -> None:
    """What was said names all of this (regular expressions), and is no traceback."""
    expect(TRACEBACK not in said, "a sentence, no traceback", said[-400:], *where)
    for words in wanted:
        expect(bool(re.search(words, said)), f"words about {words!r}", said[-400:], *where)


def made(world: World) -> dict[str, Any]:
    """How much there is of everything that publish and create make, in each account."""
    found: dict[str, Any] = {}
    for purpose in ("tooling", "staging", "prod"):
        stacks = world.client("cloudformation", "engineer", purpose).describe_stacks()["Stacks"]
        found[f"stacks of {purpose}"] = sorted((each["StackName"], each["StackStatus"]) for each in stacks)
    catalog = world.client("servicecatalog")
    products = catalog.search_products_as_admin()["ProductViewDetails"]
    ids = [each["ProductViewSummary"]["ProductId"] for each in products]
    found["versions"] = [
        len(catalog.list_provisioning_artifacts(ProductId=id_)["ProvisioningArtifactDetails"]) for id_ in ids
    ]
    found["projects"] = len(world.client("sagemaker").list_projects()["ProjectSummaryList"])
    return found
