"""The API of CodeConnections, under its present and its former name. Hosts and repository links are not there.

A connection is made as PENDING. What a person then does in the console, a GET on /_rehearsal/handshake does here.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any

from rehearsal.emulator.service import AwsError, Service, Store, account, admin, region

Request = dict[str, Any]
PENDING, AVAILABLE = "PENDING", "AVAILABLE"
_PROVIDERS = ("Bitbucket", "GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "AzureDevOps")

codeconnections = Service("codeconnections", target="CodeConnections_20231201")
codestar = Service("codestar-connections", target="com.amazonaws.codestar.connections.CodeStar_connections_20191201")


@dataclass
class Connection:
    """One connection."""

    arn: str
    name: str
    provider: str
    status: str = PENDING
    tags: dict[str, str] = field(default_factory=dict)

    def describe(self) -> Request:
        """As GetConnection tells it."""
        return {
            "ConnectionName": self.name,
            "ConnectionArn": self.arn,
            "ProviderType": self.provider,
            "OwnerAccountId": self.arn.split(":")[4],
            "ConnectionStatus": self.status,
        }


connections: Store[Connection] = Store("connections")


def find(arn: str) -> Connection:
    """A connection by its ARN, whichever of the two names of the service that has. Raises AwsError."""
    connection = connections.get(arn.rpartition("/")[2])
    if connection is None:
        raise AwsError("ResourceNotFoundException", f"Connection {arn} not found")
    return connection


@admin("/_rehearsal/handshake")
def handshake() -> list[str]:
    """What a person does in the console: every pending connection of every account becomes available; their ARNs."""
    pending = [entry[3] for entry in connections.everywhere() if entry[3].status == PENDING]
    for connection in pending:
        connection.status = AVAILABLE
    return [connection.arn for connection in pending]


def _create(prefix: str, request: Request) -> Request:
    provider = request.get("ProviderType") or ""
    if provider not in _PROVIDERS:
        raise AwsError("InvalidInputException", f"ProviderType {provider!r} must be one of {', '.join(_PROVIDERS)}")
    identifier = str(uuid.uuid4())
    arn = f"arn:aws:{prefix}:{region()}:{account()}:connection/{identifier}"
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
    connections[identifier] = Connection(arn, request["ConnectionName"], provider, tags=tags)
    return {"ConnectionArn": arn}


def _get(request: Request) -> Request:
    return {"Connection": find(request["ConnectionArn"]).describe()}


def _list(request: Request) -> Request:
    wanted = request.get("ProviderTypeFilter")
    found = [entry for entry in connections.values() if wanted in (None, entry.provider)]
    return {"Connections": [connection.describe() for connection in found]}


def _delete(request: Request) -> Request:
    connections.pop(find(request["ConnectionArn"]).arn.rpartition("/")[2])
    return {}


def _tag(request: Request) -> Request:
    find(request["ResourceArn"]).tags.update({tag["Key"]: tag["Value"] for tag in request["Tags"]})
    return {}


def _untag(request: Request) -> Request:
    for key in request["TagKeys"]:
        find(request["ResourceArn"]).tags.pop(key, None)
    return {}


def _tags(request: Request) -> Request:
    tags = find(request["ResourceArn"]).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


for _service in (codeconnections, codestar):
    _service.operations |= {
        "CreateConnection": lambda request, name=_service.name: _create(name, request),  # type: ignore[misc]
        "GetConnection": _get,
        "ListConnections": _list,
        "DeleteConnection": _delete,
        "TagResource": _tag,
        "UntagResource": _untag,
        "ListTagsForResource": _tags,
    }
