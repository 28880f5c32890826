"""Executions of pipelines and their steps, as data: start, stop, describe, list, and an event for each change of

engine.py runs them.
"""

import threading
from typing import Any

from rehearsal.emulator.sagemaker import engine, pipelines
from rehearsal.emulator.sagemaker.packages import iso
from rehearsal.emulator.sagemaker.resources import Document, invalid, not_found, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import Store, caller, emit, new_id, on_restore, spawn

executions: Store[Document] = Store("executions")
_tokens: Store[str] = Store("tokens")
_changing = threading.RLock()
ENDED = ("Succeeded", "Failed", "Stopped")
_KEPT = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
_OWN = ("Steps", "Parameters", "Definition", "RoleArn")
# "Pipeline step state change" writes the members of a step's metadata so.
_EVENT_METADATA = {"Arn": "arn", "Outcome": "outcome", "ErrorMessage": "errorMessage"}


@operation
def start_pipeline_execution(request: Document) -> Document:
    """An execution of the definition as it is now. The same ClientRequestToken starts nothing new."""
    pipeline = pipelines.find(request["PipelineName"])
    token = f"{pipeline['PipelineName']} {request['ClientRequestToken']}"
    values = pipelines.parameters(pipeline, request.get("PipelineParameters") or [])
    execution = _new(pipeline, values, request)
    arn = execution["PipelineExecutionArn"]
    if _tokens.setdefault(token, arn) != arn:
        return {"PipelineExecutionArn": _tokens[token]}
    executions[arn] = execution
    pipeline["LastRunTime"] = execution["CreationTime"]
    _announce(execution, None)
    spawn(engine.run, execution, change, change_step)
    return {"PipelineExecutionArn": arn}


def _new(pipeline: Document, values: Document, request: Document) -> Document:
    identifier, moment = new_id(length=12), now()
    return {
        **picked(request, _KEPT),
        "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName", f"execution-{int(moment * 1000)}"),
        "PipelineArn": pipeline["PipelineArn"],
        "PipelineExecutionArn": f"{pipeline['PipelineArn']}/execution/{identifier}",
        "PipelineExecutionStatus": "Executing",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "CreatedBy": {"IamIdentity": {"Arn": caller(), "PrincipalId": caller().rpartition("/")[2]}},
        "Steps": [],
        "Parameters": values,
        "Given": request.get("PipelineParameters") or [],
        "Definition": pipeline["PipelineDefinition"],
        "RoleArn": pipeline["RoleArn"],
    }


def find(arn: str) -> Document:
    """An execution. Raises ResourceNotFound."""
    execution = executions.get(arn)
    if execution is None:
        raise not_found(f"Pipeline execution '{arn}' does not exist.")
    return execution


def change(execution: Document, status: str, failure: str = "") -> None:
    """An execution's next status."""
    with _changing:
        before = execution["PipelineExecutionStatus"]
        if before in ENDED or before == status:
            return
        execution |= {"PipelineExecutionStatus": status, "LastModifiedTime": now()}
        if failure:
            execution["FailureReason"] = failure
    _announce(execution, before)


def change_step(execution: Document, step: Document, facts: Document) -> None:
    """Note facts about a step; a change of its status is told."""
    with _changing:
        before = step.get("StepStatus")
        step |= facts
        if step not in execution["Steps"]:
            execution["Steps"].append(step)
    if "StepStatus" in facts:
        _announce_step(execution, step, before)


@operation
def describe_pipeline_execution(request: Document) -> Document:
    """As it is now."""
    execution = find(request["PipelineExecutionArn"])
    return {key: value for key, value in execution.items() if key not in (*_OWN, "Given")}


@operation
def describe_pipeline_definition_for_execution(request: Document) -> Document:
    """The definition that the execution runs, whatever became of the pipeline."""
    execution = find(request["PipelineExecutionArn"])
    return {"PipelineDefinition": execution["Definition"], "CreationTime": execution["CreationTime"]}


@operation
def list_pipeline_parameters_for_execution(request: Document) -> Document:
    """What was given when it started."""
    return page("PipelineParameters", find(request["PipelineExecutionArn"])["Given"], request)


@operation
def list_pipeline_executions(request: Document) -> Document:
    """Of one pipeline, newest first unless asked otherwise."""
    arn = pipelines.find(request["PipelineName"])["PipelineArn"]
    own = [execution for execution in executions.values() if execution["PipelineArn"] == arn]
    found = selected(own, request, descending=True)
    return page("PipelineExecutionSummaries", [_summary(execution) for execution in found], request)


def _summary(execution: Document) -> Document:
    names = ("PipelineExecutionArn", "PipelineExecutionStatus", *_KEPT[:2])
    facts = picked(execution, names) | {"StartTime": execution["CreationTime"]}
    return facts | (
        {"PipelineExecutionFailureReason": execution["FailureReason"]} if "FailureReason" in execution else {}
    )


@operation
def list_pipeline_execution_steps(request: Document) -> Document:
    """The steps that have started, the latest first unless asked otherwise; branches not taken never appear."""
    with _changing:
        steps = [dict(step) for step in find(str(request.get("PipelineExecutionArn")))["Steps"]]
    shown = selected(steps, request, time_key="StartTime", descending=True)
    kept = [{key: value for key, value in step.items() if key != "StepType"} for step in shown]
    return page("PipelineExecutionSteps", kept, request)


@operation
def stop_pipeline_execution(request: Document) -> Document:
    """Ask the jobs under way to end and start no further step."""
    execution = find(request["PipelineExecutionArn"])
    if execution["PipelineExecutionStatus"] in ENDED:
        raise invalid(f"Pipeline execution in status {execution['PipelineExecutionStatus']} cannot be stopped.")
    change(execution, "Stopping")
    engine.stop(execution)
    return {"PipelineExecutionArn": execution["PipelineExecutionArn"]}


def _announce(execution: Document, before: str | None) -> None:
    """Shape: "Pipeline execution state change" of "Events that Amazon SageMaker AI sends to EventBridge"."""
    status = execution["PipelineExecutionStatus"]
    detail: dict[str, Any] = {
        "pipelineArn": execution["PipelineArn"],
        "pipelineExecutionArn": execution["PipelineExecutionArn"],
        "currentPipelineExecutionStatus": status,
        "executionStartTime": iso(execution["CreationTime"]),
        "pipelineExecutionDisplayName": execution["PipelineExecutionDisplayName"],
    }
    if before:
        detail["previousPipelineExecutionStatus"] = before
    if status in ENDED:
        detail["executionEndTime"] = iso(execution["LastModifiedTime"])
    _emit("Execution Status Change", detail)


def _announce_step(execution: Document, step: Document, before: str | None) -> None:
    """Shape: "Pipeline step state change" of the same page."""
    detail: dict[str, Any] = {
        "pipelineArn": execution["PipelineArn"],
        "pipelineExecutionArn": execution["PipelineExecutionArn"],
        "stepName": step["StepName"],
        "stepType": step["StepType"],
        "stepStartTime": iso(step["StartTime"]),
        "currentStepStatus": step["StepStatus"],
        "metadata": {_lower(kind): _event_metadata(facts) for kind, facts in (step.get("Metadata") or {}).items()},
    }
    if before:
        detail["previousStepStatus"] = before
    if "EndTime" in step:
        detail["stepEndTime"] = iso(step["EndTime"])
    if "FailureReason" in step:
        detail["failureReason"] = step["FailureReason"]
    if "CacheHitResult" in step:
        detail["cacheHitResult"] = {"sourcePipelineExecutionArn": step["CacheHitResult"]["SourcePipelineExecutionArn"]}
    _emit("Execution Step Status Change", detail)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _event_metadata(facts: Document) -> Document:
    return {_EVENT_METADATA.get(key, _lower(key)): value for key, value in facts.items()}


def _emit(title: str, detail: Document) -> None:
    resources = [detail["pipelineArn"], detail["pipelineExecutionArn"]]
    emit("aws.sagemaker", f"SageMaker Model Building Pipeline {title}", detail, resources)


@on_restore
def fail_interrupted() -> None:
    """What ran when the emulator ended did not end well."""
    for _, _, _, execution in executions.everywhere():
        if execution["PipelineExecutionStatus"] in ENDED:
            continue
        reason = {"FailureReason": "InternalServerError: the machine was lost."}
        execution |= {"PipelineExecutionStatus": "Failed", **reason}
        for step in execution["Steps"]:
            if step["StepStatus"] in ("Starting", "Executing", "Stopping"):
                step |= {"StepStatus": "Failed", "EndTime": now(), **reason}
