"""Permissions, enforced: calls, roles that are passed, what CloudFormation does as a role, what is written down."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.test_service_catalog import Catalog


def group_template(name: str) -> dict[str, Any]:
    """A template with one model package group, which is made by ours."""
    properties = {"ModelPackageGroupName": name}
    return {"Resources": {"Group": {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}}}


def test_a_role_may_what_its_policy_says_and_no_more(guarded: Account) -> None:
    group = f"arn:aws:sagemaker:us-east-1:{guarded.id}:model-package-group/mine"
    role = guarded.role("r", "sagemaker.amazonaws.com", allow("sagemaker:CreateModelPackageGroup", resource=group))
    api = guarded.emulator.as_role("sagemaker", role)
    api.create_model_package_group(ModelPackageGroupName="mine")
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateModelPackageGroup"):
        api.create_model_package_group(ModelPackageGroupName="other")
    denied = [item for item in guarded.emulator.admin("denials") if item["role"] == role]
    assert [(item["action"], item["resource"], item["times"]) for item in denied] == [
        ("sagemaker:CreateModelPackageGroup", group.replace("mine", "other"), 1)
    ]
    assert denied[0]["statement"] == {
        "Effect": "Allow",
        "Action": "sagemaker:CreateModelPackageGroup",
        "Resource": group.replace("mine", "other"),
    }
    assert guarded.emulator.admin("used")[role] == {
        "used": {"sagemaker:CreateModelPackageGroup": 1},
        "resources": {"sagemaker:CreateModelPackageGroup": [group]},
        "unused": [],
    }


def test_a_grant_that_nobody_used_is_listed(guarded: Account) -> None:
    role = guarded.role("r", "a.amazonaws.com", allow("sagemaker:ListProjects", "sagemaker:DeleteProject", "s3:Get*"))
    guarded.emulator.as_role("sagemaker", role).list_projects()
    assert guarded.emulator.admin("used")[role]["unused"] == ["s3:Get*", "sagemaker:DeleteProject"]


def test_a_boundary_is_a_ceiling(guarded: Account) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("sagemaker:ListProjects")]})
    boundary = guarded.client("iam").create_policy(PolicyName="b", PolicyDocument=document)["Policy"]["Arn"]
    role = guarded.role("r", "a.amazonaws.com", allow("sagemaker:*"), PermissionsBoundary=boundary)
    api = guarded.emulator.as_role("sagemaker", role)
    api.list_projects()
    with pytest.raises(ClientError, match="sagemaker:ListDomains"):
        api.list_domains()


def test_a_machine_registers_and_does_not_approve(guarded: Account) -> None:
    pending = {"StringEquals": {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}}
    statement = allow("sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage", **pending)
    role = guarded.role("r", "sagemaker.amazonaws.com", statement)
    guarded.client("sagemaker").create_model_package_group(ModelPackageGroupName="g")
    api = guarded.emulator.as_role("sagemaker", role)
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:CreateModelPackage"):
        api.create_model_package(ModelPackageGroupName="g", ModelApprovalStatus="Approved")
    package = f"arn:aws:sagemaker:us-east-1:{guarded.id}:model-package/g/1"
    with pytest.raises(ClientError, match="not authorized to perform: sagemaker:UpdateModelPackage"):
        api.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")


def test_a_role_is_passed_only_with_pass_role(guarded: Account) -> None:
    passed = guarded.role("passed", "cloudformation.amazonaws.com", allow("sagemaker:*"))
    role = guarded.role("r", "a.amazonaws.com", allow("cloudformation:*"))
    request = {"StackName": "s", "TemplateBody": json.dumps(group_template("g")), "RoleARN": passed}
    with pytest.raises(ClientError, match="not authorized to perform: iam:PassRole"):
        guarded.emulator.as_role("cloudformation", role).create_stack(**request)
    to_formation = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    policy = {"Version": "2012-10-17", "Statement": [allow("iam:PassRole", resource=passed, **to_formation)]}
    guarded.client("iam").put_role_policy(RoleName="r", PolicyName="q", PolicyDocument=json.dumps(policy))
    guarded.emulator.as_role("cloudformation", role).create_stack(**request)
    stack = guarded.settled("s")
    assert stack["StackStatus"] == "CREATE_COMPLETE", guarded.reasons("s")


@pytest.mark.parametrize(
    ("resource", "missing"),
    [
        (group_template("g")["Resources"]["Group"], "sagemaker:CreateModelPackageGroup"),
        ({"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}}, "sns:CreateTopic"),
        ({"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "a-bucket-of-nobody"}}, "s3:CreateBucket"),
    ],
    ids=["ours", "ministack's", "bucket"],
)
def test_cloudformation_acts_as_the_role_of_the_stack(guarded: Account, resource: dict[str, Any], missing: str) -> None:
    role = guarded.role("service", "cloudformation.amazonaws.com", allow("logs:*"))
    stack = guarded.stack("s", {"Resources": {"R": resource}}, RoleARN=role)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"not authorized to perform: {missing}" in guarded.reasons("s")
    denied = [(item["role"], item["action"]) for item in guarded.emulator.admin("denials")]
    assert (role, missing) in denied


def test_cloudformation_acts_as_its_caller_without_a_role(guarded: Account) -> None:
    role = guarded.role("r", "a.amazonaws.com", allow("cloudformation:*"))
    body = json.dumps(group_template("g"))
    guarded.emulator.as_role("cloudformation", role).create_stack(StackName="s", TemplateBody=body)
    assert guarded.settled("s")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "sagemaker:CreateModelPackageGroup" in guarded.reasons("s")


def test_cloudformation_must_be_trusted_by_the_role(guarded: Account) -> None:
    role = guarded.role("r", "lambda.amazonaws.com", allow("sagemaker:*"))
    stack = guarded.stack("s", group_template("g"), RoleARN=role)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "cloudformation.amazonaws.com is not authorized to perform: sts:AssumeRole" in guarded.reasons("s")


def test_conditions_see_the_tags_that_a_resource_has(guarded: Account) -> None:
    mine = {"StringEquals": {"aws:ResourceTag/team": "mine"}}
    role = guarded.role("r", "a.amazonaws.com", allow("sagemaker:DescribeModelPackageGroup", **mine))
    root = guarded.client("sagemaker")
    root.create_model_package_group(ModelPackageGroupName="mine", Tags=[{"Key": "team", "Value": "mine"}])
    root.create_model_package_group(ModelPackageGroupName="theirs", Tags=[{"Key": "team", "Value": "theirs"}])
    api = guarded.emulator.as_role("sagemaker", role)
    api.describe_model_package_group(ModelPackageGroupName="mine")
    with pytest.raises(ClientError, match="not authorized"):
        api.describe_model_package_group(ModelPackageGroupName="theirs")


def test_service_catalog_acts_as_the_launch_role(guarded: Account) -> None:
    catalog = Catalog(guarded)
    launch = guarded.role("launch", "servicecatalog.amazonaws.com", allow("cloudformation:*", "s3:GetObject"))
    catalog.api.create_constraint(
        PortfolioId=catalog.portfolio,
        ProductId=catalog.product_id,
        Type="LAUNCH",
        Parameters=json.dumps({"RoleArn": launch}),
        IdempotencyToken="c",
    )
    user = guarded.role("user", "a.amazonaws.com", allow("servicecatalog:*"))
    grant = {"PortfolioId": catalog.portfolio, "PrincipalARN": user, "PrincipalType": "IAM"}
    catalog.api.associate_principal_with_portfolio(**grant)
    catalog.api = guarded.emulator.as_role("servicecatalog", user)
    assert catalog.provision(Name="one")["Status"] == "FAILED"
    denied = {(item["role"], item["action"]) for item in guarded.emulator.admin("denials")}
    assert (launch, "sns:CreateTopic") in denied
    assert not [role for role, _ in denied if role == user]


def test_a_role_of_another_service_does_not_launch(guarded: Account) -> None:
    catalog = Catalog(guarded)
    launch = guarded.role("launch", "lambda.amazonaws.com", allow("cloudformation:*"))
    request = {"PortfolioId": catalog.portfolio, "ProductId": catalog.product_id, "Type": "LAUNCH"}
    catalog.api.create_constraint(**request, Parameters=json.dumps({"RoleArn": launch}), IdempotencyToken="c")
    user = guarded.role("user", "a.amazonaws.com", allow("servicecatalog:*"))
    grant = {"PortfolioId": catalog.portfolio, "PrincipalARN": user, "PrincipalType": "IAM"}
    catalog.api.associate_principal_with_portfolio(**grant)
    catalog.api = guarded.emulator.as_role("servicecatalog", user)
    record = catalog.provision(Name="one")
    assert record["Status"] == "FAILED"
    assert "servicecatalog.amazonaws.com is not authorized" in record["RecordErrors"][0]["Description"]


def test_an_encrypted_object_needs_its_key(guarded: Account) -> None:
    policy = {"Statement": [allow("kms:*") | {"Principal": {"AWS": f"arn:aws:iam::{guarded.id}:root"}}]}
    key = guarded.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    bucket = f"encrypted-{guarded.id}"
    s3 = guarded.client("s3")
    s3.create_bucket(Bucket=bucket)
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret")
    without = guarded.role("without", "a.amazonaws.com", allow("s3:*"))
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    reader = guarded.role("reader", "a.amazonaws.com", allow("s3:*"), allow("kms:Decrypt", resource=key, **via))
    with pytest.raises(ClientError, match="kms:Decrypt"):
        guarded.emulator.as_role("s3", without).get_object(Bucket=bucket, Key="k")
    assert guarded.emulator.as_role("s3", reader).get_object(Bucket=bucket, Key="k")["Body"].read() == b"secret"
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        guarded.emulator.as_role("s3", reader).put_object(Bucket=bucket, Key="l", Body=b"")


def test_cloudformation_reads_a_template_as_its_caller(guarded: Account) -> None:
    url = guarded.store("t.yaml", group_template("g"))
    role = guarded.role("r", "a.amazonaws.com", allow("cloudformation:*", "sagemaker:*"))
    with pytest.raises(ClientError, match="may not read"):
        guarded.emulator.as_role("cloudformation", role).create_stack(StackName="s", TemplateURL=url)


def test_a_role_that_does_not_trust_its_caller_is_a_denial_of_the_caller(guarded: Account) -> None:
    wanted = guarded.role("wanted", "a.amazonaws.com")
    trust = {"Effect": "Allow", "Principal": {"Service": "a.amazonaws.com"}, "Action": "sts:AssumeRole"}
    guarded.client("iam").update_assume_role_policy(
        RoleName="wanted", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    role = guarded.role("r", "a.amazonaws.com", allow("sts:AssumeRole", resource=wanted))
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        guarded.emulator.as_role("sts", role).assume_role(RoleArn=wanted, RoleSessionName="session")
    denied = [(item["action"], item["resource"]) for item in guarded.emulator.admin("denials") if item["role"] == role]
    assert denied == [("sts:AssumeRole", wanted)]
