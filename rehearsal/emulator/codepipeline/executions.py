"""Executions of pipelines: what is known of each, its stages and actions, and the events about them."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.emulator.codepipeline.declaration import Action, Pipeline
from rehearsal.emulator.service import AwsError, Store, account, emit, region

Document = dict[str, Any]
IN_PROGRESS, SUCCEEDED, FAILED = "InProgress", "Succeeded", "Failed"
STOPPING, STOPPED, SKIPPED, SUPERSEDED, ABANDONED = "Stopping", "Stopped", "Skipped", "Superseded", "Abandoned"
FINAL = {SUCCEEDED, FAILED, STOPPED, SUPERSEDED}


@dataclass
class Artifact:
    """Where an artifact lies, and of which revision it was made."""

    name: str
    bucket: str
    key: str
    revision: str = ""
    summary: str = ""
    url: str = ""

    @property
    def location(self) -> Document:
        return {"name": self.name, "s3location": {"bucket": self.bucket, "key": self.key}}


@dataclass
class ActionRun:
    """One execution of an action."""

    stage: str
    action: Action
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = IN_PROGRESS
    begun: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    configuration: dict[str, str] = field(default_factory=dict)
    inputs: list[Artifact] = field(default_factory=list)
    outputs: list[Artifact] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    external_id: str = ""
    external_url: str = ""
    summary: str = ""
    token: str = ""
    error: dict[str, str] = field(default_factory=dict)
    decision: dict[str, str] = field(default_factory=dict)
    changed_by: str = ""


@dataclass
class StageRun:
    """One execution of a stage. `conditions`: (result, status, [(rule, holds, summary)])."""

    name: str
    status: str = IN_PROGRESS
    actions: dict[str, ActionRun] = field(default_factory=dict)
    conditions: list[tuple[str, str, list[tuple[str, bool, str]]]] = field(default_factory=list)
    entered: float = field(default_factory=time.time)


@dataclass
class Execution:
    """One execution of a pipeline, with the declaration as it was when it began."""

    id: str
    number: int
    pipeline: Pipeline
    version: int
    trigger: dict[str, str]
    variables: dict[str, str]
    revisions: dict[str, str] = field(default_factory=dict)  # source action → revision that it shall take
    status: str = IN_PROGRESS
    status_summary: str = ""
    stages: dict[str, StageRun] = field(default_factory=dict)
    history: list[ActionRun] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    waiting: str = ""  # the stage that it wants to enter
    position: int = 0  # the number of that stage
    attempt: int = 1

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{region()}:{account()}:{self.pipeline.name}"

    @property
    def done(self) -> bool:
        return self.status in FINAL

    def set_status(self, status: str, summary: str = "") -> None:
        """Change the state, and tell EventBridge."""
        self.status, self.status_summary, self.changed = status, summary or self.status_summary, time.time()
        announce_execution(self, status.upper())

    def scopes(self) -> Mapping[str, Mapping[str, str]]:
        """Every variable that an action may refer to."""
        return {
            **self.namespaces,
            "variables": self.variables,
            "codepipeline": {"PipelineExecutionId": self.id},
        }

    def set_action(self, run: ActionRun, status: str) -> None:
        """Change an action's state, and tell EventBridge."""
        run.status, run.changed = status, time.time()
        announce_action(self, run)


executions: Store[Execution] = Store("executions")


def find(pipeline: str, identifier: str) -> Execution:
    """An execution of a pipeline. Raises AwsError."""
    execution = executions.get(identifier)
    if execution is None or execution.pipeline.name != pipeline:
        raise AwsError("PipelineExecutionNotFoundException", f"{pipeline} has no execution {identifier}")
    return execution


def of(pipeline: str) -> list[Execution]:
    """The executions of a pipeline, oldest first."""
    found = [execution for execution in executions.values() if execution.pipeline.name == pipeline]
    return sorted(found, key=lambda execution: execution.number)


# Events: "Monitoring CodePipeline events",
# https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html

_STATES = {"INPROGRESS": "STARTED"}


def _detail(execution: Execution, state: str) -> Document:
    return {
        "pipeline": execution.pipeline.name,
        "execution-id": execution.id,
        "start-time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(execution.begun)),
        "state": _STATES.get(state, state),
        "version": float(execution.version),
        "pipeline-execution-attempt": float(execution.attempt),
    }


def announce_execution(execution: Execution, state: str) -> None:
    """An execution changed its state; `state` may also be RESUMED."""
    kind = execution.trigger
    trigger = {"trigger-type": kind["triggerType"], "trigger-detail": kind.get("triggerDetail", "")}
    detail = {**_detail(execution, state), "execution-trigger": trigger}
    emit("aws.codepipeline", "CodePipeline Pipeline Execution State Change", detail, [execution.arn])


def announce_stage(execution: Execution, stage: StageRun) -> None:
    """A stage changed its state."""
    detail = {**_detail(execution, stage.status.upper()), "stage": stage.name}
    emit("aws.codepipeline", "CodePipeline Stage Execution State Change", detail, [execution.arn])


def announce_action(execution: Execution, run: ActionRun) -> None:
    """An action changed its state."""
    result = {
        "external-execution-id": run.external_id,
        "external-execution-url": run.external_url,
        "external-execution-summary": run.error.get("message") or run.summary,
        "error-code": run.error.get("code", ""),
    }
    detail = {
        **_detail(execution, run.status.upper()),
        "stage": run.stage,
        "action": run.action.name,
        "action-execution-id": run.id,
        "region": run.action.region or region(),
        "type": run.action.type_id,
        "execution-result": {key: value for key, value in result.items() if value},
        "input-artifacts": [artifact.location for artifact in run.inputs],
        "output-artifacts": [artifact.location for artifact in run.outputs],
    }
    emit("aws.codepipeline", "CodePipeline Action Execution State Change", detail, [execution.arn])
