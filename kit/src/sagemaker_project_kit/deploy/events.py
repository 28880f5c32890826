"""The EventBridge event "SageMaker Model Package State Change", read as what it says about approval.

Format: "Events that Amazon SageMaker AI sends to Amazon EventBridge" in the SageMaker developer guide. SageMaker may
send several events for one change and does not keep their order, so an event names a package and is believed in nothing
else: what counts is what the registry says now.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sagemaker_project_kit.deploy.errors import RegistryError

DETAIL_TYPE = "SageMaker Model Package State Change"


@dataclass(frozen=True)
class Event:
    """`changed` holds the names of the fields that changed; None if the event does not say."""

    package_arn: str
    group: str
    status: str
    time: datetime | None
    changed: tuple[str, ...] | None

    @property
    def concerns_approval(self) -> bool:
        """False for edits of metadata, which repeat the status although it did not change."""
        return self.changed is None or "ModelApprovalStatus" in self.changed


def read(path: Path) -> Event:
    """Read an event from a JSON file. Raises RegistryError."""
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RegistryError(f"there is no event file {path}") from None
    except ValueError as error:
        raise RegistryError(f"the event file {path} is not JSON: {error}") from None


def parse(document: Any) -> Event:
    """Raises RegistryError for an event of another kind."""
    kind = document.get("detail-type") if isinstance(document, Mapping) else None
    detail = document.get("detail") if kind == DETAIL_TYPE else None
    if not isinstance(detail, Mapping):
        raise RegistryError(f"the event's detail-type must be {DETAIL_TYPE!r}; found {kind!r}")
    if not detail.get("ModelPackageArn"):
        raise RegistryError("the event's detail has no ModelPackageArn, so it names no model package")
    changed = detail.get("UpdatedModelPackageFields")
    return Event(
        package_arn=str(detail["ModelPackageArn"]),
        group=str(detail.get("ModelPackageGroupName", "")),
        status=str(detail.get("ModelApprovalStatus", "")),
        time=moment(str(document.get("time", ""))),
        changed=None if changed is None else tuple(map(str, changed)),
    )


def moment(text: str) -> datetime | None:
    """A time in ISO 8601 with its zone (UTC unless it says otherwise); None for what is no time."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
