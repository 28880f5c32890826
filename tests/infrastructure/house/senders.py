"""House rule on aws:SourceAccount and aws:SourceArn: wanted where a public source says that the service sends them, and
asked for with …IfExists where none does, which binds just as well if they are sent and stops nothing if they are not.

The table is the rehearsal's, which sends the same keys where permissions are enforced: rehearsal/emulator/senders.toml.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

from tests.infrastructure import stages
from tests.infrastructure.cloudformation import Stack
from tests.infrastructure.house import identity

TABLE = stages.ROOT / "rehearsal" / "emulator" / "senders.toml"
KEYS = {"aws:sourceaccount", "aws:sourcearn"}
_KINDS = {
    "AWS::IAM::Role": "roles",
    "AWS::KMS::Key": "keys",
    "AWS::SNS::TopicPolicy": "topics",
    "AWS::SQS::QueuePolicy": "queues",
}


def table() -> list[dict[str, Any]]:
    """service, to what, which keys, says who."""
    entries: list[dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["sends"]
    return entries


def source_keys_are_sent(stack: Stack) -> Iterator[str]:
    """No statement wants a key that its services are not known to send, and none leaves open one that they all do."""
    for name, statement in identity.service_statements(stack):
        kind = _KINDS.get(stack.resources[name]["Type"], "")
        services = identity.services(statement)
        known = set.intersection(*(_sent(service, kind) for service in services))
        for operator, key in _asked(statement):
            is_open = operator.endswith("IfExists")
            if key in known and is_open:
                yield f"{name}: {services} send {key} to {kind}: {operator.removesuffix('IfExists')} binds more"
            elif key not in known and not is_open:
                yield f"{name}: no source says that {services} send {key} to {kind}: {operator}IfExists costs nothing"


def _sent(service: str, kind: str) -> set[str]:
    return {
        key.lower() for each in table() if each["service"] == service and kind in each["to"] for key in each["keys"]
    }


def _asked(statement: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for operator, keys in statement.get("Condition", {}).items():
        yield from ((operator, key.lower()) for key in keys if key.lower() in KEYS)


RULES = (source_keys_are_sent,)
