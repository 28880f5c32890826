"""publish against an emulator: what it makes, that it can be killed anywhere, run twice, and what it refuses."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from service_catalog import foundations, names, publish
from service_catalog.aws.account import Account
from service_catalog.aws.catalog import VISIBILITY, Catalog
from service_catalog.aws.stacks import Stacks
from service_catalog.errors import BucketError, InputError, ProductError
from service_catalog.offering import Words
from service_catalog.plan import Change, pending
from service_catalog.publish import Wish
from service_catalog.release import Source
from tests.service_catalog.accounts import Accounts, Calls, Killed, contents, deny

WISH = Wish(Words(names.PRODUCT), pause=0.02)


def run(account: Account, source: Source, console: Console, wish: Wish = WISH, **options: Any) -> list[Change]:
    return publish.publish([account], source, wish, console, **options)


def actions(changes: list[Change]) -> set[str]:
    return {change.action for change in changes}


# --- what it makes ---------------------------------------------------------------------------------------------------


def test_a_plan_makes_no_change_and_tells_all_of_them(
    accounts: Accounts, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    number, calls = accounts.number(), Calls()
    planned = run(Account(calls.watch(accounts.session(number))), source, console, only_plan=True)
    assert calls.writes == []
    assert actions(planned) == {"create"}
    for word in (
        "sagemaker-projects-portfolio",
        "sagemaker-projects-staging",
        "sagemaker-projects-prod",
        "10 to create",
    ):
        assert word in printed()


def test_it_makes_the_product_and_a_second_run_changes_nothing(
    accounts: Accounts, source: Source, console: Console
) -> None:
    number, calls = accounts.number(), Calls()
    account = Account(calls.watch(accounts.session(number)))
    run(account, source, console)
    first = contents(account)
    calls.made.clear()
    again = run(account, source, console)
    assert actions(again) == {"keep"}
    assert calls.writes == []
    assert contents(account) == first
    catalog = Catalog(account.client("servicecatalog"))
    product = catalog.offered(names.PRODUCT)
    assert catalog.tags(product)[VISIBILITY] == "true"
    assert [version.name for version in catalog.versions(product)] == [source.version(publish.defaults(account, WISH))]


def test_studio_shows_it_last_of_all(accounts: Accounts, source: Source, console: Console) -> None:
    calls = Calls()
    run(Account(calls.watch(accounts.session(accounts.number()))), source, console)
    assert calls.writes[-1] == "UpdateProduct"


# --- killed, and twice at once ---------------------------------------------------------------------------------------


def test_killed_after_each_write_in_turn_the_next_run_goes_on_and_the_end_is_the_same(
    accounts: Accounts, source: Source, console: Console, expected: dict[str, Any]
) -> None:
    number, done = accounts.number(), list[str]()
    while (calls := Calls(1)) and len(done) < 30:
        try:
            run(Account(calls.watch(accounts.session(number))), source, console)
        except Killed:
            done += calls.writes
        else:
            break
    assert contents(accounts.new(number=number)) == expected
    assert done == [
        *("CreateChangeSet", "ExecuteChangeSet") * 3,
        *("PutObject", "PutObject", "CreateProduct", "AssociateProductWithPortfolio"),
        *("CreateConstraint", "UpdateProduct"),
    ]


@pytest.mark.parametrize("last", [2, 5, 8, 9])
def test_killed_in_the_middle_one_more_run_is_enough(
    accounts: Accounts, source: Source, console: Console, expected: dict[str, Any], last: int
) -> None:
    number = accounts.number()
    with pytest.raises(Killed):
        run(Account(Calls(last).watch(accounts.session(number))), source, console)
    run(accounts.new(number=number), source, console)
    assert contents(accounts.new(number=number)) == expected


def test_two_at_once_make_one(accounts: Accounts, source: Source, expected: dict[str, Any]) -> None:
    number = accounts.number()
    failures: list[BaseException] = []

    def one() -> None:
        try:
            run(accounts.new(number=number), source, Console(quiet=True))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert contents(accounts.new(number=number)) == expected


# --- versions --------------------------------------------------------------------------------------------------------


def changed(source: Source) -> Source:
    """The same with another product."""
    return replace(source, product=replace(source.product, text=source.product.text + "# changed\n"))


def test_changed_content_is_a_new_version_beside_the_old_one(
    account: Account, source: Source, console: Console
) -> None:
    run(account, source, console)
    run(account, changed(source), console)
    catalog = Catalog(account.client("servicecatalog"))
    found = catalog.versions(catalog.require(names.PRODUCT))
    assert len({version.name for version in found}) == 2
    assert all(version.is_active for version in found)


def test_a_version_that_is_published_with_other_content_is_refused_before_anything_is_done(
    account: Account, source: Source, console: Console
) -> None:
    wish = replace(WISH, version="1.0.0")
    run(account, source, console, wish)
    before = contents(account)
    with pytest.raises(ProductError, match=r"Version 1\.0\.0 .* already published with other content.*--version NAME"):
        run(account, changed(source), console, wish)
    assert contents(account) == before


def test_an_old_version_is_retired_on_request_and_stays_so(account: Account, source: Source, console: Console) -> None:
    run(account, source, console, replace(WISH, version="1.0.0"))
    retiring = replace(WISH, version="1.1.0", retired=("1.0.0",))
    run(account, source, console, retiring)
    assert actions(run(account, source, console, retiring)) == {"keep"}
    catalog = Catalog(account.client("servicecatalog"))
    found = {version.name: version.is_active for version in catalog.versions(catalog.require(names.PRODUCT))}
    assert found == {"1.0.0": False, "1.1.0": True}


def test_a_retired_version_is_not_announced_again(account: Account, source: Source, console: Console) -> None:
    run(account, source, console, replace(WISH, version="1.0.0"))
    run(account, source, console, replace(WISH, version="1.1.0", retired=("1.0.0",)))
    with pytest.raises(ProductError, match=r"Version 1\.0\.0 .* is retired, and stays so: .*--version NAME"):
        run(account, source, console, replace(WISH, version="1.0.0"))


def test_content_that_is_published_behind_a_newer_version_is_refused_with_the_ways_out(
    account: Account, source: Source, console: Console
) -> None:
    first, second = (one.version(publish.defaults(account, WISH)) for one in (source, changed(source)))
    run(account, source, console)
    run(account, changed(source), console)
    before = contents(account)
    words = rf"Version {re.escape(first)} .*{re.escape(second)} is newer.*--retire {re.escape(second)}.*--version NAME"
    with pytest.raises(ProductError, match=words):
        run(account, source, console, replace(WISH, words=Words(names.PRODUCT, support_email="new@example.com")))
    assert contents(account) == before


def test_either_way_out_of_going_back_offers_the_earlier_content(
    account: Account, source: Source, console: Console
) -> None:
    second = changed(source).version(publish.defaults(account, WISH))
    run(account, source, console)
    run(account, changed(source), console)
    run(account, source, console, replace(WISH, version="back"))
    run(account, source, console, replace(WISH, retired=(second, "back")))
    catalog = Catalog(account.client("servicecatalog"))
    found = catalog.versions(catalog.require(names.PRODUCT))
    first = source.version(publish.defaults(account, WISH))
    assert [version.name for version in found if version.is_active] == [first]


@pytest.mark.parametrize(
    ("retired", "words"), [("1.0", "no such version; did you mean '1.0.0'"), ("1.0.0", "being published")]
)
def test_what_cannot_be_retired_is_refused(
    account: Account, source: Source, console: Console, retired: str, words: str
) -> None:
    run(account, source, console, replace(WISH, version="1.0.0"))
    with pytest.raises(ProductError, match=words):
        run(account, source, console, replace(WISH, version="1.0.0", retired=(retired,)))


def test_changed_words_are_brought_up_to_date(account: Account, source: Source, console: Console) -> None:
    run(account, source, console)
    wish = replace(WISH, words=Words(names.PRODUCT, support_email="team@example.com"))
    assert [change.kind for change in pending(run(account, source, console, wish))] == ["product"]
    assert actions(run(account, source, console, wish)) == {"keep"}


# --- what people did by hand -----------------------------------------------------------------------------------------


def test_a_product_that_was_deleted_by_hand_is_made_again(account: Account, source: Source, console: Console) -> None:
    run(account, source, console)
    before = contents(account)
    client = account.client("servicecatalog")
    product = Catalog(client).require(names.PRODUCT)
    (portfolio,) = Catalog(client).portfolios(product)
    constraint, _ = Catalog(client).launch_role(portfolio, product)
    client.delete_constraint(Id=constraint)
    client.disassociate_product_from_portfolio(ProductId=product.id, PortfolioId=portfolio)
    client.delete_product(Id=product.id)
    run(account, source, console)
    assert contents(account) == before


def test_a_bucket_that_a_deleted_stack_left_is_named_with_the_way_out(
    account: Account, source: Source, console: Console
) -> None:
    name = names.account_bucket(account.id, account.region)
    account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": account.region})
    with pytest.raises(
        BucketError, match=rf"{name} is left over from a portfolio stack.*`aws s3 rb s3://{name} --region eu-west-1`"
    ):
        run(account, source, console)
    account.client("s3").delete_bucket(Bucket=name)
    run(account, source, console)


def test_two_products_of_the_name_are_refused_with_both_ids(account: Account, source: Source, console: Console) -> None:
    run(account, source, console)
    client = account.client("servicecatalog")
    other = client.create_product(
        Name=names.PRODUCT,
        Owner="x",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        ProvisioningArtifactParameters=publish.release_for(account, source, WISH).published.request,
        IdempotencyToken="other",
    )["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    with pytest.raises(ProductError, match=rf"There are 2 products named .*{other}"):
        run(account, source, console)


def test_an_object_that_somebody_changed_is_neither_used_nor_overwritten(
    account: Account, source: Source, console: Console
) -> None:
    run(account, source, console)
    key = publish.release_for(account, source, WISH).seed_key
    bucket = names.account_bucket(account.id, account.region)
    account.client("s3").put_object(Bucket=bucket, Key=key, Body=b"evil")
    with pytest.raises(BucketError, match=rf"{key} is not what its name says.*aws s3 rm \S+ --region eu-west-1"):
        run(account, source, console)
    assert account.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == b"evil"


def test_a_bucket_of_somebody_else_is_refused_before_anything_is_made(
    accounts: Accounts, source: Source, console: Console
) -> None:
    victim = accounts.new()
    session = deny(accounts.session(victim.id), "s3.HeadBucket")
    with pytest.raises(BucketError, match=rf"{victim.id}-eu-west-1 belongs to another account than {victim.id}"):
        run(Account(session), source, console)
    assert list(Stacks(victim.client("cloudformation")).all()) == []


# --- stages and regions ----------------------------------------------------------------------------------------------


def test_stages_in_accounts_of_their_own(accounts: Accounts, source: Source, console: Console) -> None:
    tooling, staging, prod = accounts.new(), accounts.new(), accounts.new()
    wish = replace(WISH, stage_accounts={"staging": staging, "prod": prod})
    run(tooling, source, console, wish)
    assert [stack.name for stack in Stacks(tooling.client("cloudformation")).all()] == [names.PORTFOLIO_STACK]
    for stage, account in (("staging", staging), ("prod", prod)):
        found = Stacks(account.client("cloudformation")).find(names.stage_stack(stage))
        assert found and found.parameters["ToolingAccountId"] == tooling.id
        assert found.parameters["PermissionsBoundary"] == "create"
    assert actions(run(tooling, source, console, wish)) == {"keep"}
    template = publish.release_for(tooling, source, wish).template
    assert template.parameters["StagingAccountId"]["Default"] == staging.id


def test_a_stage_that_nobody_here_reaches_is_a_command_for_its_administrator(
    account: Account, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    wish = replace(WISH, stage_ids={"staging": "222222222222", "prod": "333333333333"}, organization="o-abcdefghij")
    found = run(account, source, console, wish, only_plan=True)
    notes = [change.detail for change in found if change.action == "note"]
    assert len(notes) == 2
    assert notes[1] == "an administrator of 333333333333 makes it with this command"
    (line,) = [line for line in printed().splitlines() if "--stack-name sagemaker-projects-prod" in line]
    assert line.startswith("aws cloudformation deploy")
    assert f"ToolingAccountId={account.id}" in line
    assert "OrganizationId=o-abcdefghij" in line
    assert "build/templates/stage.yaml, which `make templates` writes, in the folder where that file is" in printed()


ELSEWHERE = replace(WISH, stage_ids={"staging": "222222222222", "prod": "333333333333"}, organization="o-abcdefghij")


@pytest.mark.parametrize("channel", [publish.CATALOG, publish.S3])
def test_accounts_that_nobody_names_again_are_kept_and_shown(
    account: Account, source: Source, console: Console, channel: str
) -> None:
    run(account, source, console, replace(ELSEWHERE, channels=(channel,)))
    found = run(account, changed(source), console, replace(WISH, channels=(channel,)))
    kept = {change.name: change.detail for change in found if change.kind == "default"}
    assert kept.keys() == {"staging account", "prod account", "organization"}
    assert kept["prod account"].startswith("333333333333, as in version ")
    assert [stack.name for stack in Stacks(account.client("cloudformation")).all()] == [names.PORTFOLIO_STACK]
    assert len([change for change in found if change.command]) == 2
    complete = WISH.with_kept(publish.find_kept(account, WISH))
    template = publish.release_for(account, source, complete).template
    assert template.stamp("prod account") == "333333333333"
    assert template.stamp("organization") == "o-abcdefghij"


def test_what_is_announced_is_the_version_with_the_kept_accounts(
    account: Account, source: Source, console: Console
) -> None:
    run(account, source, console, ELSEWHERE)
    run(account, source, console)
    assert publish.release_for(account, source, ELSEWHERE).version in publish.next_words([account], source, WISH)


def test_stages_come_back_to_the_tooling_account_on_request(account: Account, source: Source, console: Console) -> None:
    run(account, source, console, ELSEWHERE)
    here = replace(WISH, stage_ids={"staging": account.id, "prod": account.id})
    run(account, source, console, here)
    found = publish.find_kept(account, WISH)
    assert (found.stage_ids, found.organization) == ({}, "o-abcdefghij")


def test_an_organization_can_be_left(accounts: Accounts, account: Account, source: Source, console: Console) -> None:
    stages = {stage: accounts.new() for stage in names.STAGES}
    inside = replace(WISH, stage_accounts=stages, organization="o-abcdefghij")
    run(account, source, console, inside)
    outside = replace(inside, organization=publish.NO_ORGANIZATION)
    run(account, source, console, outside)
    again = replace(inside, organization="")
    assert actions(run(account, source, console, again)) == {"keep"}
    assert publish.find_kept(account, WISH).organization == ""
    for stage, one in stages.items():
        stack = Stacks(one.client("cloudformation")).find(names.stage_stack(stage))
        assert stack and stack.parameters["OrganizationId"] == ""


def test_the_first_version_in_a_region_keeps_the_accounts_of_the_other_region(
    accounts: Accounts, source: Source, console: Console
) -> None:
    number = accounts.number()
    first, second = accounts.new("eu-west-1", number), accounts.new("eu-central-1", number)
    run(first, source, console, ELSEWHERE)
    found = {change.name: change.detail for change in run(second, source, console) if change.kind == "default"}
    assert re.match(r"333333333333, as in version \S+ of eu-west-1; --stage-account prod=ID", found["prod account"])
    assert found.keys() == {"staging account", "prod account", "organization"}
    assert publish.find_kept(second, WISH).stage_ids == ELSEWHERE.stage_ids


def test_regions_that_disagree_about_the_accounts_are_named(
    accounts: Accounts, source: Source, console: Console
) -> None:
    number = accounts.number()
    run(accounts.new("eu-west-1", number), source, console, ELSEWHERE)
    other = replace(ELSEWHERE, stage_ids={"staging": "444444444444", "prod": "333333333333"})
    run(accounts.new("eu-central-1", number), source, console, other)
    with pytest.raises(ProductError, match=r"different accounts in version \S+ of eu-\S+ \S+ of eu-.*Say them"):
        run(accounts.new("us-east-1", number), source, console)


def test_who_may_not_list_buckets_publishes_as_for_the_first_time(
    accounts: Accounts, source: Source, console: Console
) -> None:
    account = Account(deny(accounts.session(accounts.number()), "s3.ListBuckets"))
    assert actions(run(account, source, console, only_plan=True)) == {"create"}


def test_accounts_that_nobody_knows_any_more_are_asked_for(account: Account, source: Source, console: Console) -> None:
    run(account, source, console, ELSEWHERE)
    release = publish.release_for(account, source, ELSEWHERE)
    account.client("s3").delete_object(Bucket=release.place.bucket, Key=release.template_key)
    with pytest.raises(ProductError, match=r"--stage-account staging=ID --stage-account prod=ID"):
        run(account, source, console)
    run(account, source, console, ELSEWHERE)


def test_the_tooling_account_named_as_a_stage_is_the_same_as_no_account(
    account: Account, source: Source, console: Console
) -> None:
    run(account, source, console)
    same = replace(WISH, stage_ids={"staging": account.id, "prod": account.id})
    assert actions(run(account, source, console, same)) == {"keep"}


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ({"staging": "2", "prod": "333333333333"}, "account of staging is '2', and must be 12 digits"),
        ({"staging": "222222222222", "prod": "222222222222"}, "staging and prod are both 222222222222"),
    ],
)
def test_accounts_that_cannot_be_are_refused(
    account: Account, source: Source, console: Console, stages: dict[str, str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run(account, source, console, replace(WISH, stage_ids=stages))


def test_two_regions_of_an_account_share_its_roles(accounts: Accounts, source: Source, console: Console) -> None:
    number = accounts.number()
    places = [accounts.new("eu-west-1", number), accounts.new("eu-central-1", number)]
    publish.publish(places, source, WISH, console)
    for place, word in zip(places, ("create", "existing"), strict=True):
        found = Stacks(place.client("cloudformation")).find(names.PORTFOLIO_STACK)
        assert found and found.parameters["AccountRoles"] == word
        assert Catalog(place.client("servicecatalog")).offered(names.PRODUCT)
    assert actions(publish.publish(places, source, WISH, console)) == {"keep"}


# --- parameters ------------------------------------------------------------------------------------------------------


def test_parameters_that_nobody_names_keep_their_value(account: Account, source: Source, console: Console) -> None:
    run(account, source, console, replace(WISH, values={"portfolio": {"ProviderName": "ML platform"}}))
    assert actions(run(account, source, console)) == {"keep"}
    found = run(account, source, console, replace(WISH, values={"portfolio": {"ProviderName": "Others"}}))
    assert [change.detail for change in pending(found)] == ["ProviderName 'ML platform' → 'Others'"]


def test_unknown_parameters_are_named_with_the_nearest(account: Account, source: Source, console: Console) -> None:
    words = r"--set portfolio.ProvidrName: portfolio.yaml has no parameter .*; did you mean 'ProviderName'"
    with pytest.raises(InputError, match=words):
        run(account, source, console, replace(WISH, values={"portfolio": {"ProvidrName": "x"}}))


def test_values_that_aws_would_refuse_are_told_all_at_once_before_anything_is_written(
    accounts: Accounts, source: Source, console: Console
) -> None:
    calls = Calls()
    values = {"portfolio": {"S3Channel": "yes"}, "prod": {"StageRoles": "new"}}
    wish = replace(WISH, values=values, organization="acme", stage_ids={"prod": "333333333333"})
    with pytest.raises(InputError) as raised:
        run(Account(calls.watch(accounts.session(accounts.number()))), source, console, wish)
    first, second, third = raised.value.problems
    assert first.startswith("--set portfolio.S3Channel='yes': must be one of on, off")
    assert second.startswith("--set prod.StageRoles='new': must be one of create, existing")
    assert third == "--organization='acme': must be nothing, or the id of an AWS organization"
    assert calls.made == []


def test_a_list_is_checked_item_by_item(source: Source) -> None:
    values = {"StageAccountIds": "222222222222,333333333333,4"}
    (problem,) = foundations.problems(source.portfolio, values, "--set portfolio.")
    assert problem.startswith("--set portfolio.StageAccountIds='4': must be")
