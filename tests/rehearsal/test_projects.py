"""SageMaker's control plane: projects of both kinds, groups, repositories, domains, through boto3."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from service_catalog.aws.buckets import url
from tests.rehearsal.conftest import Account, allow
from tests.service_catalog.roles.accounts import placed

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
    address = account.store("studio/project.yaml", TEMPLATE)
    given = {"TemplateName": "project", "TemplateURL": address, "Parameters": [{"Key": "Note", "Value": "s3"}]}
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


@pytest.mark.parametrize(
    "wrong",
    [
        {"TemplateURL": "http://b.s3.us-east-1.amazonaws.com/studio/project.yaml"},
        {"TemplateURL": "s3://b/studio/project.yaml"},
        {"TemplateURL": "https://b.s3.us-east-1.amazonaws.com"},
        {"TemplateURL": "https://example.com/studio/project.yaml"},
        {"TemplateURL": "https://raw.githubusercontent.com/team/templates/main/project.yaml"},
        {"TemplateURL": "https://b.s3.us-east-1.amazonaws.com/studio/absent.yaml"},
        {"TemplateURL": "https://b.s3.us-east-1.amazonaws.com/" + "a" * 1024},
        {"TemplateName": "ml_project"},
        {"TemplateName": "p" * 33},
        {"RoleARN": "sagemaker-projects-launch"},
        {"Parameters": [{"Key": f"P{number}", "Value": ""} for number in range(181)]},
    ],
    ids=str,
)
def test_a_template_is_refused_as_the_api_refuses_it(account: Account, wrong: dict[str, Any]) -> None:
    sagemaker = account.client("sagemaker")
    given = {"TemplateName": "project", "TemplateURL": account.store("studio/project.yaml", TEMPLATE)} | wrong
    with pytest.raises(ClientError, match="ValidationException"):
        sagemaker.create_project(ProjectName="Four", TemplateProviders=[{"CfnTemplateProvider": given}])
    assert sagemaker.list_projects()["ProjectSummaryList"] == []


def test_an_update_is_of_a_template_that_the_project_has(account: Account) -> None:
    sagemaker, address = account.client("sagemaker"), account.store("studio/project.yaml", TEMPLATE)
    provider = {"TemplateName": "project", "TemplateURL": address}
    sagemaker.create_project(ProjectName="Five", TemplateProviders=[{"CfnTemplateProvider": provider}])
    settled(account, "Five")
    other = {"TemplateName": "another", "TemplateURL": address}
    with pytest.raises(ClientError, match="has no template another"):
        sagemaker.update_project(ProjectName="Five", TemplateProvidersToUpdate=[{"CfnTemplateProvider": other}])


LAUNCH = "sagemaker-projects-launch"


def studio_role(account: Account, without: str = "") -> str:
    """An execution role of Studio with the product's policy for the S3 channel, but for one statement; its ARN."""
    policy = placed("portfolio.yaml", account.id, S3Channel="on").resources["Studio"]["Properties"]["PolicyDocument"]
    kept = [each for each in policy["Statement"] if each["Sid"] != without]
    assert len(kept) == len(policy["Statement"]) - bool(without)
    projects = allow("sagemaker:*Project", "sagemaker:AddTags")
    return account.role("studio", "sagemaker.amazonaws.com", projects, *kept)


def template_of(account: Account, bucket: str, note: str = "s3") -> dict[str, Any]:
    """What CreateProject is given for a template in a bucket, at the address that `create --channel s3` sends."""
    s3, key = account.client("s3"), "studio/ml-project.yaml"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(TEMPLATE))
    parameters = [{"Key": "Note", "Value": note}]
    address = url(bucket, key, "us-east-1", "aws")
    return {"TemplateName": "ml-project", "TemplateURL": address, "Parameters": parameters}


def launch_role(account: Account) -> str:
    """The product's launch role, which may do everything here; its ARN."""
    return account.role(LAUNCH, "cloudformation.amazonaws.com", allow("*"), Path="/sagemaker-projects/")


def test_people_in_studio_make_change_and_delete_a_project_with_the_products_policy(guarded: Account) -> None:
    given = template_of(guarded, f"sagemaker-projects-{guarded.id}-us-east-1")
    role = {"RoleARN": launch_role(guarded)}
    studio = guarded.emulator.as_role("sagemaker", studio_role(guarded))
    made = studio.create_project(ProjectName="Six", TemplateProviders=[{"CfnTemplateProvider": given | role}])
    assert settled(guarded, "Six")["ProjectStatus"] == "CreateCompleted"
    assert topics(guarded) == [f"{made['ProjectId']}-s3"]

    changed = given | {"Parameters": [{"Key": "Note", "Value": "changed"}]}
    studio.update_project(ProjectName="Six", TemplateProvidersToUpdate=[{"CfnTemplateProvider": changed}])
    assert settled(guarded, "Six")["ProjectStatus"] == "UpdateCompleted"
    assert topics(guarded) == [f"{made['ProjectId']}-changed"]

    studio.delete_project(ProjectName="Six")
    assert settled(guarded, "Six") == {}
    assert topics(guarded) == []


@pytest.mark.parametrize(
    "without", ["TemplatesInTheBucket", "StacksOfTheseTemplates", "StacksOfTheS3Channel", "TheLaunchRoleMakesThem"]
)
def test_people_need_each_statement_of_it(guarded: Account, without: str) -> None:
    given = template_of(guarded, f"sagemaker-projects-{guarded.id}-us-east-1") | {"RoleARN": launch_role(guarded)}
    studio = guarded.emulator.as_role("sagemaker", studio_role(guarded, without))
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        studio.create_project(ProjectName="Seven", TemplateProviders=[{"CfnTemplateProvider": given}])


def test_people_give_the_launch_role_no_template_of_their_own(guarded: Account) -> None:
    own = template_of(guarded, f"sagemaker-projects-{guarded.id}-evil") | {"RoleARN": launch_role(guarded)}
    studio = guarded.emulator.as_role("sagemaker", studio_role(guarded))
    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:CreateStack"):
        studio.create_project(ProjectName="Eight", TemplateProviders=[{"CfnTemplateProvider": own}])


def test_a_project_that_fails_says_why(account: Account) -> None:
    group = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": "taken"}}
    address = account.store("broken.yaml", {**TEMPLATE, "Resources": {"Group": group}})
    provider = {"TemplateName": "project", "TemplateURL": address}
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
