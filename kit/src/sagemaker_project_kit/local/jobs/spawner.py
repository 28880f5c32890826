"""Forks the Python programs of a run from a process that has loaded numpy and scipy. Started as a program by warm.py.

Each message on the socket, whose number is the only argument, is one program to start: JSON with argv, cwd and env, and
two open files: its log, and a pipe that is told its process id (once it leads a group of its own) and later its exit
code. What runs is a process as any other: own group, own environment, nothing of ours imported, numpy's generator
seeded anew. A process in between waits for it, because only a parent learns an exit code. This imports nothing of ours.
"""

import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import warnings
from pathlib import Path
from typing import Any

# The slowest of what SageMaker's images carry and nearly every step imports: 0.2 s of each. Not the frameworks:
# what they are differs with the order in which they are imported.
LIBRARIES = ("numpy", "scipy.sparse")


def serve(orders: socket.socket) -> None:
    """Start what is asked for until the other end is closed. Returns in the started program too, to run it."""
    while True:
        text, (log, status, *guardian) = _receive(orders)
        if not text:
            return
        if _fork() == 0:
            orders.close()
            _start(json.loads(text), log, status, guardian)
            return
        for file in (log, status, *guardian):
            os.close(file)


def _receive(orders: socket.socket) -> tuple[bytes, list[int]]:
    text, files, _, _ = socket.recv_fds(orders, 1 << 20, 3)
    return text, files if text else [-1, -1]


def _fork() -> int:
    with warnings.catch_warnings():
        # Python 3.12 warns of the threads that BLAS keeps; BLAS ends them before a fork and starts them after it.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _start(order: dict[str, Any], log: int, status: int, guardian: list[int]) -> None:
    """In the process in between: start the program, wait for it, tell its exit code, end. Returns in the program.

    The program itself tells the guardian of the run that it is there: a run that is killed now would never do so.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    program = _fork()
    if program:
        for file in (log, *guardian):
            os.close(file)
        _, code = os.waitpid(program, 0)
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d\n" % os.waitstatus_to_exitcode(code))
        os._exit(0)
    os.setsid()
    for file in guardian:
        with contextlib.suppress(BrokenPipeError):
            os.write(file, b"+%d\n" % os.getpid())
        os.close(file)
    os.write(status, b"%d\n" % os.getpid())
    os.close(status)
    _take_place(order, log)


def _take_place(order: dict[str, Any], log: int) -> None:
    """Files, folder, environment and path as a new interpreter would have them."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)
    os.chdir(order["cwd"])
    os.environ.update(order["env"])
    sys.argv = order["argv"]
    first = order["cwd"] if sys.argv[0] == "-m" else str(Path(sys.argv[0]).resolve().parent)
    sys.path[:1] = [first, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def run() -> None:
    """Run the program of sys.argv, "-m module …" or "script.py …", as the interpreter would."""
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def main() -> None:
    """Load the libraries that are there, say so with one byte, then serve."""
    sys.path[0] = os.devnull  # nothing of this folder
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        for library in LIBRARIES:
            with contextlib.suppress(ImportError):
                importlib.import_module(library)
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes in between
        orders.send(b".")
        sys.argv = []
        serve(orders)
    if sys.argv:
        run()


if __name__ == "__main__":
    main()
