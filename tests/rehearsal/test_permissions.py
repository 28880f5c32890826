"""Permissions, enforced: calls, roles that are passed, what CloudFormation does as a role, what is written down."""

import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from kit.tests.waiting import until
from rehearsal import host
from rehearsal.report.facts import Facts
from rehearsal.story.errors import DeniedError
from rehearsal.story.show import Lines
from rehearsal.story.world import Options, World
from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.engines import Inbox
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
    assert guarded.emulator.admin("used")[role]["unused"] == [
        {"statement": "*", "action": "sagemaker:DeleteProject"},
        {"statement": "*", "action": "s3:Get*"},
    ]


def test_a_grant_is_used_only_by_the_statement_that_allowed_the_call(guarded: Account) -> None:
    other = f"arn:aws:sagemaker:us-east-1:{guarded.id}:model-package-group/other"
    used = allow("sagemaker:CreateModelPackageGroup") | {"Sid": "Any"}
    vain = allow("sagemaker:CreateModelPackageGroup", resource=other) | {"Sid": "Other"}
    role = guarded.role("r", "a.amazonaws.com", used, vain)
    guarded.emulator.as_role("sagemaker", role).create_model_package_group(ModelPackageGroupName="mine")
    unused = [{"statement": "Other", "action": "sagemaker:CreateModelPackageGroup"}]
    assert guarded.emulator.admin("used")[role]["unused"] == unused


def test_what_a_role_was_granted_is_known_after_its_stack_is_gone(guarded: Account) -> None:
    policy = {"PolicyName": "p", "PolicyDocument": {"Statement": [allow("s3:GetObject") | {"Sid": "Read"}]}}
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "a.b"}, "Action": "sts:AssumeRole"}]}
    properties = {"RoleName": "gone", "AssumeRolePolicyDocument": trust, "Policies": [policy]}
    guarded.stack("s", {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": properties}}})
    guarded.client("cloudformation").delete_stack(StackName="s")
    role = f"arn:aws:iam::{guarded.id}:role/gone"
    found = guarded.emulator.admin("used")[role]
    assert found["unused"] == [{"statement": "Read", "action": "s3:GetObject"}]


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


def only_denial(guarded: Account, role: str) -> dict[str, Any]:
    [found] = [each for each in guarded.emulator.admin("denials") if each["role"] == role]
    denial: dict[str, Any] = found
    return denial


def test_a_denial_says_which_statement_comes_near(guarded: Account) -> None:
    near = allow("s3:GetObject", resource="arn:aws:s3:::mine/*") | {"Sid": "ReadMine"}
    role = guarded.role("r", "a.amazonaws.com", near)
    guarded.store("k", b"")
    with pytest.raises(ClientError):
        guarded.emulator.as_role("s3", role).get_object(Bucket=f"bucket-of-{guarded.id}", Key="k")
    denial = only_denial(guarded, role)
    assert denial["reason"] == "no statement of the role allows it; ReadMine allows it, but on arn:aws:s3:::mine/*"
    assert denial["sentence"].endswith(
        f"- Effect: Allow\n  Action: s3:GetObject\n  Resource: arn:aws:s3:::bucket-of-{guarded.id}/k"
    )


def test_an_explicit_deny_is_named_and_no_statement_is_offered(guarded: Account) -> None:
    deny = {"Sid": "NoDomains", "Effect": "Deny", "Action": "sagemaker:ListDomains", "Resource": "*"}
    role = guarded.role("r", "a.amazonaws.com", allow("sagemaker:*"), deny)
    with pytest.raises(ClientError):
        guarded.emulator.as_role("sagemaker", role).list_domains()
    denial = only_denial(guarded, role)
    assert denial["reason"] == "statement NoDomains in a policy of the role denies it explicitly"
    assert denial["statement"] is None


def test_a_boundary_that_does_not_allow_it_is_the_place_to_change(guarded: Account) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("sagemaker:ListProjects")]})
    boundary = guarded.client("iam").create_policy(PolicyName="b", PolicyDocument=document)["Policy"]["Arn"]
    role = guarded.role("r", "a.amazonaws.com", allow("sagemaker:*"), PermissionsBoundary=boundary)
    with pytest.raises(ClientError):
        guarded.emulator.as_role("sagemaker", role).list_domains()
    denial = only_denial(guarded, role)
    assert denial["reason"] == "a policy of the role allows it, but the permissions boundary of the role does not"
    assert "in the permissions boundary of the role would allow it:" in denial["sentence"]


def test_a_bucket_of_another_account_needs_its_policy_too(guarded: Account) -> None:
    other = Account(guarded.emulator, str(int(guarded.id) + 500_000))
    other.store("k", b"theirs")
    bucket = f"bucket-of-{other.id}"
    role = guarded.role("r", "a.amazonaws.com", allow("s3:GetObject"))
    api = guarded.emulator.as_role("s3", role)
    with pytest.raises(ClientError, match="AccessDenied"):
        api.get_object(Bucket=bucket, Key="k")
    denial = only_denial(guarded, role)
    whose = f"the role may, but the policy of the resource, which account {other.id} owns, does not allow it"
    assert denial["reason"] == f"{whose}; it has none"
    policy = {"Version": "2012-10-17", "Statement": [denial["statement"]]}
    other.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert api.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"


@pytest.mark.parametrize("key", ["s3:ResourceAccount", "aws:ResourceAccount"])
def test_whose_a_bucket_is_decides_and_not_whose_the_caller_is(guarded: Account, key: str) -> None:
    """A condition on the account of a bucket sees its owner, also where the bucket's policy lets the caller in."""
    other = Account(guarded.emulator, str(int(guarded.id) + 500_000))
    bucket = f"bucket-of-{other.id}"
    other.store("k", b"theirs")
    anybody = allow("s3:GetObject", resource=f"arn:aws:s3:::{bucket}/*") | {"Principal": {"AWS": guarded.id}}
    other.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [anybody]}))
    owners = {name: allow("s3:GetObject", StringEquals={key: name}) for name in (guarded.id, other.id)}
    roles = {name: guarded.role(f"r{name}", "a.amazonaws.com", statement) for name, statement in owners.items()}
    with pytest.raises(ClientError, match="AccessDenied"):
        guarded.emulator.as_role("s3", roles[guarded.id]).get_object(Bucket=bucket, Key="k")
    read = guarded.emulator.as_role("s3", roles[other.id]).get_object(Bucket=bucket, Key="k")
    assert read["Body"].read() == b"theirs"


def test_a_key_of_another_account_needs_its_policy_too(guarded: Account) -> None:
    other = Account(guarded.emulator, str(int(guarded.id) + 500_000))
    own = {"Statement": [allow("kms:*") | {"Principal": {"AWS": f"arn:aws:iam::{other.id}:root"}}]}
    kms = other.client("kms")
    key = kms.create_key(Policy=json.dumps(own))["KeyMetadata"]["Arn"]
    role = guarded.role("r", "a.amazonaws.com", allow("s3:*", "kms:*"))
    s3 = guarded.client("s3")
    s3.create_bucket(Bucket=f"encrypted-{guarded.id}")
    put = {"Bucket": f"encrypted-{guarded.id}", "Key": "k", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    api = guarded.emulator.as_role("s3", role)
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        api.put_object(**put, Body=b"")
    assert f"which account {other.id} owns, does not allow it" in only_denial(guarded, role)["reason"]
    own["Statement"].append(only_denial(guarded, role)["statement"])
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(own))
    api.put_object(**put, Body=b"")


def test_a_bucket_of_an_owner_that_nobody_expects_is_refused(guarded: Account) -> None:
    guarded.store("k", b"")
    s3, bucket = guarded.client("s3"), f"bucket-of-{guarded.id}"
    assert s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner=guarded.id)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="999999999999")


@pytest.mark.parametrize(("project", "status"), [("*", "SUCCEEDED"), ("another", "FAILED")])
def test_a_service_assumes_a_role_only_for_the_resource_that_its_trust_names(
    guarded: Account, project: str, status: str
) -> None:
    role = guarded.role("r", "codebuild.amazonaws.com", allow("logs:*"))
    source = f"arn:aws:codebuild:us-east-1:{guarded.id}:project/{project}"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": guarded.id}, "ArnLike": {"aws:SourceArn": source}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    guarded.client("iam").update_assume_role_policy(RoleName="r", PolicyDocument=document)
    assert built(guarded, role) == status
    denied = [each for each in guarded.emulator.admin("denials") if each["role"] == role]
    assert bool(denied) == (status == "FAILED")
    for each in denied:
        assert f"ArnLike aws:SourceArn {json.dumps(source)}, which is" in each["reason"]
        assert each["statement"]["Condition"]["StringEquals"]["aws:SourceArn"].endswith(":project/pp")


def built(account: Account, role: str) -> str:
    """Build something and return how that ended."""
    api = account.client("codebuild")
    api.create_project(
        name="pp",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: [echo]}}"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )
    build = api.start_build(projectName="pp")["build"]["id"]
    result: str = until(lambda: status_of(api, build))
    return result


def status_of(api: Any, build: str) -> str:
    status: str = api.batch_get_builds(ids=[build])["builds"][0]["buildStatus"]
    return "" if status == "IN_PROGRESS" else status


def test_events_tell_which_rule_matched_and_which_field_kept_another_from_it(guarded: Account) -> None:
    api = guarded.client("events")
    for name, word in (("right", "go"), ("wrong", "goo")):
        api.put_rule(Name=name, EventPattern=json.dumps({"source": ["mine"], "detail": {"word": [word]}}))
    api.put_events(Entries=[{"Source": "mine", "DetailType": "Said", "Detail": json.dumps({"word": "go"})}])
    [event] = [each for each in guarded.emulator.admin("events") if each["account"] == guarded.id]
    rule = f"arn:aws:events:us-east-1:{guarded.id}:rule/"
    assert event["matched"] == [f"{rule}right"]
    told = 'rule wrong did not match Said of mine: detail.word is "go", the pattern wants "goo"'
    assert event["nearly"] == {f"{rule}wrong": told}


def test_an_event_reaches_a_topic_only_if_its_policy_lets_it(guarded: Account) -> None:
    sns, events = guarded.client("sns"), guarded.client("events")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    events.put_rule(Name="failed", EventPattern=json.dumps({"source": ["mine"]}))
    events.put_targets(Rule="failed", Targets=[{"Id": "people", "Arn": topic}])
    put = {"Entries": [{"Source": "mine", "DetailType": "Said", "Detail": "{}"}]}
    events.put_events(**put)

    def denials() -> list[dict[str, Any]]:
        return [each for each in guarded.emulator.admin("denials") if each["resource"] == topic]

    [denial] = until(denials)
    assert (denial["role"], denial["action"]) == ("events.amazonaws.com", "sns:Publish")
    assert denial["reason"].startswith("the policy of the resource does not allow it")
    policy = {"Version": "2012-10-17", "Statement": [denial["statement"]]}
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
    events.put_events(**put)
    until(lambda: len([each for each in guarded.emulator.admin("events") if each["account"] == guarded.id]) == 2)
    events.put_events(**put)
    until(lambda: len([each for each in guarded.emulator.admin("events") if each["account"] == guarded.id]) == 3)
    assert [each["times"] for each in denials()] == [1]


def test_an_event_reaches_the_bus_of_another_account_if_role_and_bus_let_it(guarded: Account) -> None:
    """Both must (EventBridge user guide, "Sending and receiving events between AWS accounts"); the rest is kept."""
    other = Account(guarded.emulator, str(int(guarded.id) + 500_000))
    bus = f"arn:aws:events:us-east-1:{other.id}:event-bus/default"
    caught = Inbox(other, {"source": ["team"], "account": [guarded.id]})
    lost = guarded.client("sqs").create_queue(QueueName="lost")["QueueUrl"]
    arns = {"Arn": f"arn:aws:sqs:us-east-1:{guarded.id}:lost"}
    roles = {"may": [allow("events:PutEvents", resource=bus)], "not": [allow("events:PutEvents", resource=bus + "s")]}
    events = guarded.client("events")
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["team"]}))

    def sent(number: int, role: str) -> None:
        target = {"Id": "bus", "Arn": bus, "RoleArn": role, "DeadLetterConfig": arns}
        events.put_targets(Rule="rule", Targets=[target])
        entry = {"Source": "team", "DetailType": "news", "Detail": json.dumps({"number": number})}
        events.put_events(Entries=[entry])

    def in_the_queue() -> str:
        found = until(lambda: guarded.client("sqs").receive_message(QueueUrl=lost).get("Messages"))
        guarded.client("sqs").delete_message(QueueUrl=lost, ReceiptHandle=found[0]["ReceiptHandle"])
        return str(json.loads(found[0]["Body"])["detail"]["number"])

    made = {name: guarded.role(name, "events.amazonaws.com", *statements) for name, statements in roles.items()}
    sent(1, made["may"])
    assert in_the_queue() == "1", "no policy of the bus lets it in"
    other.client("events").put_permission(
        EventBusName="default", StatementId="a", Principal=guarded.id, Action="events:PutEvents"
    )
    sent(2, made["not"])
    assert in_the_queue() == "2", "the role may put events on another bus"
    sent(3, made["may"])
    assert [event["number"] for event in caught.at_least(1)] == [3]


def test_a_wait_ends_at_once_when_a_call_is_denied(tmp_path: Path) -> None:
    def denied() -> None:
        raise DeniedError("every call to be allowed", "one that was not")

    facts = Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1")
    world = World(Options(), tmp_path, cast(host.Emulator, None), facts, Lines(Console(file=io.StringIO())))
    world.check = denied
    with pytest.raises(DeniedError, match="one that was not"):
        world.wait(lambda: None, "something else", 30)


def test_what_was_decided_is_written_down_and_decided_the_same_again(guarded: Account) -> None:
    role = guarded.role("sagemaker-projects-x", "a.amazonaws.com", allow("sagemaker:ListProjects") | {"Sid": "Look"})
    api = guarded.emulator.as_role("sagemaker", role)
    api.list_projects()
    with pytest.raises(ClientError):
        api.list_domains()
    judged = judge_again(guarded.emulator.state)
    assert judged["changed"] == []
    [mutant] = [each for each in judged["roles"] if each["role"] == role]
    assert (mutant["statement"], mutant["action"], mutant["noticed"]) == ("Look", "sagemaker:ListProjects", True)
    assert mutant["sentence"].startswith(f"{role} may not do sagemaker:ListProjects on *: no statement of the role")


def judge_again(state: Path) -> dict[str, Any]:
    """What mutate.py says of everything that an emulator decided so far."""
    given = json.dumps({"folder": str(state), "further": []})
    environment = os.environ | {"IOT_MTLS_ENABLED": "0"}
    command = [str(host.PYTHON), "-m", "tests.rehearsal.mutate"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd=host.ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
