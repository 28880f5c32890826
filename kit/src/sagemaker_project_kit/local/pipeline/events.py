"""What the main thread waits for: steps that ended, and signals.

A pipe rather than a queue: Python's own signal handler runs only when the main thread executes Python again, and a
signal that comes just before it blocks in a queue is not seen until something else wakes it. The byte that
signal.set_wakeup_fd writes wakes it always.
"""

import os
import signal
from collections import deque
from types import FrameType
from typing import Generic, TypeVar

T = TypeVar("T")
_POSTED = 0  # no signal has this number
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Events(Generic[T]):
    """Events of other threads and signals, in order. Use it in a `with` block of the main thread."""

    def __init__(self) -> None:
        self._posted: deque[T] = deque()

    def __enter__(self) -> "Events[T]":
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        wanted = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # nohup
        self._before = {number: signal.signal(number, _noticed) for number in wanted}
        self._descriptor = signal.set_wakeup_fd(self._write)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def post(self, event: T) -> None:
        """Hand over an event; any thread may."""
        self._posted.append(event)
        os.write(self._write, bytes([_POSTED]))

    def wait(self) -> T | signal.Signals:
        """Sleep until there is an event or a signal."""
        while True:
            number = os.read(self._read, 1)[0]
            if number == _POSTED:
                return self._posted.popleft()
            if number in _SIGNALS:
                return signal.Signals(number)


def _noticed(_: int, __: FrameType | None) -> None:
    """The wakeup byte tells; without a handler of its own a signal would have its default effect."""
