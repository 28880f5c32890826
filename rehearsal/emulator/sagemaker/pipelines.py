"""SageMaker pipelines: their definitions, given or in S3, each update a version."""

import json
from collections.abc import Callable
from typing import Any

from rehearsal.emulator.sagemaker import objects, sagemaker, tags
from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, not_found, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import Store, caller_client

pipelines: Store[Document] = Store("pipelines")
_KEPT = ("PipelineDisplayName", "PipelineDescription", "RoleArn", "ParallelismConfiguration")
_SUMMARY = ("PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "CreationTime")


def find(name: str) -> Document:
    """A pipeline by its name or ARN. Raises ResourceNotFound."""
    pipeline = pipelines.get(name.rpartition("/")[2].lower())
    if pipeline is None:
        raise not_found(f"Pipeline '{arn('pipeline', name.rpartition('/')[2])}' does not exist.")
    return pipeline


def _definition(request: Document) -> str:
    """The text of a definition. Raises ValidationException unless SageMaker could read it."""
    text = request.get("PipelineDefinition")
    if text is None:
        place = request["PipelineDefinitionS3Location"]
        found = caller_client("s3").get_object(Bucket=place["Bucket"], Key=place["ObjectKey"])
        text = found["Body"].read().decode()
    require_definition(text)
    return str(text)


def require_definition(text: str) -> None:
    """Raise ValidationException for what is no definition; names of steps must differ, and what they refer to exist."""
    try:
        document = json.loads(text)
        steps = list(flat(document["Steps"]))
        names = [step["Name"] for step in steps]
        types = [step["Type"] for step in steps]
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(f"Unable to parse pipeline definition. Invalid property or JSON: {error}") from None
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise invalid(f"Unable to parse pipeline definition. Duplicate step names: {', '.join(doubled)}")
    missing = sorted({name for step in steps for name in step.get("DependsOn") or []} - set(names))
    if missing or not types:
        raise invalid(f"Unable to parse pipeline definition. Steps that do not exist: {', '.join(missing) or 'all'}")


def flat(steps: list[Document]) -> list[Document]:
    """Every step, those inside the branches of conditions too, in reading order."""
    found: list[Document] = []
    for step in steps:
        found.append(step)
        if step["Type"] == "Condition":
            for branch in ("IfSteps", "ElseSteps"):
                found += flat(step["Arguments"].get(branch) or [])
    return found


def parameters(pipeline: Document, given: list[Document]) -> Document:
    """Values for an execution: the defaults and what was given, in the types declared. Raises ValidationException."""
    declared = json.loads(pipeline["PipelineDefinition"]).get("Parameters") or []
    values = {entry["Name"]: entry["Value"] for entry in given}
    unknown = sorted(set(values) - {entry["Name"] for entry in declared})
    if unknown:
        raise invalid(f"Unknown parameters [{', '.join(unknown)}] passed.")
    return {entry["Name"]: _value(entry, values.get(entry["Name"], entry.get("DefaultValue"))) for entry in declared}


def _value(declared: Document, raw: Any) -> Any:
    name, kind = declared["Name"], declared.get("Type", "String")
    if raw is None:
        raise invalid(f"Parameter [{name}] has no default value and must be passed.")
    if declared.get("EnumValues") and raw not in declared["EnumValues"]:
        raise invalid(f"Parameter [{name}] value [{raw}] is not one of {declared['EnumValues']}.")
    try:
        return _CONVERTERS[kind](raw)
    except (ValueError, KeyError):
        raise invalid(f"Parameter [{name}] value [{raw}] is not of type [{kind}].") from None


def _boolean(raw: Any) -> bool:
    return {"true": True, "false": False}[str(raw).lower()]


_CONVERTERS: dict[str, Callable[[Any], Any]] = {"Integer": int, "Float": float, "Boolean": _boolean, "String": str}


@operation
def create_pipeline(request: Document) -> Document:
    """A pipeline; PipelineDefinition or PipelineDefinitionS3Location."""
    name, moment = request["PipelineName"], now()
    if name.lower() in pipelines:
        raise invalid(
            "Pipeline names must be unique within an AWS account and region. "
            f"Pipeline with name ({name}) already exists."
        )
    pipeline = {
        **picked(request, _KEPT),
        "PipelineName": name,
        "PipelineArn": arn("pipeline", name),
        "PipelineDefinition": _definition(request),
        "PipelineStatus": "Active",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "Version": 1,
    }
    pipelines[name.lower()] = pipeline
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": pipeline["PipelineArn"], "Tags": request["Tags"]})
    return {"PipelineArn": pipeline["PipelineArn"]}


@operation
def update_pipeline(request: Document) -> Document:
    """What the request names changes; executions under way keep their definition."""
    pipeline = find(request["PipelineName"])
    changed = picked(request, _KEPT)
    if request.get("PipelineDefinition") or request.get("PipelineDefinitionS3Location"):
        changed |= {"PipelineDefinition": _definition(request), "Version": pipeline["Version"] + 1}
    pipeline |= changed | {"LastModifiedTime": now()}
    return {"PipelineArn": pipeline["PipelineArn"], "PipelineVersionId": pipeline["Version"]}


@operation
def describe_pipeline(request: Document) -> Document:
    """The pipeline as it is now."""
    return {key: value for key, value in find(request["PipelineName"]).items() if key != "Version"}


@operation
def list_pipelines(request: Document) -> Document:
    """Summaries; PipelineNamePrefix filters."""
    prefix = str(request.get("PipelineNamePrefix") or "").lower()
    fitting = [pipeline for name, pipeline in pipelines.items() if name.startswith(prefix)]
    members = (*_SUMMARY, "LastModifiedTime")
    found = selected(fitting, request, name="PipelineName", descending=True)
    return page("PipelineSummaries", [picked(pipeline, members) for pipeline in found], request)


@operation
def delete_pipeline(request: Document) -> Document:
    """Its executions can still be described by nobody: they go with it."""
    pipeline = find(request["PipelineName"])
    pipelines.pop(pipeline["PipelineName"].lower())
    tags.forget(pipeline["PipelineArn"])
    return {"PipelineArn": pipeline["PipelineArn"]}


def s3_text(s3: Any, uri: str) -> str:
    """The text of an object."""
    bucket, key = objects.split(uri)
    return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
