"""The expressions of a definition as SageMaker Pipelines evaluates them: Get, Std:Join, Std:JsonGet, conditions.

Written from the published schema of definitions (version 2020-12-01) and not from the project's `local/`, so that the
two check each other.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.emulator.sagemaker.resources import Document

_TOKEN = re.compile(r"""\[['"]([^'"]+)['"]\]|\[(\d+)\]|\.?([^.\[\]]+)""")
# A list in a Describe… answer is addressed by name in a pipeline: Outputs['train'], FinalMetricDataList['auc'].
_NAMES = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")


class ExpressionError(Exception):
    """A reference that leads nowhere; the message names it."""


@dataclass
class Scope:
    """What expressions can see. `properties` holds what Describe… answers of each step that ran."""

    parameters: Document
    execution: Mapping[str, str]
    files: Mapping[tuple[str, str], Mapping[str, str]]
    read: Callable[[str], str]
    properties: dict[str, Document] = field(default_factory=dict)


def evaluate(value: Any, scope: Scope) -> Any:
    """A value with every expression replaced. Raises ExpressionError."""
    if isinstance(value, list):
        return [evaluate(item, scope) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return _get(value["Get"], scope)
    if set(value) == {"Std:Join"}:
        parts = evaluate(value["Std:Join"]["Values"], scope)
        return str(value["Std:Join"].get("On", "")).join(
            part if isinstance(part, str) else json.dumps(part) for part in parts
        )
    if set(value) == {"Std:JsonGet"}:
        return _json_get(value["Std:JsonGet"], scope)
    return {key: evaluate(item, scope) for key, item in value.items()}


def _get(reference: str, scope: Scope) -> Any:
    kind, _, rest = reference.partition(".")
    if kind == "Parameters" and rest in scope.parameters:
        return scope.parameters[rest]
    if kind == "Execution" and rest in scope.execution:
        return scope.execution[rest]
    name, _, path = rest.partition(".")
    if kind == "Steps" and name in scope.properties:
        return _walk(scope.properties[name], path, reference)
    raise ExpressionError(f"Unable to resolve the reference {reference}.")


def _json_get(body: Document, scope: Scope) -> Any:
    if "PropertyFile" in body:
        uri = _property_file(body["PropertyFile"]["Get"], scope)
    else:
        uri = str(evaluate(body["S3Uri"], scope))
    try:
        document = json.loads(scope.read(uri))
    except ValueError as error:
        raise ExpressionError(f"{uri} is not JSON: {error}") from error
    return _walk(document, body["Path"], f"{body['Path']} in {uri}")


def _property_file(reference: str, scope: Scope) -> str:
    _, step, _, name = reference.split(".", 3)
    declared = scope.files[step, name]
    output = f"Steps.{step}.ProcessingOutputConfig.Outputs['{declared['OutputName']}'].S3Output.S3Uri"
    return f"{str(_get(output, scope)).rstrip('/')}/{declared['FilePath']}"


def _walk(document: Any, path: str, reference: str) -> Any:
    for match in _TOKEN.finditer(path.removeprefix("$")):
        name, index = match[1] or match[3], match[2]
        try:
            document = _member(document, name) if name is not None else document[int(index)]
        except (KeyError, IndexError, TypeError):
            raise ExpressionError(f"Unable to resolve {reference}: {match[0].lstrip('.')} is missing.") from None
    return document


def _member(document: Any, name: str) -> Any:
    if not isinstance(document, list):
        return document[name]
    for item in document:
        if name in [item.get(key) for key in _NAMES]:
            return item
    raise KeyError(name)


def references(value: Any) -> list[str]:
    """Every {"Get": …} within a value."""
    if isinstance(value, dict):
        own = [value["Get"]] if set(value) == {"Get"} else []
        return own + [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


def holds(condition: Document) -> bool:
    """Whether an evaluated condition is true. Raises ExpressionError for one that compares different kinds."""
    kind = condition["Type"]
    if kind == "Not":
        return not holds(condition["Expression"])
    if kind in ("Or", "And"):
        found = [holds(part) for part in condition["Conditions"]]
        return any(found) if kind == "Or" else all(found)
    if kind == "In":
        return condition["QueryValue"] in condition["Values"]
    try:
        return bool(_COMPARISONS[kind](condition["LeftValue"], condition["RightValue"]))
    except (KeyError, TypeError):
        raise ExpressionError(f"The condition {json.dumps(condition)} cannot be evaluated.") from None
