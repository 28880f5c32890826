"""House rule: no value that its API's own documentation calls "(Not currently supported.)".

The documentation is botocore's, which is AWS's API reference at the version that requirements.lock pins. CloudFormation
types have the members of their API; what only CloudFormation knows is not judged here.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session

from tests.infrastructure.cloudformation import Stack

# "<code>DataCaptureConfig</code>: (Not currently supported.)" in a list of values
_VALUE = re.compile(r"<code>(\w+)</code>: \(Not (?:currently|yet) supported\.?\)")


@cache
def unsupported(service: str) -> frozenset[tuple[str, str]]:
    """Members of an API with the values that they do not take yet; none for what botocore does not know."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return frozenset()
    shapes = session.get_component("data_loader").load_service_model(service, "service-2")["shapes"]
    found = set()
    for shape in shapes.values():
        for name, member in shape.get("members", {}).items() if shape["type"] == "structure" else ():
            texts = member.get("documentation", "") + shapes[member["shape"]].get("documentation", "")
            found |= {(name, value) for value in _VALUE.findall(texts)}
    return frozenset(found)


def values_are_supported(stack: Stack) -> Iterator[str]:
    """Whatever a template sets, its service takes."""
    for name, body in stack.resources.items():
        known = unsupported(body["Type"].split("::")[1].lower())
        for member, value in _settings(body.get("Properties", {})) if known else ():
            if (member, value) in known:
                yield f"{name}: {member} {value} is not supported yet, says the API reference"


def _settings(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for part in value:
            yield from _settings(part)
    if isinstance(value, dict):
        for key, part in value.items():
            yield from [(key, part)] if isinstance(part, str) else _settings(part)


RULES = (values_are_supported,)
