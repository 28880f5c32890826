"""The page at /_look/: it shows what is there, leads to the logs of builds, and takes nothing as markup."""

import urllib.error
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kit.tests.waiting import PATIENCE, until
from tests.rehearsal.conftest import Account
from tests.rehearsal.served import GOOD, Hosting
from tests.rehearsal.test_clean_machine import build
from tests.rehearsal.test_codebuild import finished


def read(account: Account, path: str) -> str:
    with urllib.request.urlopen(f"{account.emulator.address}/_look/{path}", timeout=PATIENCE) as answer:  # noqa: S310
        return str(answer.read().decode())


class Links(HTMLParser):
    """Where a page leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]


def test_it_shows_what_is_there_and_leads_to_the_logs(account: Account) -> None:
    hosting = Hosting(account)
    hosting.endpoint("shown", hosting.config("shown", GOOD, 1))
    identifier = build(account, "echo '<b>a line of the build</b>'")
    assert finished(account, identifier)["buildStatus"] == "SUCCEEDED"
    page = read(account, "")
    shown = page[page.index(f"Account {account.id}") :]
    assert "shown" in shown
    assert "InService" in shown
    assert "models version 1" in shown
    unique = identifier.rpartition(":")[2]
    links = Links(page).found
    assert f"/_look/build/{unique}" in links
    assert [link for link in links if not link.startswith("/_look/")] == []
    assert "<b>a line of the build</b>" in read(account, f"build/{unique}")


def test_a_build_that_runs_shows_its_phase_and_last_line(account: Account, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = f"until test -e {gate}; do sleep 0.1; done"
    identifier = build(account, f"printf '\\033[1m<i>half way</i>\\033[0m\\n\\n'; {waits}")
    try:
        line = '<code class="dim">&lt;i&gt;half way&lt;/i&gt;</code>'
        page = until(lambda: text if line in (text := read(account, "")) else "")
    finally:
        gate.touch()
    assert "build, " in page[page.index(f"Account {account.id}") : page.index(line)]
    assert finished(account, identifier)["buildStatus"] == "SUCCEEDED"
    assert "half way" not in read(account, "")


def test_other_addresses_are_refused(account: Account) -> None:
    for path in ("build/nothing", "build/../../log", "etc"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            read(account, path)
