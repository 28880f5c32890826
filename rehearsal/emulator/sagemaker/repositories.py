"""Code repositories: the records by which Studio shows a project's git repository."""

import time
from typing import Any

from ..service import AwsError, Store
from . import sagemaker, tags
from .lists import arn, listed, missing

Request = dict[str, Any]
repositories: Store[Request] = Store("repositories")


def _repository(name: str) -> Request:
    found = repositories.get(name)
    if found is None:
        raise missing("Code repository", name)
    return found


@sagemaker.operation
def create_code_repository(request: Request) -> Request:
    name = request["CodeRepositoryName"]
    made = {
        "CodeRepositoryName": name,
        "CodeRepositoryArn": arn("code-repository", name),
        "CreationTime": time.time(),
        "LastModifiedTime": time.time(),
        "GitConfig": request["GitConfig"],
    }
    if repositories.setdefault(name, made) is not made:
        raise AwsError("ValidationException", f"Code repository {name} exists already.")
    tags.remember(str(made["CodeRepositoryArn"]), request.get("Tags"))
    return {"CodeRepositoryArn": made["CodeRepositoryArn"]}


@sagemaker.operation
def describe_code_repository(request: Request) -> Request:
    return _repository(request["CodeRepositoryName"])


@sagemaker.operation
def list_code_repositories(request: Request) -> Request:
    return listed("CodeRepositorySummaryList", repositories.values(), request, "CodeRepositoryName")


@sagemaker.operation
def update_code_repository(request: Request) -> Request:
    changed = _repository(request["CodeRepositoryName"])
    changed["GitConfig"] = changed["GitConfig"] | request.get("GitConfig", {})
    changed["LastModifiedTime"] = time.time()
    return {"CodeRepositoryArn": changed["CodeRepositoryArn"]}


@sagemaker.operation
def delete_code_repository(request: Request) -> None:
    doomed = _repository(request["CodeRepositoryName"])
    repositories.pop(doomed["CodeRepositoryName"])
    tags.forget(doomed["CodeRepositoryArn"])
