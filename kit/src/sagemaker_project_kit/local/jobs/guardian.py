"""Ends the processes of a run whose own process was killed. Started as a program beside every run.

Each line on standard input names a process group: "+123" began, "-123" ended. The end of the input means that the run
is over or was killed (kill -9 leaves it no time to tidy up); what is left then is ended here. Unlike a parent-death
signal this works on every Unix and reaches grandchildren too. It imports nothing of ours and must stay small.
"""

import contextlib
import os
import signal
import sys
import time

GRACE = 1.0


def watch() -> set[int]:
    """The process groups that are left when the input ends."""
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    return groups


def end(groups: set[int]) -> None:
    """Ask each group to stop, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL) if groups else ():
        for group in groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        time.sleep(GRACE)


if __name__ == "__main__":
    end(watch())
