"""What roles were granted, statement by statement, and which of it no call ever needed.

A pattern of actions is used once any call was allowed by it; one that nothing was allowed by is granted in vain,
however many actions it stands for. What a role was granted is kept when the role is deleted.
"""

from typing import Any

from . import evaluator, seams
from .evaluator import Request
from .store import Store

Grant = tuple[str, str]  # the Sid of the statement or, without one, its resources; the pattern of actions
_granted: Store[list[Grant]] = Store("granted")
_used: Store[set[Grant]] = Store("used")


def remember() -> None:
    """Take down what every role that exists is granted now, beside what it was granted before."""
    for role in seams.all_roles():
        found = [
            (_name(statement), pattern)
            for document in seams.role_policies(role)
            for statement in evaluator.statements(document)
            if statement.effect == "Allow"
            for pattern in statement.actions
        ]
        with seams.scope(role.split(":")[4], ""):
            _granted[role] = list(dict.fromkeys([*(_granted.get(role) or []), *found]))


def note_used(role: str, request: Request) -> None:
    """Remember which statements of a role allowed a request."""
    with seams.scope(role.split(":")[4], ""):
        used = _used.setdefault(role, set())
    used.update((_name(statement), pattern) for statement, found in evaluator.allowing(request) for pattern in found)


def roles() -> list[str]:
    """Every role that is or was."""
    return sorted(role for _, _, role, _ in _granted.everywhere())


def unused(role: str) -> list[dict[str, str]]:
    """Statement and action of what a role was granted in vain, in the order of its policies."""
    with seams.scope(role.split(":")[4], ""):
        used, granted = _used.get(role) or set(), _granted.get(role) or []
    return [
        {"statement": name, "action": action} for name, action in dict.fromkeys(granted) if (name, action) not in used
    ]


def _name(statement: Any) -> str:
    return str(statement.sid) or " ".join(statement.resources)
