"""Calls that go wrong on request: refused as AWS refuses them, or held until whoever asked for it has seen enough.

PUT /_faults takes a JSON list of wishes, which replaces the one before; GET /_faults gives them back, each with how
many calls it has `met` and how many it is `holding`. A wish names an `operation` and what becomes of the call:

    {"operation": "StartPipelineExecution", "caller": "release", "code": "ThrottlingException", "times": 4}
    {"operation": "DescribeModelPackage", "hold": "passes"}

`caller` is a part of the ARN of who calls, `times` how many calls it concerns (all, unless given). A call that is held
goes on once its wish is taken back: it `passes`, or it is `lost` on its way, as that of a program that was killed.
Calls of REST services, whose requests name no operation, are never met.
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


@dataclass
class Wish:
    """What shall become of calls of one operation."""

    operation: str
    caller: str = ""
    code: str = ""
    message: str = _DEFAULT
    status: int = 400
    times: int | None = None
    hold: str = ""
    met: int = 0
    holding: int = 0

    def concerns(self, operation: str, principal: str) -> bool:
        """Whether a call of this principal is one of those that are meant."""
        is_left = self.times is None or self.met < self.times
        return is_left and operation == self.operation and self.caller in principal


@dataclass
class Wishes:
    """The wishes of the moment; `over` is set when others take their place."""

    all: list[Wish] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)


_now = Wishes()


async def served(scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> Receive | None:
    """Answer a call that somebody wished ill and return None; for any other, what its body can be received from."""
    wishes = _now
    if not wishes.all:
        return receive
    operation, receive = await _operation(headers, receive)
    principal = str((seams.session(seams.caller_key.get()) or {}).get("Arn", ""))
    wish = next((each for each in wishes.all if each.concerns(operation, principal)), None)
    if wish is None:
        return receive
    wish.met += 1
    if wish.hold:
        await _held(wish, wishes)
    if wish.hold == "passes":
        return receive
    await _refuse(wish, is_json="x-amz-target" in headers, send=send)
    return None


async def _held(wish: Wish, wishes: Wishes) -> None:
    wish.holding += 1
    try:
        await wishes.over.wait()
    finally:
        wish.holding -= 1


async def _operation(headers: dict[str, str], receive: Receive) -> tuple[str, Receive]:
    """The operation of a call, and its body to be received once more."""
    target = headers.get("x-amz-target", "")
    if target or not headers.get("content-type", "").startswith(_QUERY):
        return target.rpartition(".")[2], receive
    body = await _body(receive)
    fields = urllib.parse.parse_qs(body.decode(errors="replace"))

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return fields.get("Action", [""])[0], again


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
    global _now
    if scope["method"] == "PUT":
        before, _now = _now, Wishes([Wish(**each) for each in json.loads(await _body(receive))])
        before.over.set()
    await _answer(send, 200, "application/json", json.dumps([asdict(wish) for wish in _now.all]))


mount("/_faults", _administer)
