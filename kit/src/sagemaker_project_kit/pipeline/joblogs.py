"""Why a training job failed: the end of its log.

FailureReason does not say it. AWS's training toolkit replaces what a script leaves in /opt/ml/output/failure by
"ExecuteUserScriptError" and the script's command line (sagemaker-containers, sagemaker-training), so the sentence that
a step writes for people stands in the log alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_project_kit.pipeline.aws import ExecutionFailedError, Step

GROUP = "/aws/sagemaker/TrainingJobs"
LINES = 15


def explain(logs: Any, error: ExecutionFailedError) -> ExecutionFailedError:
    """The same error, with the last lines of each training job that failed."""
    told = "\n".join(line for step in error.failed if step.job for line in _told(logs, step))
    return ExecutionFailedError(f"{error}\n{told}", error.failed) if told else error


def _told(logs: Any, step: Step) -> Iterator[str]:
    try:
        lines = _last_lines(logs, step.job)
    except (ClientError, BotoCoreError) as problem:
        yield f"The log of {step.name} could not be read ({problem}); it is in {GROUP}, streams {step.job}…"
        return
    yield f"The end of the log of {step.name} ({GROUP}, {step.job}):" if lines else f"{step.name} left no log."
    yield from (f"  {line}" for line in lines)


def _last_lines(logs: Any, job: str) -> Sequence[str]:
    """A job has a stream for each machine; a tuning job's training jobs begin with its name: the first tells enough."""
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=job, limit=1)["logStreams"]
    if not found:
        return []
    events = logs.get_log_events(
        logGroupName=GROUP, logStreamName=found[0]["logStreamName"], limit=LINES, startFromHead=False
    )["events"]
    return [event["message"].rstrip() for event in events]
