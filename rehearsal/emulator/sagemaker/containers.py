"""Runs a job as SageMaker runs its container: inputs out of S3, a program under the /opt/ml contract, outputs into S3.

The program is the kit's `local run` with a definition of this one step, in a folder of the job's own.
Every call to S3 and to the log is made with credentials of the job's role. Where the network is isolated the program
gets no credentials; that it can still open connections is a difference to SageMaker.
"""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import children
from rehearsal.emulator.sagemaker import batch, machine, objects
from rehearsal.emulator.sagemaker.joblog import write_log
from rehearsal.emulator.sagemaker.objects import ObjectError
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.service import AwsError, account, client, log, new_id, state_folder

STEP = "Job"
_running: dict[str, "subprocess.Popen[bytes] | None"] = {}
_stopped: set[str] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """How a job ended: Completed, Failed or Stopped, why, and what Describe… tells besides."""

    status: str
    failure: str = ""
    facts: Document = field(default_factory=dict)


def run(step: str, name: str, job: Document) -> Outcome:
    """Run a job to its end; a failure of whatever kind is an outcome, never an exception."""
    key = f"{account()}/{step}/{name}"
    folder = state_folder("jobs") / f"{name}-{new_id(length=6)}"
    try:
        return _run(key, step, job, folder)
    except (ObjectError, ClientError, AwsError) as error:
        return Outcome("Failed", f"ClientError: {error}")
    except Exception as error:
        log.exception("job=%s", name)
        return Outcome("Failed", f"InternalServerError: {error!r}")
    finally:
        with _lock:
            _running.pop(key, None)
            _stopped.discard(key)
        for part in ("s3", "state/s3", "state/work"):
            shutil.rmtree(folder / part, ignore_errors=True)


def stop(place: str) -> None:
    """End the program of a job, `step/name`, of the account being served."""
    key = f"{account()}/{place}"
    with _lock:
        _stopped.add(key)
        process = _running.get(key)
    if process:
        children.kill(process, signal.SIGTERM)


def role_of(step: str, job: Document) -> str:
    """Whose credentials a job has."""
    if step == "Tuning":
        return str(job["TrainingJobDefinition"]["RoleArn"])
    return batch.role_of(job) if step == "Transform" else str(job["RoleArn"])


def _run(key: str, step: str, job: Document, folder: Path) -> Outcome:
    role = role_of(step, job)
    s3 = client("s3", role=role, principal=machine.PRINCIPAL)
    for uri in _inputs(step, job):
        if not objects.download(s3, uri, folder / "state" / "s3"):
            raise ObjectError(f"no S3 objects found under {uri}")
    seen = batch.prepare(job, folder / "state", s3) if step == "Transform" else job
    code = _start(key, step, seen, folder)
    logged = folder / "runs" / "latest" / "logs" / f"{STEP}.log"
    write_log(role, step, folder.name, logged if logged.exists() else folder / "output")
    record = _record(folder)
    if key in _stopped:
        return Outcome("Stopped")
    if code or not record:
        return Outcome("Failed", _failure(record, folder), _message(step, record))
    return Outcome("Completed", facts=_store(step, job, record, s3) | _message(step, record))


def _start(key: str, step: str, job: Document, folder: Path) -> int:
    definition = folder / "definition.json"
    definition.parent.mkdir(parents=True, exist_ok=True)
    steps = [{"Name": STEP, "Type": step, "Arguments": job}]
    definition.write_text(json.dumps({"Version": "2020-12-01", "Steps": steps}), encoding="utf-8")
    command = [machine.python(), *machine.LOCAL, "run", str(definition), "--pipeline", "job", "--no-cache"]
    command += ["--state", str(folder / "state"), "--runs", str(folder / "runs")]
    role = None if _isolated(step, job) else role_of(step, job)
    with (folder / "output").open("wb") as output, _lock:
        if key in _stopped:
            return 1
        process = children.start(
            command, cwd=folder, environment=machine.environment(role), output=output, niceness=children.YIELDING
        )
        _running[key] = process
    return children.finish(process)


def _isolated(step: str, job: Document) -> bool:
    settings = job.get("NetworkConfig") or {} if step == "Processing" else job
    return bool(settings.get("EnableNetworkIsolation"))


def _record(folder: Path) -> Document:
    """What `local` wrote of the run; empty when it could not even begin."""
    path = folder / "runs" / "latest" / "execution.json"
    try:
        found: Document = json.loads(path.read_text(encoding="utf-8"))["Steps"][0]
    except FileNotFoundError:
        return {}
    return found


def _failure(record: Document, folder: Path) -> str:
    """SageMaker tells faults of the algorithm from those of the request."""
    if record:
        return f"AlgorithmError: {record['FailureReason']}"
    lines = (folder / "output").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"ClientError: {' '.join(lines[-5:]).removeprefix('local: ')}"


def _message(step: str, record: Document) -> Document:
    return (
        {"ExitMessage": record["FailureReason"][:1024]} if step == "Processing" and record.get("FailureReason") else {}
    )


# What a job reads


def _inputs(step: str, job: Document) -> Iterator[str]:
    if step == "Processing":
        yield from (entry["S3Input"]["S3Uri"] for entry in job.get("ProcessingInputs") or [] if "S3Input" in entry)
    elif step == "Training":
        yield from _training_inputs(job, job.get("HyperParameters") or {})
    elif step == "Tuning":
        trial = job["TrainingJobDefinition"]
        yield from _training_inputs(trial, trial.get("StaticHyperParameters") or {})


def _training_inputs(job: Document, hyperparameters: dict[str, str]) -> Iterator[str]:
    for channel in job.get("InputDataConfig") or []:
        yield channel["DataSource"]["S3DataSource"]["S3Uri"]
    archive = hyperparameters.get("sagemaker_submit_directory", "").strip('"')
    if archive:
        yield archive


# What a job leaves


def _store(step: str, job: Document, record: Document, s3: Any) -> Document:
    """Upload the outputs and return the facts that tell of them."""
    outputs = {name: Path(entry["Path"]) for name, entry in record["Outputs"].items()}
    if step == "Processing":
        config = job.get("ProcessingOutputConfig") or {}
        for entry in config.get("Outputs") or []:
            _upload(s3, outputs[entry["OutputName"]], entry["S3Output"]["S3Uri"], config.get("KmsKeyId"))
        return {}
    if step == "Transform":
        target = job["TransformOutput"]
        _upload(s3, outputs["output"], target["S3OutputPath"], target.get("KmsKeyId"))
        return {}
    return _store_models(step, job, record, outputs["model"], s3)


def _upload(s3: Any, path: Path, uri: str, kms_key: str | None) -> None:
    if path.exists():
        objects.upload(s3, path, uri, kms_key)


def _store_models(step: str, job: Document, record: Document, model: Path, s3: Any) -> Document:
    trial = job["TrainingJobDefinition"] if step == "Tuning" else job
    target = trial["OutputDataConfig"]
    name = record["BestTrainingJob"]["TrainingJobName"] if step == "Tuning" else job["TrainingJobName"]
    base = f"{target['S3OutputPath'].rstrip('/')}/{name}/output"
    _upload(s3, model.parent, base, target.get("KmsKeyId"))
    metrics = [_metric(entry) for entry in record["Metrics"]]
    if step == "Tuning":
        return _best(record)
    return {"ModelArtifacts": {"S3ModelArtifacts": f"{base}/model.tar.gz"}, "FinalMetricDataList": metrics}


def _best(record: Document) -> Document:
    best = record["BestTrainingJob"]
    done = len(record.get("TrainingJobSummaries") or [best])
    counters = {"Completed": done, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
    return {"BestTrainingJob": _times(best), "TrainingJobStatusCounters": counters}


def _metric(entry: Document) -> Document:
    known = {key: value for key, value in entry.items() if key in ("MetricName", "Value", "Timestamp")}
    return _times(known)


def _times(document: Document) -> Document:
    """`local` writes times as text."""
    return {
        key: datetime.fromisoformat(value).timestamp()
        if key.endswith(("Time", "Timestamp")) and isinstance(value, str)
        else value
        for key, value in document.items()
    }
