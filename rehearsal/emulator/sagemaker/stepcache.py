"""Step caching: a step whose own attributes have not changed takes over the results of an earlier execution.

Only steps with CacheConfig.Enabled, only within a pipeline and a step's name, only successful runs not older than
ExpireAfter. Attributes: "Default cache key attributes by pipeline step type" in the developer guide.
"""

import hashlib
import json
import re

from rehearsal.emulator.sagemaker.resources import Document, now
from rehearsal.emulator.service import Store

_TRAINING = ("AlgorithmSpecification", "CheckpointConfig", "DebugHookConfig", "Environment", "HyperParameters")
_ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (*_TRAINING, "InputDataConfig"),
    "Tuning": ("HyperParameterTuningJobConfig", "TrainingJobDefinition"),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}
_SECONDS = {"Y": 365 * 86400, "M": 30 * 86400, "W": 7 * 86400, "D": 86400, "TH": 3600, "TM": 60, "TS": 1}
_kept: Store[Document] = Store("kept")


def find(step: Document, execution: Document) -> Document | None:
    """What `keep` kept for the same attributes, unless it expired."""
    config = step.get("CacheConfig") or {}
    entry = _kept.get(_key(step, execution)) if config.get("Enabled") else None
    return entry if entry and now() - entry["Time"] <= lifetime(config.get("ExpireAfter")) else None


def keep(step: Document, execution: Document, arn: str, properties: Document) -> None:
    """Keep the results of a successful job."""
    source = execution["PipelineExecutionArn"]
    _kept[_key(step, execution)] = {"Time": now(), "Execution": source, "Arn": arn, "Properties": properties}


def _key(step: Document, execution: Document) -> str:
    chosen = {name: step["Arguments"].get(name) for name in _ATTRIBUTES[step["Type"]]}
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()
    return f"{execution['PipelineArn']} {step['Name']} {digest}"


def lifetime(text: str | None) -> float:
    """Seconds of an ISO 8601 duration (P30D, PT1H) or of AWS's shorter form (30d); for ever without one."""
    if not text:
        return float("inf")
    day, _, time = text.upper().removeprefix("P").partition("T")
    parts = [(unit, int(number)) for number, unit in re.findall(r"(\d+)([A-Z])", day)]
    parts += [(f"T{unit}", int(number)) for number, unit in re.findall(r"(\d+)([A-Z])", time)]
    return float(sum(number * _SECONDS[unit] for unit, number in parts))
