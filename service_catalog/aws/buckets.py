"""S3: the account's bucket for templates and seeds, whose objects are named by their content.

An object is written once and never overwritten with other content, except below studio/, where the S3 channel wants one
fixed name. Every call says whose bucket it means: nobody else's is ever written or read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from service_catalog import errors, names
from service_catalog.aws.account import Account, untagged
from service_catalog.commands import aws
from service_catalog.errors import BucketError

_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
_WRITTEN_BY_ANOTHER = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
_HASH = "sha256"


@dataclass(frozen=True)
class Bucket:
    """A bucket of the account `owner`."""

    client: Any
    name: str
    owner: str
    # Who works with it: named in the commands that errors tell.
    account: Account | None = None

    @classmethod
    def of(cls, account: Account) -> "Bucket":
        """The bucket of an account in its region, whether or not it is there."""
        return cls(account.client("s3"), names.account_bucket(account.id, account.region), account.id, account)

    def typed(self, *words: str) -> str:
        """A command of the AWS CLI, complete with region and profile."""
        return aws(self.account, *words) if self.account else " ".join(["aws", *words])

    def exists(self) -> bool:
        """Whether it is there. Raises BucketError if it is somebody else's."""
        try:
            self.client.head_bucket(Bucket=self.name, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if errors.code(error) in _MISSING:
                return False
            if errors.code(error) in ("403", "AccessDenied"):
                raise BucketError(
                    f"Bucket {self.name} belongs to another account than {self.owner}, or you may not see it. Nothing "
                    f"was written. If it is yours, ask for s3:ListBucket on it; if not, its owner must give it up."
                ) from None
            raise
        return True

    def holds(self, key: str, content: bytes) -> bool:
        """Whether the object is there with this content. Raises BucketError if it is there with another."""
        found = self._head(key)
        if found is None:
            return False
        digest = found.get("Metadata", {}).get(_HASH)
        if digest != hashlib.sha256(content).hexdigest() or found["ContentLength"] != len(content):
            raise BucketError(
                f"s3://{self.name}/{key} is not what its name says: somebody changed it. Nothing was overwritten. "
                f"Look who did, then remove it: {self.typed('s3', 'rm', f's3://{self.name}/{key}')}"
            )
        return True

    def holds_any(self, key: str) -> bool:
        """Whether there is such an object, whatever its content."""
        return self.exists() and self._head(key) is not None

    def put_once(self, key: str, content: bytes, content_type: str) -> bool:
        """Write the object unless it is there already; False if it was. Raises BucketError."""
        if self.holds(key, content):
            return False
        try:
            self._put(key, content, content_type, IfNoneMatch="*")
        except ClientError as error:
            if errors.code(error) in _WRITTEN_BY_ANOTHER and self.holds(key, content):
                return False
            raise
        return True

    def replace(self, key: str, content: bytes, content_type: str, tags: Mapping[str, str]) -> None:
        """Write the object, whatever was there; the bucket keeps its versions."""
        self._put(key, content, content_type, Tagging=urlencode(tags))

    def is_current(self, key: str, content: bytes, tags: Mapping[str, str]) -> bool:
        """Whether the object has this content and these tags."""
        found = self._head(key)
        if found is None or found.get("Metadata", {}).get(_HASH) != hashlib.sha256(content).hexdigest():
            return False
        answer = self.client.get_object_tagging(Bucket=self.name, Key=key, ExpectedBucketOwner=self.owner)
        return untagged(answer["TagSet"]).items() >= tags.items()

    def read(self, key: str) -> bytes:
        """An object's content. Raises BucketError."""
        try:
            answer = self.client.get_object(Bucket=self.name, Key=key, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if errors.code(error) in _MISSING:
                raise BucketError(f"s3://{self.name}/{key} is not there: publish that version again.") from None
            raise
        content: bytes = answer["Body"].read()
        return content

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.client.head_object(Bucket=self.name, Key=key, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if errors.code(error) in _MISSING:
                return None
            raise
        return found

    def _put(self, key: str, content: bytes, content_type: str, **more: str) -> None:
        self.client.put_object(
            Bucket=self.name,
            Key=key,
            Body=content,
            ContentType=content_type,
            Metadata={_HASH: hashlib.sha256(content).hexdigest()},
            ExpectedBucketOwner=self.owner,
            **more,
        )


def url(bucket: str, key: str, region: str, partition: str) -> str:
    """The address that CloudFormation, Service Catalog and SageMaker take for an object.

    The bucket stands in the host, as in every example for SageMaker's projects ("Create Custom Project Templates").
    """
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return f"https://{bucket}.s3.{region}.{suffix}/{key}"


def key_of(address: str, bucket: str) -> str:
    """The key in such an address, the bucket standing in the path or in the host; empty if it is another bucket."""
    host, _, path = address.removeprefix("https://").partition("/")
    if host.startswith(f"{bucket}.s3"):
        return path
    return path.removeprefix(f"{bucket}/") if path.startswith(f"{bucket}/") else ""
