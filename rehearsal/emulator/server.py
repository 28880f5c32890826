"""The emulator as a process: loopback only, everything under one folder, ending with the process that started it.

It writes its URL to FOLDER/address when it answers and its log to FOLDER/log. When its standard input ends, so does it.
On SIGTERM it saves its state; what was killed instead has that of a second before.
"""

import argparse
import asyncio
import importlib
import json
import logging
import os
import pkgutil
import resource
import signal
import socket
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

from rehearsal import processes
from rehearsal.emulator import children, web

READING = ("Describe", "List", "Get", "BatchGet", "Search", "Scan", "Simulate", "Head", "Filter", "Lookup")
SAVE_EVERY = 1.0
SAVE_DATA_EVERY = 15.0
SAVE_PATIENCE = 20.0
SAVE_SHARE = 1 / 40  # of a processor: what saving may take while something changes all the time
OPEN_FILES = 4096


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.emulator", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of everything the emulator keeps")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--enforce", action="store_true", help="check every call against the policies of its caller")
    parser.add_argument("--delays", action="store_true", help="tags, roles and policies count as late as on AWS")
    options = parser.parse_args()
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    _allow_files()
    listening = web.listen(options.port)
    os.environ.setdefault(processes.MARK, f"emulator-{os.getpid()}")  # of somebody who started it by hand
    if options.delays:
        os.environ["REHEARSAL_DELAYS"] = "1"
    _environment(state, listening.getsockname()[1], options.enforce)
    _log_to(state / "log")
    web.run(_serve(state, listening))
    children.end_all()
    # Threads of ministack may still wait for something for an hour.
    os._exit(0)


def _allow_files() -> None:
    """As many open files as twenty projects' clients need: macOS gives a program 256 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _environment(state: Path, port: int, enforce: bool) -> None:
    """Set what ministack reads when it is imported; nothing of the caller's AWS settings may remain."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MINISTACK_", "LOCALSTACK_"))]:
        del os.environ[name]
    os.environ.update(
        AUTH=str(enforce).lower(),
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_DEFAULT_REGION="us-east-1",
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        BIND_HOST="127.0.0.1",
        # Nothing here may reach for a container, whatever the machine has.
        DOCKER_HOST=f"unix://{state}/no-docker",
        GATEWAY_PORT=str(port),
        IOT_MTLS_ENABLED="0",
        LOG_LEVEL="WARNING",
        MINISTACK_ACCOUNT_ID="000000000000",
        PERSIST_STATE="1",
        REHEARSAL_STATE=str(state),
        S3_DATA_DIR=str(state / "s3"),
        S3_PERSIST="1",
        SFTP_ENABLED="0",
        STATE_DIR=str(state / "ministack"),
        TMPDIR=str(state / "tmp"),
    )
    (state / "tmp").mkdir(exist_ok=True)


def _log_to(path: Path) -> None:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("rehearsal").setLevel(logging.INFO)


def load_services() -> None:
    """Import every module of this package, so that services and provisioners register themselves."""
    import rehearsal.emulator as package

    for module in pkgutil.walk_packages(package.__path__, "rehearsal.emulator."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


async def _serve(state: Path, listening: socket.socket) -> None:
    load_services()
    from . import store

    restored = store.restore(state / "stores")
    ending = _ending()
    saving = asyncio.create_task(_save_when_changed(state))
    asyncio.get_running_loop().call_later(0, _announce, state, listening)
    await web.serve(_going_on(application) if restored else application, listening, ending)
    saving.cancel()
    store.save(state / "stores")


def _going_on(served: web.Asgi) -> web.Asgi:
    """The application, which takes up what was under way before a restart once ministack has its state again."""
    from . import seams, store

    async def application_after(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def told(message: dict[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                seams.end_interrupted_stacks()
                store.go_on()
            await send(message)

        await served(scope, receive, told if scope["type"] == "lifespan" else send)

    return application_after


def _ending() -> asyncio.Event:
    """Set on SIGTERM, SIGINT, or when whoever started this process is gone: then nobody holds our standard input."""
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(ending.set)

    threading.Thread(target=watch, daemon=True, name="parent").start()
    return ending


def _announce(state: Path, listening: socket.socket) -> None:
    partial = state / "address.partial"
    partial.write_text(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    partial.replace(state / "address")


_changed, _flowed = threading.Event(), threading.Event()  # what was made or changed; data that only passed


async def _save_when_changed(state: Path) -> None:
    """Saving takes processor time, the more the longer a story: the more it takes, the rarer it is.

    Requests to endpoints, objects and lines of logs alone are no reason to save soon: they come by the hundred.
    """
    from . import seams, store

    pause, waited = SAVE_EVERY, 0.0
    while True:
        await asyncio.sleep(SAVE_EVERY)
        waited += SAVE_EVERY
        if (_changed.is_set() and waited >= pause) or (_flowed.is_set() and waited >= max(pause, SAVE_DATA_EVERY)):
            _changed.clear()
            _flowed.clear()
            writing = seams.save()
            await asyncio.to_thread(store.save, state / "stores")
            pause, waited = max(SAVE_EVERY, await asyncio.to_thread(_finish, writing) / SAVE_SHARE), 0.0


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ministack's application with ours before it: admin routes, mounts, who calls, and what must be saved."""
    from . import faults, seams, service

    if scope["type"] != "http":
        return await seams.application(scope, receive, send)
    path, headers = scope["path"], {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
    _note_change(scope["method"], path, headers)
    if path.startswith("/_rehearsal/"):
        return await _admin(scope["method"], path, send)
    for prefix, mounted in service.mounts.items():
        if path.startswith(prefix):
            return await mounted(scope, receive, send)
    query = urllib.parse.parse_qs(scope.get("query_string", b"").decode())
    seams.caller_key.set(seams.access_key(headers, query))
    receive = await faults.served(scope, headers, receive, send)
    if receive is None:
        return None
    # AWS is called over TLS, and policies refuse anything else; loopback stands for it.
    secure = [*scope["headers"], (b"x-forwarded-proto", b"https")]
    await seams.application({**scope, "headers": secure}, receive, send)


def _finish(process: int) -> float:
    """Wait for a process of ours that saves, and end it after a while; the seconds of a processor that it took."""
    until = time.monotonic() + SAVE_PATIENCE
    while not (ended := os.wait4(process, os.WNOHANG))[0]:
        if time.monotonic() > until:
            logging.getLogger("rehearsal").warning("saving took more than %s s and was ended", SAVE_PATIENCE)
            os.kill(process, signal.SIGKILL)
            ended = os.wait4(process, 0)
            break
        time.sleep(0.02)
    return ended[2].ru_utime + ended[2].ru_stime


def _note_change(method: str, path: str, headers: dict[str, str]) -> None:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    if method in ("GET", "HEAD") or operation.startswith(READING) or path.startswith("/_rehearsal/"):
        return
    is_object = "/s3/aws4_request" in headers.get("authorization", "") and path.count("/") > 1
    is_data = is_object or path.endswith("/invocations") or operation in ("PutLogEvents", "PutMetricData")
    (_flowed if is_data else _changed).set()


async def _admin(method: str, path: str, send: Any) -> None:
    from . import service

    function = service.admin_routes.get(path)
    if path == "/_rehearsal/reset" and method == "POST":
        document: object = await _reset()
    else:
        document = await asyncio.to_thread(function) if function else {"message": f"There is no {path}."}
    status = 200 if function or path == "/_rehearsal/reset" else 404
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})


async def _reset() -> object:
    """Forget everything, in every account."""
    from . import seams, store

    store.reset()
    seams.reset_moto()
    seams.reset_ministack()
    return {"reset": "ok"}
