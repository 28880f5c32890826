"""Objects of S3 as files and back, with the credentials of whoever the client is of."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

_AT_A_TIME = 8


class ObjectError(Exception):
    """What S3 refused, in a sentence that names the address."""


def split(uri: str) -> tuple[str, str]:
    """Bucket and key. Raises ObjectError for what is no s3:// address."""
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise ObjectError(f"{uri!r} is not an address of the form s3://bucket/key")
    return parts.netloc, parts.path.lstrip("/")


def keys(s3: Any, uri: str) -> Iterator[str]:
    """The keys that begin with that of `uri`, as an S3Prefix takes them."""
    bucket, prefix = split(uri)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def download(s3: Any, uri: str, root: Path) -> int:
    """Copy every object below a prefix to root/bucket/key and return how many there were. Raises ObjectError."""
    bucket, _ = split(uri)
    try:
        found = [key for key in keys(s3, uri) if not key.endswith("/")]
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(lambda key: _fetch(s3, bucket, key, root), found))
    except ClientError as error:
        raise ObjectError(f"{uri}: {error}") from error
    return len(found)


def fetch(s3: Any, uri: str, root: Path) -> Path:
    """Copy one object to root/bucket/key. Raises ObjectError."""
    bucket, key = split(uri)
    try:
        return _fetch(s3, bucket, key, root)
    except ClientError as error:
        raise ObjectError(f"{uri}: {error}") from error


def _fetch(s3: Any, bucket: str, key: str, root: Path) -> Path:
    path = root / bucket / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return path


def upload(s3: Any, source: Path, uri: str, kms_key: str | None = None) -> None:
    """Put a file, or every file of a folder, at an address. Raises ObjectError."""
    bucket, key = split(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    files = [(source, key)] if source.is_file() else _below(source, key)
    try:
        for path, name in files:
            s3.put_object(Bucket=bucket, Key=name, Body=path.read_bytes(), **encryption)
    except ClientError as error:
        raise ObjectError(f"{uri}: {error}") from error


def _below(folder: Path, key: str) -> list[tuple[Path, str]]:
    prefix = f"{key.rstrip('/')}/"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, prefix + path.relative_to(folder).as_posix()) for path in files]
