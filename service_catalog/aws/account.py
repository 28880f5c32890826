"""An AWS account in one region, under the credentials of one person or role: who that is, and the clients."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoRegionError

from service_catalog.errors import InputError, nearest

# "standard" tells throttling from other errors and waits longer each time, up to 20 seconds.
PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 10}, connect_timeout=5, read_timeout=60)


@dataclass(frozen=True)
class Identity:
    """Who asks: GetCallerIdentity's answer."""

    account: str
    arn: str

    @property
    def partition(self) -> str:
        return self.arn.split(":")[1]

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")


class Account:
    """Clients of one account and region; nothing is asked of AWS until one is used."""

    def __init__(self, session: Any, region: str = "", profile: str = "") -> None:
        self._session = session
        # boto3 knows AWS_DEFAULT_REGION only; every other tool of AWS knows AWS_REGION too, and prefers it.
        self._region = region or os.environ.get("AWS_REGION") or session.region_name or ""
        self.profile = profile
        self._clients: dict[str, Any] = {}
        self._types: dict[str, bool] = {}

    @classmethod
    def opened(cls, profile: str = "", region: str = "") -> "Account":
        """With a profile of this machine, or the credentials of the environment. Raises InputError for no region."""
        account = cls(boto3.Session(profile_name=profile or None), region, profile)
        account._require_real_region()
        return account

    def _require_real_region(self) -> None:
        """Asks boto3, not AWS: a region that does not exist has nobody to answer."""
        partitions = self._session.get_available_partitions()
        known = {one for name in partitions for one in self._session.get_available_regions("cloudformation", name)}
        if self._region and self._region not in known:
            hint = nearest(self._region, known) or ", as far as this version of boto3 knows"
            raise InputError(f"--region {self._region}: AWS has no such region{hint}")

    def in_region(self, region: str) -> "Account":
        """The same credentials in another region."""
        return self if region == self.region else Account(self._session, region, self.profile)

    def client(self, service: str) -> Any:
        """The client of a service; always the same one."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service, region_name=self.region, config=PATIENCE)
        return self._clients[service]

    def knows(self, type_name: str) -> bool:
        """Whether the region's CloudFormation has a resource type; asked once. Raises ClientError."""
        if type_name not in self._types:
            formation = self.client("cloudformation")
            try:
                formation.describe_type(Type="RESOURCE", TypeName=type_name)
                self._types[type_name] = True
            except formation.exceptions.TypeNotFoundException:
                self._types[type_name] = False
        return self._types[type_name]

    def assuming(self, role_arn: str, name: str) -> "Account":
        """The same region under a role."""
        answer = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=name[:64])["Credentials"]
        session = boto3.Session(
            aws_access_key_id=answer["AccessKeyId"],
            aws_secret_access_key=answer["SecretAccessKey"],
            aws_session_token=answer["SessionToken"],
        )
        return Account(session, self.region)

    @property
    def region(self) -> str:
        """Raises NoRegionError."""
        if not self._region:
            raise NoRegionError
        return str(self._region)

    @cached_property
    def identity(self) -> Identity:
        answer = self.client("sts").get_caller_identity()
        return Identity(answer["Account"], answer["Arn"])

    @property
    def id(self) -> str:
        return self.identity.account

    @property
    def partition(self) -> str:
        return self.identity.partition

    @property
    def place(self) -> str:
        """Account and region, for people."""
        return f"{self.id} {self.region}"

    def regions_of(self, service: str) -> list[str]:
        """Regions of this partition where the service is, as far as this version of boto3 knows."""
        return list(self._session.get_available_regions(service, self.partition))


def pages(client: Any, operation: str, key: str, **request: Any) -> Iterator[Any]:
    """Every item under `key`, over all pages."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(key) or []


def tags(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most services write them."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.items())]


def untagged(found: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    """The reverse."""
    return {tag["Key"]: tag["Value"] for tag in found or []}
