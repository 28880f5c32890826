"""Resource Groups Tagging API: everything that carries a tag, of whatever service."""

from collections.abc import Iterator
from typing import Any

from service_catalog.aws.account import pages, untagged


def resources(client: Any, key: str, *values: str) -> Iterator[tuple[str, dict[str, str]]]:
    """ARN and tags of every resource with this tag; some services go on listing what was deleted for a while."""
    filters = [{"Key": key, "Values": list(values)}]
    for item in pages(client, "get_resources", "ResourceTagMappingList", TagFilters=filters):
        yield item["ResourceARN"], untagged(item["Tags"])
