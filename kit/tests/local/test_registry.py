"""The file registry: versions, approval, and being killed at any moment."""

import json
import random
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from kit.tests.local.pipelines import TRAIN, Project, compare, condition, fail, get, register, training
from kit.tests.waiting import until
from sagemaker_project_kit.local.state.registry import Registry

WRITER = """
import sys
from pathlib import Path
from sagemaker_project_kit.local.state.registry import Registry
registry = Registry(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    package = registry.register({"ModelPackageGroupName": "group", "Filler": "x" * 20_000})
    registry.set_status(package, "Approved")
"""


def start_writer(root: Path) -> "subprocess.Popen[str]":
    """A process that registers and approves as fast as it can."""
    environment: dict[str, str] = {}
    command = [sys.executable, "-c", WRITER, str(root)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def has_more_versions(root: Path, than: int) -> bool:
    return len(versions(root)) > than


def versions(root: Path) -> list[int]:
    """The version numbers on disk."""
    return sorted(int(path.stem) for path in (root / "group").glob("*.json"))


def test_a_writer_killed_at_any_moment_leaves_whole_contiguous_versions(tmp_path: Path) -> None:
    rng = random.Random(7)  # noqa: S311 - a seed, not a secret
    for _ in range(25):
        before = len(versions(tmp_path))
        writer = start_writer(tmp_path)
        until(partial(has_more_versions, tmp_path, before))
        threading.Event().wait(rng.random() * 0.01)  # any moment will do
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        packages = Registry(tmp_path).packages()
        assert [package.version for package in packages] == list(range(1, len(packages) + 1))
        assert all(len(package.content["Filler"]) == 20_000 for package in packages)
    assert len(Registry(tmp_path).packages()) >= 25
    assert Registry(tmp_path).register({"ModelPackageGroupName": "group"}).version == len(versions(tmp_path))


def test_writers_at_the_same_time_never_share_a_number(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path) for _ in range(3)]
    until(lambda: len(versions(tmp_path)) > 30)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    packages = Registry(tmp_path).packages()
    assert [package.version for package in packages] == list(range(1, len(packages) + 1))
    assert all(package.content["ModelPackageVersion"] == int(package.path.stem) for package in packages)


def test_a_package_is_shaped_like_describe_model_package(tmp_path: Path) -> None:
    request = {"ModelPackageGroupName": "churn", "CustomerMetadataProperties": {"git_commit": "abc"}}
    package = Registry(tmp_path).register(request)
    content = json.loads(package.path.read_text())
    assert package.path == tmp_path / "churn" / "1.json"
    assert content["ModelPackageArn"].endswith(":model-package/churn/1")
    assert content["ModelPackageVersion"] == 1 and content["ModelPackageStatus"] == "Completed"
    assert content["ModelApprovalStatus"] == "PendingManualApproval"
    assert content["CustomerMetadataProperties"] == {"git_commit": "abc"}
    assert content["CreationTime"].endswith("Z") and "ApprovalTime" not in content


def test_the_champion_is_the_version_approved_last(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    one, two, three = (registry.register({"ModelPackageGroupName": "churn"}) for _ in range(3))
    assert registry.champion() is None
    registry.set_status(two, "Approved")
    registry.set_status(one, "Approved")
    assert registry.champion("churn").version == 1, "approved later, though older"  # type: ignore[union-attr]
    assert registry.champion("other") is None
    registry.set_status(registry.find("churn/1"), "Rejected")
    assert registry.champion().version == 2  # type: ignore[union-attr]
    assert three.status == "PendingManualApproval"


@pytest.mark.parametrize("group", ["", "../evil", "a_b", "-a", "a" * 64])
def test_a_group_name_aws_would_refuse(tmp_path: Path, group: str) -> None:
    from sagemaker_project_kit.local.errors import RegistryError

    with pytest.raises(RegistryError, match="group name"):
        Registry(tmp_path / "registry").register({"ModelPackageGroupName": group})
    assert not (tmp_path / "evil").exists()


def registered(project: Project, *groups: str) -> None:
    """Register one version for each of these groups."""
    registry = Registry(project.root / ".local" / "registry")
    for group in groups:
        registry.register({"ModelPackageGroupName": group})


def test_approve_and_reject_on_the_command_line(project: Project) -> None:
    registered(project, "churn", "churn", "churn")
    assert project.command("registry", "approve").out == "churn/3 is now Approved.\n"
    assert project.command("registry", "reject", "3").out == "churn/3 is now Rejected.\n"
    assert project.command("registry", "approve", "churn/1").out == "churn/1 is now Approved.\n"
    listing = project.command("registry", "list").out
    lines = {line.split("churn/")[1][0]: line for line in listing.splitlines() if "churn/" in line}
    assert lines["1"].startswith("★") and "Approved" in lines["1"]
    assert "PendingManualApproval" in lines["2"] and "Rejected" in lines["3"]


def test_an_ambiguous_choice_is_refused(project: Project) -> None:
    assert "Nothing is registered yet" in project.command("registry", "list").out
    nothing = project.command("registry", "approve")
    assert nothing.code == 2 and "No version waits for approval" in nothing.err
    registered(project, "churn", "price")
    same = project.command("registry", "approve", "1")
    assert same.code == 2 and "name the group too" in same.err
    unknown = project.command("registry", "approve", "churn/9")
    assert unknown.code == 2 and "no model 'churn/9'. Registered: churn/1, price/1" in unknown.err


def test_approve_takes_the_version_registered_last_whatever_its_group(project: Project) -> None:
    registered(project, "price", "churn")
    assert "churn/1 is now Approved" in project.command("registry", "approve").out
    assert "price/1 is now Approved" in project.command("registry", "approve").out


def test_the_next_run_meets_the_champion(project: Project) -> None:
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": TRAIN})
    model = get("Steps.Train.ModelArtifacts.S3ModelArtifacts")
    rule = compare("Equals", get("Parameters.ChampionModelUri"), get("Parameters.ChampionModelUri"))
    steps = [
        training("Train", archive, {"eta": "0.1"}),
        condition("Gate", rule, [register("Register", model)], [fail("No", "")]),
    ]
    parameters = [{"Name": "ChampionModelUri", "Type": "String", "DefaultValue": "s3://bucket/none.txt"}]
    first = project.run(steps, parameters=parameters)
    assert "waits for approval" in first.out and "make approve" in first.out
    before = project.run(None)
    assert before.execution["Parameters"]["ChampionModelUri"] == "s3://bucket/none.txt"
    assert project.command("registry", "approve", "1").code == 0
    after = project.run(None)
    assert after.execution["Parameters"]["ChampionModelUri"] == first.step("Train")["Outputs"]["model"]["S3Uri"]
    given = project.run(None, "--parameter", "ChampionModelUri=s3://bucket/mine.tar.gz")
    assert given.execution["Parameters"]["ChampionModelUri"] == "s3://bucket/mine.tar.gz"
    project.stored(after.execution["Parameters"]["ChampionModelUri"]).unlink()
    gone = project.run(None)
    assert gone.code == 0 and "is gone" in gone.err
    assert gone.execution["Parameters"]["ChampionModelUri"] == "s3://bucket/none.txt"
