"""The model registry: which model packages there are, and whether one of them may be released.

It reads only: no machine approves a model. A package is fit for release if it is of this project's group, complete,
still approved, and has the contract that verify tests an endpoint against.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from botocore.exceptions import ClientError

from sagemaker_project_kit.deploy.errors import RegistryError, StoreError
from sagemaker_project_kit.deploy.events import moment
from sagemaker_project_kit.deploy.store import Store

APPROVED, REJECTED = "Approved", "Rejected"
CONTRACT_FILES = ("schema.json", "sample.jsonl", "expected.jsonl")


@dataclass(frozen=True)
class Package:
    """One model package; `content` is what DescribeModelPackage returned."""

    content: Mapping[str, Any]

    @property
    def arn(self) -> str:
        return str(self.content["ModelPackageArn"])

    @property
    def group(self) -> str:
        return str(self.content.get("ModelPackageGroupName", ""))

    @property
    def version(self) -> int:
        return int(self.content.get("ModelPackageVersion", 0))

    @property
    def status(self) -> str:
        return str(self.content.get("ModelApprovalStatus", ""))

    @property
    def approved_at(self) -> datetime:
        """When it was last modified: SageMaker's API does not tell the time of approval.

        An edit of metadata moves it too. (A registry on this machine tells the time of approval itself.)
        """
        fields = ("ApprovalTime", "LastModifiedTime", "CreationTime")
        value = next(self.content[field] for field in fields if self.content.get(field))
        found = value if isinstance(value, datetime) else moment(str(value))
        if found is None:
            raise RegistryError(f"{self.arn}: the time {value!r} cannot be read")
        return found

    @property
    def approved_at_source(self) -> str:
        """Where approved_at comes from, to be told to people."""
        return "ApprovalTime" if self.content.get("ApprovalTime") else "LastModifiedTime: SageMaker tells no other time"

    @property
    def metadata(self) -> Mapping[str, str]:
        """CustomerMetadataProperties: git_commit, data_sha256, pipeline_execution, contract_uri."""
        return self.content.get("CustomerMetadataProperties") or {}

    @property
    def contract_uri(self) -> str:
        return str(self.metadata.get("contract_uri", "")).rstrip("/")

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        return list((self.content.get("InferenceSpecification") or {}).get("Containers") or [])

    @property
    def metrics_uri(self) -> str:
        """Where evaluation.json is; empty without one."""
        quality = (self.content.get("ModelMetrics") or {}).get("ModelQuality") or {}
        return str((quality.get("Statistics") or {}).get("S3Uri", ""))

    def __str__(self) -> str:
        return f"{self.group}/{self.version}"


class Registry(Protocol):
    """What release needs of the registry."""

    def describe(self, arn: str) -> Package:
        """Raises RegistryError if there is no such package."""

    def approved(self, group: str) -> list[Package]:
        """The approved packages of a group, in no order."""


class SageMakerRegistry:
    """SageMaker's model registry."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def describe(self, arn: str) -> Package:
        try:
            content = self._client.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if not _is_missing(error):
                raise
            raise RegistryError(f"model package {arn} does not exist (any more): approve a version that does") from None
        return Package({key: value for key, value in content.items() if key != "ResponseMetadata"})

    def approved(self, group: str) -> list[Package]:
        return [package for arn in self._approved_arns(group) for package in self._still_there(arn)]

    def _approved_arns(self, group: str) -> list[str]:
        pages = self._client.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, ModelApprovalStatus=APPROVED
        )
        try:
            return [summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]]
        except ClientError as error:
            if not _is_missing(error):
                raise
            return []

    def _still_there(self, arn: str) -> Iterator[Package]:
        """A version may be deleted or rejected after it was listed."""
        try:
            package = self.describe(arn)
        except RegistryError:
            return
        if package.status == APPROVED:
            yield package


class FolderRegistry:
    """A registry on this machine: <root>/<group>/<version>.json, each what DescribeModelPackage would return."""

    def __init__(self, root: Path, region: str) -> None:
        self._root, self._region = root, region

    def describe(self, arn: str) -> Package:
        for package in self.packages():
            if package.arn == arn:
                return package
        raise RegistryError(f"model package {arn} does not exist in {self._root}")

    def approved(self, group: str) -> list[Package]:
        return [package for package in self.packages() if package.group == group and package.status == APPROVED]

    def packages(self) -> Iterator[Package]:
        for path in sorted(self._root.glob("*/*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            arn = str(content["ModelPackageArn"]).replace(":sagemaker:local:", f":sagemaker:{self._region}:")
            yield Package({**content, "ModelPackageArn": arn})


def newest(packages: list[Package]) -> Package | None:
    """The one that was approved last, which need not be the one with the highest number."""
    return max(packages, key=lambda package: (package.approved_at, package.version), default=None)


def require_fit(package: Package, group: str, store: Store) -> None:
    """Refuse a package that must not be released. Raises RegistryError."""
    if package.group != group:
        raise RegistryError(
            f"model package {package.arn} is in the group {package.group!r}; this project releases {group!r}"
        )
    if package.status != APPROVED:
        raise RegistryError(
            f"model package {package} is {package.status or 'not approved'}; only {APPROVED} is released"
        )
    if package.content.get("ModelPackageStatus") != "Completed":
        found = package.content.get("ModelPackageStatus")
        raise RegistryError(
            f"model package {package} is not complete: ModelPackageStatus must be Completed; found {found!r}"
        )
    if not package.containers:
        raise RegistryError(
            f"model package {package} has no container to serve it: register it with an InferenceSpecification"
        )
    _require_contract(package, store)


def _require_contract(package: Package, store: Store) -> None:
    if not package.contract_uri:
        raise RegistryError(
            f"model package {package} has no contract_uri in its CustomerMetadataProperties, so that no endpoint can "
            "be tested against it: register it with this project's training pipeline"
        )
    for name in CONTRACT_FILES:
        try:
            store.read(f"{package.contract_uri}/{name}")
        except StoreError as error:
            raise RegistryError(f"the contract of model package {package} is incomplete: {error}") from None


def _is_missing(error: ClientError) -> bool:
    """SageMaker answers ResourceNotFound for some things that do not exist and ValidationException for others."""
    details = error.response.get("Error", {})
    words = ("does not exist", "could not find", "not found")
    return details.get("Code") == "ResourceNotFound" or any(
        phrase in str(details.get("Message", "")).lower() for phrase in words
    )
