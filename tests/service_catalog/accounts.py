"""Accounts in the emulator, sessions that die after a call of choice, and what an account holds, without its ids."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from service_catalog import names
from service_catalog.aws.account import Account, pages
from tests.service_catalog.stubs import REGION

READS = ("Describe", "List", "Get", "Head", "Search", "Assume")


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it."""


@dataclass(frozen=True)
class Accounts:
    """Makes accounts; `folder` is where profiles are written."""

    number: Callable[[], str]
    folder: Path

    def new(self, region: str = REGION, number: str = "") -> Account:
        """An account that holds nothing yet, or the one of that number."""
        return Account(self.session(number or self.number()), region)

    def session(self, number: str) -> Any:
        """A session of an account's root."""
        return boto3.Session(aws_access_key_id=number, aws_secret_access_key="x", region_name=REGION)  # noqa: S106

    def profile(self, name: str, number: str, region: str = REGION) -> None:
        """Add a profile to this test's configuration."""
        lines = [
            f"[profile {name}]",
            f"region = {region}",
            f"aws_access_key_id = {number}",
            "aws_secret_access_key = x",
            "",
        ]
        with (self.folder / "config").open("a", encoding="utf-8") as file:
            file.write("\n".join(lines))


class _Raw:
    """The body of an answer."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> list[bytes]:
        return [self._content]


def refusal(request: Any, code: str, status: int) -> AWSResponse:
    """An answer of AWS that says no, in the form of JSON and of XML services alike."""
    if "json" in str(request.headers.get("Content-Type", "")):
        body = json.dumps({"__type": code, "message": "You may not"})
    else:
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>You may not</Message></Error></ErrorResponse>"
    return AWSResponse(request.url, status, {}, _Raw(body.encode()))


def deny(session: Any, call: str) -> Any:
    """The session, in which this call, such as sts.AssumeRole, is denied."""
    session.events.register(f"before-send.{call}", lambda request, **_: refusal(request, "AccessDenied", 403))
    return session


@dataclass
class Calls:
    """Every call that a session makes; the session is killed after the write of number `last`.

    To be killed after a read is the same as after the write before it: how often a stack is looked at is a matter of
    chance.
    """

    last: int = 0

    def __post_init__(self) -> None:
        self.made: list[str] = []

    def watch(self, session: Any) -> Any:
        """Watch this session's calls."""
        session.events.register("after-call", self._after)
        return session

    def _after(self, model: Any, **_: Any) -> None:
        self.made.append(str(model.name))
        if model.name in self.writes and len(self.writes) == self.last:
            raise Killed(f"after write {self.last}, {model.name}")

    @property
    def writes(self) -> list[str]:
        """Those that change something."""
        return [name for name in self.made if not name.startswith(READS)]


def contents(account: Account) -> dict[str, Any]:
    """What publish makes, as it is in an account: equal for equal accounts, whatever their numbers and ids."""
    found = {"stacks": _stacks(account), "objects": _objects(account), "products": _products(account)}
    return json.loads(_anonymous(json.dumps(found, sort_keys=True), account.id))  # type: ignore[no-any-return]


def _anonymous(text: str, account: str) -> str:
    text = text.replace(account, "<account>")
    text = re.sub(r"\b(port|prod|pa|cons|tag)-[0-9a-z]{13}\b", r"<\1>", text)
    return re.sub(r"templates/[0-9a-f]{16}/|sha256:[0-9a-f]{64}", "<hash>", text)


def _stacks(account: Account) -> list[Any]:
    found = pages(account.client("cloudformation"), "describe_stacks", "Stacks")
    return sorted(
        [item["StackName"], item["StackStatus"], item.get("Parameters"), item.get("Outputs")] for item in found
    )


def _objects(account: Account) -> list[Any]:
    bucket = names.account_bucket(account.id, account.region)
    return sorted(item["Key"] for item in pages(account.client("s3"), "list_objects_v2", "Contents", Bucket=bucket))


def _products(account: Account) -> list[Any]:
    client = account.client("servicecatalog")
    found = []
    for item in pages(client, "search_products_as_admin", "ProductViewDetails"):
        id_ = item["ProductViewSummary"]["ProductId"]
        versions = client.list_provisioning_artifacts(ProductId=id_)["ProvisioningArtifactDetails"]
        portfolios = [
            one["Id"] for one in pages(client, "list_portfolios_for_product", "PortfolioDetails", ProductId=id_)
        ]
        constraints = [
            client.describe_constraint(Id=one["ConstraintId"])["ConstraintParameters"]
            for portfolio in portfolios
            for one in pages(
                client, "list_constraints_for_portfolio", "ConstraintDetails", PortfolioId=portfolio, ProductId=id_
            )
        ]
        tags = client.describe_product_as_admin(Id=id_)["Tags"]
        words = [[one["Name"], one["Description"], one["Active"]] for one in versions]
        found.append([item["ProductViewSummary"]["Name"], words, portfolios, constraints, tags])
    return found
