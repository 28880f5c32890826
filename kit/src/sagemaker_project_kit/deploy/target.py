"""Where verify sends requests: a SageMaker endpoint, an asynchronous one, or a server on this machine.

An answer is an answer whatever its status: nothing here tries again or raises for a 500. Each thread keeps its own
connection alive, so that a load measures predictions and not handshakes.
"""

import http.client
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_project_kit.deploy.errors import StoreError, VerifyError
from sagemaker_project_kit.deploy.store import Store

# Servers close idle connections (uvicorn after 5 s); using one at that very moment would look like a failure.
_IDLE_SECONDS = 2.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Answer:
    """`status` as in HTTP; 0 if there was no answer, and then `body` says why. `seconds` from request to answer."""

    status: int
    body: bytes
    content_type: str
    seconds: float

    @property
    def kind(self) -> str:
        """The content type without parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def excerpt(self) -> str:
        return self.body[:200].decode("utf-8", "replace")


class Target(Protocol):
    """Something that answers predictions."""

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """One prediction, without an Accept header if `accept` is empty. Called from several threads."""


class EndpointTarget:
    """A real-time or serverless endpoint, through InvokeEndpoint. `variant`: the one to ask, if there are several."""

    def __init__(self, runtime: Any, name: str, variant: str = "") -> None:
        self._runtime = runtime
        self._where = {"EndpointName": name} | ({"TargetVariant": variant} if variant else {})

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        started = time.perf_counter()
        try:
            wanted = {"Accept": accept} if accept else {}
            response = self._runtime.invoke_endpoint(**self._where, Body=body, ContentType=content_type, **wanted)
            text, kind, status = response["Body"].read(), response.get("ContentType", ""), 200
        except ClientError as error:
            text, kind, status = _of_error(error)
        except BotoCoreError as error:  # no connection, or none in time
            text, kind, status = str(error).encode(), "", 0
        return Answer(status, text, kind, time.perf_counter() - started)


def _of_error(error: ClientError) -> tuple[bytes, str, int]:
    """ModelError carries what the container answered (InvokeEndpoint in the API reference)."""
    response = error.response
    status = response.get("OriginalStatusCode") or response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = response.get("OriginalMessage") or response.get("Error", {}).get("Message", "")
    return str(message).encode(), "", int(status)


class AsyncTarget:
    """An asynchronous endpoint: the request goes to S3, the answer comes back there, or an error beside it."""

    def __init__(
        self,
        runtime: Any,
        store: Store,
        name: str,
        prefix: str,
        wait: float,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runtime, self._store, self._name, self._prefix = runtime, store, name, prefix.rstrip("/")
        self._wait, self._sleep = wait, sleep

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        started = time.perf_counter()
        request = f"{self._prefix}/verify/{uuid.uuid4()}"
        self._store.write(request, body.decode("utf-8"))
        try:
            response = self._runtime.invoke_endpoint_async(
                EndpointName=self._name, InputLocation=request, ContentType=content_type, Accept=accept
            )
        except ClientError as error:
            text, kind, status = _of_error(error)
            return Answer(status, text, kind, time.perf_counter() - started)
        return self._await(response["OutputLocation"], response.get("FailureLocation", ""), accept, started)

    def _await(self, output: str, failure: str, accept: str, started: float) -> Answer:
        while True:
            for uri, status in ((output, 200), (failure, 400)):
                text = self._find(uri)
                if text is not None:
                    return Answer(status, text.encode(), accept if status == 200 else "", time.perf_counter() - started)
            elapsed = time.perf_counter() - started
            if elapsed > self._wait:
                return Answer(0, f"no answer at {output} within {self._wait:g} s".encode(), "", elapsed)
            self._sleep(1.0)

    def _find(self, uri: str) -> str | None:
        try:
            return self._store.read(uri) if uri else None
        except StoreError:
            return None


class ServerTarget:
    """A server on this machine, over plain HTTP on loopback: such as that of `make serve`. Nothing else."""

    def __init__(self, url: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or parts.port is None:
            raise VerifyError(
                f"the target must be a server on this machine, such as http://127.0.0.1:8080; found {url!r}"
            )
        self._host, self._port, self._timeout = parts.hostname, parts.port, timeout
        self._local = threading.local()

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        started = time.perf_counter()
        try:
            status, text, kind = self._post(
                body, {"Content-Type": content_type} | ({"Accept": accept} if accept else {})
            )
        except (OSError, http.client.HTTPException) as error:
            self._close()
            status, text, kind = 0, f"{type(error).__name__}: {error}".encode(), ""
        return Answer(status, text, kind, time.perf_counter() - started)

    def _post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, str]:
        connection = self._connection()
        connection.request("POST", "/invocations", body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get("Content-Type", "")

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's own, afresh if it has not been used for a while."""
        now = time.monotonic()
        if now - getattr(self._local, "used", now - 2 * _IDLE_SECONDS) > _IDLE_SECONDS:
            self._close()
            self._local.connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        self._local.used = now
        connection: http.client.HTTPConnection = self._local.connection
        return connection

    def _close(self) -> None:
        connection = self._local.__dict__.pop("connection", None)
        self._local.__dict__.pop("used", None)
        if connection is not None:
            connection.close()
