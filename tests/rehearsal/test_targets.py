"""EventBridge's and Scheduler's targets: what an event or a moment sets off, and where it goes when it cannot."""

import io
import json
import zipfile
from typing import Any

import pytest

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox, role

SHAPE = {"Version": "2012-10-17"}


@pytest.fixture
def pipeline(account: Account) -> str:
    """A pipeline whose source is missing: that it was started is all that matters."""
    account.client("s3").create_bucket(Bucket=f"artifacts-{account.id}")
    kind = {"owner": "AWS", "version": "1"}
    source = {
        "name": "Source",
        "actionTypeId": {**kind, "category": "Source", "provider": "CodeCommit"},
        "configuration": {"RepositoryName": "none", "BranchName": "main"},
        "outputArtifacts": [{"name": "S"}],
    }
    approve = {"name": "Approve", "actionTypeId": {**kind, "category": "Approval", "provider": "Manual"}}
    declaration = {
        "name": f"pipeline-{account.id}",
        "roleArn": role(account, "pipeline", "codepipeline"),
        "artifactStore": {"type": "S3", "location": f"artifacts-{account.id}"},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Approve", "actions": [approve]}],
    }
    account.client("codepipeline").create_pipeline(pipeline=declaration)
    return str(declaration["name"])


def executions(account: Account, pipeline: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)[
        "pipelineExecutionSummaries"
    ]
    return found


def rule(account: Account, target: dict[str, Any]) -> None:
    """A rule for events of our own."""
    events = account.client("events")
    events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["team"]}))
    assert events.put_targets(Rule="rule", Targets=[{"Id": "t", **target}])["FailedEntryCount"] == 0


def put(account: Account, **detail: str) -> None:
    entry = {"Source": "team", "DetailType": "news", "Detail": json.dumps(detail)}
    account.client("events").put_events(Entries=[entry])


def queue(account: Account) -> tuple[str, str]:
    """The address and the ARN of a queue."""
    sqs = account.client("sqs")
    url = sqs.create_queue(QueueName="lost")["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def arn(account: Account, service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{account.id}:{resource}"


def test_an_event_starts_a_pipeline_as_the_role_of_the_target(account: Account, pipeline: str) -> None:
    starter = role(account, "starter", "events")
    rule(account, {"Arn": arn(account, "codepipeline", pipeline), "RoleArn": starter})
    put(account, word="go")
    until(lambda: len(executions(account, pipeline)) == 2)
    found = executions(account, pipeline)
    assert found[0]["trigger"]["triggerType"] == "StartPipelineExecution"
    assert ":assumed-role/starter/" in found[0]["trigger"]["triggerDetail"]


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(account: Account) -> None:
    url, lost = queue(account)
    target = arn(account, "codepipeline", "gone")
    rule(account, {"Arn": target, "RoleArn": role(account, "starter", "events"), "DeadLetterConfig": {"Arn": lost}})
    put(account, word="lost")
    receive = account.client("sqs").receive_message
    messages: list[Any] = until(lambda: receive(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", []))
    [message] = messages
    assert json.loads(message["Body"])["detail"] == {"word": "lost"}
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert told["ERROR_CODE"] == "PipelineNotFoundException"
    assert (told["TARGET_ARN"], told["RULE_ARN"]) == (target, arn(account, "events", "rule/rule"))


def test_an_event_of_another_account_is_not_sent_on_to_a_third(account: Account) -> None:
    """ "these events are not sent to the third account" (CloudWatch Events user guide, on receiver accounts)."""
    second, third = (Account(account.emulator, str(int(account.id) + more)) for more in (10**6, 2 * 10**6))
    for one, next_ in ((account, second), (second, third)):
        bus = f"arn:aws:events:us-east-1:{next_.id}:event-bus/default"
        rule(one, {"Arn": bus, "RoleArn": role(one, "forward", "events")})
    arrived = {each.id: Inbox(each, {"source": ["team"]}) for each in (second, third)}
    put(account, word="far")
    assert arrived[second.id].at_least(1) == [{"word": "far"}]
    put(second, word="near")
    assert arrived[third.id].at_least(1) == [{"word": "near"}]


def test_a_schedule_starts_a_pipeline(account: Account, pipeline: str) -> None:
    target = {"Arn": arn(account, "codepipeline", pipeline), "RoleArn": role(account, "clock", "scheduler")}
    account.client("scheduler").create_schedule(
        Name="now", ScheduleExpression="at(2020-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    until(lambda: len(executions(account, pipeline)) == 2)
    found = executions(account, pipeline)
    assert ":assumed-role/clock/" in found[0]["trigger"]["triggerDetail"]


def test_a_schedule_makes_any_call(account: Account) -> None:
    caught = Inbox(account, {"source": ["aws.codecommit"]})
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:codecommit:putFile",
        "RoleArn": role(account, "clock", "scheduler"),
        "Input": json.dumps({"repositoryName": "r", "branchName": "main", "fileContent": "<aws.scheduler.execution-id>",
                             "filePath": "id"}),
    }  # fmt: skip
    codecommit = account.client("codecommit")
    codecommit.create_repository(repositoryName="r")
    account.client("scheduler").create_schedule(
        Name="now", ScheduleExpression="at(2020-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    caught.at_least(1)
    content = codecommit.get_file(repositoryName="r", filePath="id")["fileContent"].decode()
    assert len(content) == 32
    assert "<" not in content


def test_a_function_that_fails_is_repeated_and_told_of(account: Account) -> None:
    url, lost = queue(account)
    api, code = account.client("lambda"), io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    raise ValueError(event['detail']['word'])\n")
    function = api.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Handler="index.handler",
        Role=role(account, "function", "lambda"),
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    destination = {"OnFailure": {"Destination": lost}}
    api.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1, DestinationConfig=destination)
    rule(account, {"Arn": function})
    put(account, word="broken")
    receive = account.client("sqs").receive_message
    [message] = until(lambda: receive(QueueUrl=url).get("Messages", []))
    assert "broken" in message["Body"]
