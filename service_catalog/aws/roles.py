"""IAM: whether the roles that must outlive a project are there, and how long the policies are."""

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.aws.account import pages


def role(client: Any, name: str) -> dict[str, Any] | None:
    """GetRole; None if there is no such role."""
    try:
        found: dict[str, Any] = client.get_role(RoleName=name)["Role"]
    except ClientError as error:
        if errors.code(error) in ("NoSuchEntity", "NoSuchEntityException"):
            return None
        raise
    return found


def has_policy(client: Any, arn: str) -> bool:
    """Whether a managed policy exists."""
    try:
        client.get_policy(PolicyArn=arn)
    except ClientError as error:
        if errors.code(error) in ("NoSuchEntity", "NoSuchEntityException"):
            return False
        raise
    return True


def policy_sizes(client: Any, path: str) -> Iterator[tuple[str, int]]:
    """Name and characters (as IAM counts them: without white space) of every customer managed policy below a path."""
    for item in pages(client, "list_policies", "Policies", Scope="Local", PathPrefix=path):
        request = {"PolicyArn": item["Arn"], "VersionId": item["DefaultVersionId"]}
        document = client.get_policy_version(**request)["PolicyVersion"]["Document"]
        yield item["PolicyName"], len(json.dumps(document, separators=(",", ":")))
