"""The endpoint over HTTP: routes, methods, start-up, and AWS's toolkit on the other side."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from kit.tests.runtime.steps.flow import Flow
from kit.tests.waiting import PATIENCE
from sagemaker_project_runtime.serving import app as serving
from sagemaker_project_runtime.serving.app import Application
from sagemaker_project_runtime.serving.inference import Model, Refusal, input_fn, model_fn, output_fn, predict_fn

Call = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def call(mixed: Flow) -> Iterator[Call]:
    """One request to the application, in process."""
    application: Any = Application(str(mixed.model_dir))

    def send(method: str, path: str, **options: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(application)
            async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
                return await client.request(method, path, **options)

        return asyncio.run(request())

    yield send


def test_ping(call: Call) -> None:
    assert call("GET", "/ping").status_code == 200


def test_a_batch_job_that_sets_nothing_is_told_what_the_container_takes(call: Call) -> None:
    response = call("GET", "/execution-parameters")
    assert response.json() == {"MaxConcurrentTransforms": 1, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}
    assert call("POST", "/execution-parameters").headers["allow"] == "GET"


def test_invocations(call: Call, row: dict[str, Any]) -> None:
    response = call("POST", "/invocations", json=row)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()["predictions"][0]) == {"prediction", "probability"}


@pytest.mark.parametrize("accept", ["", "*/*"])
@pytest.mark.parametrize(("default", "kind"), [(None, "application/json"), ("*/*", "application/jsonlines")])
def test_who_asks_for_no_format_gets_the_one_that_the_models_environment_names(
    call: Call, row: dict[str, Any], monkeypatch: pytest.MonkeyPatch, default: str | None, kind: str, accept: str
) -> None:
    """As AWS's toolkit does (sagemaker_containers._worker, Request.accept)."""
    monkeypatch.delenv(serving.DEFAULT_ACCEPT, raising=False)
    if default:
        monkeypatch.setenv(serving.DEFAULT_ACCEPT, default)
    headers = {"content-type": "application/jsonlines", "accept": accept}
    response = call("POST", "/invocations", content=json.dumps(row), headers=headers)
    assert response.headers["content-type"] == kind


def test_body_in_pieces(call: Call, row: dict[str, Any]) -> None:
    async def pieces() -> Any:
        for byte in json.dumps(row).encode():
            yield bytes([byte])

    response = call("POST", "/invocations", content=pieces(), headers={"content-type": "application/json"})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("POST", "/ping", 405, "GET"),
        ("GET", "/invocations", 405, "POST"),
        ("PUT", "/invocations", 405, "POST"),
        ("GET", "/", 404, None),
        ("POST", "/models/../etc", 404, None),
    ],
)
def test_wrong_routes(call: Call, method: str, path: str, status: int, allow: str | None) -> None:
    response = call(method, path)
    assert (response.status_code, response.headers.get("allow")) == (status, allow)
    assert response.json()["error"].endswith(".")


def test_bad_payload_is_told(call: Call) -> None:
    response = call("POST", "/invocations", json={"größe": 1})
    assert response.status_code == 400
    assert "has no column 'Stadt, Land'" in response.json()["error"]


def test_too_large(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_BODY", 1000)

    async def pieces() -> Any:
        for _ in range(4):
            yield b"x" * 400

    assert call("POST", "/invocations", content=pieces()).status_code == 413
    assert call("POST", "/invocations", content=b"x" * 1001).status_code == 413


async def exchange(application: Application, scope: Any, messages: list[Any]) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return sent


def run(coroutine: Awaitable[list[Any]]) -> list[Any]:
    async def main() -> list[Any]:
        return await coroutine

    return asyncio.run(main())


def test_caller_who_hangs_up_gets_no_answer(mixed: Flow) -> None:
    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": []}
    messages = [{"type": "http.request", "body": b"1", "more_body": True}, {"type": "http.disconnect"}]
    assert run(exchange(Application(str(mixed.model_dir)), scope, messages)) == []
    assert run(exchange(Application(str(mixed.model_dir)), scope, [{"type": "http.disconnect"}])) == []


def test_model_is_loaded_before_the_first_request(mixed: Flow) -> None:
    application = Application(str(mixed.model_dir))
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = run(exchange(application, {"type": "lifespan"}, messages))
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert application.model is not None


def test_server_does_not_start_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_MODEL_DIR", str(tmp_path))
    words = [sys.executable, "-m", "uvicorn", "sagemaker_project_runtime.serving.app:app", "--port", "0"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode != 0
    assert "the model cannot be loaded" in done.stderr
    assert "holds no transformation.json" in done.stderr


def test_handler_imports_neither_pandas_nor_sklearn(mixed: Flow) -> None:
    """They would cost seconds at start-up and 100 MB a worker."""
    program = (
        "import sys; from sagemaker_project_runtime.serving import app; app.Application(sys.argv[1]).load(); "
        "print([name for name in ('pandas', 'sklearn', 'scipy.stats') if name in sys.modules])"
    )
    words = [sys.executable, "-c", program, str(mixed.model_dir)]
    environment = {**os.environ, "PYTHONPATH": str(mixed.model_dir / "code")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- AWS's toolkit: it calls the four functions, and hands what output_fn returns to Flask ---------------------------


def test_threads_come_from_the_environment(mixed: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, threads in (("3", "3"), ("", "1")):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        config = json.loads(model_fn(str(mixed.model_dir)).estimator.save_config())
        assert config["learner"]["generic_param"]["nthread"] == threads


def test_refusal_is_a_wsgi_application(binary: Model) -> None:
    """Which is what keeps its status on the stock image: an exception would come out as 500."""
    refusal = output_fn(predict_fn(input_fn("nonsense", "text/html"), binary), "application/json")
    assert isinstance(refusal, Refusal)
    assert not isinstance(refusal, (tuple, str, bytes, dict, list))  # the toolkit and Flask take these apart
    seen: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        seen.extend([status, dict(headers)])
        return lambda data: None

    environ: dict[str, Any] = {"QUERY_STRING": ""}
    setup_testing_defaults(environ)
    application: Any = refusal
    response: Any = validator(application)(environ, start_response)
    body = b"".join(response)
    response.close()
    assert seen[0] == "415 Unsupported Media Type"
    assert json.loads(body)["error"].startswith("content type 'text/html' is not supported")


def test_text_bodies_as_the_toolkit_decodes_them(binary: Model, row: dict[str, Any]) -> None:
    text = json.dumps(row)
    assert predict_fn(input_fn(text, "application/json"), binary) == predict_fn(
        input_fn(text.encode(), "application/json"), binary
    )
