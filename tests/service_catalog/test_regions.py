"""A region that lacks a type: what is left out of the product there, what is said of it, and where nothing works."""

import pytest
from rich.console import Console

from service_catalog import doctor, joiner, names, publish, regions, release
from service_catalog.aws.account import Account, Identity
from service_catalog.aws.catalog import Catalog
from service_catalog.aws.stacks import Stacks
from service_catalog.doctor import Patient
from service_catalog.errors import AccessError
from service_catalog.offering import Words
from service_catalog.publish import Wish
from service_catalog.release import Source
from tests.service_catalog.accounts import Accounts, Calls, deny

WISH = Wish(Words(names.PRODUCT), pause=0.02)
# Region: what its CloudFormation does not know, of what a project can do without.
LACKING = {"eu-north-1": {"Budgets"}, "eu-south-2": {"Budgets", "CodeCommit"}, "eu-west-1": set[str]()}


@pytest.mark.parametrize(("region", "lacking"), LACKING.items(), ids=LACKING)
def test_what_a_region_does_not_know_is_left_out_and_said(
    accounts: Accounts, source: Source, console: Console, region: str, lacking: set[str]
) -> None:
    account = accounts.new().in_region(region)
    changes = publish.publish([account], source, WISH, console)
    assert {change.name for change in changes if change.kind == "region"} == lacking
    catalog = Catalog(account.client("servicecatalog"))
    (version,) = catalog.versions(catalog.offered(names.PRODUCT))
    text = publish.release_for(account, source, WISH).template
    assert ("AWS::Budgets::Budget" in text.text) is ("Budgets" not in lacking)
    assert ("AWS::CodeCommit::Repository" in text.text) is ("CodeCommit" not in lacking)
    assert version.name == publish.release_for(account, source, WISH).version
    again = publish.publish([account], source, WISH, console)
    assert {change.action for change in again if change.kind != "region"} == {"keep"}
    told = {
        finding.text.rpartition("AWS::")[2]
        for finding in doctor.examine(Patient(account))
        if "has no AWS::" in finding.text
    }
    assert told == {joiner.OPTIONAL[word].removeprefix("AWS::") for word in lacking}


def test_a_form_without_codecommit_offers_a_connection_only(account: Account, source: Source) -> None:
    there = account.in_region("eu-south-2")
    form = publish.release_for(there, source, WISH).template.parameters
    assert form["RepositoryProvider"]["AllowedValues"] == ["Connection"]
    assert form["RepositoryProvider"]["Default"] == "Connection"
    assert "MonthlyBudget" not in form


@pytest.mark.parametrize(
    ("region", "word"), [("us-gov-east-1", "AWS::SageMaker::Model"), ("ca-west-1", "AWS::CodeBuild::Project")]
)
def test_where_no_project_can_work_nothing_is_published(
    accounts: Accounts, source: Source, console: Console, region: str, word: str
) -> None:
    number, calls = accounts.number(), Calls()
    account = Account(calls.watch(accounts.session(number)), region)
    with pytest.raises(AccessError, match=rf"No project can work in {region}: .*{word}.*--region"):
        publish.publish([account], source, WISH, console)
    assert calls.writes == []
    refused = [finding for finding in doctor.examine(Patient(account)) if finding.subject == "types"]
    assert [finding.level for finding in refused] == ["bad"]


def test_a_partition_that_cannot_deploy_is_refused_in_words(
    account: Account, source: Source, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    china = Identity(account.id, f"arn:aws-cn:iam::{account.id}:root")
    monkeypatch.setattr(Account, "identity", china)
    with pytest.raises(AccessError, match=r"partition aws-cn .*deploys with CloudFormation.*aws or aws-us-gov"):
        publish.publish([account.in_region("cn-north-1")], source, WISH, console)


def test_who_may_not_ask_publishes_the_whole_and_is_told(accounts: Accounts, source: Source, console: Console) -> None:
    account = Account(deny(accounts.session(accounts.number()), "cloudformation.DescribeType"))
    changes = publish.publish([account], source, WISH, console)
    (note,) = (change for change in changes if change.kind == "region")
    assert "DescribeType" in note.detail
    assert Stacks(account.client("cloudformation")).find(names.PORTFOLIO_STACK)


def test_the_types_of_loops_are_asked_about_too() -> None:
    asked = regions.types(release.templates())
    assert {"AWS::ApiGateway::Method", "AWS::SageMaker::Endpoint", "AWS::Budgets::Budget"} <= asked
