"""CloudFormation types of ours, and what is done for those that ministack makes."""

import json
import re
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from rehearsal import host
from service_catalog import joiner
from tests.rehearsal.conftest import Account

# A rename, which no template of ours does, would be an update on AWS.
DIFFERENT = {"AWS::CodeCommit::Repository": {"RepositoryName"}}


def test_what_replaces_a_resource_is_what_its_schema_says(emulator: host.Emulator) -> None:
    found = {name: set(replacing) for name, replacing in emulator.admin("types").items()}
    assert found == {name: DIFFERENT.get(name, _create_only(name)) for name in found}


def _create_only(name: str) -> set[str]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema
    paths = [path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", [])]
    return {path for path in paths if "/" not in path}


@pytest.mark.parametrize("name", joiner.NAMES)
def test_every_type_of_our_templates_can_be_made(name: str, account: Account) -> None:
    types = sorted(set(re.findall(r"Type: (AWS::[A-Za-z0-9]+::[A-Za-z0-9:]+)", joiner.template(name).text)))
    template = {"Resources": {f"R{number}": {"Type": kind} for number, kind in enumerate(types)}}
    account.client("cloudformation").validate_template(TemplateBody=json.dumps(template))


def test_the_portfolio_is_made_and_goes(account: Account) -> None:
    given = [{"ParameterKey": "StageAccountIds", "ParameterValue": "222222222222,333333333333"}]
    more = {"Parameters": given, "Tags": [{"Key": "owner", "Value": "team"}]}
    stack = account.stack("sagemaker-projects-portfolio", joiner.template("portfolio.yaml").text, **more)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.reasons("sagemaker-projects-portfolio")
    catalog = account.client("servicecatalog")
    portfolio = catalog.list_portfolios()["PortfolioDetails"][0]["Id"]
    assert catalog.list_principals_for_portfolio(PortfolioId=portfolio)["Principals"]
    assert {"Key": "owner", "Value": "team"} in catalog.describe_portfolio(Id=portfolio)["Tags"]
    policy = json.loads(account.client("events").describe_event_bus(Name="default")["Policy"])
    assert "222222222222" in json.dumps(policy)
    account.client("cloudformation").delete_stack(StackName="sagemaker-projects-portfolio")
    assert account.settled(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert catalog.list_portfolios()["PortfolioDetails"] == []


def test_a_role_gets_its_boundary(account: Account) -> None:
    boundary = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    statement = {"Effect": "Allow", "Principal": {"Service": "a.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {"RoleName": "r", "AssumeRolePolicyDocument": {"Statement": [statement]}, "PermissionsBoundary": boundary}
    stack = account.stack("s", {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": role}}})
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.reasons("s")
    shown = account.client("iam").get_role(RoleName="r")["Role"]
    assert shown["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_a_bucket_gets_its_settings(account: Account) -> None:
    name = f"settings-{account.id}"
    encryption = [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}]
    rules = [{"Id": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 9}}]
    bucket = {
        "BucketName": name,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": encryption},
        "LifecycleConfiguration": {"Rules": rules},
        "Tags": [{"Key": "own", "Value": "1"}],
    }
    template = {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": bucket}}}
    stack = account.stack("s", template, Tags=[{"Key": "of", "Value": "stack"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.reasons("s")
    s3 = account.client("s3")
    applied = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert applied["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms" and applied["BucketKeyEnabled"]
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"][0]["ID"] == "old"
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    assert {"own": "1", "of": "stack"}.items() <= tags.items()


def test_a_property_that_nothing_acts_on_is_reported(account: Account) -> None:
    properties = {"BucketName": f"ignored-{account.id}", "AnalyticsConfigurations": []}
    account.stack("s", {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}})
    ignored = account.emulator.admin("ignored")
    assert "AnalyticsConfigurations" in ignored["AWS::S3::Bucket"]
    assert "BucketName" not in ignored["AWS::S3::Bucket"]


def test_groups_change_in_place_and_are_replaced(account: Account) -> None:
    def template(name: str, **more: Any) -> dict[str, Any]:
        properties = {"ModelPackageGroupName": name, **more}
        return {"Resources": {"G": {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": properties}}}

    account.stack("s", template("one"))
    formation, sagemaker = account.client("cloudformation"), account.client("sagemaker")
    policy = {"Version": "2012-10-17", "Statement": []}
    changed = template("one", ModelPackageGroupPolicy=policy, Tags=[{"Key": "a", "Value": "b"}])
    formation.update_stack(StackName="s", TemplateBody=json.dumps(changed))
    assert account.settled("s")["StackStatus"] == "UPDATE_COMPLETE", account.reasons("s")
    shown = sagemaker.get_model_package_group_policy(ModelPackageGroupName="one")["ResourcePolicy"]
    assert json.loads(shown) == policy
    formation.update_stack(StackName="s", TemplateBody=json.dumps(template("two")))
    assert account.settled("s")["StackStatus"] == "UPDATE_COMPLETE", account.reasons("s")
    groups = [
        item["ModelPackageGroupName"] for item in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ]
    assert groups == ["two"]


def test_a_composite_alarm_is_made(account: Account) -> None:
    metric = {"Namespace": "n", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
    alarm = {"AlarmName": "a", "ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, **metric}
    rule = {"AlarmName": "c", "AlarmRule": {"Fn::Sub": 'ALARM("${Alarm}")'}}
    resources = {
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        "All": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": rule},
    }
    stack = account.stack("s", {"Resources": resources})
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.reasons("s")
    found = account.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [item["AlarmRule"] for item in found] == ['ALARM("a")']


def test_a_budget_is_made(account: Account) -> None:
    limit = {"Amount": 10, "Unit": "USD"}
    budget = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    resources = {"Budget": {"Type": "AWS::Budgets::Budget", "Properties": {"Budget": budget}}}
    stack = account.stack("s", {"Resources": resources})
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.reasons("s")
    shown = account.client("budgets").describe_budget(AccountId=account.id, BudgetName="b")["Budget"]
    assert float(shown["BudgetLimit"]["Amount"]) == 10


def test_a_stack_tells_what_becomes_of_it(account: Account) -> None:
    queue = account.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    events = account.client("events")
    events.put_rule(Name="r", EventPattern=json.dumps({"source": ["aws.cloudformation"]}))
    events.put_targets(Rule="r", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:{account.id}:q"}])
    account.stack("s", {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}})
    seen = []
    for _ in range(10):
        answer = account.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        seen += [json.loads(item["Body"])["detail"]["status-details"]["status"] for item in answer.get("Messages", [])]
        if "CREATE_COMPLETE" in seen:
            break
    assert sorted(seen) == ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"]


@pytest.mark.parametrize(
    "style", ["https://{bucket}.s3.us-east-1.amazonaws.com/{key}", "https://s3.amazonaws.com/{bucket}/{key}"]
)
def test_a_template_may_lie_behind_either_kind_of_url(account: Account, style: str) -> None:
    template = {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}
    account.store("t.yaml", template)
    url = style.format(bucket=f"bucket-of-{account.id}", key="t.yaml")
    account.client("cloudformation").create_stack(StackName="s", TemplateURL=url)
    assert account.settled("s")["StackStatus"] == "CREATE_COMPLETE"
