"""Processing jobs: S3 inputs below /opt/ml/processing, a program, S3 outputs.

As on AWS the outputs are stored when the program has succeeded; a failed one stores nothing. S3UploadMode Continuous is
treated as EndOfJob, and one host runs the program whatever InstanceCount says. RetryPolicies are for faults of AWS and
ignored here: a step that fails locally fails for a reason that a second try would meet again.
"""

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed
from sagemaker_project_kit.local.jobs.job import Job, Properties, arn, failure_reason
from sagemaker_project_kit.local.jobs.processes import Command
from sagemaker_project_kit.local.jobs.sandbox import Sandbox
from sagemaker_project_kit.local.state.atomic import now
from sagemaker_project_kit.local.state.storage import replace_links

_MESSAGES = ("/opt/ml/output/failure", "/opt/ml/output/message")


def run(job: Job) -> Properties:
    """Run a Processing step and return what DescribeProcessingJob would."""
    name = job.new_name()
    box = Sandbox(job.runtime.work / name)
    try:
        _prepare(job, box, name)
        started = now()
        _execute(job, box)
        _store(job, box)
    finally:
        shutil.rmtree(box.root, ignore_errors=True)
    return {**job.arguments, **_description(name), "ProcessingStartTime": started, "ProcessingEndTime": now()}


def _description(name: str) -> Properties:
    return {
        "ProcessingJobName": name,
        "ProcessingJobArn": arn("processing-job", name),
        "ProcessingJobStatus": "Completed",
    }


def _outputs(job: Job) -> list[Mapping[str, Any]]:
    return (job.arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []


def _prepare(job: Job, box: Sandbox, name: str) -> None:
    for entry in job.arguments.get("ProcessingInputs") or []:
        source = entry["S3Input"]
        job.runtime.storage.download(source["S3Uri"], box.path(source["LocalPath"]))
    for entry in _outputs(job):
        box.path(entry["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
    box.write_json("/opt/ml/config/processingjobconfig.json", {**_description(name), **job.arguments})
    box.write_json("/opt/ml/config/resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})


def _execute(job: Job, box: Sandbox) -> None:
    application = job.arguments["AppSpecification"]
    argv = box.argv([*application["ContainerEntrypoint"], *(application.get("ContainerArguments") or [])])
    environment = box.environment(job.arguments.get("Environment") or {})
    limit = (job.arguments.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds")
    code = job.runtime.children.run(Command(argv, environment, box.root, job.log, limit))
    if code:
        raise StepFailed(failure_reason(code, message(box, _MESSAGES), job.log))


def message(box: Sandbox, paths: Sequence[str]) -> str:
    """What a program left to say in the first of these files, at most the 1,024 characters that AWS keeps."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return box.path(path).read_text(encoding="utf-8", errors="replace")[:1024]
    return ""


def _store(job: Job, box: Sandbox) -> None:
    """Make every output ready, then move them all: a disk that fills up meanwhile leaves storage as it was."""
    ready = [(_settled(entry, _outputs(job), box), entry["S3Output"]["S3Uri"]) for entry in _outputs(job)]
    for folder, uri in ready:
        job.runtime.storage.take(folder, uri)


def _settled(entry: Mapping[str, Any], entries: Sequence[Mapping[str, Any]], box: Sandbox) -> Path:
    """The folder to move; a copy if another output lies within it or around it, so that both are whole."""
    folder = box.path(entry["S3Output"]["LocalPath"])
    others = [box.path(other["S3Output"]["LocalPath"]) for other in entries if other is not entry]
    replace_links(folder)
    if any(_overlap(folder, other) for other in others):
        return Path(shutil.copytree(folder, box.root / f"copy-of-{entry['OutputName']}"))
    return folder


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
