"""Stands between a rehearsal and what it starts: whichever of the two is gone, nothing of the other stays.

`python -m rehearsal.guardian MARK COMMAND…` runs COMMAND, which ends when its standard input does. Once the guardian's
own input ends, or on SIGTERM, COMMAND is asked to end and soon made to; on SIGUSR1 it is killed at once. Whatever it
leaves, in whatever session, goes with it: the guardian is where Linux sends orphans, and knows all others by MARK.

It is a process of its own because a killed one cannot tidy up. It starts nothing else, and serves nobody.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

from rehearsal import processes

GRACE_SECONDS = 3.0
# prctl(2): orphaned descendants become children of this process.
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_SECONDS = 3.0


def main() -> int:
    """Run the command to its end; its exit code."""
    mark, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, processes.MARK: mark})
    signal.signal(signal.SIGTERM, lambda *_: _ask(child))
    signal.signal(signal.SIGUSR1, lambda *_: _signal(child, signal.SIGKILL))
    threading.Thread(target=_watch_input, args=(child,), daemon=True).start()
    seen = _Seen()
    if sys.platform != "linux":
        threading.Thread(target=seen.look_for_ever, daemon=True).start()
    code = _wait(child)
    processes.end(lambda: _left(mark) | seen.left())
    return code


def _left(mark: str) -> set[int]:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:  # orphans that have ended
            pass
    return processes.marked(mark) | processes.descendants(os.getpid())


def _wait(child: "subprocess.Popen[bytes]") -> int:
    """Wait for the command, and for every orphan that came here meanwhile."""
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _watch_input(child: "subprocess.Popen[bytes]") -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _ask(child)


def _ask(child: "subprocess.Popen[bytes]") -> None:
    """Ask the command to end; a while later it is made to."""
    _signal(child, signal.SIGTERM)
    timer = threading.Timer(GRACE_SECONDS, _signal, (child, signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Not with its send_signal, which would take the news of its end from under `_wait`."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)


class _Seen:
    """Where orphans cannot be had and marks are hidden, remember who was ever seen below us."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def look_for_ever(self) -> None:
        while True:
            self.look()
            time.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        """Add our descendants, and those of whom we have seen before."""
        now = processes.running()
        self._known = {pid: began for pid, began in self._known.items() if pid in now and now[pid].began == began}
        for leader in (os.getpid(), *self._known):
            self._known |= {pid: now[pid].began for pid in processes.descendants(leader, now)}

    def left(self) -> set[int]:
        """Those of them that still run; the number of one that ended may belong to somebody else by now."""
        now = processes.running()
        return {pid for pid, began in self._known.items() if pid in now and now[pid].began == began}


if __name__ == "__main__":
    sys.exit(main())
