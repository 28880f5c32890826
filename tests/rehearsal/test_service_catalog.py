"""The Service Catalog stand-in, through boto3."""

import json
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import PATIENCE, until
from tests.rehearsal.conftest import Account

TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String", "Description": "A name", "AllowedPattern": "[a-z-]+", "MaxLength": 20},
        "Size": {"Type": "String", "Default": "small", "AllowedValues": ["small", "large"]},
    },
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "${Name}-${Size}"}}}},
    "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}, "Description": "The topic"}},
}


class Catalog:
    """A portfolio with one product of one version, and what tests do with them."""

    def __init__(self, account: Account) -> None:
        self.account, self.api = account, account.client("servicecatalog")
        made = self.api.create_portfolio(DisplayName="ML", ProviderName="team", IdempotencyToken="portfolio")
        self.portfolio = made["PortfolioDetail"]["Id"]
        made = self.product("product", TEMPLATE)
        self.product_id = made["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
        self.version = made["ProvisioningArtifactDetail"]["Id"]
        self.api.associate_product_with_portfolio(ProductId=self.product_id, PortfolioId=self.portfolio)

    def product(self, token: str, template: Any, **more: Any) -> Any:
        """Make a product from a template."""
        info = {"LoadTemplateFromURL": self.account.store(f"{token}.yaml", template)}
        given = {"Name": "1", "Description": "first", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info}
        kind = {"ProductType": "CLOUD_FORMATION_TEMPLATE", "IdempotencyToken": token}
        return self.api.create_product(
            Name="Project", Owner="team", ProvisioningArtifactParameters=given, **kind, **more
        )

    def new_version(self, token: str, template: Any) -> str:
        """Add a version; its id."""
        info = {"LoadTemplateFromURL": self.account.store(f"{token}.yaml", template)}
        given = {"Name": token, "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info}
        made = self.api.create_provisioning_artifact(
            ProductId=self.product_id, Parameters=given, IdempotencyToken=token
        )
        return str(made["ProvisioningArtifactDetail"]["Id"])

    def provision(self, name: str = "mine", **parameters: str) -> dict[str, Any]:
        """Provision the product; the settled record."""
        given = [{"Key": key, "Value": value} for key, value in parameters.items()]
        made = self.api.provision_product(
            ProductId=self.product_id,
            ProvisioningArtifactId=self.version,
            ProvisionedProductName=name,
            ProvisioningParameters=given,
            ProvisionToken=name,
        )
        return self.record(made)

    def record(self, answer: Any) -> dict[str, Any]:
        """The record of an operation, once it has ended, with its outputs."""

        def ended() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.api.describe_record(Id=answer["RecordDetail"]["RecordId"])
            return shown if shown["RecordDetail"]["Status"] in ("SUCCEEDED", "FAILED") else None

        shown = until(ended) or {}
        outputs = {item["OutputKey"]: item["OutputValue"] for item in shown["RecordOutputs"]}
        detail: dict[str, Any] = shown["RecordDetail"]
        return detail | {"Outputs": outputs}


@pytest.fixture
def catalog(account: Account) -> Catalog:
    """A catalog in an account of its own."""
    return Catalog(account)


def refusal(call: Any, **request: Any) -> tuple[str, str]:
    """The name and message of the exception that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    given = caught.value.response["Error"]
    assert type(caught.value).__name__ == given["Code"], f"AWS has no exception {given['Code']} for this"
    return given["Code"], given["Message"]


def test_a_product_is_provisioned_changed_and_terminated(catalog: Catalog) -> None:
    record = catalog.provision(Name="one")
    assert record["Status"] == "SUCCEEDED"
    assert record["Outputs"]["TopicArn"].endswith(":one-small")
    found = catalog.api.search_provisioned_products(Filters={"SearchQuery": ["name:mine"]})["ProvisionedProducts"]
    assert [item["Status"] for item in found] == ["AVAILABLE"]
    stack = f"SC-{catalog.account.id}-{record['ProvisionedProductId']}"
    assert found[0]["PhysicalId"].split("/")[1] == stack
    assert record["Outputs"]["CloudformationStackARN"] == found[0]["PhysicalId"]

    second = catalog.new_version("2", TEMPLATE | {"Description": "second"})
    parameters = [{"Key": "Name", "UsePreviousValue": True}, {"Key": "Size", "Value": "large"}]
    changed = catalog.api.update_provisioned_product(
        ProvisionedProductName="mine",
        ProductId=catalog.product_id,
        ProvisioningArtifactId=second,
        ProvisioningParameters=parameters,
        UpdateToken="u",
    )
    assert catalog.record(changed)["Outputs"]["TopicArn"].endswith(":one-large")
    shown = catalog.api.describe_provisioned_product(Name="mine")["ProvisionedProductDetail"]
    assert shown["ProvisioningArtifactId"] == second

    ended = catalog.api.terminate_provisioned_product(ProvisionedProductName="mine", TerminateToken="t")
    assert catalog.record(ended)["Status"] == "SUCCEEDED"
    assert catalog.api.scan_provisioned_products()["ProvisionedProducts"] == []
    assert catalog.account.client("sns").list_topics()["Topics"] == []


def test_an_update_that_changes_nothing_succeeds(catalog: Catalog) -> None:
    catalog.provision(Name="one")
    again = catalog.api.update_provisioned_product(
        ProvisionedProductName="mine",
        ProductId=catalog.product_id,
        ProvisioningArtifactId=catalog.version,
        UpdateToken="u",
    )
    assert catalog.record(again)["Status"] == "SUCCEEDED"


def test_a_stack_that_fails_is_an_error_with_its_reason(catalog: Catalog) -> None:
    record = catalog.provision(Name="one", Size="huge")
    assert record["Status"] == "FAILED"
    assert "Size" in record["RecordErrors"][0]["Description"]
    shown = catalog.api.describe_provisioned_product(Name="mine")["ProvisionedProductDetail"]
    assert shown["Status"] == "ERROR" and "Size" in shown["StatusMessage"]


def test_a_parameter_that_the_template_lacks_fails_the_record(catalog: Catalog) -> None:
    record = catalog.provision(Name="one", Colour="red")
    assert record["Status"] == "FAILED"
    assert "Colour" in record["RecordErrors"][0]["Description"]


def test_an_output_needs_no_description(catalog: Catalog) -> None:
    bare = {**TEMPLATE, "Outputs": {"TopicArn": {"Value": {"Ref": "Topic"}}}}
    catalog.version = catalog.new_version("bare", bare)
    record = catalog.provision(Name="one")
    assert record["Status"] == "SUCCEEDED"
    assert "TopicArn" in record["Outputs"]


def test_a_mistake_of_the_emulator_fails_the_record_with_its_reason(catalog: Catalog) -> None:
    info = {"LoadTemplateFromURL": catalog.account.store("odd.yaml", b'["no", "template"]')}
    given = {"Name": "odd", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info, "DisableTemplateValidation": True}
    made = catalog.api.create_provisioning_artifact(
        ProductId=catalog.product_id, Parameters=given, IdempotencyToken="odd"
    )
    catalog.version = made["ProvisioningArtifactDetail"]["Id"]
    record = catalog.provision(Name="one")
    assert record["Status"] == "FAILED"
    assert "in the emulator" in record["RecordErrors"][0]["Description"]
    shown = catalog.api.describe_provisioned_product(Name="mine")["ProvisionedProductDetail"]
    assert shown["Status"] == "ERROR"


def test_a_provisioned_product_can_be_given_up_without_its_resources(catalog: Catalog) -> None:
    catalog.provision(Name="one")
    ended = catalog.api.terminate_provisioned_product(
        ProvisionedProductName="mine", TerminateToken="t", RetainPhysicalResources=True
    )
    assert catalog.record(ended)["Status"] == "SUCCEEDED"
    assert catalog.account.client("sns").list_topics()["Topics"]


def test_parameters_are_described_as_the_form_shows_them(catalog: Catalog) -> None:
    shown = catalog.api.describe_provisioning_parameters(
        ProductId=catalog.product_id, ProvisioningArtifactId=catalog.version
    )
    name, size = shown["ProvisioningArtifactParameters"]
    assert name["ParameterConstraints"] == {"AllowedPattern": "[a-z-]+", "MaxLength": "20"}
    assert "DefaultValue" not in name
    assert size["DefaultValue"] == "small"
    assert size["ParameterConstraints"]["AllowedValues"] == ["small", "large"]


def test_a_version_keeps_the_template_that_it_was_made_from(catalog: Catalog) -> None:
    catalog.account.store("product.yaml", {"Resources": {}})
    shown = catalog.api.describe_provisioning_artifact(
        ProductId=catalog.product_id, ProvisioningArtifactId=catalog.version, Verbose=True
    )
    with urllib.request.urlopen(shown["Info"]["TemplateUrl"], timeout=PATIENCE) as answer:  # noqa: S310 - loopback
        assert json.load(answer) == TEMPLATE
    assert catalog.provision(Name="one")["Status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Resources: [", "while parsing"),
        ({"Parameters": {}}, "At least one Resources member"),
        ("x" * 1_000_001, "1 MB"),
    ],
)
def test_a_bad_template_is_refused(catalog: Catalog, content: Any, words: str) -> None:
    info = {"LoadTemplateFromURL": catalog.account.store("bad.yaml", content)}
    given = {"Name": "bad", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": info}
    code, message = refusal(
        catalog.api.create_provisioning_artifact,
        ProductId=catalog.product_id,
        Parameters=given,
        IdempotencyToken="bad",
    )
    assert code == "InvalidParametersException" and words in message


@pytest.mark.parametrize(
    "url", ["https://example.com/t.yaml", "https://nowhere-at-all.s3.us-east-1.amazonaws.com/t.yaml"]
)
def test_a_template_must_be_readable_in_s3(catalog: Catalog, url: str) -> None:
    given = {"Name": "bad", "Type": "CLOUD_FORMATION_TEMPLATE", "Info": {"LoadTemplateFromURL": url}}
    request = {"ProductId": catalog.product_id, "Parameters": given, "IdempotencyToken": "bad"}
    assert refusal(catalog.api.create_provisioning_artifact, **request)[0] == "InvalidParametersException"


def test_the_same_token_makes_one_thing(catalog: Catalog) -> None:
    again = catalog.product("product", TEMPLATE)
    assert again["ProductViewDetail"]["ProductViewSummary"]["ProductId"] == catalog.product_id
    assert len(catalog.api.search_products_as_admin()["ProductViewDetails"]) == 1


def test_a_token_of_another_request_is_refused(catalog: Catalog) -> None:
    request = {"DisplayName": "Other", "ProviderName": "team", "IdempotencyToken": "portfolio"}
    assert refusal(catalog.api.create_portfolio, **request)[0] == "InvalidParametersException"


def test_a_launch_constraint_names_the_role_and_is_the_only_one(catalog: Catalog) -> None:
    role = catalog.account.role("launch", "servicecatalog.amazonaws.com")
    request = {"PortfolioId": catalog.portfolio, "ProductId": catalog.product_id, "Type": "LAUNCH"}
    parameters = json.dumps({"RoleArn": role})
    made = catalog.api.create_constraint(**request, Parameters=parameters, IdempotencyToken="a")
    listed = catalog.api.list_constraints_for_portfolio(PortfolioId=catalog.portfolio)["ConstraintDetails"]
    assert listed == [made["ConstraintDetail"]]
    code, _ = refusal(catalog.api.create_constraint, **request, Parameters=parameters, IdempotencyToken="b")
    assert code == "DuplicateResourceException"
    assert catalog.provision(Name="one")["LaunchRoleArn"] == role


def test_a_launch_role_must_exist(catalog: Catalog) -> None:
    request = {"PortfolioId": catalog.portfolio, "ProductId": catalog.product_id, "Type": "LAUNCH"}
    parameters = json.dumps({"RoleArn": f"arn:aws:iam::{catalog.account.id}:role/none"})
    code, message = refusal(catalog.api.create_constraint, **request, Parameters=parameters, IdempotencyToken="a")
    assert code == "InvalidParametersException" and "role/none" in message


def test_only_principals_of_a_portfolio_see_and_launch_its_products(catalog: Catalog) -> None:
    studio = catalog.account.role("AmazonSageMaker-Studio", "sagemaker.amazonaws.com", Path="/service-role/")
    user = catalog.account.emulator.as_role("servicecatalog", studio)
    assert user.search_products()["ProductViewSummaries"] == []
    request = {"ProductId": catalog.product_id, "ProvisioningArtifactId": catalog.version}
    code, message = refusal(user.provision_product, **request, ProvisionedProductName="x", ProvisionToken="x")
    assert (code, message) == ("ResourceNotFoundException", f"No launch paths found for resource: {catalog.product_id}")

    pattern = "arn:aws:iam:::role/service-role/AmazonSageMaker-*"
    grant = {"PortfolioId": catalog.portfolio, "PrincipalARN": pattern, "PrincipalType": "IAM_PATTERN"}
    catalog.api.associate_principal_with_portfolio(**grant)
    assert [item["ProductId"] for item in user.search_products()["ProductViewSummaries"]] == [catalog.product_id]
    catalog.api.disassociate_principal_from_portfolio(**grant)
    assert user.search_products()["ProductViewSummaries"] == []


def test_tag_options_tag_what_is_provisioned(catalog: Catalog) -> None:
    option = catalog.api.create_tag_option(Key="team", Value="ml")["TagOptionDetail"]["Id"]
    catalog.api.associate_tag_option_with_resource(ResourceId=catalog.portfolio, TagOptionId=option)
    record = catalog.provision(Name="one")
    stack = catalog.account.settled(f"SC-{catalog.account.id}-{record['ProvisionedProductId']}")
    assert {"Key": "team", "Value": "ml"} in stack["Tags"]
    assert refusal(catalog.api.create_tag_option, Key="team", Value="ml")[0] == "DuplicateResourceException"
    assert refusal(catalog.api.delete_tag_option, Id=option)[0] == "ResourceInUseException"


def test_what_is_in_use_cannot_be_deleted(catalog: Catalog) -> None:
    assert refusal(catalog.api.delete_portfolio, Id=catalog.portfolio)[0] == "ResourceInUseException"
    assert refusal(catalog.api.delete_product, Id=catalog.product_id)[0] == "ResourceInUseException"
    request = {"ProductId": catalog.product_id, "ProvisioningArtifactId": catalog.version}
    assert refusal(catalog.api.delete_provisioning_artifact, **request)[0] == "ResourceInUseException"
    catalog.api.disassociate_product_from_portfolio(ProductId=catalog.product_id, PortfolioId=catalog.portfolio)
    catalog.api.delete_product(Id=catalog.product_id)
    catalog.api.delete_portfolio(Id=catalog.portfolio)
    assert refusal(catalog.api.describe_portfolio, Id=catalog.portfolio)[0] == "ResourceNotFoundException"


def test_a_retired_version_is_not_offered(catalog: Catalog) -> None:
    second = catalog.new_version("2", TEMPLATE)
    request = {"ProductId": catalog.product_id, "ProvisioningArtifactId": catalog.version}
    catalog.api.update_provisioning_artifact(**request, Active=False)
    shown = catalog.api.describe_product(Id=catalog.product_id)["ProvisioningArtifacts"]
    assert [item["Id"] for item in shown] == [second]
    code, _ = refusal(catalog.api.provision_product, **request, ProvisionedProductName="x", ProvisionToken="x")
    assert code == "InvalidParametersException"


def test_texts_and_tags_are_updated(catalog: Catalog) -> None:
    added = [{"Key": "sagemaker:studio-visibility", "Value": "true"}]
    catalog.api.update_product(Id=catalog.product_id, Description="What it is", AddTags=added)
    shown = catalog.api.describe_product_as_admin(Id=catalog.product_id)
    assert shown["Tags"] == added
    assert shown["ProductViewDetail"]["ProductViewSummary"]["ShortDescription"] == "What it is"
    catalog.api.update_product(Id=catalog.product_id, RemoveTags=["sagemaker:studio-visibility"])
    assert catalog.api.describe_product_as_admin(Id=catalog.product_id)["Tags"] == []


def test_lists_come_in_pages(account: Account) -> None:
    api = account.client("servicecatalog")
    for number in range(5):
        api.create_portfolio(DisplayName=f"{number}", ProviderName="team", IdempotencyToken=f"{number}")
    pages = list(api.get_paginator("list_portfolios").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["PortfolioDetails"]) for page in pages] == [2, 2, 1]


def test_an_operation_that_is_not_emulated_says_so(account: Account) -> None:
    with pytest.raises(ClientError, match="servicecatalog:ListServiceActions is not part of the rehearsal"):
        account.client("servicecatalog").list_service_actions()


def test_tagged_things_are_found_by_their_tags(catalog: Catalog) -> None:
    tags = [{"Key": "team", "Value": "ml"}]
    catalog.api.update_product(Id=catalog.product_id, AddTags=tags)
    made = catalog.account.client("sagemaker").create_model_package_group(ModelPackageGroupName="Group", Tags=tags)
    filters = [{"Key": "team", "Values": ["ml"]}]
    found = catalog.account.client("resourcegroupstaggingapi").get_resources(TagFilters=filters)
    arns = {item["ResourceARN"] for item in found["ResourceTagMappingList"]}
    product = f"arn:aws:catalog:us-east-1:{catalog.account.id}:product/{catalog.product_id}"
    assert arns == {product, made["ModelPackageGroupArn"]}


def test_quotas_are_listed_and_raised(account: Account) -> None:
    api = account.client("service-quotas")
    quotas = {item["QuotaName"]: item for item in api.list_service_quotas(ServiceCode="sagemaker")["Quotas"]}
    quota = quotas["ml.m5.large for endpoint usage"]
    request = {"ServiceCode": "sagemaker", "QuotaCode": quota["QuotaCode"]}
    api.request_service_quota_increase(**request, DesiredValue=20)
    assert api.get_service_quota(**request)["Quota"]["Value"] == 20
    assert quota["Value"] < 20
