"""The good releases of each stage, newest first: what verify has found working, one object a release.

They are kept as s3://<bucket>/<project>-<id>/releases/<stage>/<time>-<version>.json and never changed or removed here.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sagemaker_project_kit.deploy.errors import StoreError
from sagemaker_project_kit.deploy.events import moment
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.store import Store


@dataclass(frozen=True)
class Release:
    """A model package that passed verify in a stage. Times in ISO 8601, UTC; `released_for`: time of the approval."""

    package_arn: str
    group: str
    version: int
    stage: str
    released_for: str
    verified_at: str
    git_commit: str = ""
    project_id: str = ""

    @property
    def approval(self) -> datetime | None:
        return moment(self.released_for)

    def __str__(self) -> str:
        return f"{self.group}/{self.version}"


class History:
    """What is remembered of one project's releases."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def releases(self, stage: str) -> Iterator[Release]:
        """The good releases of a stage, newest first. Objects that are no release record are left out."""
        objects = sorted(self._store.list(self._settings.history(stage)), key=lambda entry: entry.uri, reverse=True)
        for entry in objects:
            release = self._read(entry.uri)
            if release is not None and release.project_id in ("", self._settings.project_id):
                yield release

    def latest(self, stage: str) -> Release | None:
        """What was released to a stage last, as far as it worked."""
        return next(self.releases(stage), None)

    def remember(self, release: Release) -> str:
        """Write a record and return its address. The name sorts by time."""
        when = release.verified_at.replace(":", "").replace("+0000", "Z")
        uri = f"{self._settings.history(release.stage)}/{when}-{release.version}.json"
        self._store.write(uri, json.dumps(asdict(release), indent=2) + "\n")
        return uri

    def _read(self, uri: str) -> Release | None:
        try:
            return _parse(json.loads(self._store.read(uri)))
        except (StoreError, ValueError, TypeError):
            return None


def _parse(content: Any) -> Release:
    known = {field.name for field in fields(Release)}
    return Release(**{key: value for key, value in content.items() if key in known})
