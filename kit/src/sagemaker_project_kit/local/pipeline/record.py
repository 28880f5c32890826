"""What happened in a run, as data: runs/<time>/ with execution.json, the definition, the parameters, logs and links.

execution.json is replaced whole at every change, so that a run killed at any moment leaves a readable file; a report
needs nothing else. Its names are those of DescribePipelineExecution and ListPipelineExecutionSteps where AWS has one.
If the disk has no room for it the run goes on and says so once.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.jobs.job import Properties, arn, outputs, tail
from sagemaker_project_kit.local.pipeline.definition import Definition, Node
from sagemaker_project_kit.local.state.atomic import now, replace_link, replace_text, to_json
from sagemaker_project_kit.local.state.storage import Storage

WAITING, EXECUTING, SUCCEEDED, FAILED = "Waiting", "Executing", "Succeeded", "Failed"
STOPPED, SKIPPED = "Stopped", "Skipped"


@dataclass
class StepRecord:
    """One step's state. Waiting and Skipped (in a branch not taken) are ours; the other states are AWS's."""

    name: str
    type: str
    parent: str | None
    branch: str | None
    log: Path
    status: str = WAITING
    start_time: str = ""
    end_time: str = ""
    begun: float = 0.0
    seconds: float = 0.0
    source_arn: str = ""
    failure: str = ""
    note: str = ""
    properties: Properties = field(default_factory=dict)

    @property
    def cached(self) -> bool:
        """Whether its results are those of an earlier run."""
        return bool(self.source_arn)

    def elapsed(self) -> float:
        """Seconds it took, or has taken so far."""
        return time.monotonic() - self.begun if self.status == EXECUTING else self.seconds

    def start(self) -> None:
        """It runs from now on."""
        self.status, self.start_time, self.begun = EXECUTING, now(), time.monotonic()

    def end(self, status: str, failure: str = "") -> None:
        """It has ended."""
        self.seconds = self.elapsed()
        self.status, self.failure, self.end_time = status, failure, now()


class RunRecord:
    """A run's folder and the state of its execution."""

    def __init__(self, folder: Path, header: Mapping[str, Any], definition: Definition, storage: Storage) -> None:
        self.folder = folder
        self.header = dict(header)
        self.status = EXECUTING
        self.failure = ""
        self.package: Mapping[str, Any] = {}
        self.gate: Mapping[str, Any] = {}
        self.property_files: dict[str, str] = {}
        self.steps = {name: _step_record(node, folder) for name, node in definition.nodes.items()}
        self._storage = storage
        self._started, self._begun, self._ended = now(), time.monotonic(), ""
        self._disk_reported = False

    @property
    def path(self) -> Path:
        """The execution.json of this run."""
        return self.folder / "execution.json"

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return time.monotonic() - self._begun

    def failed_steps(self) -> list[StepRecord]:
        """The steps that failed (not those that were stopped because another one did)."""
        return [step for step in self.steps.values() if step.status == FAILED]

    def finish(self, status: str, failure: str = "") -> None:
        """The execution has ended."""
        self.status, self.failure, self._ended = status, failure, now()
        self.save()

    def link_outputs(self, step: StepRecord) -> None:
        """Links in the run's folder to what a step stored: outputs/<Step>/<output>."""
        for name, uri in outputs(step.type, step.properties).items():
            target = self._storage.path(uri)
            if target.exists():
                suffix = "".join(target.suffixes) if target.is_file() else ""
                replace_link(self.folder / "outputs" / step.name / f"{name}{suffix}", target.resolve())

    def save(self) -> None:
        """Replace execution.json by the present state."""
        try:
            replace_text(self.path, to_json(self.document()))
        except OSError as error:
            if not self._disk_reported:
                print(f"local: cannot write {self.path}: {error.strerror}; the run goes on without", file=sys.stderr)
            self._disk_reported = True

    def document(self) -> dict[str, Any]:
        """The content of execution.json."""
        return {
            **self.header,
            "PipelineExecutionStatus": self.status,
            "FailureReason": self.failure,
            "StartTime": self._started,
            "EndTime": self._ended,
            "Seconds": round(self.seconds, 3),
            "Steps": [self._step(step) for step in self.steps.values()],
            "ModelPackage": dict(self.package),
            "Gate": dict(self.gate),
            "PropertyFiles": self.property_files,
        }

    def _step(self, step: StepRecord) -> dict[str, Any]:
        stored = outputs(step.type, step.properties) if step.properties else {}
        return {
            "StepName": step.name,
            "StepType": step.type,
            "StepStatus": step.status,
            "Condition": step.parent,
            "Branch": step.branch,
            "StartTime": step.start_time,
            "EndTime": step.end_time,
            "Seconds": round(step.elapsed(), 3),
            "Cached": step.cached,
            **({"CacheHitResult": {"SourcePipelineExecutionArn": step.source_arn}} if step.cached else {}),
            "FailureReason": step.failure,
            "LogTail": tail(step.log) if step.status == FAILED else [],
            "Log": str(step.log.relative_to(self.folder)) if step.log.exists() else "",
            "Outputs": {name: {"S3Uri": uri, "Path": str(self._storage.path(uri))} for name, uri in stored.items()},
            "Metrics": _metrics(step.properties),
            **{key: step.properties[key] for key in _KEPT if key in step.properties},
        }


# What a report may want of a step's properties, as the Describe… calls name it.
_KEPT = (
    "ProcessingJobName",
    "TrainingJobName",
    "HyperParameters",
    "HyperParameterTuningJobName",
    "BestTrainingJob",
    "TrainingJobSummaries",
    "TransformJobName",
    "ModelName",
    "ModelPackageArn",
    "Outcome",
    "OutputParameters",
)


def _step_record(node: Node, folder: Path) -> StepRecord:
    return StepRecord(node.name, node.type, node.parent, node.branch, folder / "logs" / f"{node.name}.log")


def _metrics(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "BestTrainingJob" in properties:
        return [properties["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]]
    return list(properties.get("FinalMetricDataList", []))


def new_folder(runs: Path) -> Path:
    """A new folder runs/<time>, with -2, -3 … for runs that start in the same second; runs/latest points to it."""
    moment = time.strftime("%Y-%m-%dT%H-%M-%S")
    number = 1
    while True:
        folder = runs / (moment if number == 1 else f"{moment}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        replace_link(runs / "latest", folder)
        return folder


def header(pipeline: str, execution_id: str, parameters: Mapping[str, Any], definition: Path) -> dict[str, Any]:
    """What is known of an execution before it starts."""
    return {
        "PipelineName": pipeline,
        "PipelineArn": arn("pipeline", pipeline),
        "PipelineExecutionId": execution_id,
        "PipelineExecutionArn": f"{arn('pipeline', pipeline)}/execution/{execution_id}",
        "Definition": str(definition),
        "Parameters": dict(parameters),
    }
