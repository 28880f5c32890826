"""How a step fails: one sentence, to the log and to the file in which SageMaker looks for it; exit code 1.

Refuses to hide bugs: only StepError and MetricError become a sentence, anything else keeps its traceback.
"""

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
        _report(sentence, Path(os.environ.get("SM_OUTPUT_DIR", OUTPUT_DIR)) / file)
        return 1
    return 0


def _report(sentence: str, path: Path) -> None:
    """Left out where there is no such folder, as on a laptop."""
    if path.parent.is_dir():
        path.write_bytes(sentence.encode("utf-8")[:LIMIT].decode("utf-8", "ignore").encode("utf-8"))
