"""Comparisons of parameters, which CloudFormation's Rules cannot make: they compare no numbers.

A template lists them under Metadata.Comparisons, one a line and read from left to right:

    ShiftWaitSeconds + TerminationWaitSeconds < ShiftTimeoutSeconds
    InstanceCount >= 2 when TrafficShifting = CANARY and EndpointType != serverless

Operands are parameters, numbers and sums of them. A comparison is skipped unless everything after `when` holds.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sagemaker_project_kit.deploy.errors import TemplateError

_OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "<=": (operator.le, "at most"),
    ">=": (operator.ge, "at least"),
    "<": (operator.lt, "less than"),
    ">": (operator.gt, "more than"),
    "=": (operator.eq, "equal to"),
    "!=": (operator.ne, "other than"),
}
_COMPARISON = re.compile(r"(?P<left>[\w+. ]+?)\s*(?P<operator><=|>=|!=|<|>|=)\s*(?P<right>[\w+. ]+)")
_CONDITION = re.compile(r"(?P<name>\w+)\s*(?P<operator>!=|=)\s*(?P<value>\S*)")


@dataclass(frozen=True)
class Condition:
    """A parameter that must (or must not) have a value, as text."""

    name: str
    equal: bool
    value: str

    def holds(self, values: Mapping[str, str]) -> bool:
        return (values.get(self.name) == self.value) is self.equal


@dataclass(frozen=True)
class Comparison:
    """`left` and `right` are the terms of a sum: names of parameters, or numbers."""

    left: tuple[str, ...]
    operator: str
    right: tuple[str, ...]
    conditions: tuple[Condition, ...]
    text: str

    @property
    def names(self) -> list[str]:
        """Every parameter it looks at, in order."""
        terms = [term for term in (*self.left, *self.right) if not _is_number(term)]
        return list(dict.fromkeys([*terms, *(condition.name for condition in self.conditions)]))

    def problem(self, values: Mapping[str, str]) -> str:
        """A sentence if it does not hold; empty if it does, or does not apply, or a value is no number."""
        if not all(condition.holds(values) for condition in self.conditions):
            return ""
        left, right = _sum(self.left, values), _sum(self.right, values)
        compare, words = _OPERATORS[self.operator]
        if left is None or right is None or compare(left, right):
            return ""
        bound = " + ".join(self.right) + ("" if all(map(_is_number, self.right)) else f" ({right:g})")
        when = " and ".join(_in_words(condition) for condition in self.conditions)
        return f"{' + '.join(self.left)} must be {words} {bound}" + (f" when {when}" if when else "")


def read(lines: Sequence[str], known: Sequence[str], file: str) -> tuple[Comparison, ...]:
    """The comparisons of a template with the parameters `known`. Raises TemplateError."""
    comparisons = tuple(_parse(str(line), file) for line in lines)
    for comparison in comparisons:
        for name in comparison.names:
            if name not in known:
                raise TemplateError(f"{file}: the comparison {comparison.text!r} names {name!r}, which is no parameter")
    return comparisons


def _parse(line: str, file: str) -> Comparison:
    comparison, _, conditions = line.partition(" when ")
    match = _COMPARISON.fullmatch(comparison.strip())
    if match is None:
        raise TemplateError(f"{file}: the comparison {line!r} must look like A + B <= C when D = value")
    terms = {side: tuple(term.strip() for term in match[side].split("+")) for side in ("left", "right")}
    parsed = tuple(_condition(part, line, file) for part in conditions.split(" and ")) if conditions else ()
    return Comparison(terms["left"], match["operator"], terms["right"], parsed, line)


def _condition(text: str, line: str, file: str) -> Condition:
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise TemplateError(f"{file}: {text!r} in the comparison {line!r} must look like NAME = value")
    return Condition(match["name"], match["operator"] == "=", match["value"].strip("\"'"))


def _in_words(condition: Condition) -> str:
    return f"{condition.name} is {'' if condition.equal else 'not '}{condition.value or 'empty'}"


def _sum(terms: Sequence[str], values: Mapping[str, str]) -> float | None:
    numbers = [_number(values.get(term, term)) for term in terms]
    return None if None in numbers else sum(number for number in numbers if number is not None)


def _number(text: str) -> float | None:
    return float(text) if _is_number(text) else None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d+(\.\d+)?", text))
