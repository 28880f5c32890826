"""Event patterns as ministack's EventBridge matches them: whether an event matches, and which field differs if not.

Like evaluator.py it needs no running emulator: what a play wrote down is matched again by the same code.
"""

import json
from collections.abc import Iterator
from typing import Any, cast

from ministack.services import eventbridge  # type: ignore[import-not-found]

Document = dict[str, Any]
Leaf = tuple[tuple[str, ...], list[Any]]  # where in the pattern, and the values that it takes


def matches(pattern: str, event: Document) -> bool:
    """Whether an event, as EventBridge keeps it, matches a pattern."""
    return cast(bool, eventbridge._matches_pattern(pattern, event))


def leaves(pattern: Document, place: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """The conditions of a pattern, one for each field."""
    for name, value in pattern.items():
        if isinstance(value, dict):
            yield from leaves(value, (*place, name))
        else:
            yield (*place, name), value


def only(leaf: Leaf) -> str:
    """The pattern that asks for one field alone."""
    place, values = leaf
    wanted: Any = values
    for name in reversed(place):
        wanted = {name: wanted}
    return json.dumps(wanted)


def differing(pattern: str, event: Document) -> list[Leaf]:
    """The conditions of a pattern that an event does not meet."""
    return [leaf for leaf in leaves(json.loads(pattern)) if not matches(only(leaf), event)]


def field_of(event: Document, place: tuple[str, ...]) -> Any:
    """What an event has at a place; None for nothing."""
    value: Any = eventbridge._pattern_event_view(event).event_with_detail()
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def sentence(arn: str, pattern: str, event: Document) -> str:
    """That a rule did not match an event, and in which fields they differ."""
    name = arn.rpartition("rule/")[2]
    return f"rule {name} did not match {event['DetailType']} of {event['Source']}: {difference(pattern, event)}"


def difference(pattern: str, event: Document) -> str:
    """What differs, in words: each field, what it is, and what the pattern wants."""
    return ", ".join(
        f"{'.'.join(place)} is {json.dumps(field_of(event, place))}, the pattern wants "
        f"{' or '.join(json.dumps(each) for each in values)}"
        for place, values in differing(pattern, event)
    )
