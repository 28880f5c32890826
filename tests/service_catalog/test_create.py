"""create against an emulator that really expands the product's stack: as Studio's form does, and with its failures."""

import re
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from service_catalog import create, names, publish
from service_catalog.aws.account import Account
from service_catalog.aws.studio import Project, Studio
from service_catalog.create import Wish
from service_catalog.errors import InputError, ProductError, ProjectError
from service_catalog.offering import Words
from service_catalog.plan import Change
from service_catalog.release import Source
from service_catalog.sheet import Sheet
from service_catalog.waiting import Site
from tests.service_catalog.accounts import Accounts, Calls, Killed, deny

PAUSE = 0.05


def site(account: Account) -> Site:
    return Site(account, PAUSE)


def watched(accounts: Accounts, account: Account, calls: Calls) -> Site:
    """The same account, each call watched."""
    return site(Account(calls.watch(accounts.session(account.id))))


def run(account: Account, console: Console, name: str, only_plan: bool = False, **wish: Any) -> list[Change]:
    return create.create(site(account), Wish(name, **wish), console, only_plan)


def test_a_plan_makes_nothing(accounts: Accounts, published: Account, console: Console) -> None:
    calls = Calls()
    found = create.create(watched(accounts, published, calls), Wish("planned"), console, only_plan=True)
    assert calls.writes == []
    assert [(change.action, change.name) for change in found] == [("create", "planned")]
    assert site(published).studio.project("planned") is None


def told(text: str) -> dict[str, str]:
    """Subject to sentence, below "The project"."""
    lines = text.partition("The project\n")[2].splitlines()
    return {line[:12].strip(): line[12:] for line in lines if not line.startswith(" ")}


def test_the_plan_tells_each_answer_its_origin_and_what_would_be_made(
    published: Account, console: Console, printed: Callable[[], str]
) -> None:
    answers = {"AlertEmail": "me@example.com", "MonthlyBudget": "9", "RetrainSchedule": "rate(7 days)"}
    run(published, console, "sheet", only_plan=True, answers=answers)
    console.file.flush()
    rows = [line.split() for line in printed().splitlines()]
    assert ["+", "AlertEmail", "me@example.com", "sent:", "you", "gave", "it"] in rows
    assert ["=", "BranchName", "main", "default", "of", "this", "version"] in rows
    assert "no value    ConnectionArn, RepositoryId, DataBucket, DataAccountId, StagingAccountId" in printed()
    facts = told(printed())
    bucket = names.account_bucket(published.id, published.region)
    assert facts["repository"].startswith(
        f"a new one in CodeCommit, sagemaker-sheet-ID, which begins with s3://{bucket}"
    )
    assert facts["models"] == f"staging in this account ({published.id}), production in this account ({published.id})"
    assert "later with each push to its half and by rate(7 days)" in facts["starts"]
    assert facts["e-mail"].startswith("me@example.com is asked to confirm")
    assert facts["checked"].startswith("25 answers one by one, and 6 rules of the template: Connection, NoConnection")
    run(published, Console(quiet=True), "sheet", answers=answers)
    project = site(published).studio.project("sheet")
    stack = site(published).stack(project) if project else None
    assert stack
    assert facts["makes"].startswith(f"{len(site(published).stacks.resources(stack.id))} resources: ")


def test_a_repository_behind_a_connection_is_told_as_such(published: Account) -> None:
    connection = "arn:aws:codeconnections:eu-west-1:111111111111:connection/0a1b2c3d"
    given = {"RepositoryProvider": "Connection", "ConnectionArn": connection, "RepositoryId": "a/b"}
    found = create.look(site(published), Wish("behind", answers=given))
    assert found.origin
    facts = dict(Sheet("behind", found.origin.form, found.given, found.origin.document).facts())
    assert facts["repository"].startswith("a/b, through the connection; s3://")


def test_a_project_is_made_with_its_answers_and_its_outputs_are_told(
    accounts: Accounts, published: Account, console: Console, printed: Callable[[], str]
) -> None:
    run(published, console, "made", answers={"Owner": "me@example.com"}, description="Mine")
    console.file.flush()
    project = site(published).studio.project("made")
    assert project and project.is_complete
    stack = site(published).stack(project)
    assert stack and stack.parameters["Owner"] == "me@example.com"
    assert stack.parameters["SageMakerProjectName"] == "made"
    for key, value in stack.outputs.items():
        assert key in printed()
        assert value in printed()
    calls = Calls()
    again = create.create(watched(accounts, published, calls), Wish("made"), console)
    assert calls.writes == []
    assert [change.action for change in again] == ["keep"]


def test_killed_after_the_request_the_next_run_waits_for_the_project(
    accounts: Accounts, published: Account, console: Console
) -> None:
    with pytest.raises(Killed):
        create.create(watched(accounts, published, Calls(1)), Wish("killed"), console)
    run(published, console, "killed")
    project = site(published).studio.project("killed")
    assert project and project.is_complete


def test_two_at_once_make_one(published: Account, accounts: Accounts) -> None:
    failures: list[BaseException] = []

    def one() -> None:
        try:
            run(accounts.new(number=published.id), Console(quiet=True), "twice")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(site(published).studio.projects()).count("twice") == 1


# --- refused before anything is made ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 33, "a_b", ""])
def test_a_name_that_sagemaker_would_refuse_is_refused_first(accounts: Accounts, console: Console, name: str) -> None:
    calls = Calls()
    with pytest.raises(InputError):
        create.create(site(Account(calls.watch(accounts.session(accounts.number())))), Wish(name), console)
    assert calls.made == []


def test_wrong_answers_are_refused_all_at_once(accounts: Accounts, published: Account, console: Console) -> None:
    calls = Calls()
    wish = Wish("wrong", answers={"Ownr": "me", "StagingAccountId": "12", "ConnectionArn": "arn:aws:s3:::b"})
    with pytest.raises(InputError) as caught:
        create.create(watched(accounts, published, calls), wish, console)
    assert len(caught.value.problems) == 3
    assert calls.writes == []


def test_a_product_that_nobody_published_is_said(account: Account, console: Console) -> None:
    with pytest.raises(ProductError, match="Either nobody has published it"):
        run(account, console, "early")


def test_a_template_that_nobody_published_to_s3_is_said(account: Account, console: Console) -> None:
    with pytest.raises(ProductError, match=r'Somebody has to publish it: make publish ARGS="--channel s3 --region'):
        run(account, console, "early", channel="s3")


def test_versions_are_chosen_by_name_and_retired_ones_are_not_offered(
    account: Account, source: Source, console: Console
) -> None:
    wish = publish.Wish(Words(names.PRODUCT), version="1.0", pause=0.02)
    publish.publish([account], source, wish, console)
    publish.publish([account], source, replace(wish, version="1.1", retired=("1.0",)), console)
    catalog = site(account).catalog
    product = catalog.offered(names.PRODUCT)
    versions = catalog.versions(product)
    assert create.choose(versions, "", product).name == "1.1"
    assert create.choose(versions, "1.1", product).name == "1.1"
    with pytest.raises(ProductError, match=r"Version 1\.0 .* is retired; there is 1\.1"):
        create.choose(versions, "1.0", product)
    with pytest.raises(ProductError, match=r"has no version 1\.2; did you mean '1\.1'"):
        create.choose(versions, "1.2", product)


# --- failures --------------------------------------------------------------------------------------------------------


def test_answers_that_do_not_go_together_are_refused_before_anything_is_made(
    accounts: Accounts, published: Account, console: Console
) -> None:
    calls = Calls()
    wish = Wish("half", answers={"StagingAccountId": "222222222222"})
    with pytest.raises(InputError, match="ProdAccountId must be given when StagingAccountId is"):
        create.create(watched(accounts, published, calls), wish, console)
    assert calls.writes == []


def test_who_may_not_read_the_template_is_told_so_and_then_by_cloudformation(
    accounts: Accounts, published: Account, console: Console, printed: Callable[[], str]
) -> None:
    blind = site(Account(deny(accounts.session(published.id), "s3.GetObject")))
    wish = Wish("alone", answers={"StagingAccountId": "222222222222"})
    _, note, roles = create.create(blind, wish, console, only_plan=True)
    assert (note.action, note.kind, note.name) == ("note", "rules", "not checked")
    assert (roles.kind, roles.name) == ("roles", "staging in 222222222222")
    assert re.match(r"you may not read s3://\S+/templates/\S+ \(s3:GetObject\); CloudFormation checks", note.detail)
    console.file.flush()
    assert told(printed())["checked"] == "25 answers one by one; not which go together"
    with pytest.raises(ProjectError, match=r"ProdAccountId must be given(.|\n)*make delete NAME=alone ARGS=\"--region"):
        create.create(blind, wish, console)
    with pytest.raises(ProjectError, match=r"already, in CreateFailed(.|\n)*make delete NAME=alone"):
        run(published, console, "alone")


def test_roles_that_a_stage_lacks_are_named_before_anything_is_made(
    account: Account, source: Source, accounts: Accounts, console: Console
) -> None:
    stages = {"staging": accounts.new(), "prod": accounts.new()}
    publish.publish([account], source, publish.Wish(Words(names.PRODUCT), stage_accounts=stages, pause=0.02), console)
    assert [change.kind for change in run(account, console, "apart", only_plan=True)] == ["project"]
    both = {"StagingAccountId": stages["staging"].id, "ProdAccountId": account.id}
    calls = Calls()
    with pytest.raises(ProductError) as caught:
        create.create(watched(accounts, account, calls), Wish("here", answers=both), console)
    told = str(caught.value)
    roles = ", ".join(f"sagemaker-prod-{purpose}" for purpose in ("deploy", "cloudformation", "endpoint", "verify"))
    assert f"Account {account.id} lacks {roles}, without which" in told
    assert f'make publish ARGS="--stage-account prod={account.id} --region' in told
    assert calls.writes == []


def test_an_account_that_publish_never_named_is_noted(
    published: Account, accounts: Accounts, console: Console, printed: Callable[[], str]
) -> None:
    both = {"StagingAccountId": accounts.number(), "ProdAccountId": published.id}
    _, note = run(published, console, "far", only_plan=True, answers=both)
    assert (note.action, note.kind, note.name) == ("note", "roles", f"staging in {both['StagingAccountId']}")
    console.file.flush()
    command = f'make publish ARGS="--plan --stage-account staging={both["StagingAccountId"]} --region'
    assert command in printed()


def test_who_may_not_read_roles_is_told_that_nobody_looked(
    accounts: Accounts, published: Account, console: Console
) -> None:
    blind = site(Account(deny(accounts.session(published.id), "iam.GetRole")))
    _, *found = create.create(blind, Wish("unseen"), console, only_plan=True)
    assert [(note.action, note.kind, note.name) for note in found] == [
        ("note", "roles", "staging"),
        ("note", "roles", "prod"),
    ]


def test_the_words_about_a_failure_name_the_channel(published: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Site, "settled", lambda *_: None)
    with pytest.raises(ProjectError, match=r"make create NAME=gone ARGS=\".*--channel s3"):
        create._require_complete(site(published), Wish("gone", channel="s3"), lambda _: None)


# --- a project that is there already ---------------------------------------------------------------------------------


def test_other_answers_for_a_project_that_is_there_are_not_ignored(
    published: Account, console: Console, printed: Callable[[], str], project_folder: Path
) -> None:
    run(published, Console(quiet=True), "there", answers={"Owner": "me"})
    run(published, console, "there", answers={"Owner": "me"})
    console.file.flush()
    assert "git clone" in printed()
    assert "The first training has started" not in printed()
    with pytest.raises(ProjectError) as caught:
        run(published, console, "there", answers={"Owner": "you"}, version="9", folder=project_folder)
    assert re.search(r"Owner is 'me', not 'you'; its version is \d+\.\d\S*, not 9; ", str(caught.value))
    assert ", not 9; its repository was not begun with what is in" in str(caught.value)
    assert 'make upgrade NAME=there ARGS="--parameter Owner=you --version 9 --region' in str(caught.value)


def test_a_project_whose_upgrade_failed_is_not_to_be_deleted(
    published: Account, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Project("sound", "p-1", "arn", "UpdateFailed", message="no such role")
    monkeypatch.setattr(Studio, "project", lambda *_: failed)
    with pytest.raises(ProjectError, match=r"in UpdateFailed: no such role\n.*make upgrade NAME=sound") as caught:
        run(published, console, "sound")
    assert "make delete" not in str(caught.value)


# --- other seeds and channels ----------------------------------------------------------------------------------------


def test_a_project_starts_from_a_folder_that_was_baked_here(
    published: Account, console: Console, project_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "baked"
    subprocess.run(["cp", "-r", str(project_folder), str(folder)], check=True)
    (folder / "mine.txt").write_text("kept")
    run(published, console, "from-folder", folder=folder)
    found = site(published).studio.project("from-folder")
    stack = site(published).stack(found) if found else None
    assert stack and stack.parameters["SeedKey"].startswith("seeds/")
    clone = ["git", "clone", "--quiet", stack.outputs["RepositoryUrl"], str(tmp_path / "clone")]
    subprocess.run(clone, check=True, capture_output=True)
    assert (tmp_path / "clone" / "mine.txt").read_text() == "kept"


def test_the_s3_channel_makes_a_project_from_the_template_in_the_bucket(
    account: Account, source: Source, console: Console
) -> None:
    wish = publish.Wish(Words(names.PRODUCT), channels=("s3",), pause=0.02)
    client = account.client("sagemaker")
    settings = {"ExecutionRole": f"arn:aws:iam::{account.id}:role/service-role/AmazonSageMaker-ExecutionRole-1"}
    domain = client.create_domain(
        DomainName="studio", AuthMode="IAM", DefaultUserSettings=settings, SubnetIds=["subnet-1"], VpcId="vpc-1"
    )["DomainArn"]
    publish.publish([account], source, wish, console)
    tags = {tag["Key"]: tag["Value"] for tag in client.list_tags(ResourceArn=domain)["Tags"]}
    bucket = names.account_bucket(account.id, account.region)
    assert tags["sagemaker:projectS3TemplatesLocation"] == f"s3://{bucket}/studio/"
    assert {change.action for change in publish.publish([account], source, wish, console)} == {"keep"}
    marks = account.client("s3").get_object_tagging(Bucket=bucket, Key="studio/ml-project.yaml")["TagSet"]
    assert marks == [{"Key": "sagemaker:studio-visibility", "Value": "true"}]
    run(account, console, "by-s3", channel="s3", answers={"Owner": "me"})
    project = site(account).studio.project("by-s3")
    assert project and project.is_complete and project.template
    stack = site(account).stack(project)
    assert stack and stack.parameters["Owner"] == "me"
