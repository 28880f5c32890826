"""The company's git provider, for a project whose code is not in CodeCommit; a local git host stands for GitHub.

An engineer makes a connection and an empty repository there; a build of the project's own stack fills it, once. The
provider belongs to the company: nothing of it goes with the project.
"""

from typing import Any
from urllib.request import Request, urlopen

from rehearsal.story import pipelines, programs
from rehearsal.story.world import World, expect

REPOSITORY = "churn-team/customer-churn"
# SageMaker finds connections by it: developer guide, "Create an MLOps project using third-party Git repositories".
VISIBLE = {"Key": "sagemaker", "Value": "true"}
PATIENCE = 120


def connect(world: World) -> None:
    """Make a connection, shake hands as a person does in the console, and make an empty repository."""
    client = world.client("codeconnections")
    arn = client.create_connection(ProviderType="GitHub", ConnectionName="company", Tags=[VISIBLE])["ConnectionArn"]
    _require_status(client, arn, "PENDING")
    world.emulator.admin("handshake")
    _require_status(client, arn, "AVAILABLE")
    with urlopen(Request(address(world), method="PUT")) as answer:  # noqa: S310 - the emulator, on loopback
        expect(answer.status == 201, f"an empty repository {REPOSITORY}", answer.status)
    world.kept["connection"] = arn
    world.say(f"connection {arn.rpartition('/')[2][:8]} is available, {REPOSITORY} is empty")


def _require_status(client: Any, arn: str, wanted: str) -> None:
    status = client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
    expect(status == wanted, f"the connection to be {wanted}", status)


def answers(world: World) -> dict[str, str]:
    """What the form is told of it."""
    return {"RepositoryProvider": "Connection", "ConnectionArn": world.kept["connection"], "RepositoryId": REPOSITORY}


def address(world: World) -> str:
    """Where people clone from: the provider itself, not the connection."""
    return f"{world.emulator.address}/provider/{REPOSITORY}.git"


def require_filled(world: World) -> None:
    """The build that the stack's completion started has filled the repository; once more, it changes nothing."""
    ended = world.wait(lambda: _ended(world, None), "the repository to be filled", PATIENCE, world.logs / "codebuild")
    expect(ended["buildStatus"] == "SUCCEEDED", "the seeding to succeed", _words(world, ended), world.logs)
    before = commits(world)
    expect(list(before) == ["refs/heads/main"], "one branch in the repository, main", before)
    again = world.client("codebuild").start_build(projectName=_build(world))["build"]["id"]
    ended = world.wait(lambda: _ended(world, again), "the second seeding to end", PATIENCE, world.logs / "codebuild")
    words = _words(world, ended)
    kept = f"{REPOSITORY} is not empty and stays as it is" in words  # the name: the command itself is printed too
    expect(kept, "the second seeding to leave the repository alone", words)
    expect(commits(world) == before, f"the commits {before} and no other", commits(world))
    world.say(f"{REPOSITORY} is filled; seeding it again changed nothing")


def _build(world: World) -> str:
    """The CodeBuild project that fills the repository."""
    return f"sagemaker-{world.project.full_name}-seed"


def _ended(world: World, build: str | None) -> dict[str, Any] | None:
    """A build of the seeding when it has ended; without an id, the first."""
    client = world.client("codebuild")
    ids = [build] if build else client.list_builds_for_project(projectName=_build(world))["ids"][-1:]
    found = client.batch_get_builds(ids=ids)["builds"] if ids else []
    world.say(f"seeding {found[0]['buildStatus'].lower()}" if found else "waiting for the seeding")
    return found[0] if found and found[0]["buildComplete"] else None


def _words(world: World, build: dict[str, Any]) -> str:
    return f"{build['buildStatus']}: {pipelines.printed(world, build['id'])[-400:]}"


def require_kept(world: World, plan: str, before: dict[str, str]) -> None:
    """The plan of the deletion names the repository among what stays, and not one commit of it has changed."""
    kept = ["=", "repository", REPOSITORY]
    expect(any(line.split()[:3] == kept for line in plan.splitlines()), f"the plan to keep {REPOSITORY}", plan[-800:])
    expect(commits(world) == before, f"the commits {before} at the provider", commits(world))


def commits(world: World) -> dict[str, str]:
    """Branch → commit, as the provider tells anybody who asks."""
    command = ["git", "ls-remote", "--heads", address(world)]
    done = programs.run(world, "git-ls-remote", command, world.folder, "scientist", is_told=False)
    expect(done.code == 0, "the repository at the provider to be readable", done.text, done.log)
    return {name: commit for commit, name in (line.split() for line in done.text.splitlines())}
