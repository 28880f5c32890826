"""SageMaker's step caching: a step whose own attributes have not changed takes over the results of an earlier run.

The rule is AWS's ("Default cache key attributes by pipeline step type" in the SageMaker developer guide): only steps
with CacheConfig.Enabled, only within the same pipeline and step, only successful runs, the newest within ExpireAfter.
Attributes hold addresses, not content, which is why the project's addresses carry content hashes. Two things are ours:
a hit also needs its outputs to be there still, and --no-cache looks nothing up (results are kept all the same).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.jobs.job import Properties, outputs
from sagemaker_project_kit.local.state.atomic import now, replace_text, to_json
from sagemaker_project_kit.local.state.storage import Storage

_TRAINING = ("AlgorithmSpecification", "HyperParameterRanges", "InputDataConfig", "StaticHyperParameters")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": (
        "AlgorithmSpecification",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "Environment",
        "HyperParameters",
        "InputDataConfig",
    ),
    "Tuning": (
        "HyperParameterTuningJobConfig",
        *(f"TrainingJobDefinition.{name}" for name in (*_TRAINING, "TuningObjective")),
    ),
    "Transform": ("DataProcessing", "Environment", "ModelName", "TransformInput"),
}
_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1}


def key(step_type: str, arguments: Mapping[str, Any]) -> str:
    """A hash of the attributes that decide, with every expression in them resolved."""
    chosen = {path: _attribute(arguments, path) for path in ATTRIBUTES[step_type]}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _attribute(arguments: Mapping[str, Any], path: str) -> Any:
    value: Any = arguments
    for name in path.split("."):
        value = (value or {}).get(name)
    return value


def lifetime(text: str | None) -> timedelta | None:
    """The time in an ISO 8601 duration (P30D, PT1H) or in AWS's shorter form (30d, T16m). None means for ever.

    Raises ValueError for another form.
    """
    if not text:
        return None
    match = _DURATION.fullmatch(text)
    parts = {name: int(value) for name, value in match.groupdict().items() if value} if match else {}
    if not parts:
        raise ValueError(f"CacheConfig.ExpireAfter {text!r} is not an ISO 8601 duration such as P30D or PT1H.")
    days = sum(parts.pop(name, 0) * count for name, count in _DAYS.items())
    return timedelta(days=days, **parts)


class Cache:
    """The newest successful result for each key, below <root>/<pipeline>/<step>/."""

    def __init__(self, root: Path, storage: Storage, *, look_up: bool = True) -> None:
        self._root = root
        self._storage = storage
        self._look_up = look_up

    def find(self, step: Mapping[str, Any], arguments: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What `store` kept for the same attributes, unless it expired or its outputs are gone."""
        if not self._look_up or not _enabled(step):
            return None
        path = self._path(step, arguments)
        try:
            entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        fresh = _fresh(entry["CompletedTime"], lifetime(step["CacheConfig"].get("ExpireAfter")))
        return entry if fresh and all(self._storage.exists(uri) for uri in entry["Outputs"].values()) else None

    def store(
        self, step: Mapping[str, Any], arguments: Mapping[str, Any], properties: Properties, execution_arn: str
    ) -> None:
        """Keep the result of a successful run, in one move."""
        if not _enabled(step):
            return
        stored = outputs(step["Type"], properties)
        entry = {
            "CompletedTime": now(),
            "PipelineExecutionArn": execution_arn,
            "Outputs": {name: uri for name, uri in stored.items() if self._storage.exists(uri)},
            "Properties": properties,
        }
        path = self._path(step, arguments)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, to_json(entry))

    def _path(self, step: Mapping[str, Any], arguments: Mapping[str, Any]) -> Path:
        return self._root / str(step["Name"]) / f"{key(step['Type'], arguments)}.json"


def _enabled(step: Mapping[str, Any]) -> bool:
    return step["Type"] in ATTRIBUTES and bool((step.get("CacheConfig") or {}).get("Enabled"))


def _fresh(completed: str, limit: timedelta | None) -> bool:
    return limit is None or datetime.now(UTC) - datetime.fromisoformat(completed) <= limit
