"""The real templates, expanded with permissions enforced: the account's stacks, then a project as Studio makes it."""

import io
import json
import re
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from service_catalog import joiner
from tests.rehearsal.conftest import Account, allow

# What nothing here can act on: keys are not scheduled for deletion, reports are gone with their group.
IGNORED = {"AWS::KMS::Key": ["PendingWindowInDays"], "AWS::CodeBuild::ReportGroup": ["DeleteReports"]}


def text(name: str) -> str:
    """A template of ours."""
    return joiner.template(f"{name}.yaml").text


def made(account: Account, stack: str, template: str, **parameters: str) -> dict[str, str]:
    """The outputs of a stack of a template of ours."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    settled = account.stack(stack, text(template), Parameters=given)
    assert settled["StackStatus"] == "CREATE_COMPLETE", account.reasons(stack)
    return {item["OutputKey"]: item["OutputValue"] for item in settled.get("Outputs", [])}


def seed() -> bytes:
    """A repository's first commit, with one file."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("README.md", "A project\n")
    return content.getvalue()


@pytest.fixture
def offered(guarded: Account) -> dict[str, str]:
    """The account's stacks and the product in the portfolio; what CreateProject needs to know of them."""
    outputs = made(guarded, "sagemaker-projects-portfolio", "portfolio")
    for stage in ("staging", "prod"):
        more = {"StageName": stage, "ToolingAccountId": guarded.id, "PermissionsBoundary": "existing"}
        more |= {"ApiGatewayLogging": "off"} if "ApiGatewayLogging:" in text("stage") else {}
        made(guarded, f"sagemaker-projects-{stage}", "stage", **more)
    guarded.client("s3").put_object(Bucket=outputs["BucketName"], Key="seeds/0123456789abcdef.zip", Body=seed())
    catalog = guarded.client("servicecatalog")
    info = {"LoadTemplateFromURL": guarded.store("product.yaml", text("product"))}
    answer = catalog.create_product(
        Name="ML project",
        Owner="team",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        ProvisioningArtifactParameters={"Name": "1", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info},
        IdempotencyToken="product",
    )
    product = answer["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    place = {"ProductId": product, "PortfolioId": outputs["PortfolioId"]}
    catalog.associate_product_with_portfolio(**place)
    role = json.dumps({"RoleArn": outputs["LaunchRoleArn"]})
    catalog.create_constraint(**place, Type="LAUNCH", Parameters=role, IdempotencyToken="launch")
    return outputs | {"ProductId": product}


def test_the_launch_role_makes_and_deletes_a_project(guarded: Account, offered: dict[str, str]) -> None:
    sagemaker = studio(guarded, offered)
    parameters = {"SeedBucket": offered["BucketName"], "SeedKey": "seeds/0123456789abcdef.zip", "MonthlyBudget": "100"}
    details = {
        "ProductId": offered["ProductId"],
        "ProvisioningParameters": [{"Key": key, "Value": value} for key, value in parameters.items()],
    }
    project = sagemaker.create_project(ProjectName="A" * 32, ServiceCatalogProvisioningDetails=details)
    shown = settled(sagemaker, "A" * 32)
    assert shown["ProjectStatus"] == "CreateCompleted", guarded.emulator.admin("denials")
    launch = [item for item in guarded.emulator.admin("denials") if item["role"] == offered["LaunchRoleArn"]]
    assert launch == []
    assert {key: value for key, value in guarded.emulator.admin("ignored").items() if value != IGNORED.get(key)} == {}
    groups = guarded.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupName"] for item in groups] == [f"{'A' * 32}-{project['ProjectId']}"]

    sagemaker.delete_project(ProjectName="A" * 32)
    assert settled(sagemaker, "A" * 32) == {}
    roles = [item["RoleName"] for item in guarded.client("iam").list_roles()["Roles"]]
    assert not [name for name in roles if project["ProjectId"] in name]


def studio(guarded: Account, offered: dict[str, str]) -> Any:
    """SageMaker as an execution role of Studio that the portfolio is open to."""
    role = guarded.role("Studio", "sagemaker.amazonaws.com", allow("sagemaker:*Project*", "servicecatalog:*"))
    grant = {"PortfolioId": offered["PortfolioId"], "PrincipalARN": role, "PrincipalType": "IAM"}
    guarded.client("servicecatalog").associate_principal_with_portfolio(**grant)
    return guarded.emulator.as_role("sagemaker", role)


def settled(sagemaker: Any, name: str) -> dict[str, Any]:
    """A project once nothing is in progress; empty when it is gone."""

    def project() -> list[dict[str, Any]]:
        try:
            found = sagemaker.describe_project(ProjectName=name)
        except ClientError as error:
            assert re.search("does not exist", str(error))
            return [{}]
        return [] if found["ProjectStatus"].endswith("InProgress") else [found]

    return until(project)[0]
