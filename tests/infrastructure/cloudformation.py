"""CloudFormation templates as resolved resources: what a stack would get, without AWS.

Conditions, Rules and every intrinsic function that this repository uses are evaluated; what only AWS knows (the ARN of
a resource that does not exist yet) becomes a placeholder such as <AlarmTopic> or <Model.ModelName>. A function it does
not know is an error, never passed through. Source: CloudFormation's template reference, "Intrinsic functions".
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import yaml

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/stack/9e8d7c6b-5a49-3827-1605-f4e3d2c1b0a9",
}
NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{(?!!)([^}]+)\}")


class Unresolvable(Exception):  # noqa: N818 - reads as what it says in a test's output
    """A template says something that this resolver, and perhaps CloudFormation, cannot make sense of."""


class _Loader(yaml.CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


@lru_cache(maxsize=16)
def load(text: str) -> dict[str, Any]:
    """The document of a template, short forms written out. It is shared: do not change it."""
    document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    assert isinstance(document, dict)
    return document


@dataclass(frozen=True)
class Stack:
    """A template with values for its parameters; a value that is not given is the parameter's default."""

    document: Mapping[str, Any]
    given: Mapping[str, str]

    @cached_property
    def values(self) -> dict[str, Any]:
        """Every parameter's value; a list for a CommaDelimitedList."""
        values: dict[str, Any] = dict(PSEUDO)
        for name, parameter in self.document.get("Parameters", {}).items():
            if name not in self.given and "Default" not in parameter:
                raise Unresolvable(f"{name} has neither a value nor a default")
            value = str(self.given.get(name, parameter.get("Default")))
            values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
        return values

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources whose condition holds, resolved."""
        written = _each(self.document["Resources"], self.values)
        return {
            name: self.resolve({key: part for key, part in body.items() if key != "Condition"})
            for name, body in written.items()
            if self.holds(body.get("Condition"))
        }

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """The outputs whose condition holds, resolved."""
        written: dict[str, Any] = self.document.get("Outputs", {})
        return {name: self.resolve(body) for name, body in written.items() if self.holds(body.get("Condition"))}

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical name and properties of the resources of some types."""
        for name, body in self.resources.items():
            if body["Type"] in types:
                yield name, body.get("Properties", {})

    def holds(self, condition: str | None) -> bool:
        """Whether a condition of the template holds; none always does."""
        return condition is None or bool(self.resolve(self.document["Conditions"][condition]))

    def resolve(self, value: Any) -> Any:
        """A value with its functions evaluated."""
        if isinstance(value, list):
            return [part for part in map(self.resolve, value) if part is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self.resolve(part) for key, part in value.items()}
        return {key: part for key, part in resolved.items() if part is not NO_VALUE}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::If":
            condition, yes, no = argument
            return self.resolve(yes if self.holds(condition) else no)
        if name == "Fn::Sub":
            return self._substitute(argument)
        if name == "Fn::GetAtt":
            return self._attribute(*argument)
        if name == "Ref":
            return self._reference(self.resolve(argument))
        if name == "Fn::FindInMap":
            return self._mapped(*self.resolve(argument))
        if name not in _FUNCTIONS:
            raise Unresolvable(f"{name} is not known here")
        return _FUNCTIONS[name](*self.resolve(argument))

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.values:
            return self.values[name]
        self._require(name)
        return f"<{name}>"

    def _attribute(self, name: str, attribute: str) -> str:
        self._require(name)
        body = self.document["Resources"].get(name, {})
        if (body.get("Type"), attribute) == ("AWS::SSM::Parameter", "Value"):  # how a template says a thing once
            return str(self.resolve(body["Properties"]["Value"]))
        return f"<{name}.{attribute}>"

    def _mapped(self, table: str, key: str, attribute: str) -> Any:
        try:
            return self.document["Mappings"][table][key][attribute]
        except KeyError:
            raise Unresolvable(f"the mapping {table} has no {key}.{attribute}") from None

    def _require(self, name: str) -> None:
        body = _each(self.document["Resources"], self.values).get(name)
        if body is None:
            raise Unresolvable(f"{name} is neither a parameter nor a resource")
        if not self.holds(body.get("Condition")):
            raise Unresolvable(f"{name} is used although its condition does not hold")

    def _substitute(self, argument: Any) -> str:
        text, local = argument if isinstance(argument, list) else (argument, {})

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in local:
                return str(self.resolve(local[name]))
            return str(self._attribute(*name.split(".", 1)) if "." in name else self._reference(name))

        return _VARIABLE.sub(replace, text).replace("${!", "${")

    # --- what CloudFormation refuses before it touches anything ------------------------------------------------------

    def problems(self) -> list[str]:
        """One sentence for each value, rule or comparison that does not fit."""
        return [*self._parameter_problems(), *self._broken_rules(), *self._broken_comparisons()]

    def _parameter_problems(self) -> Iterator[str]:
        for name, parameter in self.document["Parameters"].items():
            given = self.values[name]
            for value in given if isinstance(given, list) else [given]:
                if not _fits(value, parameter):
                    allowed = parameter.get("ConstraintDescription") or f"one of {parameter.get('AllowedValues')}"
                    yield f"{name} is {value!r}: allowed is {allowed}"

    def _broken_rules(self) -> Iterator[str]:
        for rule in self.document.get("Rules", {}).values():
            if self.resolve(rule.get("RuleCondition", True)):
                yield from (
                    each["AssertDescription"] for each in rule["Assertions"] if not self.resolve(each["Assert"])
                )

    def _broken_comparisons(self) -> Iterator[str]:
        for line in self.document.get("Metadata", {}).get("Comparisons", []):
            comparison, _, conditions = line.partition(" when ")
            left, operator, right = re.split(r" (<=|>=|<) ", comparison)
            if all(map(self._is, conditions.split(" and ") if conditions else [])):
                low, high = self._sum(left), self._sum(right)
                if not {"<": low < high, "<=": low <= high, ">=": low >= high}[operator]:
                    yield f"{line} does not hold"

    def _is(self, condition: str) -> bool:
        name, operator, value = condition.split(" ")
        return bool((self.values[name] == value.strip('"')) is (operator == "="))

    def _sum(self, terms: str) -> float:
        return sum(float(self.values.get(term, term)) for term in terms.split(" + "))


def _fits(value: str, parameter: Mapping[str, Any]) -> bool:
    if "AllowedValues" in parameter and value not in map(str, parameter["AllowedValues"]):
        return False
    if not re.fullmatch(parameter.get("AllowedPattern", r"[\s\S]*"), value):
        return False
    if parameter["Type"] == "Number":
        number = float(value) if re.fullmatch(r"-?\d+(\.\d+)?", value) else float("nan")
        return bool(parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number))
    return bool(parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", len(value)))


def _each(resources: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Resources with Fn::ForEach written out (AWS::LanguageExtensions)."""
    written: dict[str, Any] = {}
    for name, body in resources.items():
        if not name.startswith("Fn::ForEach::"):
            written[name] = body
            continue
        variable, collection, fragment = body
        for member in values[collection["Ref"]] if isinstance(collection, dict) else collection:
            written |= _replaced(fragment, "${" + variable + "}", member)
    return written


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_replaced(part, old, new) for part in value]
    if isinstance(value, dict):
        return {_replaced(key, old, new): _replaced(part, old, new) for key, part in value.items()}
    return value


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Fn::Join": lambda separator, parts: separator.join(map(str, parts)),
    "Fn::Split": lambda separator, text: text.split(separator),
    "Fn::Select": lambda index, parts: parts[int(index)],
    "Fn::Equals": lambda left, right: str(left) == str(right),
    "Fn::Not": lambda part: not part,
    "Fn::And": lambda *parts: all(parts),
    "Fn::Or": lambda *parts: any(parts),
    "Fn::Contains": lambda members, value: value in members,
}
