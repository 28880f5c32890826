"""Launch paths: the portfolios through which the caller may provision a product."""

from dataclasses import dataclass

from ..service import AwsError, pages
from . import Request, catalog, tag_list
from .artifacts import artifact, parameters_of
from .constraints import constraints, launch_role
from .portfolios import Portfolio, open_to_caller
from .products import Product, product
from .tag_options import options_of


@dataclass(frozen=True)
class Path:
    """One way to a product: the portfolio, and the role that is assumed on it."""

    id: str
    portfolio: Portfolio
    role: str | None


def paths_of(wanted: Product) -> list[Path]:
    """The caller's ways to a product."""
    ways = [item for item in open_to_caller() if wanted.id in item.products]
    return [
        Path(
            f"lpv3-{wanted.id.removeprefix('prod-')}{item.id.removeprefix('port-')}"[:24],
            item,
            launch_role(item.id, wanted.id),
        )
        for item in ways
    ]


def path(wanted: Product, request: Request) -> Path:
    """The way that a request names, or the only one.

    Raises ResourceNotFoundException without any, InvalidParametersException when several would do.
    """
    ways = paths_of(wanted)
    if not ways:
        raise AwsError("ResourceNotFoundException", f"No launch paths found for resource: {wanted.id}")
    named = [way for way in ways if way.id == request.get("PathId") or way.portfolio.name == request.get("PathName")]
    if request.get("PathId") or request.get("PathName"):
        if not named:
            raise AwsError(
                "ResourceNotFoundException", f"Path {request.get('PathId') or request['PathName']} not found."
            )
        return named[0]
    if len(ways) > 1:
        raise AwsError("InvalidParametersException", f"{wanted.id} has several launch paths: name one by PathId.")
    return ways[0]


def prescribed_tags(way: Path, wanted: Product) -> dict[str, list[str]]:
    """By key, the values that tag options of the portfolio or product allow."""
    allowed: dict[str, list[str]] = {}
    for option in options_of(way.portfolio.id) + options_of(wanted.id):
        if option["Active"]:
            allowed.setdefault(option["Key"], []).append(option["Value"])
    return allowed


def _constraint_summaries(way: Path, wanted: Product) -> list[Request]:
    held = [item for item in constraints.values() if (item.portfolio, item.product) == (way.portfolio.id, wanted.id)]
    return [{"Type": item.kind, "Description": item.description} for item in held]


@catalog.operation
def list_launch_paths(request: Request) -> Request:
    wanted = product(request)
    ways = [
        {
            "Id": way.id,
            "Name": way.portfolio.name,
            "ConstraintSummaries": _constraint_summaries(way, wanted),
            "Tags": tag_list(way.portfolio.tags),
        }
        for way in paths_of(wanted)
    ]
    listed, token = pages(ways, request)
    return {"LaunchPathSummaries": listed, "NextPageToken": token}


@catalog.operation
def describe_provisioning_parameters(request: Request) -> Request:
    from .. import seams

    wanted = product(request)
    version = artifact(wanted, request)
    way = path(wanted, request)
    outputs = [
        {"Key": name, "Description": given.get("Description", "")}
        for name, given in seams.template_outputs(version.template).items()
    ]
    return {
        "ProvisioningArtifactParameters": parameters_of(version),
        "ConstraintSummaries": _constraint_summaries(way, wanted),
        "UsageInstructions": [],
        "TagOptions": [{"Key": key, "Values": values} for key, values in prescribed_tags(way, wanted).items()],
        "ProvisioningArtifactOutputs": outputs,
        "ProvisioningArtifactOutputKeys": outputs,
    }
