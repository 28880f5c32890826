"""The kit in CodeArtifact: put in once, over the protocol of PyPI, and never replaced."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.kit import VENDOR
from service_catalog import publish
from service_catalog.aws.account import Account
from service_catalog.aws.packages import PACKAGE, TOKEN_SECONDS, Index
from service_catalog.errors import InputError, SourceError
from service_catalog.offering import Words
from service_catalog.publish import Wish
from service_catalog.release import Source
from tests.service_catalog.stubs import Call, stubbed

TOKEN = "token-that-nobody-may-see"  # noqa: S105 - stands for one
PLACE = {"domain": "example", "domainOwner": "444444444444", "repository": "python"}
DOMAIN = {"domain": "example", "domainOwner": "444444444444"}
(WHEEL,) = VENDOR.glob("*.whl")
VERSION = WHEEL.name.split("-")[1]
DIGEST = hashlib.sha256(WHEEL.read_bytes()).hexdigest()
LOOK = {**PLACE, "format": "pypi", "package": PACKAGE, "packageVersion": VERSION}
NOTHING = ("ResourceNotFoundException", "There is no such version", 404)


def assets(digest: str) -> dict[str, Any]:
    """What CodeArtifact tells of a version: a wheel, and something that was published beside it."""
    other = {"name": "other.tar.gz", "hashes": {"SHA-256": "0" * 64}}
    return {"assets": [other, {"name": WHEEL.name, "hashes": {"SHA-256": digest}}]}


class Uploads(BaseHTTPRequestHandler):
    """The PyPI endpoint of a repository."""

    status = 200
    received: list[Message]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\nAuthorization: {self.headers['Authorization']}\r\n\r\n"
        self.received.append(BytesParser().parsebytes(head.encode() + body))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


@contextmanager
def repository(status: int = 200) -> Iterator[tuple[str, list[Message]]]:
    """Its address, and what was sent to it."""
    received: list[Message] = []
    handler = type("ThisHandler", (Uploads,), {"status": status, "received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/pypi/python/", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def opened(address: str) -> tuple[Call, Call]:
    """The calls that an upload makes."""
    token = {**DOMAIN, "durationSeconds": TOKEN_SECONDS}
    return (
        ("get_authorization_token", token, {"authorizationToken": TOKEN}),
        ("get_repository_endpoint", {**PLACE, "format": "pypi"}, {"repositoryEndpoint": address}),
    )


def index(client: Any) -> Index:
    return Index(client, "example", "python", "444444444444")


@pytest.mark.parametrize(("answer", "there"), [(assets(DIGEST), True), (NOTHING, False), ({"assets": []}, False)])
def test_what_is_there_is_found_by_its_hash(answer: Any, there: bool) -> None:
    with stubbed("codeartifact", ("list_package_version_assets", LOOK, answer)) as client:
        assert index(client).holds(WHEEL) is there


def test_other_content_under_its_name_is_refused() -> None:
    refused = pytest.raises(SourceError, match=r"holds .*\.whl with other content .* give the kit a new version")
    with stubbed("codeartifact", ("list_package_version_assets", LOOK, assets("f" * 64))) as client, refused:
        index(client).holds(WHEEL)


def fields(message: Message) -> dict[str, Any]:
    """Name → value of a form."""
    parts = message.get_payload()
    assert isinstance(parts, list)
    names = [part.get_param("name", header="content-disposition") for part in parts if isinstance(part, Message)]
    values = [part.get_payload(decode=True) for part in parts if isinstance(part, Message)]
    return {str(name): value for name, value in zip(names, values, strict=True)}


def test_it_goes_in_as_every_python_package_does() -> None:
    with repository() as (address, received), stubbed("codeartifact", *opened(address)) as client:
        index(client).upload(WHEEL)
    [message] = received
    expected = base64.b64encode(f"aws:{TOKEN}".encode()).decode()
    assert message["Authorization"] == f"Basic {expected}"
    found = fields(message)
    assert (found["name"], found["version"]) == (PACKAGE.encode(), VERSION.encode())
    assert (found[":action"], found["filetype"]) == (b"file_upload", b"bdist_wheel")
    assert found["sha256_digest"].decode() == DIGEST
    assert found["content"] == WHEEL.read_bytes()


def test_a_refusal_is_told_without_the_token() -> None:
    look = ("list_package_version_assets", LOOK, NOTHING)
    refused = pytest.raises(SourceError, match=r"(?s)CodeArtifact example/python does not take .*403")
    with repository(403) as (address, _), stubbed("codeartifact", *opened(address), look) as client, refused as caught:
        index(client).upload(WHEEL)
    assert TOKEN not in str(caught.value)


def test_of_two_at_once_the_second_is_content() -> None:
    look = ("list_package_version_assets", LOOK, assets(DIGEST))
    with repository(409) as (address, _), stubbed("codeartifact", *opened(address), look) as client:
        index(client).upload(WHEEL)


# --- the lines of the plan -------------------------------------------------------------------------------------------


class Named(Account):
    """An account whose CodeArtifact is a stub."""

    def __init__(self, client: Any) -> None:
        self.stub = client

    def client(self, service: str) -> Any:
        assert service == "codeartifact"
        return self.stub

    @property
    def place(self) -> str:
        return "here"


WISH = Wish(Words("x"), index="example/python", index_owner="444444444444")


@pytest.mark.parametrize(("answer", "action"), [(assets(DIGEST), "keep"), (NOTHING, "create")])
def test_the_plan_says_whether_it_goes_in(answer: Any, action: str) -> None:
    with stubbed("codeartifact", ("list_package_version_assets", LOOK, answer)) as client:
        [line] = publish._index(Named(client), WISH)
    assert (line.action, line.name, bool(line.apply)) == (action, PACKAGE, action == "create")
    assert line.detail == f"in CodeArtifact example/python: {WHEEL.name}"


def test_without_one_nothing_is_asked() -> None:
    assert list(publish._index(Named(None), Wish(Words("x")))) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"index": "python"}, "--codeartifact 'python' must be DOMAIN/REPOSITORY"),
        ({"index": "Example/python"}, "must be DOMAIN/REPOSITORY"),
        ({"index": "example/python", "index_owner": "44"}, "must be the 12 digits of the account of the domain"),
        ({"index_owner": "444444444444"}, "--codeartifact-owner '444444444444' must be"),
    ],
)
def test_what_codeartifact_would_refuse_is_said_first(source: Source, given: dict[str, str], problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        publish._require_values(source, Wish(Words("x"), **given))  # type: ignore[arg-type]


def test_a_repository_that_is_not_there_is_told(tmp_path: Path) -> None:
    with stubbed("codeartifact") as client:

        def missing(**_: Any) -> None:
            response = {"Error": {"Code": "ResourceNotFoundException", "Message": "No repository python"}}
            raise client.exceptions.ResourceNotFoundException(response | {"resourceType": "repository"}, "List")

        client.list_package_version_assets = missing
        with pytest.raises(InputError, match="--codeartifact example/python: No repository python"):
            index(client).holds(WHEEL)
