"""The model registry: versions of model package groups, their approval, and the events that tell of both.

Every field of CreateModelPackage is kept. Containers are not run to validate a package: it is Completed at once.
"""

import time
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.sagemaker import groups, sagemaker, tags
from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import AwsError, Store, account, caller, emit

packages: Store[Document] = Store("packages")
_last_version: Store[int] = Store("last-version")
_tokens: Store[str] = Store("tokens")
_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)
# UpdateModelPackage's members that replace what is kept under the same name.
_REPLACED = (
    "ModelApprovalStatus",
    "ModelPackageRegistrationType",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


@operation
def create_model_package(request: Document) -> Document:
    """The next version of a group, or a package of its own name without one."""
    known = _tokens.get(str(request.get("ClientToken")))
    if known:
        return {"ModelPackageArn": known}
    content = {key: value for key, value in request.items() if key not in ("ClientToken", "Tags")}
    package = _versioned(content) if content.get("ModelPackageGroupName") else _unversioned(content)
    package |= _first_state()
    packages[package["ModelPackageArn"]] = package
    if request.get("ClientToken"):
        _tokens[request["ClientToken"]] = package["ModelPackageArn"]
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": package["ModelPackageArn"], "Tags": request["Tags"]})
    _announce(package, [])
    return {"ModelPackageArn": package["ModelPackageArn"]}


def _versioned(content: Document) -> Document:
    group = content["ModelPackageGroupName"].rpartition("/")[2]
    if content.get("ModelPackageName"):
        raise invalid("Both ModelPackageName and ModelPackageGroupName are specified: give one of them.")
    sagemaker.call("DescribeModelPackageGroup", {"ModelPackageGroupName": group})
    version = _next_version(group)
    name = f"{group}/{version}"
    return {
        "ModelApprovalStatus": "PendingManualApproval",
        **content,
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageName": name,
        "ModelPackageArn": arn("model-package", name),
    }


def _next_version(group: str) -> int:
    """A number is never given twice, also after its version was deleted."""
    with _last_version.lock:
        _last_version[group] = (_last_version.get(group) or 0) + 1
        return _last_version[group]


def _unversioned(content: Document) -> Document:
    name = content.get("ModelPackageName")
    if not name:
        raise invalid("Either ModelPackageName or ModelPackageGroupName must be specified.")
    if content.get("ModelApprovalStatus"):
        raise invalid("ModelApprovalStatus is for versioned model packages only.")
    found = arn("model-package", name)
    if found in packages:
        raise invalid(f"Model package already exists: {found}")
    return {**content, "ModelPackageArn": found}


def _first_state() -> Document:
    moment = now()
    return {
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "CreatedBy": _person(),
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
    }


def _person() -> Document:
    return {"IamIdentity": {"Arn": caller(), "PrincipalId": caller().rpartition("/")[2] or account()}}


def find(name: str) -> Document:
    """A package by its ARN, of whichever account, or by its name. Raises ValidationException."""
    found = name if name.startswith("arn:") else arn("model-package", name)
    _, _, _, place, owner, _ = found.split(":", 5)
    with seams.scope(owner, place):
        package = packages.get(found)
    if package is None:
        raise invalid(f"ModelPackage {found} does not exist")
    return package


def find_for_caller(name: str, action: str) -> Document:
    """The same; for a package of another account the policy of its group must let the caller do an action.

    Source: "Deploy a model version from a different account" in the developer guide. Raises AccessDeniedException.
    """
    package = find(name)
    arn_found = package["ModelPackageArn"]
    if not seams.enforced() or arn_found.split(":")[4] == account():
        return package
    with seams.scope(arn_found.split(":")[4], arn_found.split(":")[3]):
        policy = groups.policies.get(str(package.get("ModelPackageGroupName")))
    if not seams.policy_allows(policy, caller(), action, arn_found):
        reason = "no policy of the model package group allows it"
        text = f"User: {caller()} is not authorized to perform: {action} on resource: {arn_found} because {reason}"
        raise AwsError("AccessDeniedException", text)
    return package


@operation
def describe_model_package(request: Document) -> Document:
    """Everything that is kept."""
    return find_for_caller(request["ModelPackageName"], "sagemaker:DescribeModelPackage")


@operation
def list_model_packages(request: Document) -> Document:
    """Versions of a group; without a group packages of their own name, as the default ModelPackageType has it."""
    group = str(request.get("ModelPackageGroupName") or "").rpartition("/")[2]
    if group:
        sagemaker.call("DescribeModelPackageGroup", {"ModelPackageGroupName": group})
    kind = request.get("ModelPackageType") or ("Versioned" if group else "Unversioned")
    status = request.get("ModelApprovalStatus")
    fitting = [
        package
        for package in packages.values()
        if group in ("", package.get("ModelPackageGroupName"))
        and kind in ("Both", "Versioned" if package.get("ModelPackageVersion") else "Unversioned")
        and status in (None, package.get("ModelApprovalStatus"))
    ]
    found = selected(fitting, request, name="ModelPackageName")
    return page("ModelPackageSummaryList", [picked(package, _SUMMARY) for package in found], request)


@operation
def update_model_package(request: Document) -> Document:
    """Approval and metadata. The event names the members that the request gave."""
    package = find(request["ModelPackageArn"])
    if request.get("ModelApprovalStatus") and not package.get("ModelPackageVersion"):
        raise invalid("ModelApprovalStatus is for versioned model packages only.")
    changed = picked(request, _REPLACED)
    changed |= _metadata(package, request)
    if request.get("AdditionalInferenceSpecificationsToAdd"):
        before = package.get("AdditionalInferenceSpecifications") or []
        added = request["AdditionalInferenceSpecificationsToAdd"]
        changed["AdditionalInferenceSpecifications"] = [*before, *added]
    package |= changed | {"LastModifiedTime": now(), "LastModifiedBy": _person()}
    _announce(package, list(changed))
    return {"ModelPackageArn": package["ModelPackageArn"]}


def _metadata(package: Document, request: Document) -> Document:
    added, removed = request.get("CustomerMetadataProperties"), request.get("CustomerMetadataPropertiesToRemove")
    if added is None and not removed:
        return {}
    merged = {**(package.get("CustomerMetadataProperties") or {}), **(added or {})}
    return {"CustomerMetadataProperties": {key: value for key, value in merged.items() if key not in (removed or [])}}


@operation
def delete_model_package(request: Document) -> None:
    """For good; its number is not given again."""
    gone = find(request["ModelPackageName"])["ModelPackageArn"]
    packages.pop(gone)
    tags.forget(gone)


def _announce(package: Document, updated: list[str]) -> None:
    """Shape: "Model package state change" of "Events that Amazon SageMaker AI sends to EventBridge"."""
    detail: Document = {key: value for key, value in package.items() if key not in ("CreatedBy", "LastModifiedBy")}
    for key in ("CreationTime", "LastModifiedTime"):
        detail[key] = iso(package[key])
    detail["UpdatedModelPackageFields"] = updated
    emit("aws.sagemaker", "SageMaker Model Package State Change", detail, [package["ModelPackageArn"]])


def iso(moment: float) -> str:
    """A time as events of SageMaker tell it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def container(package: Document) -> dict[str, Any]:
    """The first container of a package. Raises ValidationException when it has none."""
    containers = (package.get("InferenceSpecification") or {}).get("Containers") or []
    if not containers:
        raise invalid(
            f"ModelPackage {package['ModelPackageArn']} has no InferenceSpecification: it cannot be deployed."
        )
    first: dict[str, Any] = containers[0]
    return first


def _has_packages(group: str) -> bool:
    return any(package.get("ModelPackageGroupName") == group for package in packages.values())


groups.in_use.append(_has_packages)
