"""An ASGI application over the handler: /ping, /invocations, /execution-parameters, as SageMaker's containers do it.

For own containers and for serving on one's own machine (entry_points/app.py). It takes its model from
SM_MODEL_DIR. It refuses frameworks: reading a body and answering is all that an endpoint does.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from sagemaker_project_runtime.serving import payload
from sagemaker_project_runtime.serving.inference import Model, Refusal, input_fn, model_fn, output_fn, predict_fn

MODEL_DIR = "/opt/ml/model"
# What stands for a missing Accept, and for one that does not care, as in AWS's toolkit (sagemaker_containers._worker,
# Request.accept): JSON, unless the model's environment says otherwise.
DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
MAX_BODY = 100 * 1024 * 1024  # what batch transform sends at most; InvokeEndpoint stops at 6 MB (25 MB since 2025)
ROUTES = {"/ping": "GET", "/execution-parameters": "GET", "/invocations": "POST"}
# What a batch job that sets nothing asks a container for (developer guide, "Use your own inference code with batch
# transform"): this server works on one request at a time.
PARAMETERS = b'{"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}'

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientLeftError(Exception):
    """The caller hung up while sending: there is nobody to answer."""


def answer(model: Model, body: bytes, content_type: str, accept: str) -> tuple[int, str, bytes]:
    """Status, content type and body for one invocation."""
    result = output_fn(predict_fn(input_fn(body, content_type), model), accept)
    if isinstance(result, Refusal):
        return result.status, payload.JSON, result.body.encode("ascii")
    text, kind = result
    return 200, kind, text.encode("utf-8")


class Application:
    """The model is loaded when the server starts (ASGI lifespan), or at the first request where servers skip that."""

    def __init__(self, model_dir: str | None = None) -> None:
        self.model_dir = model_dir
        self.model: Model | None = None

    def load(self) -> Model:
        if self.model is None:
            self.model = model_fn(self.model_dir or os.environ.get("SM_MODEL_DIR", MODEL_DIR))
        return self.model

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await _respond(send, *await self.handle(scope, receive))
            except ClientLeftError:
                return
        elif scope["type"] == "lifespan":
            await self.live(receive, send)

    async def handle(self, scope: Message, receive: Receive) -> tuple[int, str, bytes]:
        method = ROUTES.get(scope["path"])
        if method is None:
            return _refuse(404, f"there is no {scope['path']!r} here: GET /ping and POST /invocations are.")
        if scope["method"] != method:
            return _refuse(405, f"{scope['path']} takes {method}, not {scope['method']}.")
        if scope["path"] == "/execution-parameters":
            return 200, payload.JSON, PARAMETERS
        model = self.load()
        if method == "GET":
            return 200, "text/plain", b""
        body = await _read(receive)
        if body is None:
            return _refuse(413, f"the body is larger than {MAX_BODY} bytes: send fewer rows.")
        content_type, accept = _kinds(scope["headers"])
        return answer(model, body, content_type, accept)

    async def live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            try:
                self.load()
            except Exception as error:
                await send({"type": "lifespan.startup.failed", "message": f"the model cannot be loaded: {error}"})
                raise
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    message = await receive()
    chunks, size = [message.get("body", b"")], len(message.get("body", b""))
    while message.get("more_body", False) and size <= MAX_BODY:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if message["type"] == "http.disconnect":
        raise ClientLeftError
    return b"".join(chunks) if size <= MAX_BODY else None


def _kinds(headers: list[tuple[bytes, bytes]]) -> tuple[str, str]:
    content_type, accept = payload.JSON, ""
    for name, value in headers:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"accept":
            accept = value.decode("latin-1")
    if accept in ("", "*/*"):
        accept = os.environ.get(DEFAULT_ACCEPT, payload.JSON)
    return content_type, accept


def _refuse(status: int, error: str) -> tuple[int, str, bytes]:
    return status, payload.JSON, Refusal(status, error).body.encode("ascii")


async def _respond(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST" if b"/invocations" in body else b"GET"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


app = Application()
