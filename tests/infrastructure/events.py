"""Event patterns against recorded events: each rule must match exactly the kinds of event it is meant for.

The recordings in events/ follow the samples of the SageMaker developer guide ("Events that Amazon SageMaker AI sends to
Amazon EventBridge") and of reference material; project id and names are those of stages.py, in the stage staging.
Matching: EventBridge user guide, "Comparison operators".
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.infrastructure import stages
from tests.infrastructure.cloudformation import Unresolvable

FOLDER = Path(__file__).parent / "events"
# (template, rule) → the recordings that it must match; it must match no other.
EXPECTED = {
    ("batch.yaml", "FailureRule"): {"transform-job-failed", "transform-job-stopped"},
}


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Name → event."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def findings(file: str, text: str) -> list[str]:
    """What is wrong with the rules of a template."""
    rules = dict(stages.stack(text, "staging").of_type("AWS::Events::Rule"))
    expected = {rule: kinds for (each, rule), kinds in EXPECTED.items() if each == file}
    problems = [f"{rule}: what it must match is not in EXPECTED" for rule in rules.keys() - expected.keys()]
    for rule, kinds in expected.items():
        found = {name for name, event in recorded().items() if matches(rules[rule]["EventPattern"], event)}
        if found != kinds:
            problems.append(f"{rule}: matches {sorted(found)} and must match {sorted(kinds)}")
    return problems


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether an event has, for every key of the pattern, a value that one of the listed ones allows."""
    if not isinstance(event, dict):
        return False
    return all(
        matches(allowed, event.get(key)) if isinstance(allowed, dict) else _any(allowed, event.get(key, _MISSING))
        for key, allowed in pattern.items()
    )


_MISSING = object()


def _any(allowed: list[Any], value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_one(each, candidate) for each in allowed for candidate in values)


def _one(allowed: Any, value: Any) -> bool:
    if not isinstance(allowed, dict):
        return bool(allowed == value)
    ((operator, argument),) = allowed.items()
    if operator == "exists":
        return (value is not _MISSING) is argument
    if operator == "anything-but":
        return value is not _MISSING and value not in (argument if isinstance(argument, list) else [argument])
    if not isinstance(value, str):
        return False
    tests = {
        "prefix": value.startswith,
        "suffix": value.endswith,
        "equals-ignore-case": lambda x: value.lower() == x.lower(),
    }
    if operator not in tests:
        raise Unresolvable(f"the operator {operator!r} is not known here")
    return bool(tests[operator](argument))
