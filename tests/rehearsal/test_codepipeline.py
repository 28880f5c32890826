"""CodePipeline: what a pipeline declares is executed, with what CodeCommit, CodeBuild and CloudFormation make of it."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from kit.tests.waiting import until
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox, commit, role

VERSION = {"owner": "AWS", "version": "1"}
TEMPLATE = {
    "Parameters": {"Word": {"Type": "String"}},
    "Resources": {
        "P": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": {"Fn::Sub": "/${AWS::StackName}"}, "Type": "String", "Value": {"Ref": "Word"}},
        }
    },
    "Outputs": {"Name": {"Value": {"Ref": "P"}}},
}
RELEASE = """
version: 0.2
env:
  exported-variables: [STATUS, COMMIT]
phases:
  build:
    commands:
      - mkdir -p release
      - echo '{"Parameters":{"Word":"'$WORD'"},"Tags":{"stage":"staging"}}' > release/staging.json
      - STATUS=$WORD
      - COMMIT=$CODEBUILD_RESOLVED_SOURCE_VERSION
artifacts: {base-directory: release, files: ["**/*"]}
"""


class Delivery:
    """A repository, build projects and pipelines of one account."""

    def __init__(self, account: Account) -> None:
        self.account, self.repository, self.bucket = account, f"repository-{account.id}", f"artifacts-{account.id}"
        account.client("s3").create_bucket(Bucket=self.bucket)
        account.client("codecommit").create_repository(repositoryName=self.repository)
        self.role, self.build_role = role(account, "pipeline", "codepipeline"), role(account, "build", "codebuild")
        self.client = account.client("codepipeline")
        self.commit({"release.yml": RELEASE, "template.json": json.dumps(TEMPLATE)})

    def commit(self, files: Mapping[str, str]) -> str:
        return commit(self.account, self.repository, files)

    def project(self, name: str, buildspec: str) -> str:
        self.account.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": buildspec},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=self.build_role,
        )
        return name

    def declaration(self, *stages: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A V2 pipeline: the source stage, then these."""
        return {
            "name": f"pipeline-{self.account.id}",
            "roleArn": self.role,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": self.bucket},
            "stages": [stage("Source", self.source()), *stages],
            **more,
        }

    def source(self) -> dict[str, Any]:
        settings = {"RepositoryName": self.repository, "BranchName": "main", "PollForSourceChanges": "false"}
        return action("Source", "CodeCommit", settings, outputs=["Source"], category="Source", namespace="SourceVars")

    def create(self, *stages: dict[str, Any], **more: Any) -> str:
        made = self.client.create_pipeline(pipeline=self.declaration(*stages, **more))
        return str(made["pipeline"]["name"])

    def executions(self, pipeline: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = self.client.list_pipeline_executions(pipelineName=pipeline)[
            "pipelineExecutionSummaries"
        ]
        return found[::-1]

    def finished(self, pipeline: str, number: int = 1) -> str:
        """The state in which an execution ended."""

        def state() -> str:
            found = self.executions(pipeline)
            status = found[number - 1]["status"] if len(found) >= number else "InProgress"
            return "" if status in ("InProgress", "Stopping") else status

        return until(state)

    def stages(self, pipeline: str) -> dict[str, str]:
        """Stage → state of the execution that entered it last."""
        found = self.client.get_pipeline_state(name=pipeline)["stageStates"]
        return {entry["stageName"]: entry.get("latestExecution", {}).get("status", "") for entry in found}

    def action(self, pipeline: str, name: str) -> dict[str, Any]:
        """The latest run of an action."""
        for entry in self.client.get_pipeline_state(name=pipeline)["stageStates"]:
            for found in entry["actionStates"]:
                if found["actionName"] == name:
                    latest: dict[str, Any] = found.get("latestExecution", {})
                    return latest
        raise AssertionError(name)

    def token(self, pipeline: str, name: str, after: str = "") -> str:
        """What an approval waits with: another token than `after`."""
        return str(until(lambda: (found := self.action(pipeline, name).get("token")) != after and found))

    def runs(self, pipeline: str) -> dict[str, dict[str, Any]]:
        """Action → its newest entry in the history."""
        found = self.client.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
        return {entry["actionName"]: entry for entry in reversed(found)}


def stage(name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "actions": list(actions), **more}


def action(
    name: str,
    provider: str,
    configuration: Mapping[str, str] | None = None,
    *,
    category: str,
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "name": name,
        "actionTypeId": {"category": category, "provider": provider, **VERSION},
        "configuration": dict(configuration or {}),
        "inputArtifacts": [{"name": entry} for entry in inputs or []],
        "outputArtifacts": [{"name": entry} for entry in outputs or []],
        **more,
    }


def build(name: str, project: str, variables: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    entries = [{"name": key, "value": value} for key, value in (variables or {}).items()]
    settings = {"ProjectName": project, "EnvironmentVariables": json.dumps(entries)}
    if len(more.setdefault("inputs", ["Source"])) > 1:
        settings["PrimarySource"] = "Source"
    return action(name, "CodeBuild", settings, category="Build", **more)


def approval(name: str = "Approve", **configuration: str) -> dict[str, Any]:
    return action(name, "Manual", configuration, category="Approval")


def deploy(name: str, stack: str, configuration: Mapping[str, str], **more: Any) -> dict[str, Any]:
    settings = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": stack,
        "TemplatePath": "Source::template.json",
        **configuration,
    }
    return action(name, "CloudFormation", settings, category="Deploy", **{"inputs": ["Source"], **more})


def only_if(variable: str, operator: str, value: str, result: str = "SKIP") -> dict[str, Any]:
    kind = {"category": "Rule", "provider": "VariableCheck", **VERSION}
    settings = {"Variable": variable, "Operator": operator, "Value": value}
    rule = {"name": "Check", "ruleTypeId": kind, "configuration": settings}
    return {"beforeEntry": {"conditions": [{"result": result, "rules": [rule]}]}}


@pytest.fixture
def delivery(account: Account) -> Delivery:
    """A repository with a release buildspec and a template."""
    return Delivery(account)


WORD = [{"name": "WORD", "defaultValue": "release"}]


def released(delivery: Delivery, *stages: dict[str, Any], **more: Any) -> str:
    """A pipeline that makes a release of its variable WORD, then runs these stages."""
    project = delivery.project(f"release-{delivery.account.id}", "release.yml")
    first = build("Release", project, {"WORD": "#{variables.WORD}"}, outputs=["Release"], namespace="Release")
    return delivery.create(stage("Release", first), *stages, variables=WORD, **more)


def test_a_release_goes_through_staging_and_approval_to_production(delivery: Delivery, account: Account) -> None:
    topic = account.client("sns").create_topic(Name="approvals")["TopicArn"]
    both = {"inputs": ["Source", "Release"]}
    check = only_if("#{Release.STATUS}", "EQ", "release")
    pipeline = released(
        delivery,
        stage("Staging", deploy("Deploy", "staging", {"TemplateConfiguration": "Release::staging.json"}, **both,
                                namespace="Deployed"), **check),
        stage("Approve", approval(NotificationArn=topic, CustomData="Release #{Release.COMMIT}?"), **check),
        stage("Production", deploy("Deploy", "prod", {"ParameterOverrides": '{"Word": "#{Deployed.Name}"}'}), **check),
    )  # fmt: skip
    token = delivery.token(pipeline, "Approve")
    assert delivery.stages(pipeline)["Production"] == ""
    tip = account.client("codecommit").get_branch(repositoryName=delivery.repository, branchName="main")["branch"][
        "commitId"
    ]
    run = delivery.runs(pipeline)["Approve"]
    assert run["input"]["resolvedConfiguration"]["CustomData"] == f"Release {tip}?"
    result = {"summary": "looks good", "status": "Approved"}
    delivery.client.put_approval_result(
        pipelineName=pipeline, stageName="Approve", actionName="Approve", result=result, token=token
    )
    assert delivery.finished(pipeline) == "Succeeded"
    [staging] = account.client("cloudformation").describe_stacks(StackName="staging")["Stacks"]
    assert staging["Tags"] == [{"Key": "stage", "Value": "staging"}]
    values = {
        name: account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in ("/staging", "/prod")
    }
    assert values == {"/staging": "release", "/prod": "/staging"}


def test_stages_are_skipped_where_nothing_is_released(delivery: Delivery) -> None:
    check = only_if("#{Release.STATUS}", "EQ", "release")
    pipeline = released(
        delivery, stage("Staging", deploy("Deploy", "s", {}), **check), stage("Approve", approval(), **check)
    )
    until(lambda: delivery.stages(pipeline)["Staging"])
    delivery.client.start_pipeline_execution(name=pipeline, variables=[{"name": "WORD", "value": "waiting"}])
    assert delivery.finished(pipeline, 2) == "Succeeded"
    assert delivery.stages(pipeline)["Approve"] == "Skipped"
    [state] = [
        entry["beforeEntryConditionState"]["conditionStates"][0]["ruleStates"][0]["latestExecution"]["summary"]
        for entry in delivery.client.get_pipeline_state(name=pipeline)["stageStates"]
        if entry["stageName"] == "Staging"
    ]
    assert "'waiting'" in state


def test_a_condition_that_fails_fails_the_execution(delivery: Delivery) -> None:
    check = only_if("#{SourceVars.BranchName}", "MATCHES", "release-.*", result="FAIL")
    pipeline = delivery.create(stage("Approve", approval(), **check))
    assert delivery.finished(pipeline) == "Failed"
    assert delivery.stages(pipeline)["Approve"] == "Failed"
    assert not delivery.action(pipeline, "Approve")


def test_actions_of_one_run_order_run_at_the_same_time(delivery: Delivery) -> None:
    actions = [approval(name) | {"runOrder": order} for name, order in (("A", 1), ("B", 1), ("C", 2))]
    pipeline = delivery.create(stage("Approve", *actions))
    tokens = {name: delivery.token(pipeline, name) for name in ("A", "B")}
    assert not delivery.action(pipeline, "C")
    for name, token in tokens.items():
        decide(delivery, pipeline, name, token)
    decide(delivery, pipeline, "C", delivery.token(pipeline, "C"))
    assert delivery.finished(pipeline) == "Succeeded"


def decide(delivery: Delivery, pipeline: str, name: str, token: str, status: str = "Approved") -> None:
    result = {"summary": "because", "status": status}
    delivery.client.put_approval_result(
        pipelineName=pipeline, stageName="Approve", actionName=name, result=result, token=token
    )


def test_a_rejection_fails_the_execution_and_says_who(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), stage("After", approval("Never")))
    decide(delivery, pipeline, "Approve", delivery.token(pipeline, "Approve"), "Rejected")
    assert delivery.finished(pipeline) == "Failed"
    error = delivery.action(pipeline, "Approve")["errorDetails"]
    assert error["message"] == f"Rejected by arn:aws:iam::{delivery.account.id}:root: because"
    assert delivery.stages(pipeline)["After"] == ""


def test_a_wrong_token_decides_nothing(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()))
    token = delivery.token(pipeline, "Approve")
    with pytest.raises(delivery.client.exceptions.InvalidApprovalTokenException):
        decide(delivery, pipeline, "Approve", "00000000-0000-0000-0000-000000000000")
    decide(delivery, pipeline, "Approve", token)
    assert delivery.finished(pipeline) == "Succeeded"


def test_a_queue_keeps_its_order_and_one_execution_in_a_stage(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), stage("Last", approval("End")))
    delivery.token(pipeline, "Approve")
    second, third = (delivery.client.start_pipeline_execution(name=pipeline)["pipelineExecutionId"] for _ in range(2))

    def inbound() -> list[str]:
        states = delivery.client.get_pipeline_state(name=pipeline)["stageStates"]
        return [entry["pipelineExecutionId"] for entry in states[1].get("inboundExecutions", [])]

    until(lambda: inbound() == [second, third] or inbound() == [second])
    first_token = delivery.action(pipeline, "Approve")["token"]
    decide(delivery, pipeline, "Approve", first_token)
    token = delivery.token(pipeline, "Approve", after=first_token)
    latest = delivery.client.get_pipeline_state(name=pipeline)["stageStates"][1]["latestExecution"]
    assert latest["pipelineExecutionId"] == second
    decide(delivery, pipeline, "Approve", token)
    # The first still holds the last stage, so the second must not be in it.
    until(lambda: delivery.client.get_pipeline_state(name=pipeline)["stageStates"][2].get("inboundExecutions"))
    assert delivery.action(pipeline, "End")["token"]


def test_in_superseded_mode_the_newest_of_those_that_wait_goes_on(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), executionMode="SUPERSEDED")
    token = delivery.token(pipeline, "Approve")
    for number in (2, 3):
        delivery.client.start_pipeline_execution(name=pipeline)
        until(partial(lambda count: len(delivery.executions(pipeline)) == count, number))
    assert delivery.finished(pipeline, 2) == "Superseded"
    decide(delivery, pipeline, "Approve", token)
    assert delivery.finished(pipeline, 1) == "Succeeded"
    delivery.token(pipeline, "Approve")


def test_a_start_that_is_repeated_starts_nothing(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()))
    start = delivery.client.start_pipeline_execution
    ids = {start(name=pipeline, clientRequestToken="event-1")["pipelineExecutionId"] for _ in range(3)}
    assert len(ids) == 1
    assert len(delivery.executions(pipeline)) == 2


def test_unknown_and_missing_variables_are_refused(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), variables=[{"name": "NEEDED"}])
    assert delivery.executions(pipeline) == []
    start, invalid = delivery.client.start_pipeline_execution, delivery.client.exceptions.ValidationException
    with pytest.raises(invalid, match="without a value: NEEDED"):
        start(name=pipeline)
    with pytest.raises(invalid, match="no variable OTHER"):
        start(name=pipeline, variables=[{"name": "OTHER", "value": "x"}])
    identifier = start(name=pipeline, variables=[{"name": "NEEDED", "value": "x"}])["pipelineExecutionId"]
    found = delivery.client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identifier)
    assert found["pipelineExecution"]["variables"] == [{"name": "NEEDED", "resolvedValue": "x"}]


def test_a_failed_build_tells_its_phase_and_command(delivery: Delivery) -> None:
    project = delivery.project(f"broken-{delivery.account.id}", "version: 0.2\nphases: {build: {commands: [exit 3]}}\n")
    pipeline = delivery.create(stage("Build", build("Build", project)))
    assert delivery.finished(pipeline) == "Failed"
    message = delivery.action(pipeline, "Build")["errorDetails"]["message"]
    assert "Phase: BUILD" in message
    assert "exit 3. Reason: exit status 3" in message


def test_a_failed_stage_goes_on_where_it_failed(delivery: Delivery) -> None:
    text = "version: 0.2\nphases: {build: {commands: [test -f ready]}}\n"
    project = delivery.project(f"flaky-{delivery.account.id}", text)
    pipeline = delivery.create(stage("Build", build("Build", project), approval()))
    decide_in(delivery, pipeline, "Build")
    assert delivery.finished(pipeline) == "Failed"
    identifier = delivery.executions(pipeline)[0]["pipelineExecutionId"]
    retry = {"pipelineName": pipeline, "stageName": "Build", "pipelineExecutionId": identifier}
    delivery.client.retry_stage_execution(**retry, retryMode="FAILED_ACTIONS")
    until(lambda: delivery.executions(pipeline)[0]["status"] == "Failed")
    history = delivery.client.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"]
    assert sorted(entry["actionName"] for entry in history) == ["Approve", "Build", "Build", "Source"]
    with pytest.raises(delivery.client.exceptions.StageNotRetryableException):
        delivery.client.retry_stage_execution(**{**retry, "stageName": "Source"}, retryMode="ALL_ACTIONS")


def decide_in(delivery: Delivery, pipeline: str, stage_name: str) -> None:
    token = delivery.token(pipeline, "Approve")
    result = {"summary": "", "status": "Approved"}
    delivery.client.put_approval_result(
        pipelineName=pipeline, stageName=stage_name, actionName="Approve", result=result, token=token
    )


@pytest.mark.parametrize("abandon", [True, False])
def test_an_execution_is_stopped(delivery: Delivery, abandon: bool) -> None:
    pipeline = delivery.create(stage("Approve", approval()), stage("After", approval("Never")))
    token = delivery.token(pipeline, "Approve")
    identifier = delivery.executions(pipeline)[0]["pipelineExecutionId"]
    delivery.client.stop_pipeline_execution(
        pipelineName=pipeline, pipelineExecutionId=identifier, abandon=abandon, reason="no"
    )
    if not abandon:
        assert delivery.executions(pipeline)[0]["status"] == "Stopping"
        decide(delivery, pipeline, "Approve", token)
    assert delivery.finished(pipeline) == "Stopped"
    until(lambda: delivery.action(pipeline, "Approve")["status"] == ("Abandoned" if abandon else "Succeeded"))
    assert not delivery.action(pipeline, "Never")


def test_a_closed_transition_lets_nobody_in(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), stage("Last", approval("End")))
    place = {"pipelineName": pipeline, "stageName": "Last", "transitionType": "Inbound"}
    delivery.client.disable_stage_transition(**place, reason="holiday")
    decide(delivery, pipeline, "Approve", delivery.token(pipeline, "Approve"))
    last = until(
        lambda: (
            (found := delivery.client.get_pipeline_state(name=pipeline)["stageStates"][2]).get("inboundExecution")
            and found
        )
    )
    assert last["inboundTransitionState"]["disabledReason"] == "holiday"
    delivery.client.enable_stage_transition(**place)
    delivery.token(pipeline, "End")


def test_a_pipeline_of_a_name_that_was_used_before_knows_nothing_of_the_former(delivery: Delivery) -> None:
    pipeline = delivery.create(stage("Approve", approval()), stage("Last", approval("End")))
    place = {"pipelineName": pipeline, "stageName": "Last", "transitionType": "Inbound"}
    delivery.client.disable_stage_transition(**place, reason="it is being deleted")
    former = delivery.client.start_pipeline_execution(name=pipeline, clientRequestToken="t")["pipelineExecutionId"]
    declared = delivery.client.get_pipeline(name=pipeline)["pipeline"]
    delivery.client.delete_pipeline(name=pipeline)
    delivery.client.create_pipeline(pipeline={**declared, "version": 1})
    assert former not in [run["pipelineExecutionId"] for run in delivery.executions(pipeline)]
    assert (
        delivery.client.start_pipeline_execution(name=pipeline, clientRequestToken="t")["pipelineExecutionId"] != former
    )
    last = delivery.client.get_pipeline_state(name=pipeline)["stageStates"][2]
    assert last["inboundTransitionState"]["enabled"]


def test_a_stack_that_would_not_change_is_a_success(delivery: Delivery, account: Account) -> None:
    overrides = {"ParameterOverrides": '{"Word": "x"}'}
    pipeline = delivery.create(stage("Deploy", deploy("Deploy", "one", overrides)))
    assert delivery.finished(pipeline) == "Succeeded"
    delivery.client.start_pipeline_execution(name=pipeline)
    assert delivery.finished(pipeline, 2) == "Succeeded"
    assert delivery.action(pipeline, "Deploy")["summary"] == "No changes to the stack"
    [stack] = account.client("cloudformation").describe_stacks(StackName="one")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_change_sets_are_prepared_and_executed(delivery: Delivery, account: Account) -> None:
    one = {"StackName": "changes", "ChangeSetName": "release"}
    prepare = deploy(
        "Prepare", "changes", {**one, "ActionMode": "CHANGE_SET_REPLACE", "ParameterOverrides": '{"Word": "x"}'}
    )
    execute = action("Execute", "CloudFormation", {**one, "ActionMode": "CHANGE_SET_EXECUTE"}, category="Deploy")
    pipeline = delivery.create(stage("Deploy", prepare, execute | {"runOrder": 2}))
    assert delivery.finished(pipeline) == "Succeeded"
    assert account.client("ssm").get_parameter(Name="/changes")["Parameter"]["Value"] == "x"
    delivery.client.start_pipeline_execution(name=pipeline)
    assert delivery.finished(pipeline, 2) == "Succeeded"
    assert "nothing to do" in delivery.action(pipeline, "Execute")["summary"]


def test_a_stack_that_fails_tells_which_resource_and_why(delivery: Delivery) -> None:
    code = {"S3": {"Bucket": "no-such-bucket", "Key": "k"}}
    broken = {"Type": "AWS::CodeCommit::Repository", "Properties": {"RepositoryName": "x", "Code": code}}
    delivery.commit({"template.json": json.dumps({"Resources": {"Broken": broken}})})
    pipeline = delivery.create(stage("Deploy", deploy("Deploy", "broken", {})))
    assert delivery.finished(pipeline) == "Failed"
    message = delivery.action(pipeline, "Deploy")["errorDetails"]["message"]
    assert "Broken (AWS::CodeCommit::Repository)" in message
    assert "NoSuchBucket" in message
    delivery.client.start_pipeline_execution(name=pipeline)
    assert delivery.finished(pipeline, 2) == "Failed"
    again = delivery.action(pipeline, "Deploy")["errorDetails"]["message"]
    assert "ROLLBACK_COMPLETE" in again


def test_a_stack_is_deleted(delivery: Delivery, account: Account) -> None:
    overrides = {"ParameterOverrides": '{"Word": "x"}'}
    end = action("End", "CloudFormation", {"ActionMode": "DELETE_ONLY", "StackName": "gone"}, category="Deploy")
    pipeline = delivery.create(stage("Deploy", deploy("Deploy", "gone", overrides), end | {"runOrder": 2}))
    assert delivery.finished(pipeline) == "Succeeded"
    assert "gone" not in [stack["StackName"] for stack in account.client("cloudformation").describe_stacks()["Stacks"]]


def test_an_action_in_another_account_uses_its_role_there(delivery: Delivery, account: Account, emulator: Any) -> None:
    target = Account(emulator, next_account())
    there = role_for(target, delivery)
    allow = {"Effect": "Allow", "Principal": {"AWS": target.id}, "Action": "s3:GetObject"}
    policy = {"Version": "2012-10-17", "Statement": [{**allow, "Resource": f"arn:aws:s3:::{delivery.bucket}/*"}]}
    account.client("s3").put_bucket_policy(Bucket=delivery.bucket, Policy=json.dumps(policy))
    settings = {"ParameterOverrides": '{"Word": "x"}'}
    pipeline = delivery.create(stage("Deploy", deploy("Deploy", f"away-{account.id}", settings, roleArn=there)))
    assert delivery.finished(pipeline) == "Succeeded"
    names = [stack["StackName"] for stack in target.client("cloudformation").describe_stacks()["Stacks"]]
    assert f"away-{account.id}" in names
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def role_for(target: Account, delivery: Delivery) -> str:
    """A role of another account that the pipeline's role may assume, and that may do everything there."""
    trust = {"Effect": "Allow", "Principal": {"AWS": delivery.role}, "Action": "sts:AssumeRole"}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [entry]}) for entry in (trust, everything)]
    iam, name = target.client("iam"), f"deploy-{delivery.account.id}"
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=documents[1])
    return arn


def test_a_given_revision_is_built_instead_of_the_newest(delivery: Delivery, account: Account) -> None:
    first = account.client("codecommit").get_branch(repositoryName=delivery.repository, branchName="main")["branch"][
        "commitId"
    ]
    delivery.commit({"new": "x"})
    pipeline = delivery.create(stage("Approve", approval()))
    revision = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": first}
    delivery.client.start_pipeline_execution(name=pipeline, sourceRevisions=[revision])
    until(lambda: delivery.executions(pipeline)[1]["sourceRevisions"])
    newest, chosen = (execution["sourceRevisions"][0]["revisionId"] for execution in delivery.executions(pipeline))
    assert (newest != first, chosen) == (True, first)


def test_executions_stages_and_actions_tell_of_themselves(delivery: Delivery, account: Account) -> None:
    names = [f"CodePipeline {part} Execution State Change" for part in ("Pipeline", "Stage", "Action")]
    inbox = Inbox(account, {"source": ["aws.codepipeline"], "detail-type": names})
    pipeline = delivery.create(stage("Approve", approval()))
    decide(delivery, pipeline, "Approve", delivery.token(pipeline, "Approve"))
    assert delivery.finished(pipeline) == "Succeeded"
    told = [(event.get("stage"), event.get("action"), event["state"]) for event in inbox.at_least(10)]
    assert told == [
        (None, None, "STARTED"),
        ("Source", None, "STARTED"),
        ("Source", "Source", "STARTED"),
        ("Source", "Source", "SUCCEEDED"),
        ("Source", None, "SUCCEEDED"),
        ("Approve", None, "STARTED"),
        ("Approve", "Approve", "STARTED"),
        ("Approve", "Approve", "SUCCEEDED"),
        ("Approve", None, "SUCCEEDED"),
        (None, None, "SUCCEEDED"),
    ]
    source = next(
        event for event in inbox.details() if event.get("action") == "Source" and event["state"] == "SUCCEEDED"
    )
    key = source["output-artifacts"][0]["s3location"]["key"]
    assert key.startswith(f"{pipeline[:20]}/Source/")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"pipelineType": "V1"}, "needs a pipeline of type V2"),
        ({"stages": []}, "at least two stages"),
    ],
)
def test_a_declaration_that_aws_would_refuse_is_refused(delivery: Delivery, change: dict[str, Any], says: str) -> None:
    document = {**delivery.declaration(stage("Approve", approval())), **change}
    with pytest.raises(delivery.client.exceptions.ClientError, match=says):
        delivery.client.create_pipeline(pipeline=document)


def test_an_input_that_nobody_makes_is_refused(delivery: Delivery) -> None:
    document = delivery.declaration(stage("Build", build("Build", "p", inputs=["Missing"])))
    with pytest.raises(
        delivery.client.exceptions.InvalidStructureException, match="no earlier action has the output Missing"
    ):
        delivery.client.create_pipeline(pipeline=document)


def test_what_the_engine_cannot_do_is_refused(delivery: Delivery) -> None:
    odd = action("Odd", "CodeDeploy", category="Deploy", inputs=["Source"])
    with pytest.raises(delivery.client.exceptions.InvalidActionDeclarationException, match="not part of the rehearsal"):
        delivery.client.create_pipeline(pipeline=delivery.declaration(stage("Deploy", odd)))


def test_a_stack_makes_a_pipeline_that_runs_once(delivery: Delivery, account: Account) -> None:
    capital = _capital(
        delivery.declaration(stage("Approve", approval(), **only_if("#{SourceVars.BranchName}", "NE", "x")))
    )
    template = {"Resources": {"P": {"Type": "AWS::CodePipeline::Pipeline", "Properties": capital}}}
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="p", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    pipeline = capital["Name"]
    delivery.token(pipeline, "Approve")
    [execution] = delivery.executions(pipeline)
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    capital["Stages"][1]["Name"] = "Renamed"
    cloudformation.update_stack(StackName="p", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    assert delivery.client.get_pipeline(name=pipeline)["pipeline"]["version"] == 2
    assert len(delivery.executions(pipeline)) == 1
    cloudformation.delete_stack(StackName="p")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    assert delivery.client.list_pipelines()["pipelines"] == []


def _capital(value: Any, key: str = "") -> Any:
    """An API's document as a template writes it."""
    if key == "configuration":
        return value
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: _capital(item, name) for name, item in value.items()}
    return [_capital(item) for item in value] if isinstance(value, list) else value
