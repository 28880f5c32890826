"""Whether a region has an instance type at all, and how many of it an account may run behind endpoints.

Service Quotas has one quota for each instance type that SageMaker hosts in the region, called "<type> for endpoint
usage"; what has none, the region has not. Applied values take the place of AWS's defaults, as not every quota has one.
Where Service Quotas may not be read, nothing is claimed.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_project_kit.deploy.errors import nearest

_SUFFIX = " for endpoint usage"


def read(client: Any) -> dict[str, float] | None:
    """Instance type → how many may run behind endpoints; None if that cannot be known."""
    try:
        return _listed(client, "list_aws_default_service_quotas") | _listed(client, "list_service_quotas")
    except (ClientError, BotoCoreError):
        return None


def _listed(client: Any, operation: str) -> dict[str, float]:
    pages = client.get_paginator(operation).paginate(ServiceCode="sagemaker", PaginationConfig={"PageSize": 100})
    return {
        quota["QuotaName"].removesuffix(_SUFFIX): float(quota["Value"])
        for page in pages
        for quota in page["Quotas"]
        if quota["QuotaName"].endswith(_SUFFIX)
    }


def problem(quotas: Mapping[str, float] | None, instance_type: str, count: int, region: str) -> str:
    """Why `count` instances cannot run; empty if they can, or nobody knows."""
    if not quotas:
        return ""
    if instance_type not in quotas:
        return f"{region} has no {instance_type} for endpoints{nearest(instance_type, quotas)}"
    if quotas[instance_type] < count:
        allowed = f"the account's quota in {region} is {quotas[instance_type]:g}"
        return (
            f"{count} of {instance_type} are needed and {allowed}: ask Service Quotas for more, or choose another type"
        )
    return ""
