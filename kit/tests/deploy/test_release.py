"""What release writes: complete template configurations for every stage, or nothing but why it waits."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.tests.deploy.conftest import ENVIRONMENT, GROUP, NOON, PROD, Edit, Register, arn
from sagemaker_project_kit.deploy import request_schema, rollback, template
from sagemaker_project_kit.deploy.endpoint import Endpoint, Variant
from sagemaker_project_kit.deploy.errors import RegistryError, RollbackError, TemplateError
from sagemaker_project_kit.deploy.history import Release
from sagemaker_project_kit.deploy.release import Releaser, Sight
from sagemaker_project_kit.deploy.settings import STAGES
from sagemaker_project_kit.deploy.store import FolderStore


def written(releaser: Releaser, name: str) -> Any:
    return json.loads((releaser.place.target / name).read_text(encoding="utf-8"))


def test_each_stage_gets_one_complete_configuration_a_template(releaser: Releaser, register: Register) -> None:
    register(1)
    releaser.release(STAGES)
    for path in releaser.place.source.glob("*.yaml"):
        declared = template.read(path).parameters
        for stage in STAGES:
            content = written(releaser, f"{stage}/{path.stem}.json")
            assert set(content) == {"Parameters", "Tags"}
            assert set(content["Parameters"]) == set(declared), path.name
            assert all(isinstance(value, str) for value in content["Parameters"].values())


def test_what_release_adds(releaser: Releaser, register: Register) -> None:
    register(1)
    releaser.release(STAGES)
    found = written(releaser, "prod/endpoint.json")
    expected = {
        "SageMakerProjectName": "churn",
        "SageMakerProjectId": "p-1",
        "StageName": "prod",
        "ModelPackageArn": arn(1),
        "ArtifactBucketName": "artifacts",
        "KmsKeyArn": ENVIRONMENT["KMS_KEY_ARN"],
        "ExecutionRoleArn": f"arn:aws:iam::{PROD}:role/endpoint",
        "TemplateVersion": "1.2.3",
        "GitCommit": "unknown",
    }
    assert expected.items() <= found["Parameters"].items()
    assert found["Tags"]["sagemaker:deployment-stage"] == "prod"
    assert written(releaser, "prod/monitoring.json")["Parameters"]["ModelPackageGroupName"] == GROUP


def test_tags_of_the_stage_are_merged(releaser: Releaser, register: Register, edit: Edit) -> None:
    register(1)
    edit("prod", "Tags", owner="somebody", team="risk")
    owned = replace(releaser, settings=replace(releaser.settings, owner="Data Science"))
    owned.release(STAGES)
    tags = written(releaser, "prod/endpoint.json")["Tags"]
    assert (tags["owner"], tags["team"], tags["sagemaker:project-name"]) == ("Data Science", "risk", "churn")


def test_the_record_says_what_why_and_what_speaks_for_it(
    releaser: Releaser, register: Register, store: FolderStore
) -> None:
    metrics = {
        "binary_classification_metrics": {"auc": {"value": 0.84, "standard_deviation": "NaN"}, "x": {"value": "NaN"}}
    }
    store.write("s3://artifacts/evaluation.json", json.dumps(metrics))
    quality = {"ModelQuality": {"Statistics": {"ContentType": "x", "S3Uri": "s3://artifacts/evaluation.json"}}}
    register(1, ModelMetrics=quality)
    releaser.release(STAGES)
    record = written(releaser, "release.json")
    assert (record["status"], record["package_arn"], record["version"]) == ("release", arn(1), 1)
    assert record["released_for"] == "2026-11-20T12:00:00.000Z"
    assert record["evidence"]["metrics"] == {"auc": 0.84}
    assert record["evidence"]["git_commit"] == "abc"
    assert set(record["stages"]) == set(STAGES)


@pytest.mark.parametrize("registered", [True, False])
def test_waiting_is_green_and_writes_no_stage(releaser: Releaser, register: Register, registered: bool) -> None:
    if registered:
        register(1, "PendingManualApproval")
    assert releaser.release(STAGES).status == "waiting"
    assert sorted(path.name for path in releaser.place.target.iterdir()) == ["release.json", "variables.sh"]
    record = written(releaser, "release.json")
    assert record["status"] == "waiting"
    assert "approve one to release it" in record["reason"]


def test_the_buildspec_gets_its_variables(releaser: Releaser, register: Register) -> None:
    register(1)
    releaser.release(STAGES)
    script = '. "$1" && printf "%s %s" "$RELEASE_STATUS" "$MODEL_PACKAGE_ARN"'
    command = ["sh", "-c", script, "sh", str(releaser.place.target / "variables.sh")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"release {arn(1)}"


def test_one_stage_alone(releaser: Releaser, register: Register) -> None:
    register(1)
    releaser.release(["prod"])
    assert not (releaser.place.target / "staging").exists()
    assert (releaser.place.target / "prod" / "endpoint.json").is_file()


# --- autoscaling and instance types ----------------------------------------------------------------------------------


def sight(instance_type: str) -> Sight:
    variants = {"AllTraffic": Variant("AllTraffic", arn(1), "", instance_type)}
    return Sight(Endpoint("churn-p-1-prod", "InService", "", "config-1", variants))


@pytest.mark.parametrize(
    ("look", "before"),
    [(Sight(), "suspended"), (sight("ml.c5.large"), "suspended"), (sight("ml.m5.large"), "on")],
    ids=["first release", "another instance type", "same instance type"],
)
def test_scaling_is_suspended_while_the_instance_type_changes(
    releaser: Releaser, register: Register, look: Sight, before: str
) -> None:
    register(1)
    replace(releaser, look=lambda _: look).release(STAGES)
    assert written(releaser, "prod/scaling-before.json")["Parameters"]["AutoScaling"] == before
    assert written(releaser, "prod/scaling.json")["Parameters"]["AutoScaling"] == "on"
    assert written(releaser, "staging/scaling-before.json")["Parameters"]["AutoScaling"] == "off"


# --- the API's request schema ----------------------------------------------------------------------------------------


def test_the_api_refuses_what_the_model_would(releaser: Releaser, register: Register) -> None:
    register(1)
    releaser.release(STAGES)
    parameters = written(releaser, "prod/api.json")["Parameters"]
    row = json.loads(parameters["ApiRequestSchema"])["properties"]["instances"]["items"]
    assert row["required"] == ["tenure", "plan"]
    assert set(row["properties"]) == {"tenure", "plan", "churn"}
    assert row["additionalProperties"] is False
    assert snapshot(releaser, "prod") == snapshot(releaser, "staging")


def snapshot(releaser: Releaser, stage: str) -> str:
    """The name of the API's deployment, which the template gives and its stage refers to."""
    text = (releaser.place.target / stage / "api.yaml").read_text(encoding="utf-8")
    names: set[str] = set(re.findall(r"\bSnapshot\w+", text))
    assert len(names) == 1
    name = names.pop()
    assert re.fullmatch(r"Snapshot[0-9a-f]{32}", name)
    return name


def test_the_snapshot_changes_with_template_and_schema_only(
    releaser: Releaser, register: Register, edit: Edit, source: Path
) -> None:
    register(1)
    releaser.release(STAGES)
    first = snapshot(releaser, "prod")
    register(2, minutes=5)
    releaser.release(STAGES)
    assert snapshot(releaser, "prod") == first
    edit("prod", ApiRequestSchema='{"type": "object"}')
    releaser.release(STAGES)
    assert written(releaser, "prod/api.json")["Parameters"]["ApiRequestSchema"] == '{"type": "object"}'
    assert (other := snapshot(releaser, "prod")) != first
    template = source / "api.yaml"
    template.write_text(template.read_text(encoding="utf-8") + "# another", encoding="utf-8")
    releaser.release(STAGES)
    assert snapshot(releaser, "prod") not in (first, other)


def test_an_api_without_a_snapshot_is_refused(releaser: Releaser, register: Register, source: Path) -> None:
    register(1)
    template = source / "api.yaml"
    template.write_text(template.read_text(encoding="utf-8").replace("!Ref Snapshot1", "d1"), encoding="utf-8")
    with pytest.raises(TemplateError, match="must name the deployment Snapshot1 and refer to it"):
        releaser.release(STAGES)


@pytest.mark.parametrize(("columns", "is_strict"), [(20, True), (150, False), (600, False)])
def test_a_long_schema_asks_for_less(columns: int, is_strict: bool) -> None:
    names = [f"column_{number}" for number in range(columns)]
    text = request_schema.request_schema({"input": [{"name": name, "required": True} for name in names]})
    assert len(text) <= request_schema.MOST
    row = json.loads(text)["properties"]["instances"]["items"]
    assert ("properties" in row) is is_strict
    assert row.get("required") == (names if columns < 600 else None)


# --- rollback --------------------------------------------------------------------------------------------------------


def remember(releaser: Releaser, version: int, hour: int) -> None:
    for stage in STAGES:
        time = f"2026-11-20T{hour:02}:00:00.000Z"
        releaser.chooser.history.remember(Release(arn(version), GROUP, version, stage, time, time, "abc", "p-1"))


def test_a_rollback_writes_the_artifacts_of_the_release_before(releaser: Releaser, register: Register) -> None:
    for version in (1, 2):
        register(version)
        remember(releaser, version, version)
    choice = rollback.rollback(releaser, STAGES)
    assert choice.reason == "rollback to churn-p-1/1"
    assert written(releaser, "prod/endpoint.json")["Parameters"]["ModelPackageArn"] == arn(1)
    assert written(releaser, "release.json")["released_for"] > NOON.isoformat()
    assert rollback.still_approved(releaser, choice).startswith(f"{arn(2)} is still Approved: reject it")


def test_a_rollback_goes_back_from_what_runs(releaser: Releaser, register: Register) -> None:
    for version in (1, 2):
        register(version)
    remember(releaser, 1, 1)
    running = replace(releaser, chooser=replace(releaser.chooser, running=lambda _: arn(2)))
    assert rollback.rollback(running, STAGES).reason == "rollback to churn-p-1/1"


def test_a_rollback_to_a_named_version(releaser: Releaser, register: Register) -> None:
    for version in (1, 2, 3):
        register(version)
    remember(releaser, 3, 3)
    assert rollback.rollback(releaser, STAGES, arn(1)).reason == (
        "rollback to churn-p-1/1, which has never passed verify in prod"
    )
    with pytest.raises(RollbackError, match=f"{arn(3)} is what prod runs now"):
        rollback.rollback(releaser, STAGES, arn(3))


def test_a_rollback_is_no_way_around_approval(releaser: Releaser, register: Register) -> None:
    register(1, "Rejected")
    register(2)
    remember(releaser, 1, 1)
    remember(releaser, 2, 2)
    with pytest.raises(RegistryError, match="churn-p-1/1 is Rejected; only Approved is released"):
        rollback.rollback(releaser, STAGES, arn(1))
    with pytest.raises(RollbackError, match="there is no earlier release to go back to"):
        rollback.rollback(releaser, STAGES)


def test_without_history_there_is_no_rollback(releaser: Releaser, register: Register, tmp_path: Path) -> None:
    register(1)
    with pytest.raises(RollbackError, match="holds no other version that passed verify and is still approved"):
        rollback.rollback(releaser, STAGES)
    assert not (tmp_path / "build").exists()
