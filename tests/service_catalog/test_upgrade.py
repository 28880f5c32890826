"""upgrade against an emulator: previewed resource by resource, answers kept, nothing done without a yes."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from service_catalog import create, names, publish, upgrade
from service_catalog.aws.account import Account
from service_catalog.aws.stacks import Preview, ResourceChange, Stack
from service_catalog.aws.studio import Project
from service_catalog.errors import DeclinedError, InputError, ProjectError
from service_catalog.offering import Words
from service_catalog.plan import Change
from service_catalog.release import Source
from service_catalog.template import Template
from service_catalog.upgrade import Wish
from service_catalog.waiting import Site
from tests.service_catalog.accounts import Accounts, Calls, Killed, deny

PAUSE = 0.05
PUBLISH = publish.Wish(Words(names.PRODUCT), version="2.0", pause=0.02)


def site(account: Account) -> Site:
    return Site(account, PAUSE)


def newer(source: Source) -> Source:
    """A product with one resource more, and a function that may run longer."""
    text = source.product.text.replace("\nOutputs:\n", f"\n{TOPIC}\nOutputs:\n", 1)
    text = text.replace("      Timeout: 60\n", "      Timeout: 120\n", 1)
    return replace(source, product=Template(source.product.name, text))


TOPIC = """  News:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "sagemaker-${SageMakerProjectId}-news"}
"""


@pytest.fixture
def upgradable(published: Account, source: Source) -> Account:
    """The account with a second version."""
    catalog = site(published).catalog
    if catalog.version(catalog.require(names.PRODUCT), PUBLISH.version) is None:
        publish.publish([published], newer(source), PUBLISH, Console(quiet=True))
    return published


def run(account: Account, console: Console, name: str, *, yes: bool = True, plan: bool = False, **wish: Any) -> Change:
    return upgrade.upgrade(site(account), Wish(name, **wish), console, lambda _: yes, plan)[0]


def made(account: Account, source: Source, name: str) -> None:
    """A project of the first version, with an answer of its own."""
    first = source.version(publish.defaults(account, publish.Wish(Words(names.PRODUCT))))
    wish = create.Wish(name, version=first, answers={"Owner": "me@example.com"})
    create.create(site(account), wish, Console(quiet=True))


def parameters(account: Account, name: str) -> dict[str, str]:
    project = site(account).studio.project(name)
    stack = site(account).stack(project) if project else None
    assert stack
    return dict(stack.parameters)


def test_the_plan_names_each_resource_and_changes_none(
    accounts: Accounts, upgradable: Account, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    made(upgradable, source, "looked-at")
    calls = Calls()
    watched = Site(Account(calls.watch(accounts.session(upgradable.id))), PAUSE)
    upgrade.upgrade(watched, Wish("looked-at"), console, lambda _: True, only_plan=True)
    console.file.flush()
    assert "News" in printed()
    assert "AWS::SNS::Topic" in printed()
    assert calls.writes == ["CreateChangeSet", "DeleteChangeSet"]


def test_the_plan_says_which_property_changes_and_folds_what_follows(
    upgradable: Account, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    made(upgradable, source, "read")
    run(upgradable, console, "read", plan=True, answers={"CostCenter": "42"})
    console.file.flush()
    lines = printed().splitlines()
    assert lines[lines.index("~ Dispatcher  AWS::Lambda::Function") + 1] == "    · Timeout: 60 → 120"
    assert next(line for line in lines if "Tags of" in line).startswith("~ CostCenter, 'unassigned' → '42', changes")
    assert len(lines) < 20


def test_what_would_be_lost_stands_in_the_question(upgradable: Account, source: Source, console: Console) -> None:
    made(upgradable, source, "losing")
    found = upgrade.look(site(upgradable), Wish("losing"), lambda _: None)
    assert upgrade._question(found) == "Upgrade losing? "
    removed = Preview((ResourceChange("Remove", "Bucket", "AWS::S3::Bucket"),), is_empty=False)
    words = "Upgrade losing? These are removed or made anew: Bucket. "
    assert upgrade._question(replace(found, preview=removed)) == words


def test_the_project_gets_the_new_version_and_keeps_its_answers(
    upgradable: Account, source: Source, console: Console
) -> None:
    made(upgradable, source, "upgraded")
    before = parameters(upgradable, "upgraded")
    assert run(upgradable, console, "upgraded").action == "update"
    after = parameters(upgradable, "upgraded")
    assert after == before
    project = site(upgradable).studio.project("upgraded")
    assert project and project.status == "UpdateCompleted"
    stack = site(upgradable).stack(project)
    assert stack and "News" in {item["LogicalResourceId"] for item in site(upgradable).stacks.resources(stack.id)}
    assert run(upgradable, console, "upgraded").action == "keep"


def test_an_answer_can_change_with_it(upgradable: Account, source: Source, console: Console) -> None:
    made(upgradable, source, "answered")
    run(upgradable, console, "answered", answers={"CostCenter": "42"})
    assert parameters(upgradable, "answered")["CostCenter"] == "42"
    assert parameters(upgradable, "answered")["Owner"] == "me@example.com"
    with pytest.raises(InputError, match="Owner=''"):
        run(upgradable, console, "answered", answers={"Owner": ""})
    with pytest.raises(InputError, match="VpcId, SubnetIds and SecurityGroupIds must be given together"):
        run(upgradable, console, "answered", answers={"VpcId": "vpc-01234567"})


def test_without_a_yes_nothing_changes(upgradable: Account, source: Source, console: Console) -> None:
    made(upgradable, source, "refused")
    with pytest.raises(DeclinedError, match=r"Nothing was changed\."):
        run(upgradable, console, "refused", yes=False)
    project = site(upgradable).studio.project("refused")
    assert project and project.status == "CreateCompleted"


def test_killed_after_any_write_the_next_run_ends_it(
    accounts: Accounts, upgradable: Account, source: Source, console: Console
) -> None:
    made(upgradable, source, "killed-upgrade")
    for last in (1, 2, 3):
        session = Calls(last).watch(accounts.session(upgradable.id))
        with pytest.raises(Killed):
            upgrade.upgrade(Site(Account(session), PAUSE), Wish("killed-upgrade"), console, lambda _: True)
    run(upgradable, console, "killed-upgrade")
    project = site(upgradable).studio.project("killed-upgrade")
    assert project and project.status == "UpdateCompleted"


def test_who_may_make_no_change_set_sees_the_templates_compared(
    accounts: Accounts, upgradable: Account, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    made(upgradable, source, "compared")
    session = deny(accounts.session(upgradable.id), "cloudformation.CreateChangeSet")
    upgrade.upgrade(Site(Account(session), PAUSE), Wish("compared"), console, lambda _: True, only_plan=True)
    console.file.flush()
    assert "News" in printed()
    assert "Timeout: 60 → 120" in printed()
    assert "You may not make a change set" in printed()


def test_a_project_that_is_not_there_is_named_with_the_nearest(
    upgradable: Account, source: Source, console: Console
) -> None:
    made(upgradable, source, "nearest")
    with pytest.raises(ProjectError, match=r"There is no project neerest; did you mean 'nearest'"):
        run(upgradable, console, "neerest")


def test_a_project_of_another_product_is_refused(upgradable: Account, source: Source, console: Console) -> None:
    made(upgradable, source, "of-first")
    other = replace(PUBLISH, words=Words("Another"))
    publish.publish([upgradable], source, other, console)
    with pytest.raises(ProjectError, match=r"was made from product .* not from 'Another'"):
        run(upgradable, console, "of-first", product="Another")


@pytest.mark.parametrize("left", [True, False], ids=["kept", "gone"])
def test_the_way_back_to_a_kept_repository_is_refused_before_the_stack_starts(account: Account, left: bool) -> None:
    project = Project("churn", "p-0a1b2c3d4e5f", "arn", "CreateCompleted")
    name = names.Project(project.name, project.id).repository
    if left:
        account.client("codecommit").create_repository(repositoryName=name)
    stack = Stack("s", "id", "UPDATE_COMPLETE", parameters={"RepositoryProvider": "Connection"})
    words = f"{name} of before is still there.*delete-repository --repository-name {name}"
    with pytest.raises(InputError, match=words) if left else nullcontext():
        upgrade._require_free_repository(Site(account), project, stack, {"RepositoryProvider": "CodeCommit"})
    upgrade._require_free_repository(Site(account), project, stack, {"RepositoryProvider": "Connection"})
