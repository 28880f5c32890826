"""A kit update never changes the answers of a model that is released: it is served by the runtime in its archive."""

import shutil
from pathlib import Path

import pytest

from kit.tests.last_kit import BEFORE_THE_KIT, LINES, Released, later_runtime
from kit.tests.local.deployments import Machine
from kit.tests.local.pipelines import Project
from kit.tests.local.test_serve import served
from kit.tests.runtime.steps.flow import completed, config, mixed_table
from sagemaker_project_kit.local.state.registry import APPROVED, Registry


def add(project: Project, released: Released) -> None:
    """Register a model of an earlier kit, approved, with its contract."""
    bucket = project.stored(f"s3://bucket/{released.folder.name}")
    shutil.copytree(released.folder, bucket)
    Registry(project.root / ".local" / "registry").register(
        {
            "ModelPackageGroupName": "churn",
            "ModelApprovalStatus": APPROVED,
            "InferenceSpecification": {
                "Containers": [{"Image": "image:1", "ModelDataUrl": f"s3://bucket/{bucket.name}/model.tar.gz"}]
            },
            "CustomerMetadataProperties": {"contract_uri": f"s3://bucket/{bucket.name}", "git_commit": "1873ef9"},
        }
    )


@pytest.fixture(scope="module")
def of_this_kit(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """A model that the installed kit trains: that of the last kit, as soon as there is a later one."""
    flow = completed(tmp_path_factory.mktemp("last"), mixed_table(), config("churn", "binary"), "--num_round=5")
    assert flow.evaluate("auc", 0.5) == 0
    folder = Path(shutil.copytree(flow.root / "judged" / "contract", flow.root / "released"))
    shutil.copy(flow.root / "archive" / "model.tar.gz", folder)
    return Released(folder)


@pytest.mark.parametrize("beside", ["this kit", "a later one"])
def test_models_of_earlier_kits_answer_as_ever(
    project: Project, of_this_kit: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    """Byte for byte."""
    if beside == "a later one":
        monkeypatch.setenv("PYTHONPATH", str(later_runtime(tmp_path / "later")))
    for released in (of_this_kit, BEFORE_THE_KIT):
        add(project, released)
        with served(project, "--no-capture") as endpoint:
            answers = endpoint.call(released.read("sample.jsonl"), LINES, Accept=LINES)
        assert answers == (200, released.read("expected.jsonl"))


def test_it_is_released_and_verified_as_any_other(machine: Machine) -> None:
    """Release, deploy-local and verify read its contract, its package and its answers."""
    add(machine.project, BEFORE_THE_KIT)
    done = machine.deploy()
    assert done.code == 0, done.out + done.err
    for stage in ("staging", "prod"):
        assert machine.state(stage)["verified"]
        report = (machine.root / "build" / "verify" / stage / "summary.md").read_text(encoding="utf-8")
        assert f"{stage}: churn/1 passed" in report
