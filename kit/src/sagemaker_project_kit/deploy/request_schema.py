"""The contract's schema.json as a JSON schema (draft 4), with which API Gateway refuses bad requests before the model.

It never refuses what the model would take, as far as rows come as {"instances": [{"column": value}]}: every column must
be there, none may be unknown, a cell is a text, number, truth value or null. Whether a value makes sense is left to the
model. A schema too long for a CloudFormation parameter (4096 characters) asks for less rather than be cut.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sagemaker_project_kit.deploy.errors import TemplateError

MOST = 4096
_SNAPSHOT = re.compile(r"\bSnapshot1\b")
_CELL = {"type": ["string", "number", "boolean", "null"]}


def request_schema(schema: Mapping[str, Any]) -> str:
    """The strictest JSON schema that fits, as compact text."""
    return next(text for row in _rows(schema) if len(text := _compact(_body(row))) <= MOST)


def with_snapshot(template: str, schema: str) -> str:
    """The API's template with a snapshot of another name whenever template or schema changes. Raises TemplateError."""
    revision = hashlib.sha256(f"{template}\0{schema}".encode()).hexdigest()[:32]
    text, times = _SNAPSHOT.subn(f"Snapshot{revision}", template)
    if times < 2:
        allowed = "must name the deployment Snapshot1 and refer to it in its stage, or no release would reach callers"
        raise TemplateError(f"api.yaml {allowed}; found the name {times} times")
    return text


def _rows(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a row must look like, from strict to lax."""
    columns = [column["name"] for column in schema["input"]]
    required = [column["name"] for column in schema["input"] if column.get("required")]
    needs = {"type": "object"} | ({"required": required} if required else {})
    properties = dict.fromkeys([*columns, *schema.get("ignored", [])], _CELL)
    yield {**needs, "properties": properties, "additionalProperties": False}
    yield {**needs, "additionalProperties": _CELL}
    yield {"type": "object", "additionalProperties": _CELL}


def _body(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1, "items": row}},
        "additionalProperties": False,
    }


def _compact(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=True)
