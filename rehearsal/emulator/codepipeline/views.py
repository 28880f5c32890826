"""Executions as the API of CodePipeline tells them."""

from typing import Any

from rehearsal.emulator.codepipeline import gates
from rehearsal.emulator.codepipeline.declaration import Action, Stage
from rehearsal.emulator.codepipeline.executions import ActionRun, Artifact, Execution, StageRun

Document = dict[str, Any]


def _kept(document: Document) -> Document:
    return {key: value for key, value in document.items() if value not in (None, "", {})}


def execution(found: Execution) -> Document:
    """GetPipelineExecution."""
    return {
        **summary(found),
        "pipelineName": found.pipeline.name,
        "pipelineVersion": found.version,
        "artifactRevisions": [_revision(artifact) for artifact in _sources(found)],
        "variables": [{"name": name, "resolvedValue": value} for name, value in found.variables.items()],
    }


def summary(found: Execution) -> Document:
    """What both GetPipelineExecution and ListPipelineExecutions tell."""
    return _kept(
        {
            "pipelineExecutionId": found.id,
            "status": found.status,
            "statusSummary": found.status_summary,
            "trigger": found.trigger,
            "executionMode": found.pipeline.mode,
            "executionType": "STANDARD",
        }
    )


def listed(found: Execution) -> Document:
    """ListPipelineExecutions."""
    revisions = [
        _kept(
            {
                "actionName": run.action.name,
                "revisionId": artifact.revision,
                "revisionSummary": artifact.summary,
                "revisionUrl": artifact.url,
            }
        )
        for run in found.history
        if run.action.category == "Source"
        for artifact in run.outputs
    ]
    times = {"startTime": found.begun, "lastUpdateTime": found.changed}
    return {**summary(found), **times, "sourceRevisions": revisions}


def _sources(found: Execution) -> list[Artifact]:
    return [artifact for run in found.history if run.action.category == "Source" for artifact in run.outputs]


def _revision(artifact: Artifact) -> Document:
    return _kept(
        {
            "name": artifact.name,
            "revisionId": artifact.revision,
            "revisionSummary": artifact.summary,
            "revisionUrl": artifact.url,
        }
    )


def stage(declared: Stage, pipeline: str, found: list[Execution]) -> Document:
    """One stage in GetPipelineState: of the execution that entered it last."""
    inside = [execution for execution in found if declared.name in execution.stages]
    latest = max(inside, key=lambda execution: execution.stages[declared.name].entered, default=None)
    waiting = [execution for execution in found if execution.waiting == declared.name and not execution.done]
    run = latest.stages[declared.name] if latest else None
    inbound = [{"pipelineExecutionId": execution.id, "status": execution.status} for execution in waiting]
    return _kept(
        {
            "stageName": declared.name,
            "inboundExecutions": inbound or None,
            "inboundExecution": inbound[-1] if inbound else None,
            "inboundTransitionState": _transition(pipeline, declared.name),
            "actionStates": [_action_state(action, run) for action in declared.actions],
            "latestExecution": {"pipelineExecutionId": latest.id, "status": run.status} if latest and run else None,
            "beforeEntryConditionState": _conditions(run) if declared.conditions and run else None,
        }
    )


def _transition(pipeline: str, name: str) -> Document:
    closed = gates.closed.get(gates.door(pipeline, name))
    if closed is None:
        return {"enabled": True}
    return {"enabled": False, "disabledReason": closed.reason, "lastChangedBy": closed.changed_by}


def _conditions(run: StageRun) -> Document:
    states = [
        {
            "latestExecution": {"status": status, "summary": f"{result} if a rule does not hold"},
            "ruleStates": [
                {"ruleName": name, "latestExecution": {"status": "Succeeded" if holds else "Failed", "summary": text}}
                for name, holds, text in rules
            ],
        }
        for result, status, rules in run.conditions
    ]
    failed = any(status == "Failed" for _, status, _ in run.conditions)
    return {"latestExecution": {"status": "Failed" if failed else "Succeeded"}, "conditionStates": states}


def _action_state(declared: Action, stage_run: StageRun | None) -> Document:
    run = stage_run.actions.get(declared.name) if stage_run else None
    if run is None:
        return {"actionName": declared.name}
    revision = _current(run) if declared.category == "Source" and run.outputs else None
    return _kept({"actionName": declared.name, "currentRevision": revision, "latestExecution": _latest(run)})


def _current(run: ActionRun) -> Document:
    revision = run.outputs[0].revision
    return {"revisionId": revision, "revisionChangeId": revision, "created": run.changed}


def _latest(run: ActionRun) -> Document:
    return _kept(
        {
            "actionExecutionId": run.id,
            "status": run.status,
            "summary": run.summary,
            "lastStatusChange": run.changed,
            "token": run.token,
            "lastUpdatedBy": run.changed_by,
            "externalExecutionId": run.external_id,
            "externalExecutionUrl": run.external_url,
            "errorDetails": run.error,
        }
    )


def action(found: Execution, run: ActionRun) -> Document:
    """ListActionExecutions."""
    return {
        "pipelineExecutionId": found.id,
        "actionExecutionId": run.id,
        "pipelineVersion": found.version,
        "stageName": run.stage,
        "actionName": run.action.name,
        "startTime": run.begun,
        "lastUpdateTime": run.changed,
        "status": run.status,
        "input": _input(run),
        "output": _output(run),
    }


def _input(run: ActionRun) -> Document:
    return _kept(
        {
            "actionTypeId": run.action.type_id,
            "configuration": dict(run.action.configuration),
            "resolvedConfiguration": run.configuration,
            "roleArn": run.action.role,
            "region": run.action.region,
            "inputArtifacts": [_artifact(artifact) for artifact in run.inputs],
            "namespace": run.action.namespace,
        }
    )


def _output(run: ActionRun) -> Document:
    result = {
        "externalExecutionId": run.external_id,
        "externalExecutionSummary": run.error.get("message") or run.summary,
        "externalExecutionUrl": run.external_url,
        "errorDetails": run.error,
    }
    return {
        "outputArtifacts": [_artifact(artifact) for artifact in run.outputs],
        "executionResult": _kept(result),
        "outputVariables": run.variables,
    }


def _artifact(artifact: Artifact) -> Document:
    return {"name": artifact.name, "s3location": {"bucket": artifact.bucket, "key": artifact.key}}
