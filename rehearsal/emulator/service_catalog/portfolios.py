"""Portfolios: what is in them, who may use them."""

import fnmatch
import time
from dataclasses import dataclass, field

from .. import seams
from ..service import AwsError, Store, account, caller, new_id, pages, region, role_of
from . import Request, catalog, changed_tags, found, once, tag_list, tag_map
from .products import products
from .tag_options import options_of

PRINCIPALS_PER_PORTFOLIO = 100


@dataclass
class Portfolio:
    """A portfolio with the products in it and, by ARN, the kinds of the principals that may use them."""

    id: str
    name: str
    provider: str
    description: str | None
    tags: dict[str, str]
    products: list[str] = field(default_factory=list)
    principals: dict[str, str] = field(default_factory=dict)
    created: float = field(default_factory=time.time)

    def detail(self) -> Request:
        """As AWS describes it."""
        arn = f"arn:aws:catalog:{region()}:{account()}:portfolio/{self.id}"
        detail = {"Id": self.id, "ARN": arn, "DisplayName": self.name, "ProviderName": self.provider}
        return detail | {"CreatedTime": self.created} | ({"Description": self.description} if self.description else {})


portfolios: Store[Portfolio] = Store("portfolios")


def portfolio(portfolio_id: str) -> Portfolio:
    """A portfolio. Raises ResourceNotFoundException."""
    return found(portfolios, portfolio_id, "Portfolio")


@catalog.operation
def create_portfolio(request: Request) -> Request:
    def make() -> Request:
        made = Portfolio(
            new_id("port-"), request["DisplayName"], request["ProviderName"], request.get("Description"), tags
        )
        portfolios[made.id] = made
        return {"PortfolioDetail": made.detail(), "Tags": tag_list(tags)}

    tags = tag_map(request.get("Tags"))
    return once("CreatePortfolio", request["IdempotencyToken"], request, make)


@catalog.operation
def update_portfolio(request: Request) -> Request:
    changed = portfolio(request["Id"])
    changed.name = request.get("DisplayName", changed.name)
    changed.provider = request.get("ProviderName", changed.provider)
    changed.description = request.get("Description", changed.description)
    changed.tags = changed_tags(changed.tags, request)
    return {"PortfolioDetail": changed.detail(), "Tags": tag_list(changed.tags)}


@catalog.operation
def describe_portfolio(request: Request) -> Request:
    described = portfolio(request["Id"])
    details = {"PortfolioDetail": described.detail(), "Tags": tag_list(described.tags), "Budgets": []}
    return details | {"TagOptions": options_of(described.id)}


@catalog.operation
def delete_portfolio(request: Request) -> Request:
    doomed = portfolio(request["Id"])
    if doomed.products or doomed.principals or options_of(doomed.id):
        raise AwsError(
            "ResourceInUseException",
            f"Portfolio {doomed.id} still has products, principals or tag options: remove them first.",
        )
    del portfolios[doomed.id]
    return {}


@catalog.operation
def list_portfolios(request: Request) -> Request:
    listed, token = pages([item.detail() for item in portfolios.values()], request)
    return {"PortfolioDetails": listed, "NextPageToken": token}


@catalog.operation
def list_portfolios_for_product(request: Request) -> Request:
    found(products, request["ProductId"], "Product")
    holding = [item.detail() for item in portfolios.values() if request["ProductId"] in item.products]
    listed, token = pages(holding, request)
    return {"PortfolioDetails": listed, "NextPageToken": token}


@catalog.operation
def list_portfolio_access(request: Request) -> Request:
    portfolio(request["PortfolioId"])
    return {"AccountIds": []}


# What is in them


@catalog.operation
def associate_product_with_portfolio(request: Request) -> Request:
    found(products, request["ProductId"], "Product")
    into = portfolio(request["PortfolioId"])
    if request["ProductId"] not in into.products:
        into.products.append(request["ProductId"])
    return {}


@catalog.operation
def disassociate_product_from_portfolio(request: Request) -> Request:
    from .constraints import constraints

    out_of = portfolio(request["PortfolioId"])
    if request["ProductId"] not in out_of.products:
        raise AwsError("ResourceNotFoundException", f"{request['ProductId']} is not in portfolio {out_of.id}.")
    if any(item.product == request["ProductId"] and item.portfolio == out_of.id for item in constraints.values()):
        raise AwsError("ResourceInUseException", f"{request['ProductId']} has constraints in {out_of.id}: delete them.")
    out_of.products.remove(request["ProductId"])
    return {}


# Who may use them


@catalog.operation
def associate_principal_with_portfolio(request: Request) -> Request:
    opened = portfolio(request["PortfolioId"])
    arn, kind = request["PrincipalARN"], request["PrincipalType"]
    if kind == "IAM" and not _exists(arn):
        raise AwsError("InvalidParametersException", f"Principal {arn} does not exist.")
    if kind == "IAM_PATTERN" and not arn.startswith("arn:aws:iam:::"):
        raise AwsError("InvalidParametersException", f"A pattern has no account: arn:aws:iam:::role/..., not {arn}.")
    if arn not in opened.principals and len(opened.principals) >= PRINCIPALS_PER_PORTFOLIO:
        raise AwsError("LimitExceededException", f"A portfolio has at most {PRINCIPALS_PER_PORTFOLIO} principals.")
    opened.principals[arn] = kind
    return {}


def _exists(arn: str) -> bool:
    return not (":role/" in arn and arn.split(":")[4] == account()) or seams.role(arn) is not None


@catalog.operation
def disassociate_principal_from_portfolio(request: Request) -> Request:
    closed = portfolio(request["PortfolioId"])
    if closed.principals.pop(request["PrincipalARN"], None) is None:
        raise AwsError("ResourceNotFoundException", f"{request['PrincipalARN']} has no access to {closed.id}.")
    return {}


@catalog.operation
def list_principals_for_portfolio(request: Request) -> Request:
    kinds = portfolio(request["PortfolioId"]).principals
    listed, token = pages([{"PrincipalARN": arn, "PrincipalType": kind} for arn, kind in kinds.items()], request)
    return {"Principals": listed, "NextPageToken": token}


def open_to_caller() -> list[Portfolio]:
    """The portfolios that the caller was given. Where permissions are not enforced, an account's root has them all."""
    who = role_of(caller()) or caller()
    if who.endswith(":root") and not seams.enforced():
        return portfolios.values()
    return [
        item for item in portfolios.values() if any(_names(arn, kind, who) for arn, kind in item.principals.items())
    ]


def _names(principal: str, kind: str, who: str) -> bool:
    if kind == "IAM":
        return principal == who
    return fnmatch.fnmatchcase(who.partition("::")[2].partition(":")[2], principal.removeprefix("arn:aws:iam:::"))
