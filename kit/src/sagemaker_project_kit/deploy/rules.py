"""Evaluates the Rules section of a CloudFormation template with the rule-specific intrinsic functions.

Source: "Rule-specific intrinsic functions" in the CloudFormation user guide. Fn::ValueOf, Fn::ValueOfAll and Fn::RefAll
ask AWS for what a VPC or subnet looks like, so a rule that uses them is refused as it cannot be checked offline.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker_project_kit.deploy.errors import TemplateError

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Assertion:
    """What must hold, and the sentence for those for whom it does not."""

    expression: Any
    message: str


@dataclass(frozen=True)
class Rule:
    """Assertions that must hold whenever the condition does (always without one)."""

    name: str
    condition: Any
    assertions: tuple[Assertion, ...]


def read_rules(section: Mapping[str, Any], file: str) -> tuple[Rule, ...]:
    """The Rules section. Raises TemplateError for one that is malformed or cannot be evaluated offline."""
    try:
        rules = tuple(
            Rule(name, body.get("RuleCondition"), tuple(_assertion(name, entry) for entry in body["Assertions"]))
            for name, body in section.items()
        )
    except (KeyError, TypeError, AttributeError):
        raise TemplateError(f"{file}: each rule needs Assertions, a list of Assert and AssertDescription") from None
    for rule in rules:
        for expression in (rule.condition, *(assertion.expression for assertion in rule.assertions)):
            _require_known(expression, f"{file}: rule {rule.name}")
    return rules


def _assertion(name: str, entry: Mapping[str, Any]) -> Assertion:
    return Assertion(entry["Assert"], str(entry.get("AssertDescription") or f"rule {name} does not hold"))


def broken_rules(rules: Sequence[Rule], values: Values) -> Iterator[tuple[str, str, list[str]]]:
    """(rule, sentence, parameters it looked at) for each assertion that does not hold."""
    for rule in rules:
        if rule.condition is not None and not _true(evaluate(rule.condition, values)):
            continue
        for assertion in rule.assertions:
            if not _true(evaluate(assertion.expression, values)):
                yield rule.name, assertion.message, _names([rule.condition, assertion.expression])


def evaluate(expression: Any, values: Values) -> Any:
    """The value of an expression: text, a list or a truth value. Raises TemplateError for an unknown parameter."""
    if isinstance(expression, list):
        return [evaluate(part, values) for part in expression]
    if not isinstance(expression, dict):
        return expression
    ((function, argument),) = expression.items()
    if function == "Ref":
        if argument not in values:
            raise TemplateError(f"a rule refers to {argument!r}, which is no parameter of the template")
        return values[argument]
    return _FUNCTIONS[function](*evaluate(argument, values))


def _true(value: Any) -> bool:
    return value is True or value == "true"


def _equals(left: Any, right: Any) -> bool:
    return bool(left == right)


def _contains(members: Sequence[Any], value: Any) -> bool:
    return value in members


def _each_member_in(members: Sequence[Any], allowed: Sequence[Any]) -> bool:
    return all(member in allowed for member in members)


def _each_member_equals(members: Sequence[Any], value: Any) -> bool:
    return all(member == value for member in members)


def _and(*parts: Any) -> bool:
    return all(_true(part) for part in parts)


def _or(*parts: Any) -> bool:
    return any(_true(part) for part in parts)


def _not(part: Any) -> bool:
    return not _true(part)


_FUNCTIONS: dict[str, Callable[..., bool]] = {
    "Fn::Equals": _equals,
    "Fn::Contains": _contains,
    "Fn::EachMemberIn": _each_member_in,
    "Fn::EachMemberEquals": _each_member_equals,
    "Fn::And": _and,
    "Fn::Or": _or,
    "Fn::Not": _not,
}


def _require_known(expression: Any, where: str) -> None:
    if isinstance(expression, list):
        for part in expression:
            _require_known(part, where)
    elif isinstance(expression, dict):
        if len(expression) != 1 or next(iter(expression)) not in (*_FUNCTIONS, "Ref"):
            raise TemplateError(f"{where}: {', '.join(expression)} cannot be evaluated offline in a rule")
        ((function, argument),) = expression.items()
        if function != "Ref":
            if not isinstance(argument, list):
                raise TemplateError(f"{where}: {function} takes a list")
            _require_known(argument, where)


def _names(expression: Any) -> list[str]:
    """The parameters that an expression looks at, in order."""
    if isinstance(expression, list):
        return list(dict.fromkeys(name for part in expression for name in _names(part)))
    if isinstance(expression, dict):
        ((function, argument),) = expression.items()
        return [argument] if function == "Ref" else _names(argument)
    return []
