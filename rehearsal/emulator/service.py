"""What our AWS services are written with: operations, state per account and region, clients to this emulator, events.

    codecommit = Service("codecommit", target="CodeCommit_20150413")

    @codecommit.operation
    def get_repository(request):
        return {"repositoryMetadata": ...}

A module that does so is loaded by server.py when it lies in this package. An operation that a service has not is
moto's, where the service names a fallback, and otherwise an error.
"""

import base64
import contextvars
import datetime
import json
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import conformity, seams
from .clients import AwsError, address, caller, caller_client, client, role_of
from .seams import Asgi, Response, account, region
from .store import Store, on_restore

__all__ = [
    "AwsError",
    "HttpRequest",
    "Service",
    "Store",
    "account",
    "address",
    "admin",
    "caller",
    "caller_client",
    "client",
    "emit",
    "mount",
    "new_id",
    "on_restore",
    "region",
    "role_of",
    "spawn",
    "state_folder",
]

Request = dict[str, Any]
Operation = Callable[[Request], "Request | None"]
log = logging.getLogger("rehearsal")


@dataclass(frozen=True)
class HttpRequest:
    """A request to a REST operation; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, Sequence[str]]


Route = Callable[[HttpRequest, "re.Match[str]"], Response]
services: dict[str, "Service"] = {}
mounts: dict[str, Asgi] = {}
admin_routes: dict[str, Callable[[], object]] = {}
# Functions that give the tags of an ARN, for conditions on aws:ResourceTag; None for one that they do not know.
tag_finders: list[Callable[[str], "dict[str, str] | None"]] = []


def new_id(prefix: str = "", length: int = 13) -> str:
    """A new identifier as AWS makes them: the prefix, then lower case letters and digits."""
    return prefix + uuid.uuid4().hex[:length]


def state_folder(name: str) -> Path:
    """A folder under --state for the files of one service; made when missing."""
    folder = Path(os.environ["REHEARSAL_STATE"]) / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def camel(name: str) -> str:
    """The API's name of an operation: `create_project` is CreateProject."""
    return "".join(part.capitalize() for part in name.split("_"))


def _encode(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def to_json(document: object) -> bytes:
    """A response body; times are seconds since 1970, as AWS's JSON protocols have them."""
    return json.dumps(document, default=_encode).encode()


class NonconformingAnswerError(Exception):
    """A service of ours answered what botocore's model of it does not have."""


class Service:
    """An AWS service with JSON operations and, for REST services, routes; it registers itself.

    `target` is the prefix of X-Amz-Target; `fallback` the name under which moto has the rest; `aliases` are other names
    that clients sign with.
    """

    def __init__(self, name: str, target: str = "", fallback: str | None = None, aliases: Sequence[str] = ()) -> None:
        self.name, self.target, self.fallback = name, target, fallback
        self.operations: dict[str, Operation] = {}
        self.routes: list[tuple[str, re.Pattern[str], Route]] = []
        services[name] = self
        seams.register_service((name, *aliases), target, self._serve)

    def operation(self, function: Operation) -> Operation:
        """Let a function answer the operation of its name."""
        self.operations[camel(function.__name__)] = function
        return function

    def route(self, method: str, path: str) -> Callable[[Route], Route]:
        """Let a function(request, match) answer a REST client's call with (status, headers, body)."""

        def register(function: Route) -> Route:
            self.routes.append((method, re.compile(path), function))
            return function

        return register

    def call(self, operation: str, request: Request) -> Request:
        """Answer an operation in process, for the account and region being served: ours, else moto's."""
        ours = self.operations.get(operation)
        if ours is not None:
            return self._checked(operation, json.loads(to_json(ours(json.loads(to_json(request))) or {})))
        return self.moto(operation, request)

    def _checked(self, operation: str, answer: Request) -> Request:
        """The answer without what is None; a mistake of ours must not look like one of AWS's answers."""
        answer = {name: value for name, value in answer.items() if value is not None}
        found = conformity.problems(self.name, operation, answer)
        if found:
            raise NonconformingAnswerError(f"{self.name}:{operation}: {'; '.join(found)}")
        return answer

    def moto(self, operation: str, request: Request) -> Request:
        """Moto's answer, for an operation of which only a part is ours."""
        if self.fallback is None:
            raise AwsError("UnknownOperationException", f"{self.name}:{operation} is not part of the rehearsal.")
        scope = f"{account()}/20260101/{region()}/{self.name}/aws4_request"
        headers = {
            "x-amz-target": f"{self.target}.{operation}",
            "content-type": "application/x-amz-json-1.1",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        status, _, body = seams.moto(self.fallback, "POST", "/", headers, to_json(request))
        return _moto_answer(self.name, operation, status, body)

    def _serve(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        kind = headers.get("content-type", "application/x-amz-json-1.1")
        try:
            route = self._route(method, path)
            if route is not None:
                function, match = route
                return function(HttpRequest(method, path, headers, body, query), match)
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            return 200, {"Content-Type": kind}, to_json(self.call(operation, json.loads(body or b"{}")))
        except AwsError as error:
            document = to_json({"__type": error.code, "message": error.message, "Message": error.message})
            return error.status, {"Content-Type": kind, "x-amzn-ErrorType": error.code}, document
        except Exception:
            log.exception("service=%s path=%s target=%s", self.name, path, headers.get("x-amz-target"))
            raise

    def _route(self, method: str, path: str) -> tuple[Route, "re.Match[str]"] | None:
        for verb, pattern, function in self.routes:
            match = pattern.fullmatch(path) if verb == method else None
            if match:
                return function, match
        return None


def _moto_answer(service: str, operation: str, status: int, body: bytes) -> Request:
    try:
        document: Request = json.loads(body or b"{}")
    except ValueError:
        document = {}
    if status < 300:
        return document
    code = str(document.get("__type") or "").rpartition("#")[2]
    if not code:
        raise AwsError("UnknownOperationException", f"{service}:{operation} is not part of the rehearsal.")
    raise AwsError(code, str(document.get("message") or document.get("Message") or code), status)


# Work behind a call, events, what is not AWS's


def spawn(function: Callable[..., object], *arguments: object) -> None:
    """Run a function on a thread of its own for the same account, region and caller; a failure is logged."""
    context = contextvars.copy_context()

    def run() -> None:
        try:
            context.run(function, *arguments)
        except Exception:
            log.exception("spawned=%s arguments=%r", getattr(function, "__qualname__", function), arguments)

    threading.Thread(target=run, daemon=True, name=getattr(function, "__name__", "spawned")).start()


def emit(source: str, detail_type: str, detail: Mapping[str, object], resources: Sequence[str] = ()) -> None:
    """Put an event on the default bus, as an AWS service does."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail, default=_encode)}
    seams.put_events([{**entry, "Resources": list(resources)}])


def mount(prefix: str, application: Asgi) -> None:
    """Give every request whose path begins with a prefix to an ASGI application: git over HTTP, say."""
    mounts[prefix] = application


def admin(path: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Let a function without arguments answer GET on a path under /_rehearsal/ with a JSON document."""

    def register(function: Callable[[], object]) -> Callable[[], object]:
        admin_routes[path] = function
        return function

    return register


def wait_for(condition: Callable[[], object], seconds: float, every: float = 0.05) -> bool:
    """Whether a condition became true within a time; for background work of services."""
    waiting = threading.Event()
    for _ in range(max(1, int(seconds / every))):
        if condition():
            return True
        waiting.wait(every)
    return False


def pages(
    items: Sequence[Any], request: Request, *, size: str = "PageSize", marker: str = "PageToken"
) -> tuple[list[Any], str | None]:
    """One page of a list: the items after the token that the request carries, and the next token, None at the end."""
    start = int(request.get(marker) or 0)
    end = start + int(request.get(size) or len(items) or 1)
    return list(items[start:end]), str(end) if end < len(items) else None
