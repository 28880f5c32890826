"""A model server on loopback that keeps the tests' contract, or breaks it in one way."""

import csv
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kit.tests.deploy.conftest import EXPECTED, SAMPLE

ANSWERS = {json.dumps([row["tenure"], row["plan"]]): answer for row, answer in zip(SAMPLE, EXPECTED, strict=True)}
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"


@dataclass
class Behaviour:
    """What this server does differently."""

    seconds: float = 0
    slow_requests: int = 1_000_000
    every_fails: int = 0
    status: int = 503
    accepts_missing_columns: bool = False
    accepts_any_type: bool = False
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
    content_type: str = ""
    default_accept: str = ""  # of who asks for no format; empty for the format of the request
    hangs_up: bool = False
    requests: int = 0
    connections: set[tuple[str, int]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """POST /invocations, with connections kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    behaviour: Behaviour

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        behaviour = self.behaviour
        with behaviour.lock:
            behaviour.requests += 1
            behaviour.connections.add(self.client_address)
            fails = behaviour.every_fails and behaviour.requests % behaviour.every_fails == 0
        if behaviour.requests <= behaviour.slow_requests:
            behaviour.ended.wait(behaviour.seconds)
        if behaviour.hangs_up:
            self.close_connection = True
            return
        self.reply(*((behaviour.status, "text/plain", "no\x00t now") if fails else self.answer(body)))

    def answer(self, body: bytes) -> tuple[int, str, str]:
        kind = self.headers["Content-Type"]
        accept = self.headers["Accept"] or self.behaviour.default_accept or kind
        if kind not in (JSON, CSV, LINES):
            return (200, JSON, "{}") if self.behaviour.accepts_any_type else (415, JSON, '{"error": "type"}')
        rows = parse(body.decode(), kind)
        if any("tenure" not in row or "plan" not in row for row in rows) and not self.behaviour.accepts_missing_columns:
            return 400, JSON, '{"error": "row 1 has no column \'tenure\'."}'
        return 200, self.behaviour.content_type or accept, render(self.behaviour.change(predict(rows)), accept)

    def reply(self, status: int, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""


def parse(text: str, kind: str) -> list[dict[str, Any]]:
    if kind == CSV:
        return [dict(row) for row in csv.DictReader(io.StringIO(text, newline=""))]
    if kind == JSON:
        return list(json.loads(text)["instances"])
    return [json.loads(line) for line in text.splitlines()]


def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(ANSWERS.get(key(row), EXPECTED[0])) for row in rows]


def key(row: dict[str, Any]) -> str:
    tenure = row.get("tenure")
    number = float(tenure) if tenure not in (None, "") else None
    whole = int(number) if number is not None and number.is_integer() else number
    return json.dumps([whole, row.get("plan") or None])


def render(rows: list[dict[str, Any]], kind: str) -> str:
    if kind == CSV:
        return "".join(",".join(str(value) for value in row.values()) + "\n" for row in rows)
    return json.dumps({"predictions": rows}) if kind == JSON else "".join(json.dumps(row) + "\n" for row in rows)


@contextmanager
def serving(behaviour: Behaviour) -> Iterator[str]:
    """Serve until the block ends, at the address it is given."""
    handler = type("ThisHandler", (Handler,), {"behaviour": behaviour})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        behaviour.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
