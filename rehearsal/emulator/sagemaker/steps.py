"""What a step of a pipeline does, by type: which call it makes with the pipeline's role, and what it leaves."""

import json
from collections.abc import Callable
from typing import Any

from rehearsal.emulator.sagemaker import jobs, machine, stepcache
from rehearsal.emulator.sagemaker.expressions import Scope, evaluate, holds
from rehearsal.emulator.sagemaker.jobs import Kind
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.service import client, new_id, wait_for

Note = Callable[[Document], None]
_LONGEST_SECONDS = 24 * 3600.0


class StepFailedError(Exception):
    """A step failed; the text is its FailureReason."""


class StepStoppedError(Exception):
    """The job of a step was stopped."""


def own_part(step: Document) -> Document:
    """A step without the steps inside its branches."""
    arguments = step.get("Arguments") or {}
    return {
        **step,
        "Arguments": {key: value for key, value in arguments.items() if key not in ("IfSteps", "ElseSteps")},
    }


def perform(step: Document, scope: Scope, execution: Document, note: Note) -> Document:
    """Carry out a step and return its properties for later steps. Raises StepFailedError, StepStoppedError."""
    handler = _HANDLERS.get(step["Type"])
    if handler is None:
        raise StepFailedError(f"ClientError: a step of type {step['Type']} is not part of the rehearsal.")
    part = own_part(step)
    resolved = evaluate({key: value for key, value in part.items() if key != "PropertyFiles"}, scope)
    return handler(resolved, execution, note)


def _call(service: str, execution: Document) -> Any:
    return client(service, role=execution["RoleArn"], principal=machine.PRINCIPAL)


def _job(step: Document, execution: Document, note: Note) -> Document:
    kind, arguments = jobs.BY_STEP[step["Type"]], step["Arguments"]
    hit = stepcache.find(step, execution)
    if hit:
        note(
            {
                "CacheHitResult": {"SourcePipelineExecutionArn": hit["Execution"]},
                "Metadata": _metadata(kind, hit["Arn"]),
            }
        )
        return dict(hit["Properties"])
    name = _name(step, execution)
    request = {**arguments, kind.name: arguments.get(kind.name, name)}
    answer = getattr(_call("sagemaker", execution), _CREATE[kind.step])(**request)
    note({"Metadata": _metadata(kind, answer[kind.arn])})
    job = jobs.find(kind, request[kind.name])
    wait_for(lambda: job[kind.status] in jobs.ENDED, _LONGEST_SECONDS)
    _require_completed(kind, job)
    properties = jobs.describe(kind, {kind.name: job[kind.name]})
    stepcache.keep(step, execution, job[kind.arn], properties)
    return properties


_CREATE = {
    "Processing": "create_processing_job",
    "Training": "create_training_job",
    "Tuning": "create_hyper_parameter_tuning_job",
    "Transform": "create_transform_job",
}


def _name(step: Document, execution: Document) -> str:
    """As Pipelines names jobs: pipelines-<execution id>-<step>-<random>; a tuning job's has 32 characters at most."""
    limit = 32 if step["Type"] == "Tuning" else 63
    ending = f"-{new_id(length=10)}"
    start = f"pipelines-{execution['PipelineExecutionArn'].rpartition('/')[2]}-{step['Name']}"
    return start[: limit - len(ending)].rstrip("-") + ending


def _metadata(kind: Kind, arn: str) -> Document:
    return {"TuningJob" if kind is jobs.TUNING else kind.noun: {"Arn": arn}}


def _require_completed(kind: Kind, job: Document) -> None:
    if job[kind.status] == "Stopped":
        raise StepStoppedError
    if job[kind.status] != "Completed":
        raise StepFailedError(f"{job.get('FailureReason', kind.title + ' failed')}")


def _condition(step: Document, execution: Document, note: Note) -> Document:
    outcome = all(holds(condition) for condition in step["Arguments"]["Conditions"])
    note({"Metadata": {"Condition": {"Outcome": "True" if outcome else "False"}}})
    return {"Outcome": outcome}


def _fail(step: Document, execution: Document, note: Note) -> Document:
    message = str(step["Arguments"].get("ErrorMessage", ""))
    note({"Metadata": {"Fail": {"ErrorMessage": message}}})
    raise StepFailedError(message)


def _register(step: Document, execution: Document, note: Note) -> Document:
    sagemaker = _call("sagemaker", execution)
    generated = {"GeneratedBy": execution["PipelineExecutionArn"]}
    request = {
        **step["Arguments"],
        "MetadataProperties": generated | (step["Arguments"].get("MetadataProperties") or {}),
    }
    arn = sagemaker.create_model_package(**request)["ModelPackageArn"]
    note({"Metadata": {"RegisterModel": {"Arn": arn}}})
    return {**step["Arguments"], "ModelPackageArn": arn}


def _model(step: Document, execution: Document, note: Note) -> Document:
    name = _name(step, execution)
    arn = _call("sagemaker", execution).create_model(**{"ModelName": name, **step["Arguments"]})["ModelArn"]
    note({"Metadata": {"Model": {"Arn": arn}}})
    return {"ModelName": name, **step["Arguments"], "ModelArn": arn}


def _lambda(step: Document, execution: Document, note: Note) -> Document:
    answer = _call("lambda", execution).invoke(FunctionName=step["FunctionArn"], Payload=json.dumps(step["Arguments"]))
    result = json.loads(answer["Payload"].read() or b"null")
    if answer.get("FunctionError"):
        raise StepFailedError(f"ClientError: {json.dumps(result)}")
    names = [entry["OutputName"] for entry in step.get("OutputParameters") or []]
    missing = [name for name in names if not isinstance(result, dict) or name not in result]
    if missing:
        raise StepFailedError(f"ClientError: the function's response lacks {', '.join(missing)}")
    outputs = [{"Name": name, "Value": str(result[name])} for name in names]
    note({"Metadata": {"Lambda": {"Arn": step["FunctionArn"], "OutputParameters": outputs}}})
    return {"OutputParameters": {name: result[name] for name in names}}


_HANDLERS: dict[str, Callable[[Document, Document, Note], Document]] = {
    **dict.fromkeys(jobs.BY_STEP, _job),
    "Condition": _condition,
    "Fail": _fail,
    "RegisterModel": _register,
    "Model": _model,
    "Lambda": _lambda,
}
