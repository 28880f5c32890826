"""Throttling: a few refusals are lived through, endless ones end with words, and what was done stays done."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from rich.console import Console

from service_catalog import names, publish
from service_catalog.__main__ import main
from service_catalog.aws.account import Account
from service_catalog.offering import Words
from service_catalog.release import Source
from tests.service_catalog.accounts import Accounts, contents, refusal

WISH = publish.Wish(Words(names.PRODUCT), pause=0.02)


def throttling(times: int) -> Callable[..., AWSResponse | None]:
    """Refuse so many requests of each operation."""
    seen: dict[str, int] = {}

    def refuse(request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        seen[event_name] = seen.get(event_name, 0) + 1
        if seen[event_name] > times:
            return None
        return refusal(request, "ThrottlingException", 400)

    return refuse


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore waits up to 20 seconds between two tries."""
    rest = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: rest(min(seconds, 0.02)))


def test_each_operation_may_be_refused_some_times(
    accounts: Accounts, expected: dict[str, Any], source: Source, console: Console
) -> None:
    number = accounts.number()
    session = accounts.session(number)
    session.events.register("before-send.service-catalog", throttling(4))
    publish.publish([Account(session)], source, WISH, console)
    assert contents(accounts.new(number=number)) == expected


def test_endless_refusals_end_with_words_and_the_next_run_ends_the_work(
    accounts: Accounts,
    expected: dict[str, Any],
    source: Source,
    console: Console,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = accounts.number()
    session = accounts.session(number)
    session.events.register("before-send.service-catalog.CreateConstraint", throttling(10_000))
    monkeypatch.setattr(Source, "read", lambda: source)
    monkeypatch.setattr(Account, "opened", classmethod(lambda cls, profile="", region="": cls(session, region)))
    assert main(["publish", "--uncommitted"]) == 1
    said = capsys.readouterr().err
    assert "AWS still asks to slow down after 10 tries of CreateConstraint" in said
    assert "what is done stays done: run the same command again" in said
    publish.publish([accounts.new(number=number)], source, WISH, console)
    assert contents(accounts.new(number=number)) == expected
