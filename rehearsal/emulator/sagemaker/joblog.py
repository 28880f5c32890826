"""What a container printed, in CloudWatch Logs, written with the credentials of its role as SageMaker does."""

import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator.sagemaker import machine
from rehearsal.emulator.service import client, log

_GROUPS = {
    "Processing": "/aws/sagemaker/ProcessingJobs",
    "Training": "/aws/sagemaker/TrainingJobs",
    "Tuning": "/aws/sagemaker/TrainingJobs",
    "Transform": "/aws/sagemaker/TransformJobs",
}
_MOST_LINES = 5000


def write_log(role: str, step: str, job: str, path: Path) -> None:
    """Write a job's lines to its stream. A role that may not loses its log and nothing else, as on AWS."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_MOST_LINES:]
    except FileNotFoundError:
        lines = []
    logs = client("logs", role=role, principal=machine.PRINCIPAL)
    try:
        _put(logs, _GROUPS[step], f"{job}/algo-1-{int(time.time())}", lines)
    except ClientError as error:
        log.warning("job=%s log=%s", job, error)


def _put(logs: Any, group: str, stream: str, lines: list[str]) -> None:
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceNotFoundException:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment, "message": line or " "} for line in lines]
    if events:
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
