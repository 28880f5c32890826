"""The model registry as files: <root>/<group>/<version>.json, each shaped like DescribeModelPackage's response.

Safe against kill -9 at any moment and against several writers at once: a version is written to a hidden file, forced to
disk, and then linked to the next free number, which only one writer can win. A change of approval replaces the whole
file. Nothing is ever deleted but hidden files that a killed writer left behind.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import RegistryError
from sagemaker_project_kit.local.state.atomic import (
    now,
    replace_text,
    sync_folder,
    temporary_sibling,
    to_json,
    write_durably,
)
from sagemaker_project_kit.names import GROUP_LENGTH, is_name

APPROVED, PENDING, REJECTED = "Approved", "PendingManualApproval", "Rejected"
_ARN = "arn:aws:sagemaker:local:111111111111:model-package"
_ABANDONED_SECONDS = 3600


@dataclass(frozen=True)
class Package:
    """One version of a model package group; `content` is what DescribeModelPackage would return."""

    content: Mapping[str, Any]
    path: Path

    @property
    def group(self) -> str:
        """The model package group."""
        return str(self.content["ModelPackageGroupName"])

    @property
    def version(self) -> int:
        """The number within the group, from 1."""
        return int(self.content["ModelPackageVersion"])

    @property
    def status(self) -> str:
        """ModelApprovalStatus."""
        return str(self.content["ModelApprovalStatus"])

    @property
    def approved_at(self) -> str:
        """When it was last approved, in ISO 8601; empty if it is not approved."""
        return str(self.content.get("ApprovalTime", ""))

    @property
    def container(self) -> Mapping[str, Any]:
        """The (first) container of its inference specification."""
        containers = (self.content.get("InferenceSpecification") or {}).get("Containers") or [{}]
        return containers[0]  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return f"{self.group}/{self.version}"


class Registry:
    """The model package groups below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def register(self, request: Mapping[str, Any]) -> Package:
        """Add the next version of request["ModelPackageGroupName"]. Raises RegistryError for an unfit group name."""
        group = str(request.get("ModelPackageGroupName") or "")
        if not is_name(group, GROUP_LENGTH):
            raise RegistryError(f"The model package group name {group!r} must be 1 to 63 letters, digits and dashes.")
        folder = self.root / group
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        with temporary_sibling(folder / "new.json") as draft:
            return self._claim(folder, draft, request)

    def _claim(self, folder: Path, draft: Path, request: Mapping[str, Any]) -> Package:
        """Link `draft` to the next free number; on losing it to another writer, try the one after."""
        while True:
            version = max(_versions(folder), default=0) + 1
            content = _description(request, folder.name, version)
            write_durably(draft, to_json(content))
            path = folder / f"{version}.json"
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
                sync_folder(folder)
                return Package(content, path)

    def packages(self) -> list[Package]:
        """Every version of every group, by group and number."""
        folders = sorted(path for path in self.root.glob("*") if path.is_dir())
        return [_read(folder / f"{version}.json") for folder in folders for version in sorted(_versions(folder))]

    def champion(self, group: str | None = None) -> Package | None:
        """The version approved last (not the newest one that is approved): approving an old version brings it back."""
        approved = [package for package in self.packages() if package.status == APPROVED]
        fitting = [package for package in approved if group in (None, package.group)]
        return max(fitting, key=lambda package: (package.approved_at, package.version), default=None)

    def find(self, model: str) -> Package:
        """The package called GROUP/VERSION, or VERSION if only one group has it. Raises RegistryError."""
        group, _, version = model.rpartition("/")
        packages = self.packages()
        fitting = [package for package in packages if str(package.version) == version and group in ("", package.group)]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise RegistryError(f"There is no model {model!r}. {_known(packages)}")
        raise RegistryError(f"{model!r} fits {', '.join(map(str, fitting))}: name the group too.")

    def set_status(self, package: Package, status: str) -> Package:
        """Approve or reject a version, in one move, with the time of it."""
        moment = now()
        kept = {key: value for key, value in package.content.items() if key != "ApprovalTime"}
        content = {**kept, "ModelApprovalStatus": status, "LastModifiedTime": moment, **_approval(status, moment)}
        replace_text(package.path, to_json(content), durable=True)
        return Package(content, package.path)


def _approval(status: str, moment: str) -> dict[str, str]:
    return {"ApprovalTime": moment} if status == APPROVED else {}


def _known(packages: list[Package]) -> str:
    return f"Registered: {', '.join(map(str, packages))}." if packages else "Nothing is registered yet: run `make run`."


def _description(request: Mapping[str, Any], group: str, version: int) -> dict[str, Any]:
    moment, status = now(), request.get("ModelApprovalStatus") or PENDING
    return {
        **request,
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": f"{_ARN}/{group}/{version}",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
        "CreationTime": moment,
        "LastModifiedTime": moment,
        **_approval(status, moment),
    }


def _versions(folder: Path) -> Iterator[int]:
    return (int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())


def _read(path: Path) -> Package:
    try:
        return Package(json.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError) as error:
        raise RegistryError(f"Cannot read {path}: {error}. Remove or repair the file.") from error


def _remove_abandoned(folder: Path) -> None:
    """Remove hidden files of writers that were killed; an hour is longer than any write takes."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink()
