"""Values of templates in the types of an API: CloudFormation hands numbers and booleans over as text."""

import functools
from typing import Any

import botocore.session


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


def typed(service: str, operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The members of an operation's request that properties give, at every depth; others are not looked at."""
    found: dict[str, Any] = _typed(properties, _model(service).operation_model(operation).input_shape)
    return found


def _typed(value: Any, shape: Any) -> Any:
    if shape.type_name == "structure":
        return {
            name: _typed(value[name], member) for name, member in shape.members.items() if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [_typed(item, shape.member) for item in value]
    if shape.type_name == "map":
        return {name: _typed(item, shape.value) for name, item in value.items()}
    if shape.type_name == "boolean":
        return str(value).lower() == "true"
    if shape.type_name in ("integer", "long"):
        return int(float(value))
    if shape.type_name in ("float", "double"):
        return float(value)
    return str(value) if shape.type_name == "string" else value
