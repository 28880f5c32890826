"""House rule: an action that takes no resource is allowed on everything or not at all.

The table is the rehearsal's, a dated excerpt of the service authorization reference: rehearsal/emulator/reference.json.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.infrastructure import stages
from tests.infrastructure.cloudformation import Stack
from tests.infrastructure.house import identity

TABLE = stages.ROOT / "rehearsal" / "emulator" / "reference.json"


@cache
def table() -> dict[str, Any]:
    """copies, read, unscoped and differs."""
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@cache
def unscoped() -> frozenset[str]:
    """The actions that take no resource."""
    return frozenset(f"{service}:{name}" for service, names in table()["unscoped"].items() for name in names)


def actions_without_a_resource_are_allowed_on_everything(stack: Stack) -> Iterator[str]:
    """IAM is asked for them with *, which no ARN and no pattern of one is."""
    for name, statement in identity.identity_statements(stack):
        resources = identity.as_list(statement.get("Resource"))
        if statement["Effect"] == "Allow" and "*" not in resources:
            for action in sorted(unscoped() & set(map(str, identity.as_list(statement.get("Action"))))):
                yield f"{name}: {statement.get('Sid')} allows {action} on {resources[0]}…, but it takes no resource"


RULES = (actions_without_a_resource_are_allowed_on_everything,)
