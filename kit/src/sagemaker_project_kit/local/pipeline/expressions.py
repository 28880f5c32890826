"""The expressions of a pipeline definition: Get, Std:Join, Std:JsonGet and the conditions.

`evaluate` turns an argument tree into plain values. It never guesses: what cannot be resolved fails the step with the
reference in the message.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed

_TOKEN = re.compile(r"""\[['"]([^'"]+)['"]\]|\[(\d+)\]|\.?([^.\[\]]+)""")
# A list in a Describe… response is addressed by name in a pipeline: Outputs['train'], FinalMetricDataList['auc'].
_NAME_KEYS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")


@dataclass
class Scope:
    """What expressions can see: parameter values, execution variables, and the properties of the steps that ran."""

    parameters: Mapping[str, Any]
    execution: Mapping[str, Callable[[], str]]
    read_text: Callable[[str], str]
    property_files: Mapping[tuple[str, str], Mapping[str, str]]
    properties: dict[str, Any] = field(default_factory=dict)


def evaluate(value: Any, scope: Scope) -> Any:
    """`value` with every expression replaced by what it stands for. Raises StepFailed where one cannot be resolved."""
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        ((kind, body),) = value.items()
        if kind in _EXPRESSIONS:
            return _EXPRESSIONS[kind](body, scope)
    return {key: evaluate(item, scope) for key, item in value.items()}


def _get(reference: str, scope: Scope) -> Any:
    kind, _, rest = reference.partition(".")
    if kind == "Parameters":
        return scope.parameters[rest]
    if kind == "Execution":
        return _execution_variable(rest, scope)
    name, _, path = rest.partition(".")
    if name not in scope.properties:
        raise StepFailed(f"{reference} is not known: step {name!r} has not run in this execution.")
    return look_up(scope.properties[name], path, f"step {name!r}")


def _execution_variable(name: str, scope: Scope) -> str:
    if name not in scope.execution:
        raise StepFailed(f"Execution.{name} is not known locally; these are: {', '.join(scope.execution)}.")
    return scope.execution[name]()


def _join(body: Mapping[str, Any], scope: Scope) -> str:
    return str(body.get("On", "")).join(_text(evaluate(value, scope)) for value in body["Values"])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _json_get(body: Mapping[str, Any], scope: Scope) -> Any:
    uri = property_file_uri(body["PropertyFile"], scope) if "PropertyFile" in body else evaluate(body["S3Uri"], scope)
    try:
        document = json.loads(scope.read_text(uri))
    except ValueError as error:
        raise StepFailed(f"{uri} is not JSON: {error}") from error
    return look_up(document, body["Path"], uri)


def property_file_uri(reference: Mapping[str, str], scope: Scope) -> str:
    """Where the property file that {"Get": "Steps.<step>.PropertyFiles.<name>"} names was stored."""
    _, step, _, name = reference["Get"].split(".", 3)
    declared = scope.property_files[step, name]
    path = f"ProcessingOutputConfig.Outputs['{declared['OutputName']}'].S3Output.S3Uri"
    folder = _get(f"Steps.{step}.{path}", scope)
    return f"{str(folder).rstrip('/')}/{declared['FilePath']}"


_EXPRESSIONS: dict[str, Callable[[Any, Scope], Any]] = {"Get": _get, "Std:Join": _join, "Std:JsonGet": _json_get}


def look_up(document: Any, path: str, origin: str) -> Any:
    """The value at `path` (a.b['c'][0]). Raises StepFailed naming `origin` and the part that is missing."""
    for match in _TOKEN.finditer(path.removeprefix("$")):
        name, index = match[1] or match[3], match[2]
        try:
            document = _member(document, name) if name is not None else document[int(index)]
        except (KeyError, IndexError, TypeError):
            raise StepFailed(f"{origin} has no {path!r}: {match[0].lstrip('.')!r} is missing.") from None
    return document


def _member(document: Any, name: str) -> Any:
    if not isinstance(document, list):
        return document[name]
    for item in document:
        if name in (item.get(key) for key in _NAME_KEYS):
            return item
    raise KeyError(name)


def holds(condition: Mapping[str, Any]) -> bool:
    """Whether an evaluated condition is true."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"])
    if kind == "Or":
        return any(holds(part) for part in condition["Conditions"])
    if kind in ("In", "NotIn"):
        return bool((condition["QueryValue"] in condition["Values"]) == (kind == "In"))
    return _compare(kind, condition["LeftValue"], condition["RightValue"])


def _compare(kind: str, left: Any, right: Any) -> bool:
    if kind not in _COMPARISONS:
        raise StepFailed(
            f"The condition type {kind!r} is not known; these are: {', '.join(_COMPARISONS)}, Not, Or, In."
        )
    try:
        return _COMPARISONS[kind](left, right)
    except TypeError:
        raise StepFailed(f"The condition {left!r} {kind} {right!r} compares values of different kinds.") from None


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: bool(left == right),
    "GreaterThan": lambda left, right: bool(left > right),
    "GreaterThanOrEqualTo": lambda left, right: bool(left >= right),
    "LessThan": lambda left, right: bool(left < right),
    "LessThanOrEqualTo": lambda left, right: bool(left <= right),
}
