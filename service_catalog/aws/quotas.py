"""Service Quotas: how much of something the account may have."""

from typing import Any

from service_catalog.aws.account import pages


def quotas(client: Any, service: str) -> dict[str, tuple[str, float]]:
    """Name to code and value of a service's quotas as they apply to this account."""
    found = pages(client, "list_service_quotas", "Quotas", ServiceCode=service)
    return {item["QuotaName"]: (item["QuotaCode"], float(item["Value"])) for item in found}
