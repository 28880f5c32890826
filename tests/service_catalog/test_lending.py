"""What other accounts are told to add: by publish, create and doctor; and what is kept that nobody says again."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from rich.console import Console

from service_catalog import create, doctor, lending, names, publish
from service_catalog.aws.account import Account
from service_catalog.errors import InputError
from service_catalog.lending import Borrower
from service_catalog.offering import Words
from service_catalog.release import Source
from service_catalog.waiting import Site

WISH = publish.Wish(Words(names.PRODUCT), pause=0.05)
APART = {"data": "444444444444", "artifacts": "555555555555", "operations": "666666666666"}
ELSEWHERE = replace(WISH, parts=APART)


def documents(text: str) -> list[dict[str, object]]:
    """Every policy that stands in what was printed."""
    decoder, found = json.JSONDecoder(), []
    while (start := text.find('{\n  "Version"')) >= 0:
        document, end = decoder.raw_decode(text[start:])
        found.append(document)
        text = text[start + end :]
    return found


def test_all_in_one_account_ask_nobody_for_anything() -> None:
    borrower = Borrower("111111111111", "eu-west-1")
    assert list(lending.notes(borrower, dict.fromkeys(names.PARTS, "111111111111"), ["a"])) == []
    assert list(lending.notes(borrower, dict.fromkeys(names.PARTS, ""), ["a"])) == []


def test_each_bucket_is_asked_for_and_their_key_once() -> None:
    borrower = Borrower("111111111111", "eu-west-1", project="p-1", stages=("222222222222", "333333333333"))
    found = list(lending.notes(borrower, {"data": APART["data"]}, ["a", "b"]))
    assert [note.name for note in found] == ["bucket a", "bucket b", "key of these buckets"]
    (document,) = documents(found[1].command)
    assert document == {"Version": "2012-10-17", "Statement": lending.data_bucket(replace(borrower, stages=()), "b")}
    assert "222222222222" not in found[1].command, "jobs run in the tooling account alone"
    assert ":role/sagemaker-projects/sagemaker-p-1-jobs" in found[1].command


def test_publish_stamps_the_accounts_and_tells_what_they_add(
    account: Account, source: Source, console: Console, printed: Callable[[], str]
) -> None:
    publish.publish([account], source, ELSEWHERE, console)
    template = publish.release_for(account, source, ELSEWHERE).template
    assert {part: template.stamp(f"{part} account") for part in names.PARTS} == APART
    text = printed()
    assert text.count("# bucket BUCKET, account 444444444444:") == 1
    borrower = Borrower(account.id, account.region)
    assert documents(text)[-1]["Statement"] == lending.event_bus(borrower, APART["operations"])
    kept = publish.find_kept(account, WISH)
    assert kept.parts == APART
    assert {line.name for line in kept.lines(account)} == {f"{part} account" for part in names.PARTS}


def test_a_part_comes_back_to_the_tooling_account_on_request(
    account: Account, source: Source, console: Console
) -> None:
    publish.publish([account], source, ELSEWHERE, console)
    publish.publish([account], source, replace(WISH, parts=dict.fromkeys(names.PARTS, account.id)), console)
    assert publish.find_kept(account, WISH).parts == {}


def test_an_account_is_twelve_digits(account: Account, source: Source, console: Console) -> None:
    with pytest.raises(InputError, match="--data-account 'lake' must be 12 digits"):
        publish.publish([account], source, replace(WISH, parts={"data": "lake"}), console)


def test_a_project_that_reads_elsewhere_is_told_the_policies_and_so_does_doctor(
    published: Account, console: Console, printed: Callable[[], str]
) -> None:
    answers = {"DataBucket": "lake-raw,lake-curated", "DataAccountId": APART["data"]}
    site = Site(published, 0.05)
    create.create(site, create.Wish("reads", answers=answers), console)
    project = site.studio.project("reads")
    assert project
    borrower = Borrower(published.id, published.region, project=project.id)
    wanted = [*(lending.data_bucket(borrower, bucket) for bucket in answers["DataBucket"].split(","))]
    wanted.append(lending.data_key(borrower))
    assert [document["Statement"] for document in documents(printed())] == wanted
    found = [one for one in doctor.examine(doctor.Patient(published)) if one.subject == "other account"]
    assert [documents(one.command)[0]["Statement"] for one in found if one.text.startswith("reads ")] == wanted
    assert all(one.level == "note" for one in found)
