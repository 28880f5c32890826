"""Products: the shells that versions are added to; versions are in artifacts.py."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import seams
from ..service import AwsError, Store, account, new_id, pages, region
from . import Request, catalog, changed_tags, found, once, tag_list, tag_map
from .artifacts import Artifact, load
from .tag_options import options_of

TEXTS = ("Name", "Owner", "Description", "Distributor", "SupportDescription", "SupportEmail", "SupportUrl")
SORTED_BY = {"Title": "Name", "CreationDate": "created", "VersionCount": "versions"}


@dataclass
class Product:
    """A product: its texts by the API's names, its tags, its versions by id."""

    id: str
    texts: dict[str, str]
    tags: dict[str, str]
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    created: float = field(default_factory=time.time)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:catalog:{region()}:{account()}:product/{self.id}"

    def summary(self) -> Request:
        """As AWS summarises it for users."""
        texts = {name: value for name, value in self.texts.items() if name != "Description"}
        short = {"ShortDescription": self.texts["Description"]} if "Description" in self.texts else {}
        view_id = f"prodview-{self.id.removeprefix('prod-')}"
        identity = {"Id": view_id, "ProductId": self.id, "Type": "CLOUD_FORMATION_TEMPLATE", "HasDefaultPath": False}
        return identity | texts | short

    def view(self) -> Request:
        """As AWS describes it for administrators."""
        detail = {"ProductViewSummary": self.summary(), "Status": "CREATED", "ProductARN": self.arn}
        return detail | {"Status": "AVAILABLE", "CreatedTime": self.created}


products: Store[Product] = Store("products")


def product(request: Request, by_id: str = "ProductId", by_name: str = "ProductName") -> Product:
    """The product that a request names by id or by name.

    Raises ResourceNotFoundException, InvalidParametersException.
    """
    if request.get(by_id):
        return found(products, request[by_id], "Product")
    if not request.get(by_name):
        raise AwsError("InvalidParametersException", f"Either {by_id} or {by_name} is needed.")
    named = [item for item in products.values() if item.texts["Name"] == request[by_name]]
    if len(named) != 1:
        problem = "ResourceNotFoundException" if not named else "InvalidParametersException"
        raise AwsError(problem, f"{len(named)} products are named {request[by_name]}.")
    return named[0]


@catalog.operation
def create_product(request: Request) -> Request:
    def make() -> Request:
        made = Product(new_id("prod-"), {name: request[name] for name in TEXTS if name in request}, tags)
        first = load(request["ProvisioningArtifactParameters"])
        made.artifacts[first.id] = first
        products[made.id] = made
        answer = {"ProductViewDetail": made.view(), "ProvisioningArtifactDetail": first.detail()}
        return answer | {"Tags": tag_list(tags)}

    tags = tag_map(request.get("Tags"))
    if request["ProductType"] != "CLOUD_FORMATION_TEMPLATE":
        raise AwsError("InvalidParametersException", f"Products of type {request['ProductType']} are not emulated.")
    if "ProvisioningArtifactParameters" not in request:
        raise AwsError(
            "InvalidParametersException", "A product needs ProvisioningArtifactParameters: its first version."
        )
    return once("CreateProduct", request["IdempotencyToken"], request, make)


@catalog.operation
def update_product(request: Request) -> Request:
    changed = found(products, request["Id"], "Product")
    changed.texts |= {name: request[name] for name in TEXTS if name in request}
    changed.tags = changed_tags(changed.tags, request)
    return {"ProductViewDetail": changed.view(), "Tags": tag_list(changed.tags)}


@catalog.operation
def delete_product(request: Request) -> Request:
    from .portfolios import portfolios
    from .provisioned import provisioned_products

    doomed = found(products, request["Id"], "Product")
    holders = [item.id for item in portfolios.values() if doomed.id in item.products]
    used = [item.id for item in provisioned_products.values() if item.product == doomed.id]
    if holders or options_of(doomed.id) or used:
        raise AwsError(
            "ResourceInUseException",
            f"Product {doomed.id} is still in portfolios {holders}, has tag options or provisioned products {used}.",
        )
    del products[doomed.id]
    return {}


@catalog.operation
def describe_product_as_admin(request: Request) -> Request:
    described = product(request, "Id", "Name")
    summaries = [artifact.summary() for artifact in described.artifacts.values()]
    details = {"ProductViewDetail": described.view(), "ProvisioningArtifactSummaries": summaries, "Budgets": []}
    return details | {"Tags": tag_list(described.tags), "TagOptions": options_of(described.id)}


@catalog.operation
def describe_product(request: Request) -> Request:
    from .paths import paths_of

    described = product(request, "Id", "Name")
    paths = paths_of(described)
    active = [artifact.view() for artifact in described.artifacts.values() if artifact.active]
    shown = {"ProductViewSummary": described.summary(), "ProvisioningArtifacts": active, "Budgets": []}
    return shown | {"LaunchPaths": [{"Id": path.id, "Name": path.portfolio.name} for path in paths]}


@catalog.operation
def describe_product_view(request: Request) -> Request:
    described = found(products, f"prod-{request['Id'].removeprefix('prodview-')}", "ProductView")
    active = [artifact.view() for artifact in described.artifacts.values() if artifact.active]
    return {"ProductViewSummary": described.summary(), "ProvisioningArtifacts": active}


def _sorted(items: list[Product], request: Request) -> list[Product]:
    def key(item: Product) -> Any:
        order = request.get("SortBy")
        return (
            len(item.artifacts)
            if order == "VersionCount"
            else item.created
            if order == "CreationDate"
            else item.texts["Name"]
        )

    items = sorted(items, key=key) if "SortBy" in request else items
    return items[::-1] if request.get("SortOrder") == "DESCENDING" else items


def _matches(item: Product, filters: dict[str, list[str]]) -> bool:
    texts = " ".join(item.texts.values()).lower()
    known = {"Owner": item.texts["Owner"], "ProductType": "CLOUD_FORMATION_TEMPLATE", "SourceProductId": ""}
    for name, values in filters.items():
        if name == "FullTextSearch":
            if not all(word in texts for word in " ".join(values).lower().split()):
                return False
        elif known.get(name) not in values:
            return False
    return True


@catalog.operation
def search_products_as_admin(request: Request) -> Request:
    from .portfolios import portfolio

    kept = products.values()
    if "PortfolioId" in request:
        inside = portfolio(request["PortfolioId"]).products
        kept = [item for item in kept if item.id in inside]
    kept = [item for item in kept if _matches(item, request.get("Filters") or {})]
    listed, token = pages([item.view() for item in _sorted(kept, request)], request)
    return {"ProductViewDetails": listed, "NextPageToken": token}


@catalog.operation
def search_products(request: Request) -> Request:
    from .portfolios import open_to_caller

    visible = {name for item in open_to_caller() for name in item.products}
    kept = [item for item in products.values() if item.id in visible and _matches(item, request.get("Filters") or {})]
    listed, token = pages([item.summary() for item in _sorted(kept, request)], request)
    return {"ProductViewSummaries": listed, "ProductViewAggregations": {}, "NextPageToken": token}


def tagged() -> Iterator[tuple[str, dict[str, str]]]:
    """ARN and tags of products and portfolios."""
    from .portfolios import portfolios

    for item in products.values():
        yield item.arn, item.tags
    for held in portfolios.values():
        yield str(held.detail()["ARN"]), held.tags


seams.list_tagged("catalog", tagged)
