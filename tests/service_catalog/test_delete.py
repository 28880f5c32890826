"""delete against an emulator: in order, to the end, and with a word about everything that stays."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from service_catalog import create, delete, leftovers, names, publish
from service_catalog.aws import tagged
from service_catalog.aws.account import Account
from service_catalog.aws.stacks import Stacks
from service_catalog.delete import Wish
from service_catalog.errors import AccessError, DeclinedError, ProjectError
from service_catalog.offering import Words
from service_catalog.plan import Change
from service_catalog.release import Source
from service_catalog.waiting import Site
from tests.service_catalog.accounts import Accounts, Calls, Killed, deny

PAUSE = 0.05
SMALL = {"Topic": {"Type": "AWS::SNS::Topic"}, "Lost": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"}}
CONCERNS = ("endpoint", "scaling", "monitoring")


def site(account: Account) -> Site:
    return Site(account, PAUSE)


def run(
    account: Account, console: Console, name: str, *, yes: bool = True, plan: bool = False, **wish: Any
) -> list[Change]:
    return delete.delete(site(account), Wish(name, **wish), console, lambda _: yes, plan)


def made(account: Account, name: str, **answers: str) -> names.Project:
    create.create(site(account), create.Wish(name, answers=answers), Console(quiet=True))
    project = site(account).studio.project(name)
    assert project
    return names.Project(name, project.id)


def staged(account: Account, project: names.Project, stage: str) -> list[str]:
    """Stacks of a stage as the deploy pipeline names them, with something small in each."""
    found = [project.stack(stage, concern) for concern in CONCERNS]
    tags = [{"Key": leftovers.NAME_TAG, "Value": project.name}, {"Key": leftovers.ID_TAG, "Value": project.id}]
    for name in found:
        body = json.dumps({"Resources": SMALL})
        account.client("cloudformation").create_stack(StackName=name, TemplateBody=body, Tags=tags)
        Stacks(account.client("cloudformation"), PAUSE).wait(name, lambda _: None)
    return found


def stacks_of(account: Account, project: names.Project) -> list[str]:
    found = Stacks(account.client("cloudformation")).all()
    return [
        stack.name for stack in found if stack.tags.get(leftovers.ID_TAG) == project.id or project.unique in stack.name
    ]


def test_the_plan_says_what_goes_what_stays_and_why_and_changes_nothing(
    accounts: Accounts, published: Account, console: Console, printed: Callable[[], str]
) -> None:
    project = made(published, "planned-delete")
    staged(published, project, "prod")
    calls = Calls()
    watched = Site(Account(calls.watch(accounts.session(published.id))), PAUSE)
    found = delete.delete(watched, Wish(project.name), console, lambda _: True, only_plan=True)
    assert calls.writes == []
    assert {change.name for change in found if change.action == "stop"} == set(project.pipelines)
    kept = {change.kind: change.detail for change in found if change.action == "keep"}
    assert kept["bucket"] == "training data, models and captured requests"
    assert kept["key"] == "without it nobody can read the bucket"
    assert {"repository", "models", "logs", "messages"} <= set(kept)
    assert [change for change in found if change.kind == "orphan"] == []
    console.file.flush()
    assert f"aws s3api delete-bucket --bucket {project.bucket(published.id, published.region)}" in printed()


def test_a_name_that_nothing_has_is_a_mistake_and_names_the_nearest(published: Account, console: Console) -> None:
    made(published, "spelled")
    words = f"nothing of a project speled in account {published.id}, region {published.region}; did you mean 'spelled'"
    with pytest.raises(ProjectError, match=words):
        run(published, console, "speled")


def test_commands_of_several_accounts_stand_below_their_accounts() -> None:
    kept = [leftovers.Left("AWS::S3::Bucket", id_, f"aws {id_}", id_ * 3) for id_ in "21"]
    assert leftovers.removal(kept) == "  # in account 111\n  aws 1\n  # in account 222\n  aws 2"
    assert leftovers.removal(kept[:1]) == "  aws 2"


def test_stages_go_first_production_before_staging_and_endpoints_last(published: Account, console: Console) -> None:
    project = made(published, "ordered")
    staged(published, project, "staging")
    staged(published, project, "prod")
    found = [change.name for change in run(published, console, "ordered") if change.action in ("stop", "delete")]
    expected = [
        *project.pipelines,
        *(
            project.stack(stage, part)
            for stage in ("prod", "staging")
            for part in ("scaling", "monitoring", "endpoint")
        ),
        "ordered",
    ]
    assert found == expected
    assert stacks_of(published, project) == []
    assert site(published).studio.project("ordered") is None


def test_what_stays_is_there_and_the_commands_that_remove_it_are_told(
    published: Account, console: Console, printed: Callable[[], str]
) -> None:
    project = made(published, "kept")
    bucket = project.bucket(published.id, published.region)
    run(published, console, "kept")
    console.file.flush()
    published.client("s3").head_bucket(Bucket=bucket)
    place = f"--region {published.region}"
    assert f"aws s3api delete-bucket --bucket {bucket} {place}  # once it is empty" in printed()
    assert f"aws codecommit delete-repository --repository-name {project.repository} {place}" in printed()


def test_a_second_run_changes_nothing_and_names_what_is_left(
    accounts: Accounts, published: Account, console: Console
) -> None:
    project = made(published, "again")
    run(published, console, "again")
    calls = Calls()
    watched = Site(Account(calls.watch(accounts.session(published.id))), PAUSE)
    found = delete.delete(watched, Wish("again"), console, lambda _: True)
    assert calls.writes == []
    assert found[0].detail == "there is no such project, and no stack of one"
    assert any(project.bucket(published.id, published.region) in change.name for change in found[1:])


def test_killed_again_and_again_the_next_run_goes_on_to_the_end(
    accounts: Accounts, published: Account, console: Console
) -> None:
    project = made(published, "killed")
    staged(published, project, "prod")
    kills = 0
    for last in range(1, 30):
        victim = Site(Account(Calls(last).watch(accounts.session(published.id))), PAUSE)
        try:
            delete.delete(victim, Wish("killed"), console, lambda _: True)
            break
        except Killed:
            kills += 1
    assert kills >= 3
    assert stacks_of(published, project) == []
    assert site(published).studio.project("killed") is None


def test_without_a_yes_nothing_is_deleted(published: Account, console: Console) -> None:
    made(published, "unasked")
    with pytest.raises(DeclinedError, match=r"Nothing was deleted\."):
        run(published, console, "unasked", yes=False)
    assert site(published).studio.project("unasked")


# --- stages elsewhere ------------------------------------------------------------------------------------------------


def test_stages_in_other_accounts_are_deleted_with_their_profiles(
    accounts: Accounts, published: Account, console: Console
) -> None:
    staging, prod = accounts.new(), accounts.new()
    project = made(published, "apart", StagingAccountId=staging.id, ProdAccountId=prod.id)
    staged(staging, project, "staging")
    staged(prod, project, "prod")
    run(published, console, "apart", stage_accounts={"staging": staging, "prod": prod})
    assert stacks_of(staging, project) == stacks_of(prod, project) == stacks_of(published, project) == []


def test_a_stage_out_of_reach_stops_everything_before_anything_is_touched(
    accounts: Accounts, published: Account, console: Console
) -> None:
    made(published, "unreachable", StagingAccountId=accounts.number(), ProdAccountId=accounts.number())
    calls = Calls()
    watched = Site(Account(deny(calls.watch(accounts.session(published.id)), "sts.AssumeRole")), PAUSE)
    with pytest.raises(AccessError, match=r"prod is in account .*--stage-profile prod=PROFILE.*--skip-stage prod"):
        delete.delete(watched, Wish("unreachable"), console, lambda _: True)
    assert calls.writes == []
    found = run(published, console, "unreachable", skipped_stages=("staging", "prod"))
    assert [change.detail for change in found if change.kind == "stage"] == [
        "skipped: its stacks stay, and go on costing money"
    ] * 2
    assert site(published).studio.project("unreachable") is None


# --- leftovers -------------------------------------------------------------------------------------------------------


def test_what_carries_the_tag_and_belongs_to_no_stack_is_an_orphan(published: Account, console: Console) -> None:
    project = made(published, "orphaned")
    tags = [{"Key": leftovers.ID_TAG, "Value": project.id}]
    arn = published.client("sns").create_topic(Name="by-hand", Tags=tags)["TopicArn"]
    found = run(published, console, "orphaned", plan=True)
    assert [change.name for change in found if change.kind == "orphan"] == [arn]


def test_a_project_whose_record_is_gone_is_found_by_its_stacks(published: Account, console: Console) -> None:
    project = names.Project("lost", "p-lost0000001")
    staged(published, project, "prod")
    run(published, console, "lost")
    assert stacks_of(published, project) == []


def test_leftovers_of_projects_that_are_gone_are_listed(published: Account) -> None:
    tags = [{"Key": leftovers.ID_TAG, "Value": "p-gone"}, {"Key": leftovers.NAME_TAG, "Value": "gone"}]
    arn = published.client("sns").create_topic(Name="left", Tags=tags)["TopicArn"]
    alive = made(published, "alive")
    found = leftovers.of_nobody(published, [], site(published).studio.ids())
    assert arn in [change.name for change in found]
    assert not any(alive.id in change.detail for change in found)


def test_leftovers_are_looked_for_in_the_accounts_of_the_stages(accounts: Accounts, published: Account) -> None:
    staging, tags = accounts.new(), [{"Key": leftovers.ID_TAG, "Value": "p-gone"}]
    arn = staging.client("sns").create_topic(Name="left-there", Tags=tags)["TopicArn"]
    found = {change.name: change.detail for change in delete.others(site(published), {"staging": staging}, "any")}
    assert found[arn] == f"in {staging.id}; there is no project ? (id p-gone) in {published.place}"
    assert arn not in {change.name for change in delete.others(site(published), {}, "any")}


def test_a_stage_in_an_account_where_nobody_looked_is_named(
    accounts: Accounts, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    tooling, stages = accounts.new(), {stage: accounts.new() for stage in names.STAGES}
    wish = publish.Wish(Words(names.PRODUCT), stage_accounts=stages, pause=0.02)
    publish.publish([tooling], source, wish, console)
    found = delete.others(site(tooling), {"staging": stages["staging"]}, names.PRODUCT)
    words = f"is in {stages['prod'].id}, where nobody looked: --stage-profile prod=PROFILE"
    assert [(change.name, change.detail) for change in found] == [("prod", words)]
    delete.show_others(site(tooling), stages, names.PRODUCT, console)
    console.file.flush()
    looked = ", ".join([tooling.id, *(account.id for account in stages.values())])
    assert printed().endswith(f"Nothing is left. Looked at account {looked} in eu-west-1.\n")


def test_what_the_tagging_api_still_lists_and_is_gone_is_no_orphan(
    published: Account, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = made(published, "listed")
    role = f"arn:aws:iam::{published.id}:role/sagemaker-projects/sagemaker-prod-endpoint"
    tags, client = [{"Key": leftovers.ID_TAG, "Value": project.id}], published.client("sagemaker")
    model = {"ExecutionRoleArn": role, "PrimaryContainer": {"Image": "image"}, "Tags": tags}
    arns = [
        client.create_model(ModelName=f"{project.unique}-{name}", **model)["ModelArn"] for name in ("there", "gone")
    ]
    client.delete_model(ModelName=f"{project.unique}-gone")
    listed = [(arn, {leftovers.ID_TAG: project.id}) for arn in arns]
    monkeypatch.setattr(tagged, "resources", lambda *_: iter(listed))
    found = run(published, console, "listed", plan=True)
    assert [change.name for change in found if change.kind == "orphan"] == arns[:1]
