"""A bounded load on a server of this machine: raw keep-alive connections, so that the client costs little beside it."""

import multiprocessing
import socket
import statistics
import subprocess
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What the clients saw."""

    requests_per_second: float
    p50_us: float
    p99_us: float


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_up(port: int, server: subprocess.Popen[str], seconds: float = 60) -> None:
    """Return when the server takes connections.

    Raises:
        RuntimeError: it ended, or did not start in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start on port {port} (exit code {server.poll()})")


def measure(port: int, body: bytes, clients: int, seconds: float) -> Load:
    """Send `body` as text/csv over `clients` connections for `seconds`, after a warm-up of a quarter of that."""
    fields = ("POST /invocations HTTP/1.1", "Host: 127.0.0.1", "Content-Type: text/csv", f"Content-Length: {len(body)}")
    head = "\r\n".join((*fields, "", ""))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        times = pool.apply(_send_in_turn, (port, head.encode() + body, clients, seconds))
    cuts = statistics.quantiles(times, n=100)
    return Load(len(times) / seconds, cuts[49] * 1e6, cuts[98] * 1e6)


def _send_in_turn(port: int, request: bytes, clients: int, seconds: float) -> list[float]:
    """One process, `clients` requests in flight: the connections take turns at being read."""
    connections = [_Connection(port, request) for _ in range(clients)]
    begin = time.perf_counter() + seconds / 4
    times: list[float] = []
    while (now := time.perf_counter()) < begin + seconds:
        for connection in connections:
            took = connection.finish()
            if now > begin:
                times.append(took)
            connection.start()
    return times


class _Connection:
    """A connection with one request under way; opened anew when the server closed it, as gunicorn's sync workers do."""

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request, self.socket = port, request, _connect(port)
        self.start()

    def start(self) -> None:
        self.started = time.perf_counter()
        self.socket.sendall(self.request)

    def finish(self) -> float:
        """Read one whole answer and return the seconds it took; anything but 200 ends the measurement."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(data.decode(errors="replace"))
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:])
        while len(body) < int(fields[b"content-length"]):
            body += self._receive()
        took = time.perf_counter() - self.started
        if fields.get(b"connection") == b"close":
            self.socket.close()
            self.socket = _connect(self.port)
        return took

    def _receive(self) -> bytes:
        received = self.socket.recv(65536)
        if not received:
            raise RuntimeError("the server closed the connection in the middle of an answer")
        return received


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
