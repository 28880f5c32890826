"""A project with the deploy half in it and tiny models, deployed as `make deploy-local` does."""

import http.client
import json
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.tests.local.pipelines import Finished, Project
from kit.tests.places import PROJECT
from kit.tests.waiting import PATIENCE
from sagemaker_project_kit.local.state.registry import APPROVED, Registry

LINES = "application/jsonlines"
CANARY = {"TrafficShifting": "CANARY", "ShiftPercent": "20", "InstanceCount": "2", "ShiftWaitSeconds": "180"}
# The model multiplies. It can fail every n-th request, or take its time.
APP = """
    import asyncio, json, os, pathlib
    MODEL = json.loads(pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").read_text())
    count = 0

    async def answer(scope, body):
        global count
        if scope["path"] == "/ping":
            return 200, b""
        if dict(scope["headers"]).get(b"content-type") != b"application/jsonlines":
            return 415, b"what is that?"
        rows = [json.loads(line) for line in body.decode().splitlines()]
        if any("x" not in row for row in rows):
            return 400, b"row 1 has no column 'x'"
        count += 1
        if count > MODEL["after"]:
            await asyncio.sleep(MODEL["seconds"])
            if MODEL["ends"]:
                os._exit(7)
            if MODEL["wrong"]:
                rows = [{"x": row["x"] + 1} for row in rows]
            if MODEL["fails_every"] and count % MODEL["fails_every"] == 0:
                return MODEL["code"], b"broken"
        return 200, "".join(json.dumps({"prediction": row["x"] * MODEL["factor"]}) + "\\n" for row in rows).encode()

    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        status, text = await answer(scope, body)
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"application/jsonlines")]})
        await send({"type": "http.response.body", "body": text})
"""
SCHEMA = {
    "version": 1,
    "content_types": [LINES],
    "problem_type": "regression",
    "input": [{"name": "x", "kind": "numeric", "required": True, "nullable": False}],
    "ignored": [],
    "output": [{"name": "prediction", "type": "number"}],
}


@dataclass
class Machine:
    """A project folder with a registry and endpoints."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    def prepare(self) -> None:
        """The deploy half and its configuration, to be changed by tests."""
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "model_deploy", self.root / "model_deploy", ignore=leave)
        for name in ("project.toml", "pyproject.toml"):
            shutil.copy(PROJECT / name, self.root / name)
        for stage in ("staging", "prod"):
            self.configure(stage, TerminationWaitSeconds="60")

    def configure(self, stage: str, **parameters: str) -> None:
        """Change config/<stage>.json."""
        path = self.root / "model_deploy" / "config" / f"{stage}.json"
        document = json.loads(path.read_text())
        document["Parameters"] |= parameters
        document["Verify"] = {"requests_per_second": 50}
        path.write_text(json.dumps(document))

    def add(self, factor: int, status: str = APPROVED, **faults: Any) -> None:
        """Register the model that multiplies by `factor`."""
        sound = {"fails_every": 0, "code": 500, "seconds": 0, "after": 0, "ends": False, "wrong": False}
        model = {"factor": factor} | sound | faults
        uri = self.project.archive(
            f"s3://bucket/models/{factor}/model.tar.gz", {"model.json": json.dumps(model), "code/app.py": APP}
        )
        self._store(uri, Path(self.project.assets[uri]).read_bytes())
        contract = f"s3://bucket/contracts/{factor}"
        rows = [{"x": number} for number in range(1, 6)]
        expected = [{"prediction": row["x"] * factor} for row in rows]
        for name, content in (("sample", rows), ("expected", expected)):
            self._store(f"{contract}/{name}.jsonl", "".join(json.dumps(row) + "\n" for row in content).encode())
        self._store(f"{contract}/schema.json", json.dumps(SCHEMA).encode())
        self._registry.register(
            {
                "ModelPackageGroupName": "churn",
                "ModelApprovalStatus": status,
                "InferenceSpecification": {"Containers": [{"Image": "image:1", "ModelDataUrl": uri}]},
                "CustomerMetadataProperties": {"contract_uri": contract, "git_commit": "abc"},
            }
        )

    @property
    def _registry(self) -> Registry:
        return Registry(self.root / ".local" / "registry")

    def _store(self, uri: str, content: bytes) -> None:
        path = self.project.stored(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    # --- commands

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """`python -m sagemaker_project_kit.local deploy`, fast."""
        return self.project.start("deploy", "--pace", "200", "--rate", "100", "--verify-seconds", "1", *arguments)

    def deploy(self, *arguments: str) -> Finished:
        """The same to its end."""
        return self.project.finish(self.start(*arguments))

    def stop(self) -> Finished:
        """End the endpoints."""
        return self.project.command("deploy", "--stop")

    # --- what there is

    def state(self, stage: str) -> dict[str, Any]:
        """The state file; empty without one, which may be any moment now."""
        try:
            text = (self.root / ".local" / "endpoints" / f"{stage}.json").read_text()
        except FileNotFoundError:
            return {}
        return dict(json.loads(text))

    def pids(self, stage: str) -> list[int]:
        """The processes of an endpoint."""
        content = self.state(stage)
        return [content["pid"], *(fleet["pid"] for fleet in content["fleets"])] if content else []

    def recording(self, stage: str) -> dict[str, Any]:
        """The data behind the picture of a shift."""
        return dict(json.loads((self.root / "build" / "deploy" / f"{stage}-shift.json").read_text()))

    def ask(self, stage: str, x: int = 1) -> Any:
        """The prediction for x, or the status if there is none."""
        return call(int(self.state(stage)["url"].rpartition(":")[2]), x)


def call(port: int, x: int = 1) -> Any:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", "/invocations", json.dumps({"x": x}).encode(), {"Content-Type": LINES})
        response = connection.getresponse()
        text = response.read()
        return json.loads(text)["prediction"] if response.status == 200 else response.status
    finally:
        connection.close()


@dataclass
class Client:
    """Asks for 1 again and again and counts what it hears: the factor tells which model answered."""

    port: int
    heard: Counter[Any] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.stop.wait(0.01):
            try:
                connection.request("POST", "/invocations", b'{"x": 1}\n', {"Content-Type": LINES})
                response = connection.getresponse()
                text = response.read()
                self.heard[json.loads(text)["prediction"] if response.status == 200 else response.status] += 1
            except (OSError, http.client.HTTPException) as error:
                self.heard[type(error).__name__] += 1
                connection.close()
        connection.close()


@contextmanager
def asking(machine: Machine, stage: str) -> Iterator[Client]:
    """A client while the block runs."""
    client = Client(int(machine.state(stage)["url"].rpartition(":")[2]))
    thread = threading.Thread(target=client.run, daemon=True)
    thread.start()
    try:
        yield client
    finally:
        client.stop.set()
        thread.join()
