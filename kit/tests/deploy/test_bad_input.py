"""Every bad input of a stage's configuration, with the real templates: one sentence with file, key, value and what is
allowed, and nothing is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from kit.tests.deploy.conftest import Edit, Register, arn
from sagemaker_project_kit.deploy.endpoint import Endpoint, Variant
from sagemaker_project_kit.deploy.errors import ConfigError, DeployError, EndpointError, RegistryError, TemplateError
from sagemaker_project_kit.deploy.release import Releaser, Sight
from sagemaker_project_kit.deploy.settings import STAGES, Settings, Stage


def refused(releaser: Releaser) -> list[str]:
    """What release says, having written nothing."""
    with pytest.raises(ConfigError) as caught:
        releaser.release(STAGES)
    assert not releaser.place.target.exists()
    return caught.value.problems


def one_with(problems: list[str], *parts: str) -> str:
    (found,) = [problem for problem in problems if all(part in problem for part in parts)]
    return found


def test_the_configuration_as_it_comes_is_in_order(releaser: Releaser, register: Register) -> None:
    register(1)
    assert releaser.release(STAGES).status == "release"


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"InstanceTyp": "ml.m5.large"}, ("Parameters.InstanceTyp: no template", "did you mean 'InstanceType'?")),
        ({"InstanceCount": 2}, ("Parameters.InstanceCount: must be text in quotes", "found 2")),
        ({"InstanceCount": "two"}, ("Parameters.InstanceCount: must be a number", "found 'two'")),
        ({"InstanceCount": "0"}, ("Parameters.InstanceCount: must be 1 to 100", "found '0'")),
        ({"InstanceCount": None}, ("Parameters.InstanceCount: is missing", "endpoint.yaml has no default")),
        (
            {"InstanceType": "ml.m5.lrge"},
            ("Parameters.InstanceType: SageMaker has no instance type 'ml.m5.lrge'", "'ml.m5.large'"),
        ),
        (
            {"BatchInstanceType": "ml.g9.huge"},
            ("Parameters.BatchInstanceType: SageMaker has no instance type 'ml.g9.huge'",),
        ),
        ({"CapturePercent": "150"}, ("Parameters.CapturePercent: must be 0 to 100", "found '150'")),
        ({"MinInstanceCount": "7"}, ("MinInstanceCount must be at most MaxInstanceCount (6)", "MinInstanceCount='7'")),
        (
            {"InstanceCount": "1"},
            ("InstanceCount must be at least 2 when", "InstanceCount='1', TrafficShifting='CANARY'"),
        ),
        ({"ShiftPercent": "80"}, ("Parameters.ShiftPercent: must be 10 to 50", "found '80'")),
        ({"ShiftWaitSeconds": "3600"}, ("ShiftTimeoutSeconds", "ShiftWaitSeconds='3600'")),
        (
            {"EndpointType": "serverles"},
            ("Parameters.EndpointType: must be one of real-time, serverless, asynchronous",),
        ),
        ({"EndpointType": "serverless"}, ("rule", "AutoScaling must be off", "endpoint.yaml", "AutoScaling='on'")),
        (
            {"EndpointType": "serverless", "InstanceType": "ml.g5.xlarge"},
            ("rule", "GPU", "EndpointType='serverless', InstanceType='ml.g5.xlarge'"),
        ),
        (
            {
                "EndpointType": "serverless",
                "SubnetIds": "subnet-0a1b2c3d,subnet-1a1b2c3d",
                "SecurityGroupIds": "sg-0a1b2c3d",
            },
            ("rule", "EndpointType='serverless', SubnetIds='subnet-0a1b2c3d,subnet-1a1b2c3d'"),
        ),
        ({"SubnetIds": "subnet-0a1b2c3d"}, ("Parameters.SubnetIds: must be nothing, or 2 to 16 subnet ids",)),
        ({"EndpointType": "asynchronous"}, ("rule", "EndpointType='asynchronous', CapturePercent='20'")),
        ({"CandidateUse": "ab-test"}, ("rule", "CandidateUse='ab-test', CandidateModelPackageArn=''")),
        ({"StageName": "staging"}, ("Parameters.StageName: is set by release; take it out",)),
        (
            {"ApiUserPoolArn": "arn:aws-cn:cognito-idp:cn-north-1:333333333333:userpool/x"},
            ("Parameters.ApiUserPoolArn: eu-west-1 is in the partition aws; found an ARN of aws-cn",),
        ),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_a_value_that_cannot_be(
    releaser: Releaser, edit: Edit, values: dict[str, object], parts: tuple[str, ...]
) -> None:
    edit("prod", **values)
    assert one_with(refused(releaser), "config/prod.json", *parts)


def test_the_problems_of_both_stages_are_told_together(releaser: Releaser, edit: Edit) -> None:
    edit("staging", CapturePercent="150")
    edit("prod", CapturePercent="-1", Instances="3")
    assert len(refused(releaser)) == 3


@pytest.mark.parametrize(
    ("section", "values", "sentence"),
    [
        (
            "Tags",
            {"sagemaker:project-id": "x"},
            "config/prod.json Tags.sagemaker:project-id: is set by release or by AWS",
        ),
        ("Tags", {"owner": 7}, "config/prod.json Tags.owner: must be text in quotes"),
        ("Tags", {"owner": "a;b"}, "config/prod.json Tags.owner: AWS tags take letters"),
        ("Verify", {"second": 30}, "config/prod.json Verify.second: unknown key; did you mean 'seconds'?"),
        ("Verify", {"seconds": 0}, "config/prod.json Verify.seconds: must be a number from 1 to 900; found 0"),
        ("Verify", {"concurrency": 2.5}, "config/prod.json Verify.concurrency: must be a whole number; found 2.5"),
        ("Verify", {"error_share": "5 %"}, 'Verify.error_share: must be a number from 0 to 1; found "5 %"'),
        ("Parameter", {}, "config/prod.json Parameter: unknown key; did you mean 'Parameters'?"),
    ],
)
def test_other_sections(releaser: Releaser, edit: Edit, section: str, values: dict[str, object], sentence: str) -> None:
    edit("prod", section, **values)
    assert any(sentence in problem for problem in refused(releaser))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "config/prod.json is not JSON"),
        ("[]", "config/prod.json: must be an object with Parameters, Tags, Verify; found list"),
        ('{"Parameters": []}', "config/prod.json Parameters: must be an object; found []"),
        ('{"Parameters": {"A": "1", "A": "2"}}', "config/prod.json: the key 'A' occurs twice"),
    ],
)
def test_a_file_that_is_no_configuration(releaser: Releaser, source: Path, text: str, sentence: str) -> None:
    (source / "config" / "prod.json").write_text(text, encoding="utf-8")
    assert any(sentence in problem for problem in refused(releaser))


def test_a_stage_without_configuration(releaser: Releaser, source: Path) -> None:
    (source / "config" / "prod.json").unlink()
    assert refused(releaser) == ["config/prod.json is missing: each stage needs one"]


def test_a_project_without_templates(releaser: Releaser, tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"has no \*.yaml"):
        replace(releaser, place=replace(releaser.place, source=tmp_path)).release(STAGES)


def test_production_equal_to_staging(releaser: Releaser, settings: Settings) -> None:
    class Same(Settings):
        def endpoint(self, stage: str) -> str:
            return "churn-p-1-prod"

    stages = tuple(Stage(name, "333333333333", "arn:aws:iam::333333333333:role/endpoint") for name in STAGES)
    same = Same(**{**vars(settings), "stages": stages})
    problems = refused(replace(releaser, settings=same))
    assert "stage 'prod' is the same as 'staging': endpoint churn-p-1-prod in account 333333333333" in problems


# --- what only AWS knows ---------------------------------------------------------------------------------------------


def seen(releaser: Releaser, sight: Sight) -> Releaser:
    return replace(releaser, look=lambda _: sight)


def test_an_instance_type_that_the_region_does_not_have(releaser: Releaser, register: Register) -> None:
    register(1)
    problems = refused(seen(releaser, Sight(quotas={"ml.c5.large": 4})))
    assert one_with(problems, "config/prod.json Parameters.InstanceType: eu-west-1 has no ml.m5.large for endpoints")


def test_more_instances_than_the_quota_allows(releaser: Releaser, register: Register) -> None:
    register(1)
    (problem,) = refused(seen(releaser, Sight(quotas={"ml.m5.large": 1})))
    assert "config/prod.json Parameters.InstanceType: 2 of ml.m5.large are needed" in problem


def test_a_real_time_endpoint_becomes_no_serverless_one(releaser: Releaser, register: Register, edit: Edit) -> None:
    register(1)
    edit("prod", EndpointType="serverless", AutoScaling="off", TrafficShifting="ALL_AT_ONCE", CapturePercent="0")
    live = Endpoint(
        "churn-p-1-prod", "InService", "", "c", {"AllTraffic": Variant("AllTraffic", "", "", "ml.m5.large")}
    )
    (problem,) = refused(seen(releaser, Sight(live)))
    assert problem.startswith("config/prod.json Parameters.EndpointType: must stay as it is")
    assert problem.endswith("found 'serverless', but endpoint churn-p-1-prod has instances (ml.m5.large)")


def test_an_endpoint_already_updating(releaser: Releaser, register: Register) -> None:
    register(1)
    updating = Endpoint(
        "churn-p-1-prod", "Updating", "", "c", {"AllTraffic": Variant("AllTraffic", arn(1), "", "ml.m5.large")}
    )
    with pytest.raises(EndpointError, match="is Updating right now: wait until it is InService"):
        seen(releaser, Sight(updating)).release(STAGES)
    assert not releaser.place.target.exists()


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (arn(9), f"{arn(9)} does not exist"),
        (arn(1), "another version than ModelPackageArn"),
        (arn(2), "must be a version of churn-p-1 that is not rejected"),
    ],
)
def test_a_candidate_that_cannot_stand_beside_the_champion(
    releaser: Releaser, register: Register, edit: Edit, candidate: str, sentence: str
) -> None:
    register(1)
    register(2, "Rejected")
    edit("prod", CandidateUse="shadow", CandidateModelPackageArn=candidate)
    (problem,) = refused(releaser)
    assert problem.startswith("config/prod.json")
    assert sentence in problem


def test_a_refused_release_leaves_nothing_of_the_one_before(releaser: Releaser, register: Register, edit: Edit) -> None:
    register(1)
    releaser.release(STAGES)
    edit("prod", CapturePercent="150")
    assert refused(releaser)


def test_rejected_or_deleted_between_release_and_deploy(releaser: Releaser, register: Register, tmp_path: Path) -> None:
    package = register(1)
    releaser.release(STAGES)
    assert releaser.confirm().arn == package.arn
    register(1, "Rejected")
    with pytest.raises(RegistryError, match="churn-p-1/1 is Rejected; only Approved is released"):
        releaser.confirm()
    (tmp_path / "registry" / package.group / "1.json").unlink()
    with pytest.raises(RegistryError, match="does not exist"):
        releaser.confirm()


def test_nothing_to_confirm(releaser: Releaser, register: Register) -> None:
    with pytest.raises(RegistryError, match="run `make release` first"):
        releaser.confirm()
    releaser.release(STAGES)
    with pytest.raises(RegistryError, match="nothing was released: no version in model package group"):
        releaser.confirm()
    for text in ("{", "[]"):
        (releaser.place.target / "release.json").write_text(text, encoding="utf-8")
        with pytest.raises(DeployError, match="run `make release` again"):
            releaser.confirm()


def test_the_registrys_time_must_be_readable(releaser: Releaser, register: Register) -> None:
    register(1, LastModifiedTime="yesterday")
    with pytest.raises(RegistryError, match="the time 'yesterday' cannot be read"):
        releaser.release(STAGES)
