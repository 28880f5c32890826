"""What a step gets to run with, and how its name, its outputs and its failure are told. Runs nothing itself."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.jobs.processes import Children
from sagemaker_project_kit.local.state.atomic import token
from sagemaker_project_kit.local.state.registry import Registry
from sagemaker_project_kit.local.state.storage import Storage

ACCOUNT_ARN = "arn:aws:sagemaker:local:111111111111"
TAIL_LINES = 20
_FULL_DISK = ("No space left on device", "File too large", "Disk quota exceeded")

Properties = dict[str, Any]


@dataclass(frozen=True)
class Runtime:
    """What all steps of one execution share."""

    storage: Storage
    children: Children
    registry: Registry
    work: Path
    models: Path
    project: Path
    lambdas: Mapping[str, str]
    execution_id: str
    execution_arn: str
    cores: int


@dataclass(frozen=True)
class Job:
    """One step about to run: its definition, its arguments with every expression resolved, and its log file.

    `note` shows a short word on progress beside the step's name.
    """

    step: Mapping[str, Any]
    arguments: dict[str, Any]
    log: Path
    runtime: Runtime
    note: Callable[[str], None]

    @property
    def step_name(self) -> str:
        """The step's name in the definition."""
        return str(self.step["Name"])

    def new_name(self, limit: int = 63) -> str:
        """A job name as SageMaker Pipelines makes them: pipelines-<execution>-<step>-<random>."""
        ending = f"-{token()}"
        return f"pipelines-{self.runtime.execution_id}-{self.step_name}"[: limit - len(ending)].rstrip("-") + ending


def arn(kind: str, name: str) -> str:
    """An ARN-shaped identifier of something on this machine."""
    return f"{ACCOUNT_ARN}:{kind}/{name}"


def outputs(step_type: str, properties: Mapping[str, Any]) -> dict[str, str]:
    """What a step stored, by name: {"train": "s3://…"}. Other types than the four that run jobs store nothing."""
    if step_type == "Processing":
        entries = (properties.get("ProcessingOutputConfig") or {}).get("Outputs") or []
        return {entry["OutputName"]: entry["S3Output"]["S3Uri"] for entry in entries}
    if step_type == "Training":
        return {"model": properties["ModelArtifacts"]["S3ModelArtifacts"]}
    if step_type == "Tuning":
        return {"model": properties["BestTrainingJob"]["ModelArtifacts"]["S3ModelArtifacts"]}
    return {"output": properties["TransformOutput"]["S3OutputPath"]} if step_type == "Transform" else {}


def tail(log: Path) -> list[str]:
    """The last lines of a log file."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    except FileNotFoundError:
        return []


def failure_reason(code: int, message: str, log: Path) -> str:
    """Why a program that ended with `code` failed: in its own words if it left any, else in ours."""
    if message.strip():
        return message.strip()
    if any(phrase in line for line in tail(log) for phrase in _FULL_DISK):
        return f"the disk is full: the program could not write its files ({_ended(code)})"
    return f"the program {_ended(code)}"


def _ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL); most often the machine ran out of memory"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
