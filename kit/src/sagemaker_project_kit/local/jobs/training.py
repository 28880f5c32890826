"""Training jobs in script mode: channels below /opt/ml/input/data, SM_* variables, model.tar.gz from /opt/ml/model.

Follows AWS's sagemaker-training toolkit for variables and arguments. It installs nothing: a requirements.txt beside
the script is mentioned in the log and left alone. Checkpoints, debugger hooks and spot settings have no effect here.
"""

import json
import re
import shlex
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed
from sagemaker_project_kit.local.jobs import images
from sagemaker_project_kit.local.jobs.job import Job, Properties, arn, failure_reason
from sagemaker_project_kit.local.jobs.package import unpack
from sagemaker_project_kit.local.jobs.processes import Command
from sagemaker_project_kit.local.jobs.processing import message
from sagemaker_project_kit.local.jobs.sandbox import Sandbox
from sagemaker_project_kit.local.state.atomic import now

_RESOURCES = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
_ML = "/opt/ml"


@dataclass(frozen=True)
class Trial:
    """One training job: of a Training step, or one of many of a Tuning step (then with `extra` environment)."""

    name: str
    arguments: Mapping[str, Any]
    log: Path
    extra: Mapping[str, str]


def run(job: Job) -> Properties:
    """Run a Training step and return what DescribeTrainingJob would."""
    return train(job, Trial(job.new_name(), job.arguments, job.log, {}))


def train(job: Job, trial: Trial) -> Properties:
    """Run one training job of `job`. Raises StepFailed; a failed job stores nothing."""
    box = Sandbox(job.runtime.work / trial.name)
    try:
        _prepare(job, trial, box)
        started = now()
        _execute(job, trial, box)
        artifacts = _store(job, trial, box)
    finally:
        shutil.rmtree(box.root, ignore_errors=True)
    return {
        **trial.arguments,
        "TrainingJobName": trial.name,
        "TrainingJobArn": arn("training-job", trial.name),
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "TrainingStartTime": started,
        "TrainingEndTime": now(),
        "ModelArtifacts": {"S3ModelArtifacts": artifacts},
        "FinalMetricDataList": final_metrics(trial),
    }


def _channels(trial: Trial) -> list[Mapping[str, Any]]:
    return trial.arguments.get("InputDataConfig") or []


def _hyperparameters(trial: Trial) -> dict[str, Any]:
    """Values as the script gets them: AWS passes strings, which hold JSON where they can."""
    return {key: _decoded(value) for key, value in (trial.arguments.get("HyperParameters") or {}).items()}


def _decoded(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _prepare(job: Job, trial: Trial, box: Sandbox) -> None:
    for folder in ("model", "output/data", "input/data", "checkpoints"):
        (box.ml / folder).mkdir(parents=True)
    for channel in _channels(trial):
        folder = box.ml / "input" / "data" / channel["ChannelName"]
        job.runtime.storage.download(channel["DataSource"]["S3DataSource"]["S3Uri"], folder)
    hyperparameters = {key: str(value) for key, value in (trial.arguments.get("HyperParameters") or {}).items()}
    box.write_json(f"{_ML}/input/config/hyperparameters.json", hyperparameters)
    box.write_json(f"{_ML}/input/config/inputdataconfig.json", _input_config(trial))
    box.write_json(f"{_ML}/input/config/resourceconfig.json", _RESOURCES)


def _input_config(trial: Trial) -> dict[str, Any]:
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", "File"),
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in _channels(trial)
    }


def _execute(job: Job, trial: Trial, box: Sandbox) -> None:
    hyperparameters = _hyperparameters(trial)
    if "sagemaker_program" in hyperparameters:
        argv, code, cwd = _script(job, trial, box, hyperparameters)
    else:
        argv, code, cwd = _entrypoint(trial, box), "", box.root
    environment = box.environment(_environment(job, trial, hyperparameters, code))
    limit = (trial.arguments.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    status = job.runtime.children.run(Command(argv, environment, cwd, trial.log, limit))
    if status and code:
        # What a script leaves in output/failure is lost: the toolkit of AWS's images writes this over it
        reason = failure_reason(status, "", trial.log)
        raise StepFailed(f'ExecuteUserScriptError: Command "{shlex.join(argv)}": {reason}')
    if status:
        raise StepFailed(failure_reason(status, message(box, [f"{_ML}/output/failure"]), trial.log))


def _entrypoint(trial: Trial, box: Sandbox) -> list[str]:
    algorithm = trial.arguments["AlgorithmSpecification"]
    return box.argv([*algorithm["ContainerEntrypoint"], *(algorithm.get("ContainerArguments") or [])])


def _script(job: Job, trial: Trial, box: Sandbox, hyperparameters: Mapping[str, Any]) -> tuple[list[str], str, Path]:
    """Command line, PYTHONPATH and folder of script mode. A folder with setup.py runs as a module, as on AWS."""
    code, program = box.ml / "code", str(hyperparameters["sagemaker_program"])
    unpack(job.runtime.storage.path(str(hyperparameters.get("sagemaker_submit_directory", ""))), code)
    if not (code / program).is_file():
        raise StepFailed(f"sagemaker_program {program!r} is not in {hyperparameters['sagemaker_submit_directory']}")
    if (code / "requirements.txt").exists():
        _remark(trial.log, "requirements.txt is not installed locally; on AWS it is")
    module = ["-m", program.removesuffix(".py").replace("/", ".")]
    start = ["bash", program] if program.endswith(".sh") else ["python3", *_start(code, program, module)]
    return box.argv([*start, *arguments(hyperparameters)]), f"{_ML}/code", code


def _start(code: Path, program: str, module: list[str]) -> list[str]:
    return module if (code / "setup.py").exists() else [program]


def _remark(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"[local] {text}\n")


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Hyperparameters as AWS's toolkit passes them: sorted, --name value, -n value for a single letter."""
    own = {key: value for key, value in hyperparameters.items() if not key.startswith("sagemaker_")}
    return [part for key in sorted(own) for part in (f"--{key}" if len(key) > 1 else f"-{key}", str(own[key]))]


def _environment(job: Job, trial: Trial, hyperparameters: Mapping[str, Any], code: str) -> dict[str, Any]:
    own = {key: value for key, value in hyperparameters.items() if not key.startswith("sagemaker_")}
    names = [channel["ChannelName"] for channel in _channels(trial)]
    environment = {
        **_FOLDERS,
        **{f"SM_CHANNEL_{name.upper()}": f"{_ML}/input/data/{name}" for name in names},
        **{f"SM_HP_{key.upper()}": str(value) for key, value in own.items()},
        "SM_CHANNELS": json.dumps(names),
        "SM_HPS": json.dumps(own),
        "SM_USER_ARGS": json.dumps(arguments(hyperparameters)),
        "SM_INPUT_DATA_CONFIG": json.dumps(_input_config(trial)),
        "SM_RESOURCE_CONFIG": json.dumps(_RESOURCES),
        "SM_NUM_CPUS": str(job.runtime.cores),
        "SM_USER_ENTRY_POINT": str(hyperparameters.get("sagemaker_program", "")),
        "TRAINING_JOB_NAME": trial.name,
        **trial.extra,
        **(trial.arguments.get("Environment") or {}),
    }
    return environment | {"PYTHONPATH": ":".join(filter(None, [code, environment.get("PYTHONPATH")]))}


_FOLDERS = {
    "SM_MODEL_DIR": f"{_ML}/model",
    "SM_INPUT_DIR": f"{_ML}/input",
    "SM_INPUT_CONFIG_DIR": f"{_ML}/input/config",
    "SM_OUTPUT_DIR": f"{_ML}/output",
    "SM_OUTPUT_DATA_DIR": f"{_ML}/output/data",
    "SM_MODULE_DIR": f"{_ML}/code",
    "SM_CHECKPOINT_DIR": f"{_ML}/checkpoints",  # AWS sets none: the path is always the same there
    "SM_CURRENT_HOST": "algo-1",
    "SM_HOSTS": '["algo-1"]',
    "SM_NETWORK_INTERFACE_NAME": "eth0",
    "SM_NUM_GPUS": "0",
    "SM_LOG_LEVEL": "20",
}


def _store(job: Job, trial: Trial, box: Sandbox) -> str:
    """Store model.tar.gz (and output.tar.gz if there is any) and return the model's address."""
    base = f"{str(trial.arguments['OutputDataConfig']['S3OutputPath']).rstrip('/')}/{trial.name}/output"
    packed = box.root / "packed"
    packed.mkdir()
    _pack(box.ml / "model", packed / "model.tar.gz")
    if any((box.ml / "output" / "data").iterdir()):
        _pack(box.ml / "output" / "data", packed / "output.tar.gz")
    job.runtime.storage.take(packed, base)
    return f"{base}/model.tar.gz"


def _pack(folder: Path, archive: Path) -> None:
    # Level 1: a model compresses little, and packing must not outlast training.
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)


def final_metrics(trial: Trial) -> list[dict[str, Any]]:
    """The last value in the log of each of the image's or the job's metric definitions that occurs there."""
    algorithm = trial.arguments.get("AlgorithmSpecification") or {}
    definitions = images.definitions(algorithm)
    text = trial.log.read_text(encoding="utf-8", errors="replace") if definitions else ""
    if images.is_built_in(algorithm):
        text = text.replace("\t", images.TAB)
    found = [(entry["Name"], _last_number(entry["Regex"], text)) for entry in definitions]
    return [{"MetricName": name, "Value": value, "Timestamp": now()} for name, value in found if value is not None]


def _last_number(pattern: str, text: str) -> float | None:
    """The last match of the first group that is a number. AWS matches line by line, so `.` never spans lines."""
    value = None
    for match in re.finditer(pattern, text, re.MULTILINE):
        try:
            value = float(match[1])
        except (TypeError, ValueError):
            continue
    return value
