"""Constraints: which role Service Catalog assumes for a product of a portfolio, and others, which it keeps only."""

import json
from dataclasses import dataclass

from .. import seams
from ..service import AwsError, Store, account, new_id, pages
from . import Request, catalog, found, once
from .portfolios import portfolio
from .products import products

KINDS = ("LAUNCH", "NOTIFICATION", "RESOURCE_UPDATE", "STACKSET", "TEMPLATE")


@dataclass
class Constraint:
    """A constraint of one product in one portfolio; its parameters are JSON."""

    id: str
    kind: str
    portfolio: str
    product: str
    parameters: str
    description: str

    def answer(self) -> Request:
        """As AWS answers it."""
        detail = {"ConstraintId": self.id, "Type": self.kind, "Description": self.description, "Owner": account()}
        detail |= {"ProductId": self.product, "PortfolioId": self.portfolio}
        return {"ConstraintDetail": detail, "ConstraintParameters": self.parameters, "Status": "AVAILABLE"}


constraints: Store[Constraint] = Store("constraints")


def _checked(kind: str, parameters: str) -> str:
    try:
        given = json.loads(parameters)
    except ValueError as error:
        raise AwsError("InvalidParametersException", f"Parameters of a constraint must be JSON: {error}") from error
    if kind == "LAUNCH" and len({"RoleArn", "LocalRoleName"} & set(given)) != 1:
        raise AwsError("InvalidParametersException", 'A LAUNCH constraint is {"RoleArn": …} or {"LocalRoleName": …}.')
    if kind == "LAUNCH" and "RoleArn" in given and seams.role(given["RoleArn"]) is None:
        raise AwsError("InvalidParametersException", f"Role {given['RoleArn']} does not exist.")
    return parameters


@catalog.operation
def create_constraint(request: Request) -> Request:
    def make() -> Request:
        kind, of_portfolio, of_product = request["Type"], request["PortfolioId"], request["ProductId"]
        if kind == "LAUNCH" and launch_constraint(of_portfolio, of_product):
            raise AwsError("DuplicateResourceException", f"{of_product} has a launch constraint in {of_portfolio}.")
        given = _checked(kind, request["Parameters"])
        made = Constraint(new_id("cons-"), kind, of_portfolio, of_product, given, request.get("Description", ""))
        constraints[made.id] = made
        return made.answer()

    if request["ProductId"] not in portfolio(request["PortfolioId"]).products:
        found(products, request["ProductId"], "Product")
        raise AwsError("ResourceNotFoundException", f"{request['ProductId']} is not in {request['PortfolioId']}.")
    if request["Type"] not in KINDS:
        raise AwsError(
            "InvalidParametersException", f"There are constraints {', '.join(KINDS)}, not {request['Type']}."
        )
    return once("CreateConstraint", request["IdempotencyToken"], request, make)


@catalog.operation
def describe_constraint(request: Request) -> Request:
    return found(constraints, request["Id"], "Constraint").answer()


@catalog.operation
def update_constraint(request: Request) -> Request:
    changed = found(constraints, request["Id"], "Constraint")
    changed.parameters = _checked(changed.kind, request.get("Parameters", changed.parameters))
    changed.description = request.get("Description", changed.description)
    return changed.answer()


@catalog.operation
def delete_constraint(request: Request) -> Request:
    found(constraints, request["Id"], "Constraint")
    del constraints[request["Id"]]
    return {}


@catalog.operation
def list_constraints_for_portfolio(request: Request) -> Request:
    portfolio(request["PortfolioId"])
    wanted = request.get("ProductId")
    kept = [item for item in constraints.values() if item.portfolio == request["PortfolioId"]]
    kept = [item for item in kept if wanted in (None, item.product)]
    listed, token = pages([item.answer()["ConstraintDetail"] for item in kept], request)
    return {"ConstraintDetails": listed, "NextPageToken": token}


def launch_constraint(of_portfolio: str, of_product: str) -> Constraint | None:
    """The launch constraint of a product in a portfolio."""
    for item in constraints.values():
        if (item.kind, item.portfolio, item.product) == ("LAUNCH", of_portfolio, of_product):
            return item
    return None


def launch_role(of_portfolio: str, of_product: str) -> str | None:
    """The ARN of the role that Service Catalog assumes for a product of a portfolio; None: it acts as the caller."""
    constraint = launch_constraint(of_portfolio, of_product)
    if constraint is None:
        return None
    given = json.loads(constraint.parameters)
    return str(given.get("RoleArn") or f"arn:aws:iam::{account()}:role/{given['LocalRoleName']}")
