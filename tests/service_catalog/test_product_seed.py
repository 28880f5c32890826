"""The build that fills a repository behind a connection: its own commands, run with git against folders."""

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.infrastructure import catalog, subjects

EVERYTHING = dict(subjects.stacks("product.yaml", catalog.templates()["product.yaml"]))["every option on"]
SEED = dict(EVERYTHING.of_type("AWS::CodeBuild::Project"))["Seed"]
AWS = """#!/bin/sh
[ "$1 $2" = "codeconnections get-connection" ] || exit 2
[ -n "$STATUS" ] || exit 254
echo "$STATUS"
"""


@dataclass(frozen=True)
class Place:
    """A machine like CodeBuild's: the seed unpacked, a Git host that is a folder, an aws that knows one answer."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def host(self) -> Path:
        return self.folder / "host.git"

    def run(self, status: str = "AVAILABLE") -> subprocess.CompletedProcess[str]:
        """The buildspec's one command, with the variables that the project has."""
        (command,) = yaml.safe_load(SEED["Source"]["BuildSpec"])["phases"]["build"]["commands"]
        given = {each["Name"]: each["Value"] for each in SEED["Environment"]["EnvironmentVariables"]}
        environ = given | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            "STATUS": status,
            "CODEBUILD_BUILD_ID": f"{SEED['Name']}:0f1e2d3c",
            "REPOSITORY_URL": str(self.host),
        }
        return subprocess.run(["sh", "-c", command], cwd=self.source, env=environ, capture_output=True, text=True)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self.host), *words], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("bin", "source/model_build"):
        (tmp_path / name).mkdir(parents=True)
    aws = tmp_path / "bin" / "aws"
    aws.write_text(AWS, encoding="utf-8")
    aws.chmod(aws.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "source" / "model_build" / "training.py").write_text("", encoding="utf-8")
    (tmp_path / "source" / ".gitignore").write_text("*.csv\n", encoding="utf-8")
    (tmp_path / "source" / "churn.csv").write_text("a\n", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "host.git")], check=True)
    return Place(tmp_path)


def test_an_empty_repository_gets_the_whole_seed_on_the_branch(place: Place) -> None:
    done = place.run()
    assert done.returncode == 0, done.stderr
    files = place.git("ls-tree", "-r", "--name-only", "release/2026").split()
    assert files == [".gitignore", "churn.csv", "model_build/training.py"]


def test_a_second_run_changes_nothing_and_says_so(place: Place) -> None:
    place.run()
    before = place.git("rev-parse", "release/2026")
    done = place.run()
    assert done.returncode == 0
    assert "Nothing was pushed: example-organization/churn is not empty and stays as it is." in done.stderr
    assert place.git("rev-parse", "release/2026") == before


def test_somebody_else_s_branch_counts_as_content(place: Place, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "clone", "--quiet", str(place.host), str(clone)], check=True, capture_output=True)
    subprocess.run(["git", "-C", str(clone), *person, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    subprocess.run(["git", "-C", str(clone), "push", "--quiet", "origin", "HEAD:refs/heads/old"], check=True)
    assert place.run().returncode == 0
    assert place.git("for-each-ref", "--format=%(refname)").split() == ["refs/heads/old"]


def test_a_pending_connection_says_what_to_do(place: Place) -> None:
    done = place.run("PENDING")
    assert done.returncode == 1
    assert "Nothing was pushed: the connection is PENDING." in done.stderr
    assert "Update pending connection" in done.stderr
    assert f"aws codebuild start-build --project-name {SEED['Name']}" in done.stderr
    assert place.git("for-each-ref") == ""


def test_a_connection_that_cannot_be_looked_at(place: Place) -> None:
    done = place.run("")
    assert done.returncode == 1
    assert "Nothing was pushed: the connection cannot be looked at." in done.stderr


def test_a_repository_that_is_not_there_says_what_to_do(place: Place) -> None:
    place.host.rename(place.folder / "elsewhere.git")
    done = place.run()
    assert done.returncode == 1
    assert "Nothing was pushed: example-organization/churn cannot be read. It must exist" in done.stderr


def test_nothing_in_the_build_can_fail_the_stack() -> None:
    """It is started by an event of the stack, not by a resource in it."""
    assert not [name for name, body in EVERYTHING.resources.items() if body["Type"].startswith("Custom::")]
    assert not list(EVERYTHING.of_type("AWS::CloudFormation::CustomResource"))
    rules = dict(EVERYTHING.of_type("AWS::Events::Rule"))
    assert rules["SeedRule"]["Targets"][0]["Arn"] == "<Seed.Arn>"
    assert "seed-failed" in rules["SeedFailureRule"]["Name"]
