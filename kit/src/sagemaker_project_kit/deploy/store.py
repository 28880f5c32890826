"""Objects under s3:// addresses: Amazon S3, or the folder that stands for it on this machine.

It writes release history only; everything else belongs to the build half and is read.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from sagemaker_project_kit.deploy.errors import StoreError


@dataclass(frozen=True)
class Object:
    """An object's address and when it was last written."""

    uri: str
    modified: datetime


class Store(Protocol):
    """What release and verify need of S3."""

    def read(self, uri: str) -> str:
        """The text of an object. Raises StoreError."""

    def write(self, uri: str, text: str) -> None:
        """Write an object, whole or not at all."""

    def list(self, prefix: str) -> Iterator[Object]:
        """The objects below `prefix`, which is a folder."""


class S3Store:
    """Amazon S3. `kms_key`: what written objects are encrypted with."""

    def __init__(self, client: Any, kms_key: str) -> None:
        self._client, self._kms_key = client, kms_key

    def read(self, uri: str) -> str:
        bucket, key = split(uri)
        try:
            return str(self._client.get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8"))
        except ClientError as error:
            raise _in_words(error, uri) from None

    def write(self, uri: str, text: str) -> None:
        bucket, key = split(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._kms_key} if self._kms_key else {}
        kind = "application/json"
        self._client.put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=kind, **encryption)

    def list(self, prefix: str) -> Iterator[Object]:
        bucket, key = split(prefix.rstrip("/") + "/")
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        for page in pages:
            for entry in page.get("Contents", []):
                yield Object(f"s3://{bucket}/{entry['Key']}", entry["LastModified"])


class FolderStore:
    """s3://bucket/key is the file <root>/bucket/key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, uri: str) -> str:
        try:
            return self._path(uri).read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError):
            raise StoreError(f"there is no {uri}") from None

    def write(self, uri: str, text: str) -> None:
        path = self._path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    def list(self, prefix: str) -> Iterator[Object]:
        for path in sorted(self._path(prefix).rglob("*")):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # removed after it was listed
            if stat.S_ISREG(found.st_mode) and not path.name.startswith("."):
                modified = datetime.fromtimestamp(found.st_mtime, UTC)
                yield Object(f"s3://{path.relative_to(self._root).as_posix()}", modified)

    def _path(self, uri: str) -> Path:
        bucket, key = split(uri)
        return self._root.joinpath(bucket, *PurePosixPath(key).parts)


def split(uri: str) -> tuple[str, str]:
    """(bucket, key). Raises StoreError unless it is s3://bucket/key."""
    parts = urlsplit(uri)
    key = parts.path.lstrip("/")
    if parts.scheme != "s3" or not parts.netloc or ".." in PurePosixPath(key).parts:
        raise StoreError(f"{uri!r} is not an address of the form s3://bucket/key")
    return parts.netloc, key


def _in_words(error: Exception, uri: str) -> Exception:
    """Without s3:ListBucket a missing object answers 403, so that both are told alike."""
    response: dict[str, Any] = getattr(error, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status in (403, 404):
        return StoreError(f"{uri} cannot be read: it is not there, or this role may not read it (HTTP {status})")
    return error
