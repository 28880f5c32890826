"""Whether what our services answer fits botocore's model: no unknown, missing or mistyped member."""

import functools
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import botocore.session

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
    "blob": (str,),
}


@functools.cache
def _model(service: str) -> Any:
    try:
        return botocore.session.get_session().get_service_model(service)
    except botocore.exceptions.UnknownServiceError:
        return None


def problems(service: str, operation: str, answer: dict[str, Any]) -> list[str]:
    """What is wrong with an answer, as sentences; an operation that AWS does not have is wrong as well."""
    model = _model(service)
    if model is None:
        return []
    if operation not in model.operation_names:
        return [f"{service} has no operation {operation}"]
    shape = model.operation_model(operation).output_shape
    if shape is None:
        return [f"{operation} answers nothing, but {sorted(answer)} was given"] if answer else []
    return list(_problems(answer, shape, operation))


def _problems(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        yield from _structure(value, shape, path)
    elif shape.type_name == "list":
        for item in value if isinstance(value, list) else [value]:
            yield from _problems(item, shape.member, f"{path}[]")
    elif shape.type_name == "map":
        for item in value.values():
            yield from _problems(item, shape.value, f"{path}{{}}")
    elif not isinstance(value, TYPES[shape.type_name]):
        yield f"{path} is {value!r}, not a {shape.type_name}"
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{path} is {value!r}, not one of {shape.enum}"


def _structure(value: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path} is {value!r}, not a structure"
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{path}.{name} is missing"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path}.{name} is not in the model"
        elif member is not None:
            yield from _problems(member, shape.members[name], f"{path}.{name}")
