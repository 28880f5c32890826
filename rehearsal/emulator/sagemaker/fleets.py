"""Servers of models: real processes of the kit's `local serve`, one for each variant of a fleet.

However many instances a variant has, it is one process here. Its archive is read out of S3 with the credentials of the
model's role; it runs with those credentials unless the model is isolated from the network.
"""

import contextlib
import http.client
import json
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import ClientError

from rehearsal.emulator import children
from rehearsal.emulator.sagemaker import configs, machine, models, objects
from rehearsal.emulator.sagemaker.objects import ObjectError
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.service import AwsError, client, new_id, state_folder

_START_SECONDS = 60.0
_DRAIN_SECONDS = 5.0
# InvokeEndpoint gives a container 60 s (API reference, InvokeEndpoint).
_ANSWER_SECONDS = 60.0
# uvicorn closes idle connections after 5 s; one that old is not used any more.
_IDLE_SECONDS = 2.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class FleetError(Exception):
    """A server that did not start; the message is what FailureReason says."""


@dataclass(frozen=True)
class Reply:
    """A container's answer; status 0 when there was none."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Server:
    """One process that answers for a variant."""

    variant: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    port: int = 0
    idle: "queue.LifoQueue[tuple[float, http.client.HTTPConnection]]" = field(default_factory=queue.LifoQueue)
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """One exchange."""
        with self.lock:
            self.busy += 1
        try:
            return self._exchange(method, path, body, headers or {})
        except (OSError, http.client.HTTPException) as error:
            return Reply(0, {}, f"{type(error).__name__}: {error}".encode())
        finally:
            with self.lock:
                self.busy -= 1

    def _exchange(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = self._connection()
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            reply = Reply(
                response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
            )
        except BaseException:
            connection.close()
            raise
        self.idle.put((time.monotonic(), connection))
        return reply

    def _connection(self) -> http.client.HTTPConnection:
        with contextlib.suppress(queue.Empty):
            while True:
                used, connection = self.idle.get_nowait()
                if time.monotonic() - used < _IDLE_SECONDS:
                    return connection
                connection.close()
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_ANSWER_SECONDS)

    def end(self) -> None:
        """Let what is under way finish, then end the process and whatever it started."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self.busy and time.monotonic() < deadline:
            time.sleep(0.02)
        children.kill(self.process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_DRAIN_SECONDS)
        children.kill(self.process)
        children.finish(self.process)
        shutil.rmtree(self.folder / "state", ignore_errors=True)


@dataclass
class Fleet:
    """The servers of one configuration of an endpoint, by variant."""

    config: Document
    servers: dict[str, Server] = field(default_factory=dict)

    def end(self) -> None:
        """End every server."""
        for server in self.servers.values():
            server.end()
        self.servers.clear()

    def dead(self) -> str:
        """The first variant whose server ended by itself; empty when all run."""
        return next((name for name, server in self.servers.items() if server.process.poll() is not None), "")


def start(endpoint: str, config: Document) -> Fleet:
    """Start a server for each variant and wait until it is healthy. Raises FleetError, with nothing left running."""
    fleet = Fleet(config)
    try:
        for variant in configs.variants(config):
            fleet.servers[variant["VariantName"]] = _start(endpoint, variant)
        for name, server in fleet.servers.items():
            _await_health(name, server)
    except BaseException:
        fleet.end()
        raise
    return fleet


def _start(endpoint: str, variant: Document) -> Server:
    name = variant["VariantName"]
    folder = state_folder("endpoints") / f"{endpoint}-{name}-{new_id(length=6)}"
    model = models.find(variant["ModelName"])
    _prepare(folder / "state", model)
    role = None if model["EnableNetworkIsolation"] else model["ExecutionRoleArn"]
    command = [machine.python(), *machine.LOCAL, "serve", "model/1", "--port", "0", "--no-capture"]
    command += ["--state", str(folder / "state")]
    with (folder / "log").open("wb") as output:
        process = children.start(command, cwd=folder, environment=machine.environment(role), output=output)
    return Server(name, folder, process)


def _prepare(state: Path, model: Document) -> None:
    """What `local serve` reads: a registry with this one model, and its archive."""
    container = models.container(model)
    role = model["ExecutionRoleArn"]
    try:
        objects.fetch(client("s3", role=role, principal=machine.PRINCIPAL), container["ModelDataUrl"], state / "s3")
    except (ObjectError, ClientError, AwsError) as error:
        raise FleetError(
            f'Failed to download model data for container "container_1" from URL: "{container["ModelDataUrl"]}". '
            "Please ensure that there is an object located at the URL and that the role passed to CreateModel has "
            f"permissions to download the object. ({error})"
        ) from error
    package = {
        "ModelPackageGroupName": "model",
        "ModelPackageVersion": 1,
        "ModelPackageArn": model["ModelArn"],
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {"Containers": [container]},
    }
    (state / "registry" / "model").mkdir(parents=True)
    (state / "registry" / "model" / "1.json").write_text(json.dumps(package), encoding="utf-8")


def _await_health(variant: str, server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        found = _ADDRESS.search((server.folder / "log").read_text(encoding="utf-8", errors="replace"))
        server.port = int(found[1]) if found else 0
        if server.port and server.ask("GET", "/ping").status == 200:
            return
        time.sleep(0.05)
    lines = (server.folder / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    raise FleetError(
        f"The primary container for production variant {variant} did not pass the ping health check. Please check "
        f"CloudWatch logs for this endpoint. (last line: {lines[-1] if lines else 'none'})"
    )
