"""git over HTTP: what ordinary git sends is answered by git's own http-backend.

Who may reach which repository is for the services that mount this to say.
"""

import asyncio
import base64
import gzip
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator.codecommit.git import Repository, environment
from rehearsal.emulator.seams import Asgi
from rehearsal.emulator.service import log

Document = dict[str, Any]


class RefusedError(Exception):
    """A request that git must not see: HTTP status and a sentence. 401 makes git send the user name of the address."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names are in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def user(self) -> str:
        """The user name, empty if there is none."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        return base64.b64decode(value).decode("utf-8", "replace").partition(":")[0] if kind.lower() == "basic" else ""


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def application(handler: Callable[[Request], Answer]) -> Asgi:
    """An ASGI application whose requests `handler` answers, on threads; it may raise RefusedError."""

    async def serve(
        scope: Document, receive: Callable[[], Awaitable[Document]], send: Callable[[Document], Awaitable[None]]
    ) -> None:
        request = await _read(scope, receive)
        answer = await asyncio.to_thread(_guarded, handler, request)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    return serve


async def _read(scope: Document, receive: Callable[[], Awaitable[Document]]) -> Request:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = {key.decode().lower(): value.decode("latin-1") for key, value in scope["headers"]}
    return Request(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)


def _guarded(handler: Callable[[Request], Answer], request: Request) -> Answer:
    try:
        return handler(request)
    except RefusedError as error:
        ask = [("www-authenticate", 'Basic realm="access key or account"')] if error.status == 401 else []
        return Answer(error.status, [("content-type", "text/plain"), *ask], f"{error}\n".encode())


def call_git(git: Repository, rest: str, request: Request) -> Answer:
    """What git answers to a request for `rest` below a repository's address: info/refs, git-upload-pack …"""
    zipped = request.headers.get("content-encoding") == "gzip"
    body = gzip.decompress(request.body) if zipped else request.body
    variables = environment() | {
        "GIT_PROJECT_ROOT": str(git.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{git.path.name}/{rest}",
        "QUERY_STRING": request.query,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_USER": "rehearsal",
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    }
    result = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
    if result.stderr:
        log.warning("repository=%s git=%r", git.path.name, result.stderr.decode("utf-8", "replace"))
    return _parse(result.stdout)


def is_push(rest: str, request: Request) -> bool:
    """Whether a request writes, or asks what is there in order to write."""
    return rest == "git-receive-pack" or "service=git-receive-pack" in request.query


def _parse(output: bytes) -> Answer:
    """What a CGI program answers."""
    head, _, body = output.partition(b"\r\n\r\n")
    pairs = [line.decode("latin-1").partition(": ") for line in head.split(b"\r\n") if line]
    headers = [(name, value) for name, _, value in pairs]
    status = next((int(value.split()[0]) for name, value in headers if name.lower() == "status"), 200)
    kept = [(name, value) for name, value in headers if name.lower() != "status"]
    return Answer(status if output else 500, kept, body)
