"""Calls that go wrong on request: refused as AWS refuses them, or held until whoever asked for it has seen enough.

PUT /_faults takes a JSON list of wishes, which replaces the one before; what stands in both goes on. GET /_faults gives
them back, each with how many calls it has `met` and how many it is `holding`. A wish names an `operation` and what
becomes of the call:

    {"operation": "StartPipelineExecution", "caller": "release", "code": "ThrottlingException", "times": 4}
    {"operation": "DescribeModelPackage", "hold": "passes"}

`caller` is a part of the ARN of who calls, `after` how many such calls come before the first that it concerns, `times`
how many it concerns (all, unless given). A call that is held goes on once its wish is taken back: it `passes`, or it is
`lost` on its way, as that of a program that was killed. If its caller gives up meanwhile, it is lost as well. Calls of
REST services name no operation and are never met.
"""

import asyncio
import json
import urllib.parse
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from . import seams
from .service import mount

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_QUERY = "application/x-www-form-urlencoded"
_DEFAULT = "Rate exceeded"


@dataclass(frozen=True)
class Wish:
    """What shall become of calls of one operation."""

    operation: str
    caller: str = ""
    code: str = ""
    message: str = _DEFAULT
    status: int = 400
    after: int = 0
    times: int | None = None
    hold: str = ""


@dataclass(eq=False)
class Standing:
    """A wish while it stands; `over` is set when it is taken back."""

    wish: Wish
    seen: int = 0
    met: int = 0
    holding: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def concerns(self, operation: str, principal: str) -> bool:
        """Whether a call of this principal is one of those that are meant. It counts those that come."""
        if operation != self.wish.operation or self.wish.caller not in principal:
            return False
        self.seen += 1
        return self.seen > self.wish.after and (self.wish.times is None or self.met < self.wish.times)

    def told(self) -> Message:
        """The wish, and what came of it so far."""
        return asdict(self.wish) | {"met": self.met, "holding": self.holding}


_standing: list[Standing] = []


async def served(scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> Receive | None:
    """Answer a call that somebody wished ill and return None; for any other, what its body can be received from."""
    if not _standing:
        return receive
    operation, receive = await _operation(headers, receive)
    principal = str((seams.session(seams.caller_key.get()) or {}).get("Arn", ""))
    found = next((each for each in _standing if each.concerns(operation, principal)), None)
    if found is None:
        return receive
    found.met += 1
    if found.wish.hold:
        receive, is_there = await _held(found, receive)
        if found.wish.hold == "passes" and is_there:
            return receive
    await _refuse(found.wish, is_json="x-amz-target" in headers, send=send)
    return None


async def _held(standing: Standing, receive: Receive) -> tuple[Receive, bool]:
    """Hold a call until its wish is taken back; whether its caller still waits then."""
    body = await _body(receive)
    over, gone = asyncio.create_task(standing.over.wait()), asyncio.create_task(_left(receive))
    standing.holding += 1
    try:
        await asyncio.wait((over, gone), return_when=asyncio.FIRST_COMPLETED)
        return _again(body, receive), not gone.done()
    finally:
        standing.holding -= 1
        over.cancel()
        gone.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _operation(headers: dict[str, str], receive: Receive) -> tuple[str, Receive]:
    """The operation of a call, and its body to be received once more."""
    target = headers.get("x-amz-target", "")
    if target or not headers.get("content-type", "").startswith(_QUERY):
        return target.rpartition(".")[2], receive
    body = await _body(receive)
    fields = urllib.parse.parse_qs(body.decode(errors="replace"))
    return fields.get("Action", [""])[0], _again(body, receive)


def _again(body: bytes, receive: Receive) -> Receive:
    """What a body that was received can be received from once more, and after it what follows."""
    left = [body]

    async def again() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return again


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _refuse(wish: Wish, *, is_json: bool, send: Send) -> None:
    """An error as AWS's JSON and Query protocols write it; a call that is lost is one that the network broke off."""
    code = wish.code or "InternalFailure"
    if is_json:
        content, kind = json.dumps({"__type": code, "message": wish.message}), "application/x-amz-json-1.1"
    else:
        error = f"<Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(wish.message)}</Message>"
        content = f"<ErrorResponse><Error>{error}</Error><RequestId>fault</RequestId></ErrorResponse>"
        kind = "text/xml"
    await _answer(send, wish.status, kind, content)


async def _answer(send: Send, status: int, kind: str, content: str) -> None:
    headers = [(b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content.encode()})


async def _administer(scope: Message, receive: Receive, send: Send) -> None:
    """GET or PUT /_faults."""
    if scope["method"] == "PUT":
        wanted, before = [Wish(**each) for each in json.loads(await _body(receive))], list(_standing)
        kept = {each.wish: each for each in before if each.wish in wanted}
        _standing[:] = [kept.get(wish) or Standing(wish) for wish in wanted]
        for each in before:
            if each not in _standing:
                each.over.set()
    await _answer(send, 200, "application/json", json.dumps([each.told() for each in _standing]))


mount("/_faults", _administer)
