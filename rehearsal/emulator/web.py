"""The emulator's web server on its one port: uvicorn with the parser and the event loop that are written in C.

A story makes thousands of calls; ministack's own server, hypercorn, takes twice the processor time for each.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import uvicorn
import uvloop

Asgi = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
KEEP_ALIVE_SECONDS = 75
GRACE_SECONDS = 1
# Of Python's lock: an answer waits this long for each thread that computes, several times on its way; usual are 5 ms.
SWITCH_SECONDS = 0.0005


class _Server(uvicorn.Server):
    """Signals are not its own: server.py says when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int) -> socket.socket:
    """A socket of loopback at a port, 0 for any free one. Raises OSError when it is taken."""
    # Only of one that says TCP does asyncio switch off Nagle's algorithm, which holds each answer for 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(512)
    return listening


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end on the event loop that `serve` is meant for."""
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(main)


async def serve(application: Asgi, listening: socket.socket, ending: asyncio.Event) -> None:
    """Answer until `ending` is set; what is under way then has a second."""
    server = _Server(
        uvicorn.Config(
            application,
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            # ministack gives each answer the headers that AWS's has.
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # Else who called last on a connection would be who calls next (cpython issue 140947).
            reset_contextvars=True,
        )
    )
    watching = asyncio.create_task(_end(server, ending))
    await server.serve(sockets=[listening])
    watching.cancel()


async def _end(server: uvicorn.Server, ending: asyncio.Event) -> None:
    await ending.wait()
    server.should_exit = True
