"""The API of CodePipeline. Shapes are those of botocore's model of 2015-07-09.

Webhooks, custom action types and rollbacks of stages are not there.
"""

import copy
import time
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.codepipeline import declaration, engine, executions, gates, views
from rehearsal.emulator.codepipeline.executions import FAILED, STOPPING, Execution
from rehearsal.emulator.service import AwsError, Service, Store, account, caller, region, tag_finders

Request = dict[str, Any]

codepipeline = Service("codepipeline", target="CodePipeline_20150709")
pipelines: Store[Request] = Store("pipelines")
_tokens: Store[str] = Store("tokens")


def find(name: str) -> Request:
    """What is known of a pipeline: declaration, metadata, tags. Raises AwsError."""
    record = pipelines.get(name)
    if record is None:
        raise AwsError("PipelineNotFoundException", f"Account {account()} does not have a pipeline with name {name}")
    return record


def arn_of(name: str) -> str:
    """A pipeline's ARN."""
    return f"arn:aws:codepipeline:{region()}:{account()}:{name}"


@codepipeline.operation
def create_pipeline(request: Request) -> Request:
    """Make a pipeline, which runs once at once."""
    document = {"executionMode": "SUPERSEDED", "pipelineType": "V1", **request["pipeline"], "version": 1}
    pipeline = declaration.parse(document)
    now = time.time()
    record = {"pipeline": document, "created": now, "updated": now, "tags": request.get("tags", [])}
    if pipelines.setdefault(pipeline.name, record) is not record:
        raise AwsError("PipelineNameInUseException", f"A pipeline with the name {pipeline.name} already exists")
    if all(value is not None for value in pipeline.variables.values()):
        engine.start(pipeline, 1, {"triggerType": "CreatePipeline", "triggerDetail": caller()})
    return {"pipeline": document, "tags": record["tags"]}


@codepipeline.operation
def update_pipeline(request: Request) -> Request:
    """Change a pipeline; executions under way go on as they were, and no new one starts."""
    record = find(request["pipeline"]["name"])
    version = record["pipeline"]["version"] + 1
    document = {"executionMode": "SUPERSEDED", "pipelineType": "V1", **request["pipeline"], "version": version}
    declaration.parse(document)
    record["pipeline"], record["updated"] = document, time.time()
    return {"pipeline": document}


@codepipeline.operation
def get_pipeline(request: Request) -> Request:
    """The declaration."""
    record = find(request["name"])
    metadata = {"pipelineArn": arn_of(request["name"]), "created": record["created"], "updated": record["updated"]}
    return {"pipeline": copy.deepcopy(record["pipeline"]), "metadata": metadata}


@codepipeline.operation
def list_pipelines(request: Request) -> Request:
    """Names and versions."""
    kept = ("name", "version", "pipelineType", "executionMode")
    return {
        "pipelines": [
            {
                **{key: record["pipeline"][key] for key in kept},
                "created": record["created"],
                "updated": record["updated"],
            }
            for record in pipelines.values()
        ]
    }


@codepipeline.operation
def delete_pipeline(request: Request) -> Request:
    """Remove a pipeline with what is known of its executions, which end."""
    pipelines.pop(request["name"])
    for execution in executions.of(request["name"]):
        if not execution.done:
            engine.stop(execution, abandon=True, reason="The pipeline was deleted")
        executions.executions.pop(execution.id)
    gates.forget(request["name"])
    for name in _tokens:
        if name.startswith(_token(request["name"], "")):
            _tokens.pop(name)
    return {}


@codepipeline.operation
def start_pipeline_execution(request: Request) -> Request:
    """Start an execution; of two starts with one token, the second only tells about the first."""
    record = find(request["name"])
    token = request.get("clientRequestToken", "")
    known = _tokens.get(_token(request["name"], token)) if token else None
    if known:
        return {"pipelineExecutionId": known}
    pipeline = declaration.parse(record["pipeline"])
    given = {entry["name"]: entry["value"] for entry in request.get("variables") or []}
    revisions = {entry["actionName"]: entry["revisionValue"] for entry in request.get("sourceRevisions") or []}
    trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": caller()}
    execution = engine.start(pipeline, record["pipeline"]["version"], trigger, given, revisions)
    if token:
        _tokens[_token(request["name"], token)] = execution.id
    return {"pipelineExecutionId": execution.id}


def _token(pipeline: str, token: str) -> str:
    """The name of a start among those that are known."""
    return f"{pipeline} {token}"


@codepipeline.operation
def stop_pipeline_execution(request: Request) -> Request:
    """End an execution after the actions under way, or with `abandon` at once."""
    find(request["pipelineName"])
    execution = executions.find(request["pipelineName"], request["pipelineExecutionId"])
    abandon = bool(request.get("abandon"))
    if execution.done:
        raise AwsError("PipelineExecutionNotStoppableException", f"The execution is {execution.status}")
    if execution.status == STOPPING and not abandon:
        raise AwsError("DuplicatedStopRequestException", "The execution is stopping already")
    engine.stop(execution, abandon, request.get("reason", ""))
    return {"pipelineExecutionId": execution.id}


@codepipeline.operation
def retry_stage_execution(request: Request) -> Request:
    """Go on with a failed stage, unless another execution has entered it since."""
    name, stage = request["pipelineName"], request["stageName"]
    execution = executions.find(name, request["pipelineExecutionId"])
    execution.pipeline.stage(stage)
    run = execution.stages.get(stage)
    if run is None or run.status != FAILED or not execution.done:
        raise AwsError("StageNotRetryableException", f"Stage {stage} of {execution.id} has not failed")
    if any(stage in other.stages and other.number > execution.number for other in executions.of(name)):
        raise AwsError("NotLatestPipelineExecutionException", f"Another execution has entered {stage} since")
    engine.retry(execution, stage, every_action=request["retryMode"] == "ALL_ACTIONS")
    return {"pipelineExecutionId": execution.id}


@codepipeline.operation
def get_pipeline_execution(request: Request) -> Request:
    """One execution."""
    find(request["pipelineName"])
    return {
        "pipelineExecution": views.execution(executions.find(request["pipelineName"], request["pipelineExecutionId"]))
    }


@codepipeline.operation
def list_pipeline_executions(request: Request) -> Request:
    """All executions, newest first."""
    find(request["pipelineName"])
    found = [views.listed(execution) for execution in reversed(executions.of(request["pipelineName"]))]
    page, token = _page(found, request)
    return {"pipelineExecutionSummaries": page, **token}


@codepipeline.operation
def list_action_executions(request: Request) -> Request:
    """All runs of actions, newest first."""
    find(request["pipelineName"])
    wanted = (request.get("filter") or {}).get("pipelineExecutionId")
    chosen = [execution for execution in executions.of(request["pipelineName"]) if wanted in (None, execution.id)]
    found = [views.action(execution, run) for execution in reversed(chosen) for run in reversed(execution.history)]
    page, token = _page(found, request)
    return {"actionExecutionDetails": page, **token}


def _page(found: list[Request], request: Request) -> tuple[list[Request], Request]:
    start = int(request.get("nextToken") or 0)
    end = start + int(request.get("maxResults") or 100)
    return found[start:end], {"nextToken": str(end)} if end < len(found) else {}


@codepipeline.operation
def get_pipeline_state(request: Request) -> Request:
    """Every stage with the execution that entered it last."""
    record = find(request["name"])
    pipeline = declaration.parse(record["pipeline"])
    found = executions.of(request["name"])
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": record["pipeline"]["version"],
        "created": record["created"],
        "updated": record["updated"],
        "stageStates": [views.stage(stage, pipeline.name, found) for stage in pipeline.stages],
    }


@codepipeline.operation
def put_approval_result(request: Request) -> Request:
    """A person's decision."""
    pipeline = declaration.parse(find(request["pipelineName"])["pipeline"])
    pipeline.stage(request["stageName"])
    run = _awaiting(request)
    if run.decision:
        raise AwsError("ApprovalAlreadyCompletedException", "The approval action has already been approved or rejected")
    run.decision = {**request["result"], "by": caller()}
    gates.wake()
    return {"approvedAt": time.time()}


def _awaiting(request: Request) -> executions.ActionRun:
    """The action that waits with this token. Raises AwsError."""
    for execution in executions.of(request["pipelineName"]):
        run = _run(execution, request["stageName"], request["actionName"])
        if run and run.token == request["token"] and not execution.done:
            return run
    raise AwsError("InvalidApprovalTokenException", "No approval waits with this token")


def _run(execution: Execution, stage: str, action: str) -> executions.ActionRun | None:
    return execution.stages[stage].actions.get(action) if stage in execution.stages else None


@codepipeline.operation
def disable_stage_transition(request: Request) -> Request:
    """Let nobody into a stage."""
    declaration.parse(find(request["pipelineName"])["pipeline"]).stage(request["stageName"])
    door = gates.door(request["pipelineName"], request["stageName"])
    gates.closed[door] = gates.Transition(request["reason"], caller())
    return {}


@codepipeline.operation
def enable_stage_transition(request: Request) -> Request:
    """Let those who wait into a stage."""
    declaration.parse(find(request["pipelineName"])["pipeline"]).stage(request["stageName"])
    gates.closed.pop(gates.door(request["pipelineName"], request["stageName"]))
    gates.wake()
    return {}


@codepipeline.operation
def tag_resource(request: Request) -> Request:
    """Add tags."""
    record = find(request["resourceArn"].rpartition(":")[2])
    new = {tag["key"] for tag in request["tags"]}
    record["tags"] = [tag for tag in record["tags"] if tag["key"] not in new] + request["tags"]
    return {}


@codepipeline.operation
def untag_resource(request: Request) -> Request:
    """Remove tags."""
    record = find(request["resourceArn"].rpartition(":")[2])
    record["tags"] = [tag for tag in record["tags"] if tag["key"] not in request["tagKeys"]]
    return {}


@codepipeline.operation
def list_tags_for_resource(request: Request) -> Request:
    """The tags of one."""
    return {"tags": find(request["resourceArn"].rpartition(":")[2])["tags"]}


@tag_finders.append
def _tags_of(arn: str) -> dict[str, str] | None:
    """The tags of a pipeline, its stages and actions, for conditions on aws:ResourceTag."""
    _, _, service, place, owner, name = arn.split(":", 5)
    if service != "codepipeline":
        return None
    with seams.scope(owner, place):
        record = pipelines.get(name.partition("/")[0])
        return {tag["key"]: tag["value"] for tag in record["tags"]} if record else None
