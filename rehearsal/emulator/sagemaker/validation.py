"""Requests against botocore's model of SageMaker: required members, enumerations, lengths, ranges and patterns.

boto3 checks types and what is required before it sends; SageMaker checks the rest, and so does this, in AWS's words.
Patterns with Unicode classes, which Python's expressions do not know, are not checked.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session

from rehearsal.emulator.sagemaker import sagemaker
from rehearsal.emulator.sagemaker.resources import Document, invalid
from rehearsal.emulator.service import camel

Operation = Callable[[Document], "Document | None"]


def operation(function: Operation) -> Operation:
    """Let a function answer the operation of its name, with requests that fit the model only."""
    name = camel(function.__name__)

    @functools.wraps(function)
    def checked(request: Document) -> Document | None:
        require_valid(name, request)
        return function(request)

    sagemaker.operation(checked)
    return checked


@functools.cache
def model() -> Any:
    """botocore's model of SageMaker."""
    return botocore.session.get_session().get_service_model("sagemaker")


def require_valid(name: str, request: Document) -> None:
    """Raise AWS's ValidationException if a request does not fit the operation's input."""
    found = list(_problems(request, model().operation_model(name).input_shape, ""))
    if found:
        plural = "s" if len(found) > 1 else ""
        raise invalid(f"{len(found)} validation error{plural} detected: {'; '.join(found)}")


def _problems(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        yield from _structure(value, shape, path)
    elif shape.type_name == "list" and isinstance(value, list):
        yield from _size(len(value), shape, path, value, "length")
        for number, item in enumerate(value, 1):
            yield from _problems(item, shape.member, f"{path}.{number}.member")
    elif shape.type_name == "map" and isinstance(value, dict):
        yield from _size(len(value), shape, path, value, "length")
        for key, item in value.items():
            yield from _problems(item, shape.value, f"{path}.{key}")
    else:
        yield from _scalar(value, shape, path)


def _structure(value: Document, shape: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_place(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, item in value.items():
        if name in shape.members and item is not None:
            yield from _problems(item, shape.members[name], _place(path, name))
            if isinstance(item, str) and item in _unsupported(shape.members[name].documentation):
                yield f"Value '{item}' at '{_place(path, name)}' is not currently supported"


@functools.cache
def _unsupported(documentation: str) -> frozenset[str]:
    """The values that a member's documentation names and calls "(Not currently supported.)"."""
    return frozenset(re.findall(r"<code>(\w+)</code>: \(Not currently supported\.?\)", documentation))


def _place(path: str, name: str) -> str:
    own = name[0].lower() + name[1:]
    return f"{path}.{own}" if path else own


def _scalar(value: Any, shape: Any, path: str) -> Iterator[str]:
    failed = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must "
    if getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{failed}satisfy enum value set: [{', '.join(shape.enum)}]"
    pattern = _pattern(shape.metadata.get("pattern"))
    if pattern and isinstance(value, str) and not pattern.fullmatch(value):
        yield f"{failed}satisfy regular expression pattern: {shape.metadata['pattern']}"
    if isinstance(value, str):
        yield from _size(len(value), shape, path, value, "length")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _size(value, shape, path, value, "value")


def _size(size: float, shape: Any, path: str, value: Any, what: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    failed = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have {what} "
    if least is not None and size < least:
        yield f"{failed}greater than or equal to {least}"
    if most is not None and size > most:
        yield f"{failed}less than or equal to {most}"


@functools.cache
def _pattern(text: str | None) -> "re.Pattern[str] | None":
    try:
        return re.compile(text, re.DOTALL) if text else None
    except re.error:
        return None
