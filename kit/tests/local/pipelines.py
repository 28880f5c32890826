"""Small pipeline definitions and a project folder to run them in, as `make run` does."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.tests.waiting import PATIENCE

CODE = "/opt/ml/processing/input/code"
OUTPUT = "/opt/ml/processing/output"
ROLE = "arn:aws:iam::111111111111:role/pipeline"
CACHED: dict[str, Any] = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
Step = dict[str, Any]


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str
    execution: Mapping[str, Any]

    def step(self, name: str) -> Mapping[str, Any]:
        """A step in execution.json."""
        found: Mapping[str, Any] = next(step for step in self.execution["Steps"] if step["StepName"] == name)
        return found

    def statuses(self) -> dict[str, str]:
        """The state of every step."""
        return {step["StepName"]: step["StepStatus"] for step in self.execution["Steps"]}


@dataclass
class Project:
    """A folder with assets and a definition."""

    root: Path
    assets: dict[str, str] = field(default_factory=dict)

    def put(self, uri: str, text: str) -> str:
        """An asset with this text; returns its address."""
        path = self.root / "assets" / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        self.assets[uri] = str(path)
        return uri

    def script(self, name: str, text: str) -> str:
        """A step script; returns the address of its folder."""
        self.put(f"s3://bucket/code/{name}/step.py", text)
        return f"s3://bucket/code/{name}"

    def archive(self, uri: str, files: Mapping[str, str]) -> str:
        """A tar.gz asset with these files."""
        folder = self.root / "packed" / uri.removeprefix("s3://")
        path = self.root / "assets" / uri.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(textwrap.dedent(text))
        with tarfile.open(path, "w:gz") as tar:
            tar.add(folder, arcname=".")
        self.assets[uri] = str(path)
        return uri

    def define(self, steps: Sequence[Step], parameters: Sequence[Mapping[str, Any]] = ()) -> Path:
        """Write the definition and the assets."""
        document = {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)}
        (self.root / "definition.json").write_text(json.dumps(document))
        (self.root / "assets.json").write_text(json.dumps(self.assets))
        return self.root / "definition.json"

    def start(self, *arguments: str, limit: str = "") -> "subprocess.Popen[str]":
        """Start a command of the kit's local part here; `limit` is a shell command that runs before it (ulimit)."""
        command = [sys.executable, "-m", "sagemaker_project_kit.local", *arguments]
        if limit:
            command = ["bash", "-c", f'{limit}; exec "$@"', "bash", *command]
        environment = {**os.environ, "COLUMNS": "120"}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, env=environment, stdout=pipe, stderr=pipe, text=True)

    def command(self, *arguments: str, limit: str = "") -> Finished:
        """Run `python -m sagemaker_project_kit.local …` to its end."""
        return self.finish(self.start(*arguments, limit=limit))

    def part(self, name: str, *arguments: str) -> Finished:
        """Run `python -m sagemaker_project_kit.<name> …` to its end."""
        command = [sys.executable, "-m", f"sagemaker_project_kit.{name}", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True)
        return Finished(done.returncode, done.stdout, done.stderr, {})

    def run(self, steps: Sequence[Step] | None = None, *options: str, limit: str = "", **define: Any) -> Finished:
        """Define these steps (if given) and run them."""
        if steps is not None:
            self.define(steps, **define)
        return self.command("run", "definition.json", "--assets", "assets.json", *options, limit=limit)

    def finish(self, process: "subprocess.Popen[str]") -> Finished:
        """Wait for the end of a command and read what it recorded."""
        out, err = process.communicate(timeout=PATIENCE)
        try:
            execution = json.loads((self.root / "runs" / "latest" / "execution.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            execution = {}
        return Finished(process.returncode, out, err, execution)

    def stored(self, uri: str) -> Path:
        """Where an object is on disk."""
        return self.root / ".local" / "s3" / uri.removeprefix("s3://")

    def leftovers(self) -> list[Path]:
        """What is under way or half-made anywhere in the state folder."""
        state = self.root / ".local"
        return [*state.glob("work/*"), *state.rglob("*.tmp")]


def alive(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self").exists():
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def send(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Send a signal to a command."""
    process.send_signal(number)


def get(reference: str) -> dict[str, str]:
    """A reference in a definition."""
    return {"Get": reference}


def join(*values: Any, on: str = "/") -> dict[str, Any]:
    """A Std:Join."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def output_of(step: str, name: str = "result") -> dict[str, str]:
    """The address of a Processing step's output."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def run_uri(step: str, name: str) -> dict[str, Any]:
    """An address below that of this execution."""
    return join("s3://bucket/runs", get("Execution.PipelineExecutionId"), step, name)


def processing(
    name: str,
    code: Any,
    arguments: Sequence[Any] = (),
    inputs: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("result",),
    environment: Mapping[str, Any] | None = None,
    **extra: Any,
) -> Step:
    """A Processing step that runs code/step.py; output NAME is the folder …/output/NAME."""
    sources = {"code": code, **(inputs or {})}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {
                "ImageUri": "image:1",
                "ContainerEntrypoint": ["python3", f"{CODE}/step.py"],
                "ContainerArguments": list(arguments),
            },
            "Environment": dict(environment or {}),
            "ProcessingInputs": [_input(key, uri) for key, uri in sources.items()],
            "ProcessingOutputConfig": {"Outputs": [_output(name, key) for key in outputs]},
            "RoleArn": ROLE,
        },
        **extra,
    }


def _input(name: str, uri: Any) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/input/{name}", "S3DataType": "S3Prefix"}
    return {"InputName": name, "S3Input": source}


def _output(step: str, name: str) -> dict[str, Any]:
    target = {"S3Uri": run_uri(step, name), "LocalPath": f"{OUTPUT}/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": target}


def training(name: str, archive: str, hyperparameters: Mapping[str, str] | None = None, **extra: Any) -> Step:
    """A Training step in script mode."""
    channels = extra.pop("channels", {})
    return {
        "Name": name,
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": "image:1",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "validation:auc", "Regex": r"auc=([0-9.]+)"}],
            },
            "HyperParameters": {**_program(archive), **(hyperparameters or {})},
            "InputDataConfig": [_channel(key, uri) for key, uri in channels.items()],
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
            "RoleArn": ROLE,
            **extra.pop("more", {}),
        },
        **extra,
    }


def _program(archive: str) -> dict[str, str]:
    return {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(archive)}


def _channel(name: str, uri: Any) -> dict[str, Any]:
    return {"ChannelName": name, "ContentType": "text/csv", "DataSource": {"S3DataSource": {"S3Uri": uri}}}


def tuning(name: str, archive: str, ranges: Mapping[str, Any], **config: Any) -> Step:
    """A Tuning step over the training of `archive`."""
    job = training(name, archive)["Arguments"]
    limits = {"MaxNumberOfTrainingJobs": config.get("jobs", 4), "MaxParallelTrainingJobs": config.get("parallel", 2)}
    return {
        "Name": name,
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {
                "Strategy": config.get("strategy", "Random"),
                "ResourceLimits": limits,
                "HyperParameterTuningJobObjective": {
                    "Type": config.get("objective", "Maximize"),
                    "MetricName": "validation:auc",
                },
                "ParameterRanges": ranges,
            },
            "TrainingJobDefinition": {
                "StaticHyperParameters": job.pop("HyperParameters"),
                **job,
            },
        },
        **config.get("extra", {}),
    }


def condition(name: str, condition: Mapping[str, Any], then: Sequence[Step], otherwise: Sequence[Step]) -> Step:
    """A Condition step with one condition."""
    arguments = {"Conditions": [condition], "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    """A comparison."""
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def json_get(step: str, file: str, path: str) -> dict[str, Any]:
    """A value from a property file."""
    return {"Std:JsonGet": {"PropertyFile": get(f"Steps.{step}.PropertyFiles.{file}"), "Path": path}}


def fail(name: str, message: Any) -> Step:
    """A Fail step."""
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def register(name: str, model: Any, group: str = "churn", status: Any = "PendingManualApproval") -> Step:
    """A RegisterModel step."""
    return {
        "Name": name,
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": group,
            "ModelApprovalStatus": status,
            "InferenceSpecification": {"Containers": [{"Image": "image:1", "ModelDataUrl": model}]},
        },
    }


WRITE = """
    import pathlib, sys
    out = pathlib.Path(sys.argv[1]); (out / "value.txt").write_text(" ".join(sys.argv[2:]))
"""
TRAIN = """
    import os, pathlib, sys
    given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
    eta = float(given.get("--eta", "0.5"))
    pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(str(eta))
    print(f"auc=0.1\\nauc={1 - (eta - 0.3) ** 2}")
"""
