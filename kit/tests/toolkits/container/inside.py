"""Program of a container: inside.py PLAN_FILE, in name spaces of its own, with the Python of an image's environment.

No network but loopback; what the plan calls read-only cannot be written. Then it runs the plan's command to its end,
or, where the plan has requests, until they are answered.
"""

import fcntl
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

_UP, _SET_FLAGS = 0x1 | 0x40, 0x8914  # IFF_UP | IFF_RUNNING, SIOCSIFFLAGS of linux/if.h
PORT = 8080
_PATIENCE = 240.0  # for one answer: the first waits for the model


def main(plan_file: str) -> int:
    """Play the plan. The exit code is the command's; of a server, 0 if it answered all."""
    plan: dict[str, Any] = json.loads(Path(plan_file).read_text("utf-8"))
    _isolate(plan["hosts"], plan["read_only"])
    if not plan["requests"]:
        return subprocess.run(plan["argv"], cwd=plan["cwd"]).returncode
    server = subprocess.Popen(plan["argv"], cwd=plan["cwd"])
    try:
        _wait(server, plan["patience"])
        answers = [ask(PORT, *request) for request in plan["requests"]]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(plan["patience"])
    Path(plan["answers"]).write_text(json.dumps(answers), "utf-8")
    return 0


def _isolate(hosts: str, read_only: list[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:
        fcntl.ioctl(lo, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))
    _mount("--bind", hosts, "/etc/hosts")
    for folder in read_only:
        _mount("--bind", folder, folder)
        _mount("-o", "remount,bind,ro", folder)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def _wait(server: "subprocess.Popen[bytes]", patience: float) -> None:
    end = time.monotonic() + patience
    while server.poll() is None and time.monotonic() < end:
        with suppress(OSError):
            if ask(PORT, "GET", "/ping", {}, "")[0] == 200:
                return
        with suppress(subprocess.TimeoutExpired):
            server.wait(0.05)
    raise SystemExit(f"the server answered no /ping within {patience:.0f} s, or ended: {server.poll()}")


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str) -> tuple[int, str, str]:
    """Status, content type and body; bodies travel as Latin-1 text. No header is sent but these and the length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        content = body.encode("latin-1")
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            connection.putheader(name, value)
        connection.endheaders(content)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode("latin-1")
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
