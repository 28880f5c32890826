"""doctor: each thing that is missing is a finding with its command, and no finding hides another."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from service_catalog import doctor, names, publish
from service_catalog.aws.account import Account
from service_catalog.aws.catalog import Catalog
from service_catalog.aws.stacks import Stacks
from service_catalog.doctor import Finding, Patient
from service_catalog.offering import Words
from service_catalog.release import Source
from tests.service_catalog.accounts import Accounts, Calls
from tests.service_catalog.stubs import Call, stubbed

WISH = publish.Wish(Words(names.PRODUCT), pause=0.02)


class WithClient(Account):
    """An account in which one service is a stub."""

    def __init__(self, account: Account, service: str, client: Any) -> None:
        super().__init__(account._session, account.region)
        self._clients[service] = client


def found(account: Account, subject: str, level: str = "") -> list[Finding]:
    return [one for one in doctor.examine(Patient(account)) if one.subject == subject and level in ("", one.level)]


@pytest.fixture
def own(account: Account, source: Source, console: Console) -> Account:
    """An account with the product, for a test to break."""
    publish.publish([account], source, WISH, console)
    return account


def test_an_empty_account_is_told_to_publish(account: Account) -> None:
    bad = {(one.subject, one.command) for one in doctor.examine(Patient(account)) if one.level == "bad"}
    assert ("stack", 'make publish ARGS="--region eu-west-1"') in bad
    assert ("product", 'make publish ARGS="--region eu-west-1"') in bad


def test_it_only_reads(accounts: Accounts) -> None:
    calls = Calls()
    list(doctor.examine(Patient(Account(calls.watch(accounts.session(accounts.number()))))))
    assert calls.made
    assert calls.writes == []


@pytest.mark.parametrize("subject", ["stack", "role", "product", "launch role", "template"])
def test_a_published_account_is_well(published: Account, subject: str) -> None:
    assert {one.level for one in found(published, subject)} == {"good"}


def test_the_root_user_is_warned(published: Account) -> None:
    (one,) = found(published, "identity")
    assert (one.level, one.command) == ("note", "aws configure sso")


def test_a_role_that_was_deleted_by_hand_is_named_with_its_stack(own: Account) -> None:
    iam, role = own.client("iam"), names.stage_role("prod", "verify")
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        iam.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=role)
    (one,) = found(own, "role", "bad")
    stack = names.stage_stack("prod")
    assert one.text.startswith(f"{role} was deleted by hand, though stack {stack} made it. Do not delete")
    assert "delete-stack" not in one.command
    make, look, execute = one.command.split("\n→ ")
    assert "--deployment-mode REVERT_DRIFT" in make
    present = Stacks(own.client("cloudformation")).find(stack)
    assert present
    assert make.count("UsePreviousValue=true") == len(present.parameters)
    for line, verb in ((make, "create"), (look, "describe"), (execute, "execute")):
        assert line.startswith(f"aws cloudformation {verb}-change-set --stack-name {stack} --change-set-name")
        assert line.endswith("--region eu-west-1")


def test_a_role_that_another_regions_stack_made_is_restored_there(
    accounts: Accounts, source: Source, console: Console
) -> None:
    number = accounts.number()
    places = [accounts.new("eu-west-1", number), accounts.new("eu-central-1", number)]
    publish.publish(places, source, WISH, console)
    stack = Stacks(places[1].client("cloudformation")).find(names.stage_stack("prod"))
    assert stack
    one = doctor._deleted(places[1], names.stage_role("prod", "verify"), stack)
    assert "of another region made it" in one.text
    assert "aws cloudformation" not in one.command


def test_a_stage_in_another_account_is_no_trouble_but_needs_a_profile(
    accounts: Accounts, source: Source, console: Console
) -> None:
    tooling, stages = accounts.new(), {stage: accounts.new() for stage in names.STAGES}
    publish.publish([tooling], source, replace(WISH, stage_accounts=stages), console)
    prod = {"prod": stages["prod"]}
    portfolio, staging, reached = (
        one for one in doctor.examine(Patient(tooling, stage_accounts=prod)) if one.subject == "stack"
    )
    assert [portfolio.level, staging.level, reached.level] == ["good", "note", "good"]
    assert f"is in account {stages['staging'].id}, where nobody looked" in staging.text
    assert staging.command == 'make doctor ARGS="--stage-profile staging=PROFILE --region eu-west-1"'


@pytest.mark.parametrize(
    ("principal", "sees"),
    [
        ("arn:aws:iam:::role/team/Studio", True),
        ("arn:aws:iam:::role/team/*", True),
        ("arn:aws:iam:::role/team/Studi?", True),
        ("arn:aws:iam::111111111111:role/team/Studio", True),
        ("arn:aws:iam::222222222222:role/team/Studio", False),
        ("arn:aws:iam:::role/Studio", False),
        ("arn:aws:iam:::role/", False),
    ],
)
def test_a_principal_means_a_role_by_arn_or_by_pattern(principal: str, sees: bool) -> None:
    assert doctor._covers(principal, "arn:aws:iam::111111111111:role/team/Studio") is sees


def test_the_access_finding_ends_when_its_command_was_typed(own: Account, source: Source, console: Console) -> None:
    own.client("sagemaker").create_domain(
        DomainName="d",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": f"arn:aws:iam::{own.id}:role/team/Studio"},
        SubnetIds=["subnet-1"],
        VpcId="vpc-1",
    )
    assert found(own, "access", "bad")
    wish = replace(WISH, values={"portfolio": {"MoreStudioRoles": "team/Studio"}})
    publish.publish([own], source, wish, console)
    assert [one.level for one in found(own, "access")] == ["good"]


def test_a_role_more_is_let_in_without_shutting_out_another(own: Account, source: Source, console: Console) -> None:
    role = f"arn:aws:iam::{own.id}:role/team/Studio"
    taken = {"MoreStudioRoles": "team/A"}
    publish.publish([own], source, replace(WISH, values={"portfolio": taken}), console)
    assert '"--set portfolio.MoreStudioRoles2=team/Studio --region' in doctor._admission(Patient(own), role)
    taken |= {"MoreStudioRoles2": "team/B", "MoreStudioRoles3": "team/C"}
    publish.publish([own], source, replace(WISH, values={"portfolio": taken}), console)
    assert "MoreStudioRoles3 are taken: widen one of them" in doctor._admission(Patient(own), role)
    portfolio = doctor._outputs(Patient(own))["PortfolioId"]
    principals = Catalog(own.client("servicecatalog")).principals(portfolio)
    assert {f"arn:aws:iam:::role/team/{name}" for name in "ABC"} < set(principals)


def test_a_product_that_studio_does_not_show_is_found(own: Account) -> None:
    client = own.client("servicecatalog")
    product = Catalog(client).require(names.PRODUCT)
    client.update_product(Id=product.id, RemoveTags=["sagemaker:studio-visibility"])
    assert "Studio does not show it" in found(own, "tag", "bad")[0].text


def test_a_constraint_with_another_role_is_found(own: Account) -> None:
    catalog = Catalog(own.client("servicecatalog"))
    product = catalog.require(names.PRODUCT)
    role = own.client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    catalog.ensure_launch_role(catalog.portfolios(product)[0], product, role)
    assert "names arn:aws:iam" in found(own, "launch role", "bad")[0].text


def test_a_template_that_was_deleted_is_found(own: Account, source: Source) -> None:
    release = publish.release_for(own, source, WISH)
    own.client("s3").delete_object(Bucket=release.place.bucket, Key=release.template_key)
    assert "nobody can create a project" in found(own, "template", "bad")[0].text


def test_a_domain_whose_role_may_not_launch_is_found_with_the_pattern_that_lets_it(own: Account) -> None:
    for name, role in (("good", "service-role/AmazonSageMaker-Execution-1"), ("bad", "team/Studio")):
        own.client("sagemaker").create_domain(
            DomainName=name,
            AuthMode="IAM",
            DefaultUserSettings={"ExecutionRole": f"arn:aws:iam::{own.id}:role/{role}"},
            SubnetIds=["subnet-1"],
            VpcId="vpc-1",
        )
    levels = {one.level: one for one in found(own, "access")}
    assert "AmazonSageMaker-Execution-1 of domain good sees the product" in levels["good"].text
    assert levels["bad"].command == (
        'make publish ARGS="--set portfolio.MoreStudioRoles=team/Studio --region eu-west-1"'
    )


def test_a_look_that_is_not_allowed_is_a_finding_and_hides_no_other(published: Account) -> None:
    denied: Call = ("list_domains", None, ("AccessDeniedException", "You may not", 403))
    enabled: Call = ("get_sagemaker_servicecatalog_portfolio_status", None, {"Status": "Disabled"})
    with stubbed("sagemaker", enabled, denied) as client:
        all_ = list(doctor.examine(Patient(WithClient(published, "sagemaker", client))))
    studio = [one for one in all_ if one.subject == "Studio"]
    assert studio[0].command == "aws sagemaker enable-sagemaker-servicecatalog-portfolio --region eu-west-1"
    assert studio[1].text.startswith("cannot look: AWS does not allow ListDomains: You may not")
    assert [one.level for one in all_ if one.subject == "product"] == ["good"]


def connection(name: str, status: str = "AVAILABLE") -> dict[str, str]:
    arn = f"arn:aws:codeconnections:eu-west-1:111111111111:connection/{name}"
    return {"ConnectionName": name, "ConnectionArn": arn, "ProviderType": "GitHub", "ConnectionStatus": status}


def test_connections_that_wait_or_lack_the_tag_are_found(published: Account) -> None:
    calls: list[Call] = [
        ("list_connections", {}, {"Connections": [connection("a", "PENDING"), connection("b")], "NextToken": "t"}),
        ("list_tags_for_resource", None, {"Tags": []}),
        ("list_tags_for_resource", None, {"Tags": []}),
        ("list_connections", {"NextToken": "t"}, {"Connections": [connection("c")]}),
        ("list_tags_for_resource", None, {"Tags": [{"Key": "sagemaker", "Value": "true"}]}),
    ]
    with stubbed("codeconnections", *calls) as client:
        all_ = found(WithClient(published, "codeconnections", client), "connection")
    assert [one.level for one in all_] == ["bad", "bad", "good"]
    assert "is PENDING" in all_[0].text
    assert all_[1].command.endswith("connection/b --tags Key=sagemaker,Value=true --region eu-west-1")


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": f"L-{value:g}", "Value": value}


def test_quotas_that_do_not_suffice_come_with_the_request(published: Account) -> None:
    quotas = [
        quota("ml.m5.xlarge for training job usage", 15),
        quota("ml.m5.large for endpoint usage", 2),
    ]
    with stubbed("service-quotas", ("list_service_quotas", {"ServiceCode": "sagemaker"}, {"Quotas": quotas})) as client:
        all_ = found(WithClient(published, "service-quotas", client), "quota")
    assert [one.level for one in all_] == ["good", "note", "bad"]
    assert all_[2].command.endswith("--service-code sagemaker --quota-code L-2 --desired-value 4 --region eu-west-1")


def test_a_region_without_a_service_names_regions_that_have_all(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def regions(self: Account, service: str) -> Sequence[str]:
        return (
            []
            if service == "iam"
            else ["eu-central-1"]
            if service in ("sagemaker", "codeartifact")
            else ["eu-west-1", "eu-central-1"]
        )

    monkeypatch.setattr(Account, "regions_of", regions)
    missing, optional = found(accounts.new(), "region")
    assert (missing.level, missing.command) == ("bad", "choose one of: eu-central-1")
    assert "sagemaker is not in eu-west-1" in missing.text
    assert optional.text == "codeartifact is not in eu-west-1: do without CodeArtifactDomain"


def test_codecommit_closed_to_an_account_is_said_with_the_way_out(published: Account) -> None:
    closed: Call = ("list_repositories", None, ("AccessDeniedException", "Not open to new customers", 403))
    with stubbed("codecommit", closed) as client:
        (one,) = found(WithClient(published, "codecommit", client), "CodeCommit")
    assert one.level == "note"
    assert "RepositoryProvider=Connection" in one.command


def test_a_policy_that_is_nearly_full_is_named(published: Account) -> None:
    policy = {"PolicyName": "sagemaker-projects-boundary", "Arn": "arn:aws:iam::1:policy/sagemaker-projects-boundary"}
    document = '{"Statement": [{"Sid": "' + "x" * 6000 + '"}]}'
    version = {"PolicyVersion": {"Document": document}}
    calls: list[Call] = [
        ("list_policies", None, {"Policies": [{**policy, "DefaultVersionId": "v1"}]}),
        ("get_policy_version", None, version),
        ("list_policies", None, {"Policies": []}),
    ]
    with stubbed("iam", *calls) as client:
        (one,) = doctor.policies(Patient(WithClient(published, "iam", client)))
    assert "sagemaker-projects-boundary has 6,0" in one.text
    assert "of 6,144 characters" in one.text


def test_commands_are_never_folded_and_sentences_only_between_words(capsys: pytest.CaptureFixture[str]) -> None:
    command = "aws servicecatalog associate-principal-with-portfolio --portfolio-id port-1 --principal-arn arn:aws:x"
    doctor._show(Finding("bad", "access", "a role of domain good is no principal of it", command), Console(width=40))
    assert capsys.readouterr().out.splitlines() == [
        "✗ access         a role of domain good is no",
        "                 principal of it",
        f"  → {command}",
    ]
