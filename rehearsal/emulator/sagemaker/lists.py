"""Lists as SageMaker gives them: filtered by name and time, sorted, in pages."""

from typing import Any

from ..service import AwsError, account, caller, pages, region

Request = dict[str, Any]


def arn(kind: str, name: str) -> str:
    """The ARN of a SageMaker resource."""
    return f"arn:aws:sagemaker:{region()}:{account()}:{kind}/{name}"


def missing(kind: str, name: str) -> AwsError:
    """The exception for a name that is not there; SageMaker's model names none for most operations."""
    return AwsError("ValidationException", f"{kind} {name} does not exist.")


def identity() -> Request:
    """Who made a thing, as SageMaker records it."""
    return {"IamIdentity": {"Arn": caller(), "PrincipalId": caller().rsplit("/", 1)[-1]}}


def listed(name: str, items: list[Request], request: Request, named: str) -> Request:
    """The summaries of a list request; `named` is the member that holds the name."""
    wanted = request.get("NameContains", "").lower()
    kept = [item for item in items if wanted in item[named].lower()]
    kept = [item for item in kept if item["CreationTime"] > request.get("CreationTimeAfter", 0)]
    if "CreationTimeBefore" in request:
        kept = [item for item in kept if item["CreationTime"] < request["CreationTimeBefore"]]
    key = named if request.get("SortBy") == "Name" else "CreationTime"
    kept.sort(key=lambda item: item[key], reverse=request.get("SortOrder", "Descending") == "Descending")
    page, token = pages(kept, request, size="MaxResults", marker="NextToken")
    return {name: page, "NextToken": token}
