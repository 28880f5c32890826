"""The project's repository, in the hands of a data scientist: cloned with git over HTTP, changed, pushed."""

import tomllib
from pathlib import Path

from rehearsal.story import programs, provider
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World, expect

HALVES = ("model_build", "model_deploy")
SHARED = ("Makefile", "environment.mk", "project.toml", "pyproject.toml", "requirements.lock")


def clone(world: World) -> None:
    """Clone the repository: the seed is its first commit."""
    git(world, "clone", "--quiet", address(world), str(folder(world)), where=world.folder)
    missing = [name for name in (*HALVES, *SHARED) if not (folder(world) / name).exists()]
    expect(not missing, "the seed's files in the clone", f"missing: {missing}")
    commits = git(world, "log", "--oneline").splitlines()
    expect(len(commits) == 1, "one commit, the seed", commits)
    text = (folder(world) / "project.toml").read_text(encoding="utf-8")
    tomllib.loads(text)
    expect("cookiecutter" not in text, "project.toml to be filled in", "an unrendered placeholder")
    world.say(f"{len(git(world, 'ls-files').splitlines())} files, commit {commits[0]}")


def folder(world: World) -> Path:
    """Where the scientist's clone is."""
    return world.folder / "clone"


def address(world: World) -> str:
    """Where the scientist clones from: CodeCommit, or the provider behind the connection."""
    if world.options.provider == "connection":
        return provider.address(world)
    repository = world.client("codecommit", "scientist").get_repository(repositoryName=world.project.repository)
    return str(repository["repositoryMetadata"]["cloneUrlHttp"])


def push(world: World, path: str, text: str, message: str) -> str:
    """Write a file of the clone, commit and push it; returns the commit."""
    (folder(world) / path).write_text(text, encoding="utf-8")
    git(world, "add", path)
    git(world, "commit", "--quiet", "-m", message)
    git(world, "push", "--quiet", "origin", "HEAD:main")
    return git(world, "rev-parse", "HEAD").strip()


def git(world: World, *words: str, where: Path | None = None) -> str:
    """Run git as the scientist and return what it printed. Raises StoryError when it fails."""
    done = programs.run(world, f"git-{words[0]}", ["git", *words], where or folder(world), "scientist", is_told=False)
    if done.code:
        raise StoryError(f"`git {' '.join(words)}` to succeed", done.text.strip()[-400:], done.log)
    return done.text
