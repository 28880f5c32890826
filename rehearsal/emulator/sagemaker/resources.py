"""What all resources of SageMaker share: ARNs, answers for what is missing, and lists filtered, sorted and cut."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from rehearsal.emulator.service import AwsError, account, pages, region

Document = dict[str, Any]
# The API reference's default of MaxResults for most lists.
PAGE = 10


def arn(kind: str, name: str) -> str:
    """SageMaker writes names in lower case into ARNs, but for model packages and their groups."""
    kept = kind.startswith("model-package")
    return f"arn:aws:sagemaker:{region()}:{account()}:{kind}/{name if kept else name.lower()}"


def now() -> float:
    """Seconds since 1970, to the millisecond, as SageMaker tells times."""
    return round(time.time(), 3)


def invalid(message: str) -> AwsError:
    """What SageMaker answers to a request that it cannot carry out."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """What newer operations of SageMaker answer for what does not exist."""
    return AwsError("ResourceNotFound", message)


def in_use(message: str) -> AwsError:
    """What newer operations of SageMaker answer for a name that is taken."""
    return AwsError("ResourceInUse", message)


def selected(
    items: Iterable[Document],
    request: Document,
    *,
    name: str = "",
    time_key: str = "CreationTime",
    descending: bool = False,
) -> list[Document]:
    """The items that a List… request lets through, sorted as it asks. `name` is the key NameContains looks at."""
    order = request.get("SortOrder", "Descending" if descending else "Ascending")
    sort_key = name if name and request.get("SortBy") == "Name" else time_key
    fitting = [item for item in items if _fits(item, request, name, time_key)]
    return sorted(fitting, key=lambda item: item[sort_key], reverse=order == "Descending")


def _fits(item: Document, request: Document, name: str, time_key: str) -> bool:
    tests: dict[str, Callable[[Any], bool]] = {
        "NameContains": lambda value: value.lower() in str(item.get(name, "")).lower(),
        "CreationTimeAfter": lambda value: item[time_key] > value,
        "CreationTimeBefore": lambda value: item[time_key] < value,
        "CreatedAfter": lambda value: item[time_key] > value,
        "CreatedBefore": lambda value: item[time_key] < value,
        "LastModifiedTimeAfter": lambda value: item["LastModifiedTime"] > value,
        "LastModifiedTimeBefore": lambda value: item["LastModifiedTime"] < value,
    }
    return all(test(request[key]) for key, test in tests.items() if request.get(key) is not None)


def page(key: str, items: list[Document], request: Document) -> Document:
    """An answer with one page of a list under `key`."""
    shown, token = pages(items, {"MaxResults": PAGE, **request}, size="MaxResults", marker="NextToken")
    return {key: shown, "NextToken": token}


def picked(item: Document, names: Iterable[str]) -> Document:
    """The members of an item that have a value, by name."""
    return {name: item[name] for name in names if item.get(name) is not None}
