"""Model and RegisterModel steps: what a model is made of, written down. Neither copies nor opens the model itself."""

import json
from collections.abc import Mapping
from typing import Any

from sagemaker_project_kit.local.errors import ExecutionStopped, RegistryError, StepFailed
from sagemaker_project_kit.local.jobs.job import Job, Properties, arn
from sagemaker_project_kit.local.state.atomic import now, replace_text, to_json


def create(job: Job) -> Properties:
    """Run a Model step: keep its description under a new name, for Transform steps."""
    name = job.new_name()
    properties = {**job.arguments, "ModelName": name, "ModelArn": arn("model", name), "CreationTime": now()}
    _require_data(job, container(properties))
    job.runtime.models.mkdir(parents=True, exist_ok=True)
    replace_text(job.runtime.models / f"{name}.json", to_json(properties))
    return properties


def load(job: Job, name: str) -> dict[str, Any]:
    """The description of the model `name`. Raises StepFailed if no Model step made it."""
    path = job.runtime.models / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StepFailed(f"there is no model {name!r}: no Model step has made it on this machine") from None
    return content


def container(description: Mapping[str, Any]) -> Mapping[str, Any]:
    """The primary (or first) container of a Model step's arguments."""
    first: Mapping[str, Any] = description.get("PrimaryContainer") or (description.get("Containers") or [{}])[0]
    return first


def _require_data(job: Job, definition: Mapping[str, Any]) -> None:
    uri = definition.get("ModelDataUrl")
    if uri and not job.runtime.storage.exists(uri):
        raise StepFailed(f"the model data {uri} does not exist")


def register(job: Job) -> Properties:
    """Run a RegisterModel step: add the next version to its model package group."""
    for entry in (job.arguments.get("InferenceSpecification") or {}).get("Containers") or []:
        _require_data(job, entry)
    if job.runtime.children.stopping:
        raise ExecutionStopped
    generated = {"GeneratedBy": job.runtime.execution_arn}
    request = {**job.arguments, "MetadataProperties": generated | (job.arguments.get("MetadataProperties") or {})}
    try:
        return dict(job.runtime.registry.register(request).content)
    except RegistryError as error:
        raise StepFailed(str(error)) from error
