"""Model package groups and their resource policies."""

import json
import time
from collections.abc import Callable
from typing import Any

from ..service import AwsError, Store
from . import sagemaker, tags
from .lists import arn, identity, listed, missing

Request = dict[str, Any]
groups: Store[Request] = Store("groups")
policies: Store[str] = Store("group_policies")
# Functions that say whether a group still has packages; packages.py adds its own.
in_use: list[Callable[[str], bool]] = []


def group(name: str) -> Request:
    """A group by its name or ARN. Raises ValidationException."""
    found = groups.get(name.rpartition("/")[2])
    if found is None:
        raise missing("ModelPackageGroup", name)
    return found


@sagemaker.operation
def create_model_package_group(request: Request) -> Request:
    name = request["ModelPackageGroupName"]
    made = {
        "ModelPackageGroupName": name,
        "ModelPackageGroupArn": arn("model-package-group", name),
        "CreationTime": time.time(),
        "CreatedBy": identity(),
        "ModelPackageGroupStatus": "Completed",
    }
    made |= {key: request[key] for key in ("ModelPackageGroupDescription", "ManagedConfiguration") if key in request}
    if groups.setdefault(name, made) is not made:
        raise AwsError("ValidationException", f"Model Package Group already exists: {made['ModelPackageGroupArn']}")
    tags.remember(made["ModelPackageGroupArn"], request.get("Tags"))
    return {"ModelPackageGroupArn": made["ModelPackageGroupArn"]}


@sagemaker.operation
def describe_model_package_group(request: Request) -> Request:
    return group(request["ModelPackageGroupName"])


@sagemaker.operation
def list_model_package_groups(request: Request) -> Request:
    shown = [{key: value for key, value in item.items() if key != "CreatedBy"} for item in groups.values()]
    return listed("ModelPackageGroupSummaryList", shown, request, "ModelPackageGroupName")


@sagemaker.operation
def delete_model_package_group(request: Request) -> None:
    doomed = group(request["ModelPackageGroupName"])
    name = doomed["ModelPackageGroupName"]
    if any(used(name) for used in in_use):
        raise AwsError("ConflictException", f"Model package group {name} still has model packages: delete them first.")
    groups.pop(name)
    policies.pop(name)
    tags.forget(doomed["ModelPackageGroupArn"])


@sagemaker.operation
def put_model_package_group_policy(request: Request) -> Request:
    found = group(request["ModelPackageGroupName"])
    try:
        json.loads(request["ResourcePolicy"])
    except ValueError as error:
        raise AwsError("ValidationException", f"The resource policy is not JSON: {error}") from error
    policies[found["ModelPackageGroupName"]] = request["ResourcePolicy"]
    return {"ModelPackageGroupArn": found["ModelPackageGroupArn"]}


@sagemaker.operation
def get_model_package_group_policy(request: Request) -> Request:
    name = group(request["ModelPackageGroupName"])["ModelPackageGroupName"]
    policy = policies.get(name)
    if policy is None:
        raise AwsError("ValidationException", f"Cannot find resource policy for: {arn('model-package-group', name)}")
    return {"ResourcePolicy": policy}


@sagemaker.operation
def delete_model_package_group_policy(request: Request) -> None:
    policies.pop(group(request["ModelPackageGroupName"])["ModelPackageGroupName"])
