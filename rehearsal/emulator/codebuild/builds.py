"""The builds of CodeBuild: what is known of each, and how BatchGetBuilds tells it."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rehearsal.emulator.codebuild.phases import IN_PROGRESS, SUCCEEDED, Record
from rehearsal.emulator.service import AwsError, Store, emit, state_folder

Document = dict[str, Any]
EVENT_SOURCE = "aws.codebuild"


@dataclass(frozen=True)
class Handover:
    """What CodePipeline hands over besides StartBuild: where source artifacts lie and where the results go.

    Locations are bucket/key; the keys of `inputs` and `outputs` are names of artifacts, the primary one first.
    """

    pipeline: str
    revision: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    kms_key: str = ""


@dataclass
class Build:
    """One build. `project` is the project as it was, with the overrides of StartBuild."""

    id: str
    number: int
    arn: str
    project: Document
    initiator: str
    source_version: str = ""
    resolved: str = ""
    handover: Handover | None = None
    status: str = IN_PROGRESS
    phases: list[Record] = field(default_factory=list)
    exported: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)
    artifacts: Document = field(default_factory=dict)
    secondary: list[Document] = field(default_factory=list)
    begun: float = field(default_factory=time.time)
    ended: float | None = None

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def unique(self) -> str:
        """The id without the project's name, which also names the log stream."""
        return self.id.rpartition(":")[2]

    @property
    def folder(self) -> Path:
        return state_folder("codebuild") / "builds" / self.unique

    @property
    def log(self) -> Path:
        """Everything that the build printed; it stays."""
        return state_folder("codebuild") / "logs" / f"{self.name}-{self.number}-{self.unique[:8]}.log"

    @property
    def log_group(self) -> str:
        configured = (self.project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        return str(configured.get("groupName") or f"/aws/codebuild/{self.name}")

    @property
    def log_stream(self) -> str:
        configured = (self.project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
        return "/".join(filter(None, [configured.get("streamName"), self.unique]))

    @property
    def log_page(self) -> str:
        """Where a person reads the log, had it been written on AWS."""
        region = self.arn.split(":")[3]
        group, stream = (
            quote(quote(name, safe=""), safe="").replace("%", "$") for name in (self.log_group, self.log_stream)
        )
        home = f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
        return f"{home}#logsV2:log-groups/log-group/{group}/log-events/{stream}"

    @property
    def done(self) -> bool:
        return self.ended is not None

    def begin(self, name: str) -> Record:
        """Enter a phase."""
        record = Record(name)
        self.phases.append(record)
        return record

    def finish(self, status: str) -> None:
        """End the build, and tell EventBridge."""
        self.begin("COMPLETED").end(SUCCEEDED)
        self.status, self.ended = status, time.time()
        announce(self)

    def describe(self) -> Document:
        """As BatchGetBuilds tells it."""
        project = self.project
        kept = ("source", "secondarySources", "environment", "serviceRole", "cache", "vpcConfig", "encryptionKey",
                "timeoutInMinutes", "queuedTimeoutInMinutes")  # fmt: skip
        found = {
            "id": self.id,
            "arn": self.arn,
            "buildNumber": self.number,
            "startTime": self.begun,
            "endTime": self.ended,
            "currentPhase": self.phases[-1].name if self.phases else "SUBMITTED",
            "buildStatus": self.status,
            "buildComplete": self.done,
            "projectName": self.name,
            "initiator": self.initiator,
            "sourceVersion": self.source_version or None,
            "resolvedSourceVersion": self.resolved or None,
            "phases": [_phase(record) for record in self.phases],
            "artifacts": self.artifacts,
            "secondaryArtifacts": self.secondary,
            "exportedEnvironmentVariables": [{"name": key, "value": value} for key, value in self.exported.items()],
            "reportArns": self.reports,
            "logs": self._logs(),
            **{key: project[key] for key in kept if key in project},
        }
        return {key: value for key, value in found.items() if value is not None}

    def _logs(self) -> Document:
        region, account = self.arn.split(":")[3:5]
        stream = f"arn:aws:logs:{region}:{account}:log-group:{self.log_group}:log-stream:{self.log_stream}"
        return {"groupName": self.log_group, "streamName": self.log_stream, "cloudWatchLogsArn": stream}


def _phase(record: Record) -> Document:
    ended = (
        {} if record.ended is None else {"endTime": record.ended, "durationInSeconds": int(record.ended - record.begun)}
    )
    contexts = [{"statusCode": record.code, "message": record.message}] if record.code or record.message else []
    status = {} if record.status == IN_PROGRESS else {"phaseStatus": record.status}
    return {"phaseType": record.name, "startTime": record.begun, **status, **ended, "contexts": contexts}


builds: Store[Build] = Store("builds")
handovers: dict[str, Handover] = {}
_numbers: Store[int] = Store("numbers")
_counting = threading.Lock()


def find(identifier: str) -> Build:
    """A build by its id or ARN. Raises AwsError."""
    build = builds.get(identifier.rpartition("build/")[2])
    if build is None:
        raise AwsError("ResourceNotFoundException", f"Build {identifier} does not exist")
    return build


def next_number(project: str) -> int:
    """Builds of a project are counted from 1."""
    with _counting:
        number = (_numbers.get(project) or 0) + 1
        _numbers[project] = number
    return number


def active(project: str) -> int:
    """How many builds of a project are under way."""
    return sum(not build.done for build in builds.values() if build.name == project)


def failure(build: Build) -> str:
    """In one sentence, why a build failed; empty if it did not."""
    return next(
        (
            f"{record.name}: {record.message}"
            for record in build.phases
            if record.status != SUCCEEDED and record.message
        ),
        "",
    )


def announce(build: Build) -> None:
    """ "CodeBuild Build State Change", https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html"""
    described = build.describe()
    information = {
        "initiator": build.initiator,
        "build-number": float(build.number),
        "build-complete": build.done,
        "source-version": build.source_version,
        "logs": {"group-name": build.log_group, "stream-name": build.log_stream, "deep-link": build.log_page},
        "phases": [_event_phase(phase) for phase in described["phases"]],
    }
    detail = {
        "build-status": build.status,
        "project-name": build.name,
        "build-id": build.arn,
        "current-phase": described["currentPhase"],
        "current-phase-context": "[]",
        "version": "1",
        "additional-information": information,
    }
    emit(EVENT_SOURCE, "CodeBuild Build State Change", detail, [build.arn])


def _event_phase(phase: Document) -> Document:
    contexts = [f"{entry['statusCode']}: {entry['message']}" for entry in phase["contexts"]]
    names = {"phaseType": "phase-type", "phaseStatus": "phase-status", "durationInSeconds": "duration-in-seconds"}
    return {"phase-context": contexts, **{new: phase[old] for old, new in names.items() if old in phase}}
