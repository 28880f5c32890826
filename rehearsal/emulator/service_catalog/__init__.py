"""Service Catalog: portfolios, products and their versions, constraints, access, and products provisioned as stacks.

It refuses what AWS refuses, with AWS's exceptions. Sharing with other accounts, StackSets, plans and service actions
are not part of it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from ..service import AwsError, Service, Store

catalog = Service("servicecatalog", target="AWS242ServiceCatalogService")
Request = dict[str, Any]
T = TypeVar("T")
_answers: Store[tuple[Request, Request]] = Store("idempotency")


def found(store: Store[T], name: str, what: str) -> T:
    """The value of an identifier, or the exception that AWS has for an unknown one."""
    value = store.get(name)
    if value is None:
        raise AwsError("ResourceNotFoundException", f"{what} {name} not found.")
    return value


def once(operation: str, token: str, request: Request, make: Callable[[], Request]) -> Request:
    """Make a thing unless a request with the same idempotency token has: then answer what that one was answered.

    Raises InvalidParametersException when the earlier request with this token was another one.
    """
    with _answers.lock:
        earlier = _answers.get(f"{operation} {token}")
        if earlier is None:
            _answers[f"{operation} {token}"] = request, make()
            return _answers[f"{operation} {token}"][1]
    if earlier[0] != request:
        raise AwsError("InvalidParametersException", f"Idempotency token {token} was used with other parameters.")
    return earlier[1]


def tag_list(tags: dict[str, str]) -> list[Request]:
    """Tags as AWS lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: list[Request] | None) -> dict[str, str]:
    """Tags by key. Raises InvalidParametersException for a key given twice or one that AWS keeps for itself."""
    given = {tag["Key"]: tag["Value"] for tag in tags or []}
    if len(given) < len(tags or []):
        raise AwsError("InvalidParametersException", "A tag key occurs more than once.")
    if any(key.lower().startswith("aws:") for key in given):
        raise AwsError("InvalidParametersException", "Tag keys that start with aws: are reserved.")
    return given


def changed_tags(tags: dict[str, str], request: Request) -> dict[str, str]:
    """Tags after AddTags and RemoveTags of an update."""
    kept = {key: value for key, value in tags.items() if key not in request.get("RemoveTags", [])}
    return kept | tag_map(request.get("AddTags"))
