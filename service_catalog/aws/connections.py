"""CodeConnections: the connections to GitHub, GitLab and Bitbucket, with their tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service_catalog.aws.account import untagged


@dataclass(frozen=True)
class Connection:
    """A connection to a provider."""

    name: str
    arn: str
    provider: str
    status: str
    tags: dict[str, str]


def connections(client: Any) -> Iterator[Connection]:
    """Every connection of the account and region."""
    request: dict[str, Any] = {}
    while True:
        page = client.list_connections(**request)
        for item in page.get("Connections") or []:
            given = client.list_tags_for_resource(ResourceArn=item["ConnectionArn"]).get("Tags")
            yield Connection(
                item["ConnectionName"],
                item["ConnectionArn"],
                item["ProviderType"],
                item["ConnectionStatus"],
                untagged(given),
            )
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]
