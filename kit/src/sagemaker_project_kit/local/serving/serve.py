"""The command `serve`: a registered model behind /ping and /invocations here, as its endpoint would serve it.

The model's own code/app.py answers, from its own folder: the project's packages are out of reach, so what is missing in
the archive is missed here and not first on AWS. One worker, loopback by default; it is no production server.
"""

import importlib
import os
import shlex
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import ServeError
from sagemaker_project_kit.local.jobs.package import unpack
from sagemaker_project_kit.local.serving.capture import Capture
from sagemaker_project_kit.local.serving.gateway import Application, Gateway
from sagemaker_project_kit.local.state.registry import PENDING, Package, Registry
from sagemaker_project_kit.local.state.storage import Storage

_MODEL_PATH = "/opt/ml/model"
_CONTENT_TYPES = {".jsonl": "application/jsonlines", ".json": "application/json", ".csv": "text/csv"}


@dataclass(frozen=True)
class Options:
    """The options of the command. `capture` is None for no capture."""

    model: str | None
    host: str
    port: int
    state: Path
    capture: Path | None
    percentage: float
    endpoint: str = ""  # its name in captured data; empty for the model's group


def serve(options: Options) -> int:
    """Serve until a signal ends it. Raises ServeError or RegistryError if there is nothing to serve."""
    package = choose(Registry(options.state / "registry"), options.model)
    storage = Storage(options.state / "s3", options.state)
    with listen(options.host, options.port) as listener, tempfile.TemporaryDirectory(prefix="model-") as folder:
        model = Path(folder).resolve() / "model"
        unpack(storage.path(str(package.container.get("ModelDataUrl"))), model)
        capture = None
        if options.capture:
            capture = Capture(
                options.capture.absolute(), options.endpoint or package.group, percentage=options.percentage
            )
        application = load(model, package.container.get("Environment") or {})
        _announce(package, listener, storage, options)
        _run(Gateway(application, capture), listener)
    return 0


def choose(registry: Registry, model: str | None) -> Package:
    """The package called `model`, or the champion. Raises ServeError if none is approved."""
    if model:
        return registry.find(model)
    champion = registry.champion()
    if champion:
        return champion
    packages = registry.packages()
    waiting = [str(package) for package in packages if package.status == PENDING]
    if not packages:
        raise ServeError("Nothing is registered yet: run `make run` first.")
    if not waiting:
        raise ServeError("No version is approved. `make models` shows them; name one to try it: make serve MODEL=2.")
    raise ServeError(f"No version is approved yet. Waiting: {', '.join(waiting)}. Type `make approve` to approve one.")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before the model is loaded so that a taken port is told at once.

    Its protocol is named, because asyncio sets TCP_NODELAY on no other (_set_nodelay in Python's asyncio.base_events),
    and without it each further request on a kept connection waits 40 ms for an acknowledgement.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        hint = " Choose another: make serve PORT=8081." if error.errno == 98 or "in use" in str(error) else ""
        raise ServeError(f"Cannot listen on {host}:{port}: {error.strerror}.{hint}") from error
    return listener


def load(model: Path, environment: Mapping[str, str]) -> Application:
    """The ASGI application `app` of code/app.py, with the variables that its container would have."""
    code = model / "code"
    if not (code / "app.py").is_file():
        raise ServeError("The model's archive has no code/app.py, so there is nothing to serve it with.")
    os.environ |= {key: str(value).replace(_MODEL_PATH, str(model)) for key, value in environment.items()}
    os.environ["SM_MODEL_DIR"] = str(model)
    outside = ("", str(Path.cwd()))
    sys.path[:] = [str(code), *(path for path in sys.path if path not in outside)]
    try:
        application: Application = importlib.import_module("app").app
    except (ImportError, AttributeError) as error:
        raise ServeError(f"The model's code/app.py cannot be loaded: {error}.") from error
    return application


def _run(application: Application, listener: socket.socket) -> None:
    import uvicorn

    # No lifespan "auto" probing of the wrapped application; no access log: it costs more than a small prediction.
    config = uvicorn.Config(application, access_log=False, log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[listener])


def _announce(package: Package, listener: socket.socket, storage: Storage, options: Options) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}"
    print(f"Model {package} ({package.status}) at {url}  (Ctrl-C ends it)")
    if options.capture:
        print(f"Requests are captured below {options.capture / (options.endpoint or package.group)}")
    print(f"Try it:\n  {curl(url, sample(package, storage))}", flush=True)


def curl(url: str, row: tuple[str, str] | None) -> str:
    """A command to paste: a prediction for `row` (content type, body), or a health check without one."""
    if row is None:
        return f"curl -i {url}/ping"
    content_type, body = row
    return f"curl -s {url}/invocations -H {shlex.quote(f'Content-Type: {content_type}')} -d {shlex.quote(body)}"


def sample(package: Package, storage: Storage) -> tuple[str, str] | None:
    """A real row from the package's contract (CustomerMetadataProperties.contract_uri), if there is one."""
    metadata: Mapping[str, Any] = package.content.get("CustomerMetadataProperties") or {}
    uri = metadata.get("contract_uri")
    if not uri:
        return None
    for path in sorted(storage.path(str(uri)).glob("sample.*")):
        if path.suffix in _CONTENT_TYPES:
            lines = path.read_text(encoding="utf-8").splitlines()
            return (_CONTENT_TYPES[path.suffix], lines[0]) if lines else None
    return None
