"""What goes wrong at the edge of the emulator: calls refused or held, permissions taken away."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rehearsal.faults.fault import PATIENCE
from rehearsal.host import Emulator
from rehearsal.story.world import World

Wish = dict[str, Any]
_FOUND = ("met", "holding")  # what the emulator adds to a wish


@contextmanager
def calls(emulator: Emulator, *wishes: Wish) -> Iterator[None]:
    """While the block runs, calls go wrong as rehearsal/emulator/faults.py says of such wishes; a block within it adds
    others."""
    before = [{name: value for name, value in each.items() if name not in _FOUND} for each in _faults(emulator)]
    _faults(emulator, [*before, *wishes])
    try:
        yield
    finally:
        if emulator.process.poll() is None:  # one that was killed has forgotten them
            _faults(emulator, before)


def met(emulator: Emulator) -> int:
    """How many calls have gone wrong so far, in this block."""
    return sum(each["met"] for each in _faults(emulator))


def held(emulator: Emulator, operation: str) -> int:
    """How many calls of an operation are being held."""
    return sum(each["holding"] for each in _faults(emulator) if each["operation"] == operation)


def wait_for_held(world: World, operation: str) -> None:
    """Wait until a call is being held. Raises StoryError."""
    expected = f"{operation} to be called"
    world.wait(lambda: True if held(world.emulator, operation) else None, expected, PATIENCE, world.logs / "log")


def throttled(operation: str, times: int | None = None, caller: str = "") -> Wish:
    """A wish that an operation asks to slow down, so many times or for ever: clients of AWS try again and again."""
    found = refused(operation, "ThrottlingException", "Rate exceeded", caller)
    return found | ({"times": times} if times is not None else {})


def refused(operation: str, code: str, message: str, caller: str = "") -> Wish:
    """A wish that an operation is refused with an error of its service."""
    return {"operation": operation, "caller": caller, "code": code, "message": message}


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
