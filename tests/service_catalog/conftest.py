"""An emulator for the tests of this folder, and accounts in it: any twelve digits are one, so each test has its own."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.host import Emulator, emulator
from service_catalog import names, publish
from service_catalog.aws.account import Account
from service_catalog.offering import Words
from service_catalog.publish import Wish
from service_catalog.release import Source
from service_catalog.seed import Seed, pack
from tests.numbers import next_account
from tests.service_catalog.accounts import Accounts, contents


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One emulator for all tests; it ends with them."""
    with emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture
def accounts(emulated: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Accounts:
    """Accounts that no other test uses; whatever AWS settings this machine has take no part."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulated.address)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return Accounts(next_account, tmp_path)


@pytest.fixture
def account(accounts: Accounts) -> Account:
    """A new, empty account."""
    return accounts.new()


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """What this repository publishes, with a seed so small that the build of a new project is over at once."""
    folder = tmp_path_factory.mktemp("seed")
    (folder / "README.md").write_text("A seed of the tests")
    small = Seed(pack(folder, [Path("README.md")]), 1, "the tests")
    return replace(Source.read(), seed=small)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """Writes to a file; `printed` reads it."""
    with (tmp_path / "printed").open("w", encoding="utf-8") as file:
        yield Console(file=file, width=200, highlight=False)


@pytest.fixture
def printed(tmp_path: Path) -> Callable[[], str]:
    """What the console has printed so far."""
    return (tmp_path / "printed").read_text


@pytest.fixture(scope="session")
def _published(emulated: Emulator, source: Source) -> tuple[Account, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", emulated.address)
        account = Accounts(next_account, Path()).new()
        publish.publish([account], source, Wish(Words(names.PRODUCT), pause=0.02), Console(quiet=True))
        for service in ("sagemaker", "cloudformation", "s3", "iam", "codepipeline"):
            account.client(service)
        return account, contents(account)


@pytest.fixture
def published(accounts: Accounts, _published: tuple[Account, dict[str, Any]]) -> Account:
    """An account where the product is published; tests make projects of their own in it, and change nothing else."""
    return _published[0]


@pytest.fixture
def expected(_published: tuple[Account, dict[str, Any]]) -> dict[str, Any]:
    """What an account holds after publish, and nothing else."""
    return _published[1]
