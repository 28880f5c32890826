"""The house rules on kinds of resources that the templates have none of yet, and on what a mutation cannot show."""

import re
from typing import Any

import pytest

from tests.infrastructure import catalog, events, subjects
from tests.infrastructure.cloudformation import Stack
from tests.infrastructure.house import identity, operations, project, reference, senders, support

SOURCE = {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def one(kind: str, **properties: Any) -> Stack:
    """A stack with a single resource."""
    resources = {"It": {"Type": kind, "Properties": properties}}
    return Stack({"Parameters": {}, "Resources": resources}, {})


@pytest.mark.parametrize("runtime", ["python3.8", "python3.10", "nodejs16.x", ""])
def test_a_retired_runtime_is_found(runtime: str) -> None:
    assert list(operations.runtimes_are_supported(one("AWS::Lambda::Function", Runtime=runtime)))


def test_a_current_runtime_is_not() -> None:
    assert not list(operations.runtimes_are_supported(one("AWS::Lambda::Function", Runtime="python3.13")))


@pytest.mark.parametrize("image", ["aws/codebuild/amazonlinux2-x86_64-standard:3.0", "aws/codebuild/standard:4.0"])
def test_a_retired_image_is_found(image: str) -> None:
    assert list(operations.runtimes_are_supported(one("AWS::CodeBuild::Project", Environment={"Image": image})))


def test_a_current_image_is_not() -> None:
    project = one("AWS::CodeBuild::Project", Environment={"Image": "aws/codebuild/amazonlinux-x86_64-standard:5.0"})
    assert not list(operations.runtimes_are_supported(project))


@pytest.mark.parametrize("kind", sorted(operations.STATEFUL))
def test_every_stateful_kind_must_be_kept(kind: str) -> None:
    assert len(list(operations.what_must_stay_is_kept(one(kind)))) == 2


def test_a_bucket_is_kept_even_by_a_creation_that_fails() -> None:
    policies = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    for kind, found in (("AWS::S3::Bucket", 1), ("AWS::KMS::Key", 0)):
        stack = Stack({"Parameters": {}, "Resources": {"It": {"Type": kind, "Properties": {}, **policies}}}, {})
        assert len(list(operations.what_must_stay_is_kept(stack))) == found


def test_every_exception_has_a_reason_and_a_statement() -> None:
    """Statements about every resource, and services without a source."""
    texts = "".join(subjects.templates().values())
    for sid, reason in (identity.EVERY_RESOURCE | identity.UNCONDITIONAL).items():
        assert f"Sid: {sid}" in texts
        assert len(reason.split()) >= 6 or reason.removeprefix("as ") in identity.EVERY_RESOURCE


def test_every_kind_that_a_project_is_made_of_is_tagged_or_cannot_be() -> None:
    """The registry's schemas say which; CloudFormation would refuse a tag elsewhere."""
    untagged = {
        body["Type"]
        for _, stack in catalog.stacks("product.yaml", catalog.templates()["product.yaml"])
        for body in stack.resources.values()
        if not project._tag_property(body["Type"])
    }
    assert untagged == {
        "AWS::IAM::ManagedPolicy",
        "AWS::KMS::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::Scheduler::Schedule",
    }


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": {"aws:SourceAccount": "*"}},
        {"StringNotEquals": {"aws:SourceAccount": "111122223333"}},
        {"StringEqualsIfExists": {"aws:SourceAccount": "*"}},
    ],
)
def test_a_condition_that_does_not_bind_is_no_source(condition: dict[str, Any]) -> None:
    assert list(identity.trust_names_its_source(_role({"Service": "sagemaker.amazonaws.com"}, condition)))


def test_a_source_binds_a_trust() -> None:
    assert not list(identity.trust_names_its_source(_role({"Service": "sagemaker.amazonaws.com"}, SOURCE)))


def test_everybody_is_never_trusted() -> None:
    assert list(identity.trust_names_its_source(_role({"AWS": "*"}, SOURCE)))


def test_everybody_has_no_source_that_only_some_send() -> None:
    statement = {"Sid": "S", "Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "arn"}
    for operator, found in (("StringEquals", 0), ("StringEqualsIfExists", 1)):
        document = {"Statement": [statement | {"Condition": {operator: SOURCE["StringEquals"]}}]}
        stack = one("AWS::SNS::TopicPolicy", PolicyDocument=document)
        assert len(list(identity.resource_policies_name_their_source(stack))) == found


@pytest.mark.parametrize(
    ("service", "operator", "found"),
    [
        ("sagemaker", "StringEquals", ""),
        ("sagemaker", "StringEqualsIfExists", "binds more"),
        ("apigateway", "StringEquals", "no source says"),
        ("apigateway", "StringEqualsIfExists", ""),
        ("a-service-of-next-year", "StringEquals", "no source says"),
    ],
)
def test_a_key_counts_if_a_source_says_that_it_is_sent(service: str, operator: str, found: str) -> None:
    trust = _role({"Service": f"{service}.amazonaws.com"}, {operator: SOURCE["StringEquals"]})
    problems = list(senders.source_keys_are_sent(trust))
    assert [found in problem for problem in problems] == [True] * bool(found)
    assert not list(identity.trust_names_its_source(trust))


def test_every_service_that_sends_keys_has_a_public_source() -> None:
    for each in senders.table():
        assert re.search(r"(user|developer) guide, '|^aws[\w-]*/[\w-]+", each["source"]), each
        assert {key.lower() for key in each["keys"]} <= senders.KEYS


def test_an_action_without_a_resource_is_allowed_on_everything_or_not_at_all() -> None:
    """The example is one of a kind: so is each action of the table."""
    assert {"sns:Unsubscribe", "kms:CreateKey", "logs:DescribeLogGroups"} <= reference.unscoped()
    for action in sorted(reference.unscoped()):
        for resource, found in (("arn:aws:sns:*:111122223333:x", 1), ("arn:aws:sns:*:111122223333:*", 1), ("*", 0)):
            statement = {"Sid": "S", "Effect": "Allow", "Action": [action], "Resource": resource}
            role = one("AWS::IAM::Role", Policies=[{"PolicyDocument": {"Statement": [statement]}}])
            assert len(list(reference.actions_without_a_resource_are_allowed_on_everything(role))) == found


def test_the_table_of_actions_knows_every_service_of_the_templates_and_its_own_age() -> None:
    """A service that is new in a template is not judged until the table is renewed: scripts/reference.py."""
    texts = "".join(subjects.templates().values())
    named = set(re.findall(r"\b([a-z][a-z0-9-]*):[A-Z]\w+", texts))
    assert named == set(reference.table()["services"])
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", reference.table()["read"])


@pytest.mark.parametrize(("value", "found"), [("DataCaptureConfig", 1), ("DesiredWeight", 0)])
def test_a_value_that_the_api_does_not_take_yet_is_found(value: str, found: int) -> None:
    assert ("VariantPropertyType", "DataCaptureConfig") in support.unsupported("sagemaker")
    endpoint = one("AWS::SageMaker::Endpoint", ExcludeRetainedVariantProperties=[{"VariantPropertyType": value}])
    assert len(list(support.values_are_supported(endpoint))) == found


def _role(principal: Any, condition: dict[str, Any]) -> Stack:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition}
    return one("AWS::IAM::Role", AssumeRolePolicyDocument={"Statement": [statement]})


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 20 ? * MON-FRI *)",
        "cron(0/15 * * * ? *)",
        "cron(0 8 1 * ? *)",
        "cron(0 3 L * ? 2027-2030)",
        "cron(30 6 ? JAN,JUL 2 *)",
        "rate(1 hour)",
        "rate(6 hours)",
    ],
)
def test_schedules_that_aws_takes(expression: str) -> None:
    assert operations.schedule_problem(expression) == ""


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 * * *",
        "cron(0 3 * * *)",
        "cron(0 3 * * * *)",
        "cron(0 3 ? * ? *)",
        "cron(60 3 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 3 0 * ? *)",
        "cron(0 3 ? * 1-8 *)",
        "cron(0 3 ? * FRI-MON *)",
        "cron(0 3 ? 13 MON *)",
        "cron(0/0 3 * * ? *)",
        "rate(0 hours)",
        "rate(6 hour)",
        "rate(6 weeks)",
        "every day",
        "",
    ],
)
def test_schedules_that_aws_refuses(expression: str) -> None:
    assert operations.schedule_problem(expression)


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ({"source": ["aws.sagemaker"]}, True),
        ({"source": ["aws.s3"]}, False),
        ({"detail": {"state": ["Failed", "Stopped"]}}, True),
        ({"detail": {"state": [{"prefix": "Fail"}]}}, True),
        ({"detail": {"state": [{"anything-but": "Failed"}]}}, False),
        ({"detail": {"fields": ["b"]}}, True),
        ({"detail": {"fields": ["c"]}}, False),
        ({"detail": {"state": [{"wildcard": "F*l*d"}]}}, True),
        ({"detail": {"state": [{"wildcard": "*ail"}]}}, False),
        ({"detail": {"missing": [{"exists": False}]}}, True),
        ({"detail": {"missing": [{"anything-but": "x"}]}}, False),
        ({"detail": {"state": {"deeper": ["x"]}}}, False),
    ],
)
def test_patterns_match_as_eventbridge_does(pattern: dict[str, Any], matched: bool) -> None:
    event = {"source": "aws.sagemaker", "detail": {"state": "Failed", "fields": ["a", "b"]}}
    assert events.matches(pattern, event) is matched
