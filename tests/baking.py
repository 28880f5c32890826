"""Cookiecutter as a person calls it, and what it left behind, as small objects for the tests."""

import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.project import environment

PROJECT_FOLDER = "{{cookiecutter.project_slug}}"
RENDERED = {"README.md", "project.toml"}


def files_below(folder: Path) -> set[str]:
    """Every file below folder, as paths with forward slashes; git's own are left out."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    return {path.as_posix() for path in paths if path.parts[0] != ".git"}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    text: str


@dataclass(frozen=True)
class Shell:
    """Runs commands in `folder` with a home directory of its own, so that no setting of this machine takes part."""

    folder: Path
    home: Path

    def run(self, *command: str, folder: Path | None = None) -> Outcome:
        """Run and report."""
        done = subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        return Outcome(done.returncode, done.stdout)

    def do(self, *command: str, folder: Path | None = None) -> str:
        """Run; the command must succeed."""
        outcome = self.run(*command, folder=folder)
        assert outcome.code == 0, f"{' '.join(command)}\n{outcome.text}"
        return outcome.text

    def commit_all(self, folder: Path, message: str) -> None:
        """Make folder a git repository if it is none, and commit everything in it."""
        self.do("git", "init", "--quiet", "--initial-branch", "main", folder=folder)
        self.do("git", "add", "--all", folder=folder)
        self.do("git", "commit", "--quiet", "--message", message, folder=folder)

    def _environment(self) -> Mapping[str, str]:
        person = {"NAME": "A Person", "EMAIL": "person@example.com"}
        git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}
        return environment() | git | {"HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", "PYTHONUTF8": "1"}


@dataclass(frozen=True)
class Baker:
    """Bakes `template` (a path or a URL) below the shell's folder."""

    template: str
    shell: Shell

    @property
    def output(self) -> Path:
        """Where projects go."""
        return self.shell.folder

    def bake(self, **answers: str) -> "Baked":
        """Bake; it must succeed."""
        outcome = self.attempt(**answers)
        assert outcome.code == 0, outcome.text
        (project,) = self.output.iterdir()
        return Baked(project)

    def attempt(self, **answers: str) -> Outcome:
        """Bake and say how it ended."""
        pairs = (f"{name}={value}" for name, value in answers.items())
        return self.shell.run(sys.executable, "-m", "cookiecutter", "--no-input", self.template, *pairs)


@dataclass(frozen=True)
class Baked:
    """A project that came out."""

    path: Path

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> set[str]:
        """Every file."""
        return files_below(self.path)

    def settings(self) -> dict[str, Any]:
        """project.toml."""
        return tomllib.loads(self.read("project.toml"))
