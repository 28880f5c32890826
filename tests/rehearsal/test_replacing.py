"""What may not be replaced, and the changes to a project that people will make, played as updates of its stack."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from service_catalog import release
from service_catalog.regions import types
from tests.infrastructure.house.operations import NAMES
from tests.numbers import next_account
from tests.rehearsal.conftest import Account

PRODUCT = release.templates()[0]
TABLE = Path(__file__).parents[2] / "rehearsal" / "emulator" / "create_only.json"
CONNECTION = {
    "RepositoryProvider": "Connection",
    "RepositoryId": "team/churn",
    "ConnectionArn": f"arn:aws:codeconnections:us-east-1:{next_account()}:connection/0a1b2c3d-0000-1111-2222-33334444",
}
NETWORK = {"VpcId": "vpc-0123456789abcdef0", "SubnetIds": "subnet-0123456789abcdef0"}
# What people change on Studio's form, one after the other; what is not named stays as it was.
CHANGES: dict[str, dict[str, str]] = {
    "the branch": {"BranchName": "release/2"},
    "the owner and the cost centre": {"Owner": "another-team", "CostCenter": "CC 2"},
    "the e-mail address": {"AlertEmail": "one@example.com"},
    "another address": {"AlertEmail": "two@example.com"},
    "a budget": {"MonthlyBudget": "100"},
    "another budget, without an address": {"MonthlyBudget": "200", "AlertEmail": ""},
    "the provider": CONNECTION,
    "another repository of it": CONNECTION | {"RepositoryId": "team/other"},
    "back to CodeCommit": {"RepositoryProvider": "CodeCommit", "RepositoryId": "", "ConnectionArn": ""},
    "accounts of the stages": {"StagingAccountId": "222222222222", "ProdAccountId": "333333333333"},
    "a network": NETWORK | {"SecurityGroupIds": "sg-0123456789abcdef0"},
    "a schedule": {"RetrainSchedule": "rate(7 days)"},
    "how long logs are kept": {"LogRetentionDays": "30"},
}


def named(kind: str) -> list[str]:
    """The property with the name of a type, and what cannot change otherwise, as the registry's schema has it."""
    name = "Budget/BudgetName" if kind == "AWS::Budgets::Budget" else NAMES[kind][0]
    paths = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("createOnlyProperties", [])
    rest = sorted({path.removeprefix("/properties/") for path in paths} - {name})
    return [name, *rest] if rest else []


def test_the_emulator_knows_what_cannot_change_under_a_name() -> None:
    kinds = sorted(types(release.templates()) & {*NAMES, "AWS::Budgets::Budget"})
    assert json.loads(TABLE.read_text(encoding="utf-8")) == {kind: named(kind) for kind in kinds if named(kind)}


@pytest.mark.parametrize("name", ["g", ""], ids=["a name", "no name"])
def test_what_has_a_name_of_the_templates_is_not_replaced(account: Account, name: str) -> None:
    def template(url: str) -> dict[str, Any]:
        more = {"CodeRepositoryName": name} if name else {}
        properties = {"GitConfig": {"RepositoryUrl": url}, **more}
        return {"Resources": {"R": {"Type": "AWS::SageMaker::CodeRepository", "Properties": properties}}}

    account.stack("s", template("https://example.com/a.git"))
    body = json.dumps(template("https://example.com/b.git"))
    account.client("cloudformation").update_stack(StackName="s", TemplateBody=body)
    status = account.settled("s")["StackStatus"]
    assert status == ("UPDATE_ROLLBACK_COMPLETE" if name else "UPDATE_COMPLETE")
    assert ("cannot update a stack when a custom-named resource" in account.reasons("s")) is bool(name)


def seed(account: Account) -> dict[str, str]:
    """Bucket and key of a first commit."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README.md", "A seed")
    account.store("seeds/k.zip", content.getvalue())
    return {"SeedBucket": f"bucket-of-{account.id}", "SeedKey": "seeds/k.zip"}


def test_a_project_takes_every_change_that_people_make(account: Account) -> None:
    """No account's roles are there, as nothing here enforces: what CloudFormation itself refuses is the question.

    The way back to CodeCommit, which kept the repository, is the one that `upgrade` refuses before the stack starts.
    """
    project = {"SageMakerProjectName": "churn", "SageMakerProjectId": "p-0a1b2c3d4e5f", **seed(account)}
    url = account.store("product.yaml", PRODUCT.text)
    formation = account.client("cloudformation")

    def given(values: dict[str, str]) -> dict[str, Any]:
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
        return {"TemplateURL": url, "Capabilities": ["CAPABILITY_NAMED_IAM"], "Parameters": parameters}

    formation.create_stack(StackName="p", **given(project))
    assert account.settled("p")["StackStatus"] == "CREATE_COMPLETE", account.reasons("p")
    refused = {}
    for what, values in CHANGES.items():
        try:
            formation.update_stack(StackName="p", **given(project | values))
        except ClientError as error:
            refused[what] = str(error)
            continue
        if account.settled("p")["StackStatus"] == "UPDATE_COMPLETE":
            project |= values
        else:
            refused[what] = account.reasons("p")
    assert {what: words.splitlines()[0] for what, words in refused.items()} == {
        "back to CodeCommit": "Repository named sagemaker-churn-p-0a1b2c3d4e5f already exists"
    }
