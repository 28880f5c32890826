"""Reads a CloudFormation template and checks parameter values against it, as CloudFormation would, but offline.

Parameters (types, allowed values and patterns, lengths, ranges) are checked here, Rules in rules.py, comparisons of
numbers in comparisons.py. It does not look at resources, and cannot know whether a subnet or SSM parameter exists.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sagemaker_project_kit.deploy import comparisons
from sagemaker_project_kit.deploy.comparisons import Comparison
from sagemaker_project_kit.deploy.errors import TemplateError, nearest
from sagemaker_project_kit.deploy.rules import Rule, broken_rules, read_rules

# The AWS-specific types this project uses, as EC2 writes the ids of these resources.
_SPECIFIC = {
    "AWS::EC2::Subnet::Id": re.compile(r"subnet-[0-9a-f]{8,17}"),
    "AWS::EC2::SecurityGroup::Id": re.compile(r"sg-[0-9a-f]{8,17}"),
    "AWS::EC2::VPC::Id": re.compile(r"vpc-[0-9a-f]{8,17}"),
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast, where it is built
    """YAML as CloudFormation reads it: intrinsic tags become functions, scalars stay text, no key occurs twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                line = node.value[position][0].start_mark.line + 1
                raise TemplateError(f"line {line}: the key {key!r} occurs twice")
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind of node
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)
_Loader.yaml_implicit_resolvers = {}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a template, with its constraints."""

    name: str
    type: str
    declaration: Mapping[str, Any]

    @property
    def default(self) -> str | None:
        """None if a value must be given."""
        value = self.declaration.get("Default")
        return None if value is None else str(value)

    @property
    def is_list(self) -> bool:
        return self.type == "CommaDelimitedList" or self.type.startswith("List<")

    @property
    def element(self) -> str:
        """The type of one value: that of the elements for a list."""
        if self.type == "CommaDelimitedList":
            return "String"
        return self.type.removeprefix("List<").removesuffix(">")

    def split(self, value: str) -> list[str]:
        """The values to check. CloudFormation takes an empty list as no value at all."""
        if not self.is_list:
            return [value]
        return [part.strip() for part in value.split(",")] if value else []

    def problem(self, value: str) -> str:
        """What CloudFormation would say against `value`; empty if nothing."""
        found = (self._element_problem(part) for part in self.split(value))
        return next(filter(None, found), "")

    def _element_problem(self, value: str) -> str:
        allowed = [str(entry) for entry in self.declaration.get("AllowedValues") or []]
        if allowed and value not in allowed:
            return _none_of(value, allowed)
        if problem := self._type_problem(value):
            return problem
        pattern = self.declaration.get("AllowedPattern")
        if pattern and not re.fullmatch(pattern, value):
            return _constraint(str(self.declaration.get("ConstraintDescription") or f"must match {pattern}"))
        return self._length_problem(value)

    def _type_problem(self, value: str) -> str:
        if self.element == "Number":
            return self._number_problem(value)
        specific = _SPECIFIC.get(self.element)
        if specific and not specific.fullmatch(value):
            return f"must be an id of the form {specific.pattern.split('[')[0]}…"
        return ""

    def _number_problem(self, value: str) -> str:
        number = _number(value)
        if number is None:
            return "must be a number"
        low, high = self._bounds("MinValue"), self._bounds("MaxValue")
        return _outside(number, low, high, "must be")

    def _length_problem(self, value: str) -> str:
        low, high = self._bounds("MinLength"), self._bounds("MaxLength")
        return _outside(len(value), low, high, "must have a length of")

    def _bounds(self, key: str) -> float | None:
        return _number(str(self.declaration[key])) if key in self.declaration else None


def _none_of(value: str, allowed: Sequence[str]) -> str:
    """A long list is shown by the entry that is most like the value."""
    if len(allowed) <= 12:
        return f"must be one of {', '.join(allowed)}"
    return f"must be one of the {len(allowed)} that the template allows{nearest(value, allowed)}"


def _number(value: str) -> float | None:
    """CloudFormation's Number: an integer or a float, no NaN and no infinity."""
    return float(value) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value) else None


def _outside(number: float, low: float | None, high: float | None, words: str) -> str:
    if (low is None or number >= low) and (high is None or number <= high):
        return ""
    if low is not None and high is not None:
        return f"{words} {low:g} to {high:g}"
    return f"{words} at least {low:g}" if low is not None else f"{words} at most {high:g}"


def _constraint(description: str) -> str:
    """A ConstraintDescription as the second half of a sentence: "must be a number", "must be lower case"."""
    words = description.rstrip(".")
    return words[:1].lower() + words[1:] if words.lower().startswith("must ") else f"must be {words}"


@dataclass(frozen=True)
class Template:
    """One CloudFormation template: its parameters and rules."""

    path: Path
    parameters: Mapping[str, Parameter]
    rules: tuple[Rule, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    version: str = ""

    @property
    def concern(self) -> str:
        """endpoint, api, batch, monitoring."""
        return self.path.stem

    def complete(self, values: Mapping[str, str]) -> dict[str, str]:
        """The values of the parameters that this template declares, defaults included."""
        given = {name: values.get(name, parameter.default) for name, parameter in self.parameters.items()}
        return {name: value for name, value in given.items() if value is not None}

    def problems(self, values: Mapping[str, str], origin: str, pseudo: Mapping[str, str]) -> Iterator[str]:
        """One sentence for each value that CloudFormation would refuse. `origin`: the file that the values come from.

        `pseudo`: AWS::Region and its like, which rules may refer to. Rules are looked at once every parameter fits.
        """
        found = list(self._parameter_problems(values, origin))
        yield from found
        if not found:
            yield from self._rule_problems({**self._typed(values), **pseudo}, origin)
            yield from self._comparison_problems(self.complete(values), origin)

    def _rule_problems(self, given: Mapping[str, Any], origin: str) -> Iterator[str]:
        for rule, message, names in broken_rules(self.rules, given):
            shown = _found(given, names)
            yield f"{origin}: {message.rstrip('.')} (rule {rule} of {self.path.name}); found {shown}"

    def _comparison_problems(self, given: Mapping[str, str], origin: str) -> Iterator[str]:
        for comparison in self.comparisons:
            if problem := comparison.problem(given):
                yield f"{origin}: {problem} ({self.path.name}); found {_found(given, comparison.names)}"

    def _parameter_problems(self, values: Mapping[str, str], origin: str) -> Iterator[str]:
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            if value is None:
                yield f"{origin} Parameters.{name}: is missing; {self.path.name} has no default for it"
            elif problem := parameter.problem(value):
                yield f"{origin} Parameters.{name}: {problem}; found {value!r}"

    def _typed(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {
            name: self.parameters[name].split(value) if self.parameters[name].is_list else value
            for name, value in self.complete(values).items()
        }


def _found(values: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(f"{name}={_shown(values[name])}" for name in names if name in values)


def _shown(value: Any) -> str:
    return repr(",".join(value) if isinstance(value, list) else value)


def read(path: Path) -> Template:
    """Read a template. Raises TemplateError."""
    try:
        document = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except FileNotFoundError:
        raise TemplateError(f"{path} is missing") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path.name} is not valid YAML: {error}") from None
    except TemplateError as error:
        raise TemplateError(f"{path.name}: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(f"{path.name} is no CloudFormation template: it has no Resources")
    parameters = {
        name: Parameter(name, declaration.get("Type", "String"), declaration)
        for name, declaration in (document.get("Parameters") or {}).items()
    }
    lines = (document.get("Metadata") or {}).get("Comparisons") or []
    return Template(
        path,
        parameters,
        read_rules(document.get("Rules") or {}, path.name),
        comparisons.read(lines, list(parameters), path.name),
        _version(document),
    )


def _version(document: Mapping[str, Any]) -> str:
    """What the template calls its own version, in Metadata or in the output TemplateVersion."""
    metadata = document.get("Metadata") or {}
    output = (document.get("Outputs") or {}).get("TemplateVersion") or {}
    value = metadata.get("TemplateVersion") or output.get("Value")
    return value if isinstance(value, str) else ""


def unknown_keys(given: Iterable[str], templates: Sequence[Template], origin: str) -> Iterator[str]:
    """One sentence for each key that no template declares: CloudFormation refuses those."""
    known = {name for template in templates for name in template.parameters}
    files = ", ".join(template.path.name for template in templates)
    for key in given:
        if key not in known:
            yield f"{origin} Parameters.{key}: no template ({files}) has a parameter of this name{nearest(key, known)}"
