"""How a step fails: one sentence, to the log and to the file in which SageMaker looks for it; exit code 1.

Refuses to hide bugs: only StepError and MetricError become a sentence, anything else keeps its traceback.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from sagemaker_project_runtime.job import StepError, TrainingError
from sagemaker_project_runtime.steps.known_metrics import MetricError

__all__ = ["ConfigurationError", "DataError", "EvaluationError", "StepError", "TrainingError", "run"]

OUTPUT_DIR = "/opt/ml/output"
MESSAGE = "message"  # processing jobs: becomes DescribeProcessingJob's ExitMessage
FAILURE = "failure"  # training jobs: FailureReason, unless AWS's toolkit writes over it (joblogs.py)
LIMIT = 1024  # bytes that SageMaker keeps of either


class DataError(StepError):
    """The data file cannot be used."""


class ConfigurationError(StepError):
    """The configuration does not fit the data; lists every problem."""


class EvaluationError(StepError):
    """The model cannot be judged on the test rows."""


def run(step: Callable[[], object], file: str = MESSAGE) -> int:
    """Run a step's body; the exit code of the process. `file`: where in SM_OUTPUT_DIR a failure is reported."""
    try:
        step()
    except (StepError, MetricError) as error:
        sentence = str(error)
        print(f"{type(error).__name__}: {sentence}", file=sys.stderr, flush=True)
        _report(sentence, file)
        return 1
    return 0


def _report(sentence: str, file: str) -> None:
    """The folder that a job names is made: not every container starts with it. Without a name, as on a laptop, it is
    left out where there is none; and a disk that takes nothing does not hide the sentence, which is in the log."""
    folder = Path(os.environ.get("SM_OUTPUT_DIR", OUTPUT_DIR))
    with contextlib.suppress(OSError):
        if "SM_OUTPUT_DIR" in os.environ:
            folder.mkdir(parents=True, exist_ok=True)
        if folder.is_dir():
            kept = sentence.encode("utf-8")[:LIMIT].decode("utf-8", "ignore")
            (folder / file).write_bytes(kept.encode("utf-8"))
