"""Asks the emulator for what the report shows. It adds to what earlier calls found, as the story ends with a deletion.

It reads as the root of each account, so that what it asks does not count as used by any role.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.host import Emulator
from rehearsal.report import grants
from rehearsal.report.facts import (
    ActionFact,
    ExecutionFact,
    Facts,
    GrantFact,
    IgnoredFact,
    PipelineFact,
    ResourceFact,
    RoleFact,
    StageFact,
)


class HasPipelines(Protocol):
    """The project, as far as it matters here."""

    @property
    def id(self) -> str: ...

    def pipeline(self, half: str) -> str: ...


def gather(facts: Facts, running: Emulator, project: HasPipelines) -> None:
    """Fill the facts. What the emulator cannot answer (it may be dead by now) stays as it was."""
    for fill in (_resources, _roles, _ignored):
        with suppress(ClientError, BotoCoreError, OSError):
            fill(facts, running)
    if project.id:
        with suppress(ClientError, BotoCoreError, OSError):
            _pipelines(facts, running, project)


def _resources(facts: Facts, running: Emulator) -> None:
    known = {(each.account, each.stack, each.logical_id): each for each in facts.resources}
    for account in sorted(set(facts.accounts.values())):
        clients = _clients(running, account, facts.region)
        for resource in _stack_resources(clients, account):
            known[resource.account, resource.stack, resource.logical_id] = resource
    facts.resources = list(known.values())


def _clients(running: Emulator, account: str, region: str) -> Callable[[str], Any]:
    return lambda service: running.client(service, account, region)


def _stack_resources(clients: Callable[[str], Any], account: str) -> Iterator[ResourceFact]:
    cloudformation = clients("cloudformation")
    for page in cloudformation.get_paginator("list_stacks").paginate():
        for stack in page["StackSummaries"]:
            if stack["StackStatus"] == "DELETE_COMPLETE":
                continue
            listed = cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
            for each in listed:
                yield _resource(clients, account, stack["StackName"], each)


def _resource(clients: Callable[[str], Any], account: str, stack: str, found: dict[str, Any]) -> ResourceFact:
    resource = ResourceFact(
        account, stack, found["LogicalResourceId"], found["ResourceType"], found.get("PhysicalResourceId", "")
    )
    with suppress(ClientError, KeyError, IndexError):
        resource.properties = _properties(clients, resource)
    return resource


def _properties(clients: Callable[[str], Any], resource: ResourceFact) -> dict[str, str]:
    """What of a resource has a price."""
    name = resource.physical_id.rsplit("/", 1)[-1]
    if resource.type == "AWS::SageMaker::Endpoint":
        endpoint = clients("sagemaker").describe_endpoint(EndpointName=name)
        config = clients("sagemaker").describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        variant, count = config["ProductionVariants"][0], endpoint["ProductionVariants"][0]
        resource.physical_id = name
        return {
            "InstanceType": variant["InstanceType"],
            "InstanceCount": str(count.get("CurrentInstanceCount") or variant["InitialInstanceCount"]),
        }
    if resource.type == "AWS::CodeBuild::Project":
        project = clients("codebuild").batch_get_projects(names=[name])["projects"][0]
        return {"ComputeType": project["environment"]["computeType"]}
    if resource.type == "AWS::CloudWatch::Alarm":
        alarm = clients("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        return {"Metrics": str(sum("MetricStat" in metric for metric in alarm.get("Metrics", [])) or 1)}
    return {}


def _roles(facts: Facts, running: Emulator) -> None:
    used = running.admin("used")
    denied = running.admin("denials")
    facts.roles = [_role(arn, record, denied) for arn, record in sorted(used.items())]


def _role(arn: str, record: Any, denied: Any) -> RoleFact:
    calls = record.get("used", {})
    counted = calls if isinstance(calls, dict) else dict.fromkeys(calls, 1)
    mine = [str(each.get("action", each)) for each in denied if isinstance(each, dict) and each.get("role") == arn]
    unused = [
        GrantFact(each["statement"], each["action"], grants.reason(arn, each["statement"], each["action"]))
        for each in record.get("unused", [])
    ]
    return RoleFact(arn, counted, unused, mine)


def _ignored(facts: Facts, running: Emulator) -> None:
    found = running.admin("ignored")
    facts.ignored = [IgnoredFact(kind, name) for kind, names in sorted(found.items()) for name in names]


def _pipelines(facts: Facts, running: Emulator, project: HasPipelines) -> None:
    client = running.client("codepipeline", facts.accounts["tooling"], facts.region)
    found = {each.name: each for each in facts.pipelines}
    for half in ("build", "deploy"):
        name = project.pipeline(half)
        with suppress(ClientError):
            found[name] = pipeline(client, name, datetime.fromisoformat(facts.started))
    facts.pipelines = list(found.values())


def pipeline(client: Any, name: str, began: datetime) -> PipelineFact:
    """A pipeline with the state of each action and everything that ran since `began`, newest first."""
    declared = client.get_pipeline(name=name)["pipeline"]
    states = {stage["stageName"]: stage for stage in client.get_pipeline_state(name=name)["stageStates"]}
    times = _times(client, name)
    stages = [_stage(stage, states.get(stage["name"], {}), times) for stage in declared["stages"]]
    listed = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return PipelineFact(name, stages, [_execution(each, began) for each in listed])


def _times(client: Any, name: str) -> dict[tuple[str, str], float]:
    """How long each action took the last time, by stage and action; the newest come first."""
    found: dict[tuple[str, str], float] = {}
    for each in client.list_action_executions(pipelineName=name)["actionExecutionDetails"]:
        took = _seconds(each.get("startTime"), each.get("lastUpdateTime"))
        found.setdefault((each["stageName"], each["actionName"]), took)
    return found


def _stage(declared: dict[str, Any], state: dict[str, Any], times: dict[tuple[str, str], float]) -> StageFact:
    latest = {each["actionName"]: each.get("latestExecution", {}) for each in state.get("actionStates", [])}
    took = {action: seconds for (stage, action), seconds in times.items() if stage == declared["name"]}
    actions = [
        _action(action, latest.get(action["name"], {}), took.get(action["name"], 0.0)) for action in declared["actions"]
    ]
    return StageFact(declared["name"], actions)


def _action(declared: dict[str, Any], latest: dict[str, Any], seconds: float) -> ActionFact:
    return ActionFact(
        name=declared["name"],
        kind=declared["actionTypeId"]["provider"],
        run_order=declared.get("runOrder", 1),
        status=latest.get("status", ""),
        seconds=seconds,
        account=declared.get("roleArn", "::::").split(":")[4],
        summary=latest.get("errorDetails", {}).get("message", "") or latest.get("summary", ""),
    )


def _execution(found: dict[str, Any], began: datetime) -> ExecutionFact:
    trigger = found.get("trigger", {})
    words = ", ".join(filter(None, [_caller(trigger.get("triggerDetail", "")), trigger.get("triggerType", "")]))
    return ExecutionFact(
        found["pipelineExecutionId"],
        found["status"],
        words,
        _seconds(found.get("startTime"), found.get("lastUpdateTime")),
        _seconds(began, found.get("startTime")),
    )


def _caller(detail: str) -> str:
    """Who started an execution: of a role's session, the role."""
    return detail.split("/")[1] if ":assumed-role/" in detail else detail


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0
