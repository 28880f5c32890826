"""A steady load while traffic shifts: real rows of the model's contract, sent over HTTP as clients send them.

It belongs to the client's side: it counts what clients would see, and knows nothing of fleets. Each thread keeps its
connection; a request that fails is counted and never repeated.
"""

import http.client
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sagemaker_project_kit.local.errors import DeployError

_THREADS = 16
_JSONLINES, _JSON = "application/jsonlines", "application/json"


@dataclass(frozen=True)
class Request:
    """One row to predict."""

    body: bytes
    content_type: str


def requests(contract: Path) -> list[Request]:
    """The rows of a contract's sample as requests of its first content type. Raises DeployError without any."""
    try:
        kinds = json.loads((contract / "schema.json").read_text(encoding="utf-8"))["content_types"]
        lines = (contract / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DeployError(f"The contract in {contract} cannot be read: {error!r}.") from error
    found = [_request(json.loads(line), kinds) for line in lines if line.strip()]
    if not found:
        raise DeployError(f"{contract / 'sample.jsonl'} has no rows to send.")
    return found


def _request(row: Mapping[str, Any], kinds: list[str]) -> Request:
    if _JSONLINES in kinds:
        return Request(json.dumps(row).encode() + b"\n", _JSONLINES)
    return Request(json.dumps({"instances": [row]}).encode(), _JSON)


@dataclass
class Load:
    """Sends `rate` requests a second while the block runs."""

    url: str
    rows: list[Request]
    rate: float
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        started = time.perf_counter()
        for number in range(_THREADS):
            thread = threading.Thread(target=self._send, args=(number, started), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int, started: float) -> None:
        """Every n-th request of the load, at its time or once the one before is answered; nothing is caught up."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        due = started + number / self.rate
        while not self._stop.wait(max(0.0, due - time.perf_counter())):
            self._note(self._problem(connection, self.rows[number % len(self.rows)]))
            number += _THREADS
            due = max(due + _THREADS / self.rate, time.perf_counter())
        connection.close()

    def _problem(self, connection: http.client.HTTPConnection, row: Request) -> str:
        try:
            connection.request("POST", "/invocations", row.body, {"Content-Type": row.content_type})
            response = connection.getresponse()
            text = response.read(200)
            response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return f"{type(error).__name__}: {error}"
        return "" if response.status == 200 else f"HTTP {response.status}: {text.decode('utf-8', 'replace')}"

    def _note(self, problem: str) -> None:
        with self._lock:
            self.answered += 1
            if problem:
                self.failures.append(problem)
