"""The endpoint around a model's ASGI application: SageMaker's request limit and data capture, as ASGI middleware.

It changes neither requests nor responses. Only successful calls of POST /invocations are captured, after the response
is on its way.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from sagemaker_project_kit.local.serving.capture import Body, Capture

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# The payload limit of InvokeEndpoint in SageMaker's quotas for real-time endpoints.
MAX_BYTES = 6 * 1024 * 1024
# A client still sending sees a reset connection instead of an answer, so a body too large is read up to here.
_DRAINED_BYTES = 10 * MAX_BYTES


class DisconnectError(Exception):
    """The client went away before its request was complete."""


@dataclass
class Exchange:
    """What was seen of one response on its way out."""

    send: Send
    status: int = 0
    content_type: str = ""
    parts: list[bytes] = field(default_factory=list)

    async def forward(self, message: Message) -> None:
        """Remember a part of the response and pass it on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.content_type = header(message.get("headers") or [], b"content-type")
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
        await self.send(message)


class Gateway:
    """`application` behind the limit, and with `capture` if there is one."""

    def __init__(self, application: Application, capture: Capture | None, max_bytes: int = MAX_BYTES) -> None:
        self._application = application
        self._capture = capture
        self._max_bytes = max_bytes

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        if scope["type"] != "http" or scope["path"] != "/invocations" or scope["method"] != "POST":
            await self._application(scope, receive, send)
            return
        try:
            body = await _read(receive, self._max_bytes)
        except DisconnectError:
            return
        if body is None:
            await _refuse(send, self._max_bytes)
            return
        await self._invoke(scope, body, receive, send)

    async def _invoke(self, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        exchange = Exchange(send)
        await self._application(scope, _replay(body, receive), exchange.forward)
        if self._capture and 200 <= exchange.status < 300:
            request = Body(body, header(scope["headers"], b"content-type"))
            identifier = header(scope["headers"], b"x-amzn-sagemaker-inference-id")
            self._capture.write(request, Body(b"".join(exchange.parts), exchange.content_type), identifier)


def header(headers: Any, name: bytes) -> str:
    """The value of a header, or nothing."""
    return next((value.decode("latin-1") for key, value in headers if key.lower() == name), "")


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None if it is longer than `limit`. Raises DisconnectError."""
    parts: list[bytes] = []
    size, more = 0, True
    while more and size <= _DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectError
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts) if size <= limit else None


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one message, then whatever the client does next."""
    pending = [body]

    async def replayed() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return replayed


async def _refuse(send: Send, limit: int) -> None:
    text = f"The request is larger than the {limit // (1024 * 1024)} MB that SageMaker endpoints accept.\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
