"""The contract's schema.json as a JSON schema (draft 4), with which API Gateway refuses bad requests before the model.

It never refuses what the model would take, as far as rows come as {"instances": [{"column": value}]}: every column must
be there, none may be unknown, a cell is a text, number, truth value or null. Whether a value makes sense is left to the
model. A schema too long for a CloudFormation parameter (4096 characters) asks for less rather than be cut.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST = 4096
_CELL = {"type": ["string", "number", "boolean", "null"]}


def request_schema(schema: Mapping[str, Any]) -> str:
    """The strictest JSON schema that fits, as compact text."""
    return next(text for row in _rows(schema) if len(text := _compact(_body(row))) <= MOST)


def revision(template: bytes, schema: str) -> str:
    """Changes whenever the API's template or schema does: 32 letters and digits."""
    return hashlib.sha256(template + b"\0" + schema.encode()).hexdigest()[:32]


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
