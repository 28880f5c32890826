"""A template's Rules and Conditions, evaluated as CloudFormation does before it makes anything.

Rules say which answers do not go together, Conditions what is made.

Source: "Rule-specific intrinsic functions" in the CloudFormation user guide. What only AWS knows (Fn::ValueOf, what a
VPC looks like) is left to CloudFormation: a rule that asks for it is never said to be broken here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any


class UnknownError(LookupError):
    """A function, or a value, that is known to AWS only."""


def broken(section: Mapping[str, Any], values: Mapping[str, str]) -> Iterator[str]:
    """The sentence of each assertion that these values, of parameters and pseudo parameters, do not fulfil."""
    for name, rule in section.items():
        if not _holds(rule.get("RuleCondition", True), values, when_unknown=False):
            continue
        for assertion in rule.get("Assertions") or []:
            if not _holds(assertion["Assert"], values, when_unknown=True):
                yield str(assertion.get("AssertDescription") or f"rule {name} of the template does not hold")


def conditions(section: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, bool]:
    """Which of a template's Conditions hold; one that asks for what only AWS knows counts as holding."""
    return {name: _holds(_expanded(one, section), values, when_unknown=True) for name, one in section.items()}


def _expanded(expression: Any, section: Mapping[str, Any]) -> Any:
    """The same without references to other conditions."""
    if isinstance(expression, list):
        return [_expanded(part, section) for part in expression]
    if not isinstance(expression, dict):
        return expression
    if set(expression) == {"Condition"} and expression["Condition"] in section:
        return _expanded(section[expression["Condition"]], section)
    return {key: _expanded(part, section) for key, part in expression.items()}


def _holds(expression: Any, values: Mapping[str, str], *, when_unknown: bool) -> bool:
    try:
        return _true(_evaluate(expression, values))
    except UnknownError:
        return when_unknown


def _evaluate(expression: Any, values: Mapping[str, str]) -> Any:
    if isinstance(expression, list):
        return [_evaluate(part, values) for part in expression]
    if not isinstance(expression, dict):
        return expression
    ((function, argument),) = expression.items()
    known = values if function == "Ref" else _FUNCTIONS
    wanted = argument if function == "Ref" else function
    if wanted not in known:
        raise UnknownError(wanted)
    return values[argument] if function == "Ref" else _FUNCTIONS[function](*_evaluate(argument, values))


def _true(value: Any) -> bool:
    return value is True or value == "true"


def _members(value: Any) -> list[Any]:
    """A list, or the answer to a question for one."""
    return value.split(",") if isinstance(value, str) else list(value)


_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "Fn::And": lambda *parts: all(map(_true, parts)),
    "Fn::Or": lambda *parts: any(map(_true, parts)),
    "Fn::Not": lambda part: not _true(part),
    "Fn::Equals": lambda left, right: bool(left == right),
    "Fn::Contains": lambda members, value: value in _members(members),
    "Fn::EachMemberIn": lambda members, allowed: set(_members(members)) <= set(_members(allowed)),
    "Fn::EachMemberEquals": lambda members, value: all(member == value for member in _members(members)),
}
