"""What was written a moment ago and does not count yet where permissions are decided: delays.toml, scaled to the pace.

Off unless REHEARSAL_DELAYS is set. It delays what it saw being written: what was there before, or was restored from
files, counts. Roles and policies that CloudFormation makes count as soon as they are complete, since it checks that
first (its user guide, "Understand CloudFormation stack creation events": the eventual consistency check ensures that a
"resource is fully operational"); a tag is no resource, so nobody waits for it.
"""

import os
import threading
import time
import tomllib
from pathlib import Path
from typing import Any, Literal

from .clock import pace

What = Literal["tags", "aliases", "policies", "roles"]
_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["delay"]
_SECONDS: dict[tuple[str, str], float] = {(each["what"], each["service"]): each["seconds"] for each in _TABLE}
_written: dict[tuple[What, str], tuple[float, Any]] = {}
_lock = threading.Lock()


def on() -> bool:
    """Whether delays are played."""
    return bool(os.environ.get("REHEARSAL_DELAYS"))


def seconds(what: What, service: str) -> float:
    """How long a writing takes to count, on the clock of this machine; 0 without a source, and when they are off."""
    found = _SECONDS.get((what, service), _SECONDS.get((what, "*"), 0.0))
    return found / pace() if on() else 0.0


def write(what: What, service: str, name: str, before: Any) -> None:
    """Something is written now; until its delay has passed, what was there `before` its first writing counts."""
    if on():
        with _lock:
            before = in_force(what, service, name, before)
            _written[what, name] = time.monotonic(), before


def in_force(what: What, service: str, name: str, now: Any) -> Any:
    """What counts of a name whose present value is `now`."""
    at, before = _written.get((what, name), (float("-inf"), None))
    return before if time.monotonic() < at + seconds(what, service) else now
