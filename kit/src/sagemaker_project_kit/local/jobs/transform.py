"""Transform steps: a model's own handler applied to every object below an S3 prefix.

The handler runs in a process of its own (`batch.py`) from the model's code/ folder; nothing of the project can leak in.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed
from sagemaker_project_kit.local.jobs import models
from sagemaker_project_kit.local.jobs.job import Job, Properties, arn, failure_reason
from sagemaker_project_kit.local.jobs.package import unpack
from sagemaker_project_kit.local.jobs.processes import Command
from sagemaker_project_kit.local.jobs.sandbox import Sandbox
from sagemaker_project_kit.local.state.atomic import now

_PROGRAM = Path(__file__).with_name("batch.py")
_DEFAULT_PAYLOAD_MB = 6


def run(job: Job) -> Properties:
    """Run a Transform step and return what DescribeTransformJob would."""
    name, started = job.new_name(), now()
    box = Sandbox(job.runtime.work / name)
    try:
        _execute(job, box)
        job.runtime.storage.take(box.root / "out", job.arguments["TransformOutput"]["S3OutputPath"])
    finally:
        shutil.rmtree(box.root, ignore_errors=True)
    return {
        **job.arguments,
        "TransformJobName": name,
        "TransformJobArn": arn("transform-job", name),
        "TransformJobStatus": "Completed",
        "TransformStartTime": started,
        "TransformEndTime": now(),
    }


def _execute(job: Job, box: Sandbox) -> None:
    container = models.container(models.load(job, job.arguments["ModelName"]))
    model, out = box.ml / "model", box.root / "out"
    unpack(job.runtime.storage.path(container["ModelDataUrl"]), model)
    job.runtime.storage.download(
        job.arguments["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"], box.root / "in"
    )
    out.mkdir()
    box.write_json("/opt/ml/transform.json", _settings(job, container, box))
    variables = {"SM_MODEL_DIR": "/opt/ml/model", "PYTHONPATH": "/opt/ml/model/code"}
    variables |= (container.get("Environment") or {}) | (job.arguments.get("Environment") or {})
    argv = [sys.executable, "-P", str(_PROGRAM), str(box.ml / "transform.json")]
    code = job.runtime.children.run(Command(argv, box.environment(variables), box.root, job.log))
    if code:
        raise StepFailed(failure_reason(code, "", job.log))


def _settings(job: Job, container: Any, box: Sandbox) -> dict[str, Any]:
    source, target = job.arguments["TransformInput"], job.arguments["TransformOutput"]
    return {
        "model": str(box.ml / "model"),
        "program": (container.get("Environment") or {}).get("SAGEMAKER_PROGRAM", "inference.py"),
        "input": str(box.root / "in"),
        "output": str(box.root / "out"),
        "content_type": source.get("ContentType") or "text/csv",
        "accept": target.get("Accept") or "text/csv",
        "by_line": source.get("SplitType") == "Line",
        "join_lines": target.get("AssembleWith") == "Line",
        "single_record": job.arguments.get("BatchStrategy") == "SingleRecord",
        "max_bytes": int(job.arguments.get("MaxPayloadInMB") or _DEFAULT_PAYLOAD_MB) * 1024 * 1024,
    }
