"""A failed training is told by the end of its log, which FailureReason does not have."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from sagemaker_project_kit.pipeline import aws, joblogs
from sagemaker_project_kit.pipeline.aws import ExecutionFailedError, Step

JOB = "pipelines-abc-Train-x1"
TRAIN = Step("Train", "Failed", "AlgorithmError: ExecuteUserScriptError", JOB)
STREAM = f"{JOB}/algo-1-1790000000"


@contextmanager
def logs(*calls: tuple[str, Any]) -> Iterator[Any]:
    """A client that takes exactly these calls; a text in place of an answer is an error's code."""
    client = boto3.client("logs", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        for operation, answer in calls:
            if isinstance(answer, str):
                stub.add_client_error(operation, answer, "not yours")
            else:
                stub.add_response(operation, answer)
        yield client
        stub.assert_no_pending_responses()


def test_the_last_lines_of_a_failed_training_are_told() -> None:
    events = [{"message": "DataError: column price is empty\n", "timestamp": 1, "ingestionTime": 1}]
    with logs(
        ("describe_log_streams", {"logStreams": [{"logStreamName": STREAM}]}), ("get_log_events", {"events": events})
    ) as client:
        told = joblogs.explain(client, ExecutionFailedError("the execution failed: Train: no reason", [TRAIN]))
    assert str(told).splitlines() == [
        "the execution failed: Train: no reason",
        f"The end of the log of Train (/aws/sagemaker/TrainingJobs, {JOB}):",
        "  DataError: column price is empty",
    ]
    assert told.failed == [TRAIN]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_log_that_cannot_be_read_hides_nothing(code: str) -> None:
    with logs(("describe_log_streams", code)) as client:
        told = str(joblogs.explain(client, ExecutionFailedError("the execution failed: Train: no reason", [TRAIN])))
    assert told.startswith("the execution failed: Train: no reason\nThe log of Train could not be read (An error")
    assert code in told and f"streams {JOB}" in told


def test_a_job_that_never_began_has_no_log() -> None:
    with logs(("describe_log_streams", {"logStreams": []})) as client:
        assert "Train left no log." in str(joblogs.explain(client, ExecutionFailedError("it failed", [TRAIN])))


def test_other_steps_are_left_as_they_are() -> None:
    error = ExecutionFailedError("it failed", [Step("Evaluate", "Failed", "too bad")])
    with logs() as client:
        assert joblogs.explain(client, error) is error


@pytest.mark.parametrize("kind", ["TrainingJob", "TuningJob"])
def test_a_step_knows_its_job(kind: str) -> None:
    arn = f"arn:aws:sagemaker:eu-west-1:222222222222:training-job/{JOB}"
    assert aws._job({"StepName": "Train", "Metadata": {kind: {"Arn": arn}}}) == JOB
    assert aws._job({"StepName": "Register", "Metadata": {"RegisterModel": {"Arn": arn}}}) == ""
