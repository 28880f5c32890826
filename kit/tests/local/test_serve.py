"""`serve` over real HTTP, and the data it captures."""

import asyncio
import base64
import http.client
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.tests.local.pipelines import Project, send
from kit.tests.waiting import PATIENCE, until
from sagemaker_project_kit.local.serving.capture import Body, record
from sagemaker_project_kit.local.serving.serve import listen
from sagemaker_project_kit.local.state.registry import Registry

APP = """
    import json, os, helper
    FACTOR = float(open(os.path.join(os.environ["SM_MODEL_DIR"], "model.txt")).read())

    def answer(scope, body):
        headers = dict(scope["headers"])
        if scope["path"] == "/ping":
            return 200, b"text/plain", b""
        if headers.get(b"content-type") == b"application/x-thing":
            return 200, b"application/x-thing", body
        try:
            values = [float(line) * FACTOR for line in body.decode().split()]
        except ValueError as error:
            return 400, b"text/plain", str(error).encode()
        return 200, b"text/csv", "\\n".join(map(str, values)).encode()

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, kind, text = answer(scope, body)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": text})
"""
FILES = {"model.txt": "2.0", "code/app.py": APP, "code/helper.py": "", "code/mine.txt": "x"}


def add_model(project: Project, files: dict[str, str], status: str = "Approved", **metadata: str) -> None:
    """Register a model whose archive holds these files."""
    registry = Registry(project.root / ".local" / "registry")
    uri = project.archive("s3://bucket/models/job/output/model.tar.gz", files)
    stored = project.stored(uri)
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(Path(project.assets[uri]).read_bytes())
    environment = {"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    registry.register(
        {
            "ModelPackageGroupName": "churn",
            "ModelApprovalStatus": status,
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": uri, "Environment": environment}]},
            "CustomerMetadataProperties": metadata,
        }
    )


class Endpoint:
    """A served model."""

    def __init__(self, process: "subprocess.Popen[str]", project: Project) -> None:
        assert process.stdout is not None
        self.process = process
        self.project = project
        self.greeting = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.greeting)
        assert found, self.greeting + process.communicate()[1]
        self.port = int(found[1])

    def call(self, body: bytes, content_type: str = "text/csv", **headers: str) -> tuple[int, bytes]:
        """POST /invocations."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST", "/invocations", body, {"Content-Type": content_type, **headers})
        response = connection.getresponse()
        return response.status, response.read()

    def get(self, path: str) -> int:
        """GET a path."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        return connection.getresponse().status

    def captured(self, count: int) -> list[dict[str, Any]]:
        """Every captured record, once there are `count` (a record is written after the response has gone)."""
        until(lambda: len(self._records()) >= count)
        return self._records()

    def _records(self) -> list[dict[str, Any]]:
        files = sorted((self.project.root / ".local/capture").rglob("*.jsonl"))
        written = (file.read_text().rpartition("\n")[0] for file in files)  # the last line may be under way
        return [json.loads(line) for lines in written for line in lines.splitlines()]


@contextmanager
def served(project: Project, *options: str, limit: str = "") -> Iterator[Endpoint]:
    """`python -m sagemaker_project_kit.local serve` while the block runs."""
    process = project.start("serve", "--port", "0", *options, limit=limit)
    try:
        yield Endpoint(process, project)
    finally:
        process.kill()
        process.communicate()


def test_a_model_is_served_and_its_traffic_captured(project: Project) -> None:
    add_model(project, FILES)
    with served(project) as endpoint:
        assert "churn/1 (Approved)" in endpoint.greeting
        assert endpoint.get("/ping") == 200
        assert endpoint.call(b"1\n2") == (200, b"2.0\n4.0")
        assert endpoint.call(b"3", **{"X-Amzn-SageMaker-Inference-Id": "row-7"}) == (200, b"6.0")
        assert endpoint.call(b"\x00\xff", "application/x-thing") == (200, b"\x00\xff")
        status, text = endpoint.call(b"one")
        assert status == 400 and b"could not convert" in text
        first, second, third = endpoint.captured(3)
    assert first["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "1\n2",
        "encoding": "CSV",
    }
    assert first["captureData"]["endpointOutput"]["data"] == "2.0\n4.0"
    assert first["captureData"]["endpointOutput"]["mode"] == "OUTPUT"
    assert first["eventVersion"] == "0" and re.fullmatch(r"[0-9a-f-]{36}", first["eventMetadata"]["eventId"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["eventMetadata"]["inferenceTime"])
    assert second["eventMetadata"]["inferenceId"] == "row-7"
    assert third["captureData"]["endpointInput"]["encoding"] == "BASE64"
    assert base64.b64decode(third["captureData"]["endpointInput"]["data"]) == b"\x00\xff"
    (file,) = (project.root / ".local/capture").rglob("*.jsonl")
    folders = file.relative_to(project.root / ".local/capture").parts
    assert folders[:2] == ("churn", "AllTraffic") and re.fullmatch(r"\d{4}/\d\d/\d\d/\d\d", "/".join(folders[2:6]))


def test_a_request_larger_than_sagemaker_takes(project: Project) -> None:
    add_model(project, FILES)
    with served(project) as endpoint:
        status, text = endpoint.call(b"1\n" * (3 * 1024 * 1024 + 1))
        assert status == 413 and b"6 MB" in text
        assert endpoint.call(b"1\n" * (3 * 1024 * 1024))[0] == 200, "exactly 6 MB is allowed"
        assert len(endpoint.captured(1)) == 1


@pytest.mark.parametrize("options", [["--no-capture"], ["--sampling-percentage", "0"]])
def test_capture_can_be_off(project: Project, options: list[str]) -> None:
    add_model(project, FILES)
    with served(project, *options) as endpoint:
        assert endpoint.call(b"1")[0] == 200
        send(endpoint.process, signal.SIGTERM)
        endpoint.process.wait(PATIENCE)
        assert endpoint.captured(0) == []


def test_a_failing_capture_disk_does_not_fail_predictions(project: Project) -> None:
    add_model(project, FILES)
    (project.root / "file").write_text("not a folder")
    with served(project, "--capture", "file") as endpoint:
        assert [endpoint.call(b"1") for _ in range(3)] == [(200, b"2.0")] * 3
        send(endpoint.process, signal.SIGTERM)
        _, err = endpoint.process.communicate(timeout=PATIENCE)
        assert err.count("capture_failed") == 1


def test_a_capture_disk_that_fills_up_holds_whole_lines_only(project: Project) -> None:
    add_model(project, FILES)
    with served(project, limit="ulimit -f 10") as endpoint:
        bodies = [b"1\n" * 1000, b"1\n" * 1000, b"1\n" * 1000, b"1"]
        assert [endpoint.call(body)[0] for body in bodies] == [200] * 4
        sizes = [len(entry["captureData"]["endpointInput"]["data"]) for entry in endpoint.captured(2)]
        send(endpoint.process, signal.SIGTERM)
        _, err = endpoint.process.communicate(timeout=PATIENCE)
    assert sizes == [2000, 1], "the lines that had no room are left out, the one that has is there"
    assert err.count("capture_failed") == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_removes_the_model(
    project: Project, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    add_model(project, FILES)
    temporary = project.root / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with served(project) as endpoint:
        assert len(list(temporary.iterdir())) == 1
        assert endpoint.get("/ping") == 200
        send(endpoint.process, number)
        _, err = endpoint.process.communicate(timeout=PATIENCE)
        assert endpoint.process.returncode == code and err == ""
    assert list(temporary.iterdir()) == []


def test_the_curl_command_works_as_printed(project: Project) -> None:
    sample = project.stored("s3://bucket/contract/sample.csv")
    sample.parent.mkdir(parents=True)
    sample.write_text("21\n22\n")
    add_model(project, FILES, contract_uri="s3://bucket/contract")
    with served(project) as endpoint:
        assert endpoint.process.stdout is not None
        lines = [endpoint.process.stdout.readline() for _ in range(3)]
        done = subprocess.run(["bash", "-c", lines[-1]], capture_output=True, text=True, timeout=PATIENCE)
        assert done.stdout == "42.0", lines


def test_nothing_to_serve_is_told_kindly(project: Project) -> None:
    empty = project.command("serve", "--port", "0")
    assert empty.code == 2 and "Nothing is registered yet" in empty.err
    add_model(project, FILES, "PendingManualApproval")
    waiting = project.command("serve", "--port", "0")
    assert waiting.code == 2 and "Waiting: churn/1. Type `make approve`" in waiting.err
    unknown = project.command("serve", "churn/7", "--port", "0")
    assert unknown.code == 2 and "no model 'churn/7'" in unknown.err
    with served(project, "churn/1") as endpoint:
        assert endpoint.call(b"1")[0] == 200, "a version that is named is served, approved or not"


def test_a_kept_connection_does_not_wait_for_acknowledgements() -> None:
    async def option() -> int:
        listener = listen("127.0.0.1", 0)
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accepted, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.close()
            return await found

    assert asyncio.run(option()), "asyncio sets TCP_NODELAY only if the listener names its protocol"


def test_a_port_in_use(project: Project) -> None:
    add_model(project, FILES)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = project.command("serve", "--port", port)
    assert result.code == 2 and f"127.0.0.1:{port}" in result.err and "PORT=" in result.err


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model.txt": "1"}, "no code/app.py"),
        ({"code/app.py": "import not_there"}, "No module named 'not_there'"),
        ({"code/app.py": "import tests.local.pipelines"}, "No module named 'tests"),
        ({"code/app.py": "x = 1"}, "has no attribute 'app'"),
    ],
)
def test_a_model_that_cannot_be_served(project: Project, files: dict[str, str], message: str) -> None:
    add_model(project, files)
    result = project.command("serve", "--port", "0")
    assert result.code == 2 and message in result.err and "Traceback" not in result.err


def test_an_archive_that_is_gone_or_broken(project: Project) -> None:
    add_model(project, FILES)
    archive = project.stored("s3://bucket/models/job/output/model.tar.gz")
    archive.write_bytes(archive.read_bytes()[:100])
    assert "Cannot unpack" in project.command("serve", "--port", "0").err
    archive.write_text("no archive")
    assert "is no archive that can be unpacked" in project.command("serve", "--port", "0").err
    archive.unlink()
    assert "is gone" in project.command("serve", "--port", "0").err


def test_csv_that_is_not_utf8_is_kept_in_base64() -> None:
    captured: Any = record(Body(b"\xe9", "text/csv"), Body(b"{}", "application/json; charset=utf-8"))
    assert captured["captureData"]["endpointInput"]["encoding"] == "BASE64"
    assert captured["captureData"]["endpointOutput"]["encoding"] == "JSON"
