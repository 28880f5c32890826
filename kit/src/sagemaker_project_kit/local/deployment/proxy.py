"""What stands before the fleets of an endpoint: an ASGI application that hands each request to one of them, by weight.

It shares requests out evenly (the smooth round robin of nginx), so that 10 % is every tenth request and not chance. It
keeps connections to the fleets open, changes neither requests nor answers, and never tries a prediction twice once a
fleet may have begun it. Clients come through uvicorn, so that their HTTP is parsed by a library made for it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from sagemaker_project_kit.local.serving.gateway import Message, Receive, Send

# InvokeEndpoint gives a container 60 s ("Amazon SageMaker API reference", InvokeEndpoint).
_TIMEOUT = 60.0
# uvicorn closes an idle connection after 5 s; one that old is not used any more.
_IDLE = 2.0
_HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_OWN = _HOP_BY_HOP | {b"host", b"content-length", b"expect"}
Headers = list[tuple[bytes, bytes]]


class StaleError(Exception):
    """A kept connection was closed by the fleet before the request reached it."""


@dataclass(frozen=True)
class Reply:
    """A fleet's answer."""

    status: int
    headers: Headers
    body: bytes


@dataclass
class Connection:
    """A connection to a fleet."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float = field(default_factory=time.monotonic)
    is_new: bool = True


@dataclass
class Backend:
    """The address of a fleet with its share of the traffic. `busy` counts requests under way."""

    name: str
    port: int
    weight: int = 0
    credit: int = 0
    busy: int = 0
    idle: list[Connection] = field(default_factory=list)

    async def send(self, request: bytes) -> Reply:
        """One exchange. Raises OSError or EOFError without an answer, ValueError for one that is no HTTP."""
        while True:
            connection = await self._connection()
            try:
                reply = await _exchange(connection, request)
            except StaleError:
                connection.writer.close()
                continue
            except BaseException:
                connection.writer.close()
                raise
            self._keep(connection, reply)
            return reply

    async def _connection(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if time.monotonic() - connection.used < _IDLE and not connection.reader.at_eof():
                connection.is_new = False
                return connection
            connection.writer.close()
        return Connection(*await asyncio.open_connection("127.0.0.1", self.port))

    def _keep(self, connection: Connection, reply: Reply) -> None:
        if (b"connection", b"close") in reply.headers:
            connection.writer.close()
        else:
            connection.used = time.monotonic()
            self.idle.append(connection)

    def close(self) -> None:
        """Close kept connections."""
        while self.idle:
            self.idle.pop().writer.close()


class Proxy:
    """The application. `seen` is told of every invocation: backend, status, milliseconds."""

    def __init__(self, seen: Callable[[str, int, float], None]) -> None:
        self.backends: list[Backend] = []
        self._seen = seen

    def route(self, weights: Mapping[str, int]) -> None:
        """Give each backend its weight; one that is not named gets no traffic."""
        for backend in self.backends:
            backend.weight, backend.credit = weights.get(backend.name, 0), 0

    def pick(self) -> Backend | None:
        """The backend whose turn it is."""
        total = sum(backend.weight for backend in self.backends)
        for backend in self.backends:
            backend.credit += backend.weight
        chosen = max((each for each in self.backends if each.weight), key=lambda each: each.credit, default=None)
        if chosen:
            chosen.credit -= total
        return chosen

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """ASGI entry point."""
        body = await _body(receive)
        if scope["method"] not in ("GET", "POST"):
            await _answer(send, _problem(405, "This endpoint takes GET /ping and POST /invocations."))
            return
        backend = self.pick()
        if backend is None:
            await _answer(send, _problem(503, "This endpoint has no fleet yet."))
            return
        backend.busy += 1
        started = time.perf_counter()
        try:
            reply = await _ask(backend, _request(scope, body))
        finally:
            backend.busy -= 1
        if scope["path"] == "/invocations":
            self._seen(backend.name, reply.status, (time.perf_counter() - started) * 1000)
        await _answer(send, reply)


async def _ask(backend: Backend, request: bytes) -> Reply:
    try:
        async with asyncio.timeout(_TIMEOUT):
            return await backend.send(request)
    except TimeoutError:
        return _problem(504, f"The model did not answer within {_TIMEOUT:g} s.")
    except (OSError, EOFError, ValueError) as error:
        return _problem(502, f"The model's server could not be reached: {type(error).__name__}.")


def _problem(status: int, text: str) -> Reply:
    return Reply(status, [(b"content-type", b"text/plain")], f"{text}\n".encode())


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    message: Message = {"more_body": True}
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _request(scope: MutableMapping[str, Any], body: bytes) -> bytes:
    target = scope.get("raw_path") or scope["path"].encode()
    if scope.get("query_string"):
        target += b"?" + scope["query_string"]
    headers = [(name, value) for name, value in scope["headers"] if name not in _OWN]
    headers += [(b"host", b"127.0.0.1"), (b"content-length", b"%d" % len(body))]
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    first: bytes = scope["method"].encode() + b" " + target + b" HTTP/1.1\r\n"
    return first + lines + b"\r\n" + body


async def _answer(send: Send, reply: Reply) -> None:
    kept = [(name, value) for name, value in reply.headers if name not in _HOP_BY_HOP | {b"content-length"}]
    kept.append((b"content-length", b"%d" % len(reply.body)))
    await send({"type": "http.response.start", "status": reply.status, "headers": kept})
    await send({"type": "http.response.body", "body": reply.body})


# --- HTTP/1.1 as uvicorn answers it ----------------------------------------------------------------------------------


async def _exchange(connection: Connection, request: bytes) -> Reply:
    try:
        connection.writer.write(request)
        await connection.writer.drain()
        head = await connection.reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        if not connection.is_new and not getattr(error, "partial", b""):
            raise StaleError from error
        raise
    status, headers = _head(head)
    return Reply(status, headers, await _reply_body(connection.reader, headers))


def _head(head: bytes) -> tuple[int, Headers]:
    first, *lines = head.split(b"\r\n")[:-2]
    pairs = (line.partition(b":") for line in lines)
    return int(first.split(b" ", 2)[1]), [(name.lower(), value.strip()) for name, _, value in pairs]


async def _reply_body(reader: asyncio.StreamReader, headers: Headers) -> bytes:
    known = dict(headers)
    if known.get(b"transfer-encoding", b"").lower() == b"chunked":
        return await _chunks(reader)
    return await reader.readexactly(int(known.get(b"content-length", b"0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        continue
    return b"".join(parts)
