"""SageMaker's control plane: projects of both kinds, groups, repositories, domains, through boto3."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account

TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "SageMakerProjectName": {"Type": "String"},
        "SageMakerProjectId": {"Type": "String"},
        "Note": {"Type": "String", "Default": "none"},
    },
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "${SageMakerProjectId}-${Note}"}}},
    },
}


def settled(account: Account, name: str) -> dict[str, Any]:
    """A project once nothing is in progress; empty when it is gone."""
    sagemaker = account.client("sagemaker")

    def project() -> list[dict[str, Any]]:
        try:
            found = sagemaker.describe_project(ProjectName=name)
        except ClientError as error:
            assert "does not exist" in str(error)
            return [{}]
        return [] if found["ProjectStatus"].endswith("InProgress") else [found]

    return until(project)[0]


def topics(account: Account) -> list[str]:
    """The names of an account's topics."""
    return [item["TopicArn"].rpartition(":")[2] for item in account.client("sns").list_topics()["Topics"]]


@pytest.fixture
def product(account: Account) -> dict[str, str]:
    """A product with the template, offered in a portfolio: its ids as CreateProject takes them."""
    catalog = account.client("servicecatalog")
    portfolio = catalog.create_portfolio(DisplayName="ML", ProviderName="team", IdempotencyToken="a")
    info = {"LoadTemplateFromURL": account.store("product.yaml", TEMPLATE)}
    made = catalog.create_product(
        Name="Project",
        Owner="team",
        ProductType="CLOUD_FORMATION_TEMPLATE",
        ProvisioningArtifactParameters={"Name": "1", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info},
        IdempotencyToken="b",
    )
    product_id = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
    catalog.associate_product_with_portfolio(ProductId=product_id, PortfolioId=portfolio["PortfolioDetail"]["Id"])
    return {"ProductId": product_id, "ProvisioningArtifactId": made["ProvisioningArtifactDetail"]["Id"]}


def test_a_project_of_a_product_lives_and_ends(account: Account, product: dict[str, str]) -> None:
    sagemaker = account.client("sagemaker")
    made = sagemaker.create_project(ProjectName="One", ServiceCatalogProvisioningDetails=product)
    project = settled(account, "One")
    assert project["ProjectStatus"] == "CreateCompleted"
    assert topics(account) == [f"{made['ProjectId']}-none"]
    provisioned = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
    stack = account.settled(f"SC-{account.id}-{provisioned}")
    tags = {tag["Key"]: tag["Value"] for tag in stack["Tags"]}
    assert tags == {"sagemaker:project-name": "One", "sagemaker:project-id": made["ProjectId"]}
    shown = account.client("servicecatalog").describe_provisioned_product(Id=provisioned)
    assert shown["ProvisionedProductDetail"]["Name"] == f"One-{made['ProjectId']}"

    update = {"ProvisioningParameters": [{"Key": "Note", "Value": "changed"}]}
    sagemaker.update_project(ProjectName="One", ServiceCatalogProvisioningUpdateDetails=update)
    assert settled(account, "One")["ProjectStatus"] == "UpdateCompleted"
    assert topics(account) == [f"{made['ProjectId']}-changed"]

    sagemaker.delete_project(ProjectName="One")
    assert settled(account, "One") == {}
    assert topics(account) == []
    assert sagemaker.list_projects()["ProjectSummaryList"] == []


def test_a_project_of_a_template_lives_and_ends(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    role = account.role("launch", "cloudformation.amazonaws.com")
    url = account.store("studio/project.yaml", TEMPLATE)
    given = {"TemplateName": "project", "TemplateURL": url, "Parameters": [{"Key": "Note", "Value": "s3"}]}
    made = sagemaker.create_project(
        ProjectName="Two", TemplateProviders=[{"CfnTemplateProvider": given | {"RoleARN": role}}]
    )
    assert settled(account, "Two")["ProjectStatus"] == "CreateCompleted"
    assert topics(account) == [f"{made['ProjectId']}-s3"]
    detail = sagemaker.describe_project(ProjectName="Two")["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
    assert detail["StackDetail"]["Name"].startswith("SP-")

    sagemaker.update_project(ProjectName="Two", TemplateProvidersToUpdate=[{"CfnTemplateProvider": given}])
    assert settled(account, "Two")["ProjectStatus"] == "UpdateCompleted"
    sagemaker.delete_project(ProjectName="Two")
    assert settled(account, "Two") == {}
    assert topics(account) == []


def test_a_project_that_fails_says_why(account: Account) -> None:
    group = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": "taken"}}
    url = account.store("broken.yaml", {**TEMPLATE, "Resources": {"Group": group}})
    provider = {"TemplateName": "project", "TemplateURL": url}
    sagemaker = account.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="taken")
    sagemaker.create_project(ProjectName="Three", TemplateProviders=[{"CfnTemplateProvider": provider}])
    project = settled(account, "Three")
    assert project["ProjectStatus"] == "CreateFailed"
    detail = project["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]
    assert "ROLLBACK_COMPLETE" in detail["StatusMessage"]


@pytest.mark.parametrize("name", ["A" * 33, "-lead", "trail-", "no_underscore", "émoji"])
def test_bad_names_are_refused(account: Account, product: dict[str, str], name: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        account.client("sagemaker").create_project(ProjectName=name, ServiceCatalogProvisioningDetails=product)


@pytest.mark.parametrize("name", ["1", "A" * 32, "9-Lives"])
def test_a_leading_digit_and_upper_case_are_names(account: Account, product: dict[str, str], name: str) -> None:
    account.client("sagemaker").create_project(ProjectName=name, ServiceCatalogProvisioningDetails=product)
    assert settled(account, name)["ProjectStatus"] == "CreateCompleted"


def test_a_name_is_taken_once(account: Account, product: dict[str, str]) -> None:
    sagemaker = account.client("sagemaker")
    sagemaker.create_project(ProjectName="One", ServiceCatalogProvisioningDetails=product)
    with pytest.raises(ClientError, match="exists already"):
        sagemaker.create_project(ProjectName="One", ServiceCatalogProvisioningDetails=product)


def test_a_project_has_one_source(account: Account) -> None:
    with pytest.raises(ClientError, match="exactly one"):
        account.client("sagemaker").create_project(ProjectName="None")


def test_groups_have_policies_and_tags(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    made = sagemaker.create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "a", "Value": "b"}])
    arn = made["ModelPackageGroupArn"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    sagemaker.put_model_package_group_policy(ModelPackageGroupName="g", ResourcePolicy=policy)
    assert sagemaker.get_model_package_group_policy(ModelPackageGroupName="g")["ResourcePolicy"] == policy
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    assert [
        item["ModelPackageGroupArn"] for item in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ] == [arn]
    sagemaker.delete_model_package_group(ModelPackageGroupName="g")
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName="g")


def test_domains_keep_their_settings(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    role = account.role("Studio", "sagemaker.amazonaws.com")
    made = sagemaker.create_domain(
        DomainName="d",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": role},
        SubnetIds=["subnet-1"],
        VpcId="vpc-1",
    )
    shown = sagemaker.list_domains()["Domains"]
    assert [item["DomainArn"] for item in shown] == [made["DomainArn"]]
    update = {"DockerSettings": {"EnableDockerAccess": "ENABLED"}}
    sagemaker.update_domain(DomainId=shown[0]["DomainId"], DomainSettingsForUpdate=update)
    domain = sagemaker.describe_domain(DomainId=shown[0]["DomainId"])
    assert domain["DomainSettings"] == update and domain["DefaultUserSettings"]["ExecutionRole"] == role
    tag = {"Key": "sagemaker:projectS3TemplatesLocation", "Value": "s3://bucket/studio/"}
    sagemaker.add_tags(ResourceArn=made["DomainArn"], Tags=[tag])
    assert sagemaker.list_tags(ResourceArn=made["DomainArn"])["Tags"] == [tag]


def test_aws_own_portfolio_is_switched(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Disabled"
    sagemaker.enable_sagemaker_servicecatalog_portfolio()
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Enabled"
    sagemaker.disable_sagemaker_servicecatalog_portfolio()
    assert sagemaker.get_sagemaker_servicecatalog_portfolio_status()["Status"] == "Disabled"


def test_the_long_tail_is_motos(account: Account) -> None:
    sagemaker = account.client("sagemaker")
    sagemaker.create_experiment(ExperimentName="e")
    assert [item["ExperimentName"] for item in sagemaker.list_experiments()["ExperimentSummaries"]] == ["e"]
