"""The environment: everything wrong with it is told at once, and nothing contradictory gets through."""

from collections.abc import Callable

import pytest

from kit.tests.deploy.conftest import ENVIRONMENT, PROD, STAGING
from kit.tests.places import PROJECT
from sagemaker_project_kit.deploy import settings
from sagemaker_project_kit.deploy.errors import SettingsError
from sagemaker_project_kit.deploy.settings import Settings

Problems = Callable[..., list[str]]


@pytest.fixture
def problems() -> Problems:
    def of(**changes: str) -> list[str]:
        with pytest.raises(SettingsError) as caught:
            settings.load(PROJECT, ENVIRONMENT | changes)
        return caught.value.problems

    return of


def test_a_complete_environment(settings: Settings) -> None:
    assert settings.endpoint("prod") == "churn-p-1-prod"
    assert settings.stage("prod").account == PROD
    assert settings.tags("staging")["sagemaker:deployment-stage"] == "staging"
    assert (settings.partition, settings.package_arn, settings.git_commit) == ("aws", "", "unknown")


def test_the_owner_whom_the_form_of_the_product_names_comes_first() -> None:
    told = settings.load(PROJECT, ENVIRONMENT | {"PROJECT_OWNER": "Churn squad", "PROJECT_COST_CENTER": "CC-7"})
    assert (told.tags("prod")["owner"], told.tags("prod")["cost-center"]) == ("Churn squad", "CC-7")


def test_names_stay_within_the_budget() -> None:
    environment = ENVIRONMENT | {"SAGEMAKER_PROJECT_NAME": "n" * 32, "SAGEMAKER_PROJECT_ID": "i" * 20}
    found = settings.load(PROJECT, environment)
    assert max(len(found.endpoint(stage)) for stage in settings.STAGES) <= 63
    assert max(map(len, settings.STAGES)) <= 8


def test_a_pipeline_variable_that_nobody_gave_a_value_is_nothing() -> None:
    """CodePipeline takes no empty ones, so product.yaml gives both the default none."""
    unset = {"MODEL_PACKAGE_ARN": "none", "MODEL_PACKAGE_EVENT_TIME": "none"}
    found = settings.load(PROJECT, ENVIRONMENT | unset)
    assert (found.package_arn, found.event_time) == ("", "")


def test_everything_missing_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(PROJECT, {})
    missing = {problem.split()[2].rstrip(":") for problem in caught.value.problems}
    optional = {"SAGEMAKER_PROJECT_ARN", "STAGING_VERIFY_ROLE_ARN", "PROD_VERIFY_ROLE_ARN"}
    assert missing == set(ENVIRONMENT) - optional
    assert f"{len(missing)} problems to solve" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SAGEMAKER_PROJECT_NAME", "n" * 33, "must be 1 to 32 letters, digits and dashes between them; found 'nnn"),
        ("SAGEMAKER_PROJECT_ID", "-p", "must be 1 to 20 letters"),
        ("AWS_REGION", "mars-1", "must be a region such as eu-west-1; found 'mars-1'"),
        ("ARTIFACT_BUCKET", "s3://artifacts", "must be the name of a bucket, without s3://"),
        ("PROD_ACCOUNT_ID", "12345", "must be an account of 12 digits; found '12345'"),
        ("KMS_KEY_ARN", "1a2b", "is no ARN; it must look like arn:aws:kms:…:key/…; found '1a2b'"),
        ("KMS_KEY_ARN", "arn:aws:kms:us-east-1:111111111111:key/1", "is in us-east-1, but AWS_REGION is eu-west-1"),
        (
            "KMS_KEY_ARN",
            "arn:aws-cn:kms:eu-west-1:111111111111:key/1",
            "is in the partition aws-cn, but eu-west-1 is in aws",
        ),
        ("KMS_KEY_ARN", "arn:aws:iam::111111111111:role/x", "is not a key of kms"),
        ("KMS_KEY_ARN", "arn:aws:kms:eu-west-1:1:key/1", "has no account of 12 digits"),
        ("MODEL_PACKAGE_ARN", "churn/3", "is no ARN"),
        ("PROD_ENDPOINT_ROLE_ARN", "arn:aws-us-gov:iam::333333333333:role/x", "is in the partition aws-us-gov"),
    ],
)
def test_each_problem_names_variable_value_and_what_is_allowed(
    problems: Problems, name: str, value: str, sentence: str
) -> None:
    (problem,) = [
        problem for problem in problems(**{name: value}) if problem.startswith(f"environment variable {name}:")
    ]
    assert sentence in problem


@pytest.mark.parametrize("suffix", ["ENDPOINT", "VERIFY"])
def test_production_set_up_as_another_account_must_not_be_staging(problems: Problems, suffix: str) -> None:
    (problem,) = problems(**{f"PROD_{suffix}_ROLE_ARN": f"arn:aws:iam::{STAGING}:role/x"})
    assert f"the role is in account {STAGING}, but PROD_ACCOUNT_ID is {PROD}" in problem
    assert len(problems(PROD_ACCOUNT_ID=STAGING)) == 2


def test_another_account_needs_a_role_to_look_into_it(problems: Problems) -> None:
    (problem,) = problems(PROD_VERIFY_ROLE_ARN="")
    assert "PROD_VERIFY_ROLE_ARN: is missing" in problem
    assert f"account {PROD}" in problem


def test_all_accounts_may_be_one() -> None:
    one = {
        key: value.replace(STAGING, "111111111111").replace(PROD, "111111111111") for key, value in ENVIRONMENT.items()
    }
    del one["STAGING_VERIFY_ROLE_ARN"], one["PROD_VERIFY_ROLE_ARN"]
    assert {stage.account for stage in settings.load(PROJECT, one).stages} == {"111111111111"}


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions(region: str, partition: str) -> None:
    environment = {
        key: value.replace("arn:aws:", f"arn:{partition}:").replace("eu-west-1", region)
        for key, value in ENVIRONMENT.items()
    }
    assert settings.load(PROJECT, environment).partition == partition


def test_this_machine_needs_no_environment() -> None:
    found = settings.for_this_machine(PROJECT, {}, "try-penguins")
    assert found.group == "try-penguins"
    assert {stage.account for stage in found.stages} == {settings.LOCAL_ACCOUNT}


def test_an_unknown_stage_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="stage 'production': must be one of staging, prod"):
        settings.stage("production")
