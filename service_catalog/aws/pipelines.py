"""CodePipeline: what runs, and keeping more from starting."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.aws.account import pages

_RUNNING = ("InProgress", "Stopping")


class Pipelines:
    """The pipelines of one account and region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def state(self, name: str) -> dict[str, Any] | None:
        """GetPipelineState; None if there is no such pipeline."""
        try:
            found: dict[str, Any] = self._client.get_pipeline_state(name=name)
        except ClientError as error:
            if errors.code(error) == "PipelineNotFoundException":
                return None
            raise
        return found

    def running(self, name: str) -> Iterator[str]:
        """Ids of the executions that are not over."""
        for item in pages(self._client, "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name):
            if item["status"] in _RUNNING:
                yield item["pipelineExecutionId"]

    def close(self, name: str, state: dict[str, Any], reason: str) -> None:
        """Let no execution go beyond the first stage any more."""
        for stage in state.get("stageStates", [])[1:]:
            if stage.get("inboundTransitionState", {}).get("enabled", True):
                self._client.disable_stage_transition(
                    pipelineName=name, stageName=stage["stageName"], transitionType="Inbound", reason=reason
                )

    def stop(self, name: str, execution: str, reason: str) -> None:
        """Abandon an execution; nothing if it is over already."""
        try:
            self._client.stop_pipeline_execution(
                pipelineName=name, pipelineExecutionId=execution, abandon=True, reason=reason
            )
        except ClientError as error:
            if errors.code(error) not in ("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"):
                raise
