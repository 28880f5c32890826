"""The command `deploy`: the released model to an endpoint for staging, then to one for production, on this machine.

`release` chooses the model and `verify` tests each stage: the deploy half's own programs, as the pipeline runs them.
What is here stands for what SageMaker does between them. It approves nothing, and production is not touched unless
staging passed.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from sagemaker_project_kit.local.deployment import load, picture, plan, state
from sagemaker_project_kit.local.deployment.progress import Progress, table
from sagemaker_project_kit.local.deployment.recording import Recording
from sagemaker_project_kit.local.deployment.state import Connection, Record
from sagemaker_project_kit.local.errors import DeployError
from sagemaker_project_kit.local.state.registry import Registry
from sagemaker_project_kit.local.state.storage import Storage

_CTRL_C = 130


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    model: str
    state: Path
    build: Path
    pace: float
    rate: float
    verify_seconds: float
    released: bool = False

    @property
    def endpoints(self) -> Path:
        return self.state / "endpoints"


@dataclass(frozen=True)
class Stage:
    """A stage with what was released to it. `package` is GROUP/VERSION."""

    name: str
    package: str
    plan: plan.Plan
    parameters: Mapping[str, str]


def deploy(options: Options) -> int:
    """Release, update and verify each stage. 0: done or nothing to do, 1: a test or an alarm said no, 130: Ctrl-C."""
    console = Console(highlight=False, soft_wrap=True)
    with state.only_one(options.endpoints):
        if not options.released and (code := _run_half("release", *_release_arguments(options))):
            return code
        released = _released(options.build / "release" / "release.json")
        if released["status"] != "release":
            return 0
        stages = [_stage(options, released, name) for name in released["stages"]]
        for stage in stages:
            if code := Deployment(options, stage, console).run():
                return code
    _sum_up(console, options, stages)
    return 0


def stop(options: Options) -> int:
    """End every endpoint."""
    files = sorted(options.endpoints.glob("*.json"))
    for file in files:
        record = state.read(options.endpoints, file.stem)
        if record:
            was_alive = state.stop(record)
            print(
                f"{file.stem}: {record.package} {'stopped' if was_alive else 'had ended; its leftovers are removed'}."
            )
    if not files:
        print("No endpoint runs on this machine.")
    return 0


def _release_arguments(options: Options) -> list[str]:
    return [
        "--local",
        str(options.state),
        "--build",
        str(options.build),
        *(["--model", options.model] * bool(options.model)),
    ]


def _run_half(verb: str, *arguments: str) -> int:
    """A verb of the deploy half, as a program of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sagemaker_project_kit.deploy", verb, *arguments], check=False
    ).returncode


def _released(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DeployError(f"{file} cannot be read ({error}): run `make release`, or leave out --released.") from error
    return content


def _stage(options: Options, released: Mapping[str, Any], name: str) -> Stage:
    planned, parameters = plan.read(options.build / "release" / name / "endpoint.json", options.pace)
    return Stage(name, f"{released['group']}/{released['version']}", planned, parameters)


class Deployment:
    """One stage: its endpoint is started or updated, then verified."""

    def __init__(self, options: Options, stage: Stage, console: Console) -> None:
        self._options, self._stage, self._console = options, stage, console
        self._interrupted: str | int | None = None  # the exit code that a signal asks for

    def run(self) -> int:
        """The exit code."""
        record = self._standing()
        if record and record.package == self._stage.package:
            self._say(f"already runs {record.package}, since {record.since}, at {record.url}: nothing to deploy.")
            return 0 if record.is_verified else self._verify(record)
        for sentence in plan.not_played(self._stage.parameters):
            self._say(sentence)
        record = record or self._start()
        if code := self._update(record):
            return code
        return self._verify(state.ask(record, "status") or record)

    def _say(self, text: str, style: str = "") -> None:
        self._console.print(Text.assemble((f"{self._stage.name}: ", "bold"), (text, style)))

    def _standing(self) -> Record | None:
        """The stage's endpoint if it is alive; what a killed one left is removed."""
        record = state.read(self._options.endpoints, self._stage.name)
        alive = state.ask(record, "status") if record else None
        if record and not alive:
            self._say(f"the endpoint of before is gone; what it left is removed and it starts anew ({record.package}).")
            state.clean(record)
        self._port = record.port if record else 0
        return alive

    def _start(self) -> Record:
        return state.start(self._options.endpoints, self._stage.name, self._port)

    # --- update

    def _update(self, record: Record) -> int:
        self._announce(record)
        recording = Recording(self._stage.name, record.package, self._stage.package, self._stage.plan)
        sent = self._play(record, recording)
        if any(weight for _, weight in recording.weights) and recording.answers:
            self._console.print(table(recording))
            page = picture.write(recording, self._options.build / "deploy")
            self._say(f"{sent.answered} requests were sent, {len(sent.failures)} failed. Picture: {page}")
        return self._judge(recording, record)

    def _announce(self, record: Record) -> None:
        planned = self._stage.plan
        if not record.package:
            self._say(f"a first endpoint with {self._stage.package}, at {record.url}")
            return
        percents = ", ".join(f"{step.percent} %" for step in planned.steps)
        self._say(
            f"{record.package} → {self._stage.package}, {planned.shifting} ({percents}); waits play "
            f"{self._options.pace:g} times as fast, {planned.steps[0].seconds:.3g} s after each step"
        )

    def _play(self, record: Record, recording: Recording) -> load.Load:
        """Send the order and a load beside it, until the endpoint says how it ended."""
        sent = load.Load(record.url, load.requests(self._contract()), self._options.rate)
        with Connection(record) as connection:
            connection.send(
                do="update", package=self._stage.package, plan=self._stage.plan.to_json(), options=self._served()
            )
            if not recording.old:
                self._watch(connection, recording, None)
                return sent
            with sent:
                self._watch(connection, recording, sent)
        return sent

    def _watch(self, connection: Connection, recording: Recording, sent: load.Load | None) -> None:
        with Progress(self._console, recording, sent) as progress:
            try:
                self._follow(connection, recording, progress)
            except (KeyboardInterrupt, SystemExit) as signal:
                self._interrupted = signal.code if isinstance(signal, SystemExit) else _CTRL_C
                connection.send(do="cancel")
                self._follow(connection, recording, progress)
        if not recording.end:
            recording.end, recording.reason = "failed", "its endpoint was killed"

    @staticmethod
    def _follow(connection: Connection, recording: Recording, progress: Progress) -> None:
        for event in connection.events():
            recording.add(event)
            progress.update()

    def _judge(self, recording: Recording, record: Record) -> int:
        new, old = recording.new, recording.old
        if recording.end == "released":
            self._say(f"{new} is in service at {record.url}", "green")
            return 0
        stays = f"all traffic is on {old}" if old else "no endpoint runs"
        if recording.end == "interrupted":
            self._say(f"interrupted: {stays}, and {new} has ended.", "yellow")
            return int(self._interrupted or _CTRL_C)
        verb = {"rolled back": "was rolled back", "refused": "was not deployed"}.get(recording.end, "did not start")
        self._say(f"{new} {verb}: {recording.reason}; {stays}.", "red")
        return 1

    def _contract(self) -> Path:
        content = Registry(self._options.state / "registry").find(self._stage.package).content
        uri = (content.get("CustomerMetadataProperties") or {}).get("contract_uri", "")
        return Storage(self._options.state / "s3", self._options.state).path(str(uri).rstrip("/"))

    @property
    def _capture(self) -> Path:
        """Where endpoint.yaml has it: s3://<bucket>/datacapture/<stage>."""
        return (
            self._options.state / "s3" / self._stage.parameters["ArtifactBucketName"] / "datacapture" / self._stage.name
        )

    @property
    def _captures(self) -> bool:
        return float(self._stage.parameters["CapturePercent"]) > 0

    def _served(self) -> Sequence[str]:
        """The options of `serve` for a fleet of this stage."""
        state_folder = ["--state", str(self._options.state.absolute())]
        if not self._captures:
            return [*state_folder, "--no-capture"]
        parameters = self._stage.parameters
        name = "-".join(parameters[part] for part in ("SageMakerProjectName", "SageMakerProjectId", "StageName"))
        percent = parameters["CapturePercent"]
        captured = ["--capture", str(self._capture.absolute()), "--sampling-percentage", percent, "--endpoint", name]
        return [*state_folder, *captured]

    # --- verify

    def _verify(self, record: Record) -> int:
        options = self._options
        place = ["--local", str(options.state), "--build", str(options.build), "--stage", self._stage.name]
        seconds = ["--target", record.url, "--seconds", f"{options.verify_seconds:g}"]
        capture = ["--capture", str(self._capture)] if self._captures else []
        code = _run_half("verify", *place, *seconds, *capture)
        if code == 0:
            state.ask(record, "verified")
        elif self._stage.name == "staging":
            self._say(f"{self._stage.package} did not pass, so production is not touched.", "red")
        else:
            self._say(
                "it did not pass. To go back: make rollback && make deploy-local ARGS=--released",
                "red",
            )
        return code


def _sum_up(console: Console, options: Options, stages: Sequence[Stage]) -> None:
    for stage in stages:
        record = state.read(options.endpoints, stage.name)
        if record:
            console.print(f"[bold]{stage.name:8}[/] {record.package}  {record.url}/invocations  since {record.since}")
    console.print(
        "Logs: " + str(options.endpoints) + "  ·  to end them: make deploy-local ARGS=--stop",
        style="dim",
    )
