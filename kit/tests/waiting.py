"""The one way in which a test waits: for what happens, and longer than anything takes on a busy machine."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
# Nobody waits as long where all is well; a machine with four times as much to do as it can is no reason to fail.
PATIENCE = 240.0
_PAUSE = 0.02


def until(ready: Callable[[], Result], seconds: float = PATIENCE) -> Result:
    """What `ready` answers as soon as it is true. Fails after `seconds`, with the last answer."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"still {found!r} after {seconds} s"
        time.sleep(_PAUSE)
    return found
