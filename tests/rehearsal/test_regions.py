"""A region that lacks a type refuses every template that names it, and says so when it is asked about the type."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from service_catalog import joiner
from tests.rehearsal.conftest import Account

# Without AWS::Budgets::Budget; with AWS::CodeCommit::Repository.
STOCKHOLM = "eu-north-1"
BUDGET = """
Parameters: {Wanted: {Type: String, Default: "no"}}
Conditions: {IsWanted: !Equals [!Ref Wanted, "yes"]}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Budget:
    Type: AWS::Budgets::Budget
    Condition: IsWanted
    Properties: {Budget: {BudgetType: COST, TimeUnit: MONTHLY}}
"""
CALLS: dict[str, dict[str, Any]] = {
    "create_stack": {"StackName": "s"},
    "update_stack": {"StackName": "s"},
    "create_change_set": {"StackName": "s", "ChangeSetName": "c", "ChangeSetType": "CREATE"},
    "validate_template": {},
}


@pytest.mark.parametrize(("call", "more"), CALLS.items(), ids=CALLS)
def test_an_unknown_type_is_refused_though_its_condition_is_false(
    account: Account, call: str, more: dict[str, Any]
) -> None:
    words = r"ValidationError.*Unrecognized resource types: \[AWS::Budgets::Budget\]"
    with pytest.raises(ClientError, match=words):
        getattr(account.client("cloudformation", STOCKHOLM), call)(TemplateBody=BUDGET, **more)
    account.client("cloudformation").validate_template(TemplateBody=BUDGET)


def test_a_region_tells_which_types_it_has(account: Account) -> None:
    there, here = (account.client("cloudformation", region) for region in (STOCKHOLM, "eu-west-1"))
    asked = {"Type": "RESOURCE", "TypeName": "AWS::Budgets::Budget"}
    assert here.describe_type(**asked)["TypeName"] == "AWS::Budgets::Budget"
    with pytest.raises(there.exceptions.TypeNotFoundException):
        there.describe_type(**asked)


def test_service_catalog_takes_no_template_with_it_either(account: Account) -> None:
    """The product as it is joined for a region that has everything."""
    text = joiner.template("product.yaml").stamped({"seed bucket": "b", "seed key": "k.zip"}).text
    url = account.store("product.yaml", text)
    version = {"Name": "1", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}}
    named = {"Name": "p", "Owner": "o", "ProductType": "CLOUD_FORMATION_TEMPLATE"}
    with pytest.raises(ClientError, match=r"Unrecognized resource types: \[AWS::Budgets::Budget\]"):
        account.client("servicecatalog", STOCKHOLM).create_product(ProvisioningArtifactParameters=version, **named)
