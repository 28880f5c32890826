"""What goes wrong at the edge of the emulator: calls refused or held, permissions taken away."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rehearsal.host import Emulator
from rehearsal.story.world import World

Wish = dict[str, Any]


@contextmanager
def calls(emulator: Emulator, *wishes: Wish) -> Iterator[None]:
    """While the block runs, calls go wrong as rehearsal/emulator/faults.py says of such wishes."""
    _faults(emulator, list(wishes))
    try:
        yield
    finally:
        if emulator.process.poll() is None:  # one that was killed has forgotten them
            _faults(emulator, [])


def met(emulator: Emulator) -> int:
    """How many calls have gone wrong so far, in this block."""
    return sum(wish["met"] for wish in _faults(emulator))


def held(emulator: Emulator) -> int:
    """How many calls are being held."""
    return sum(wish["holding"] for wish in _faults(emulator))


def wait_for_held(world: World, what: str, seconds: float = 60) -> None:
    """Wait until a call is being held. Raises StoryError."""
    world.wait(lambda: True if held(world.emulator) else None, f"{what} to be called", seconds, world.logs / "log")


def throttled(operation: str, times: int | None = None, caller: str = "") -> Wish:
    """A wish that an operation asks to slow down, so many times or for ever."""
    wish = {"operation": operation, "caller": caller, "code": "ThrottlingException", "message": "Rate exceeded"}
    return wish | ({"times": times} if times is not None else {})


def _faults(emulator: Emulator, wishes: list[Wish] | None = None) -> list[Wish]:
    content, method = (None, "GET") if wishes is None else (json.dumps(wishes).encode(), "PUT")
    request = urllib.request.Request(f"{emulator.address}/_faults", content, method=method)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        found: list[Wish] = json.load(answer)
    return found


def deny(world: World, role: str, purpose: str, actions: list[str]) -> None:
    """Take actions away from a role, as a mistaken change of a policy would."""
    statement = {"Effect": "Deny", "Action": actions, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = world.client("iam", "engineer", purpose)
    iam.put_role_policy(RoleName=role, PolicyName="mistaken", PolicyDocument=document)


def allow_again(world: World, role: str, purpose: str) -> None:
    """Give back what deny took away."""
    world.client("iam", "engineer", purpose).delete_role_policy(RoleName=role, PolicyName="mistaken")
