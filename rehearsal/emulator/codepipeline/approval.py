"""The action Manual: waits for a person, whom a notification tells where to look."""

import json
import time
import uuid

from rehearsal.emulator.codepipeline.work import ActionFailedError, Work
from rehearsal.emulator.service import region

# "Timeout for a manual approval action": 7 days, AWS CodePipeline quotas.
_SECONDS = 7 * 24 * 3600.0


def run(work: Work) -> None:
    """Wait for PutApprovalResult. Raises ActionFailedError for a rejection or when nobody decides in time."""
    if not work.run.token:
        work.run.token = str(uuid.uuid4())
        if topic := work.configuration.get("NotificationArn"):
            _notify(work, topic)
    deadline = work.run.begun + _SECONDS
    work.wait(lambda: work.run.decision or time.time() > deadline, 3600)
    decision = dict(work.run.decision)
    work.run.summary, work.run.changed_by, work.run.token = decision.get("summary", ""), decision.get("by", ""), ""
    if decision.get("status") != "Approved":
        text = f"Rejected by {decision['by']}: {decision['summary']}" if decision else "Nobody decided within 7 days"
        raise ActionFailedError("JobFailed", text)


def _notify(work: Work, topic: str) -> None:
    """ "JSON data format for manual approval notifications in CodePipeline"."""
    pipeline, run = work.execution.pipeline.name, work.run
    console = f"https://console.aws.amazon.com/codesuite/codepipeline/pipelines/{pipeline}/view?region={region()}"
    approval = {
        "pipelineName": pipeline,
        "stageName": run.stage,
        "actionName": run.action.name,
        "token": run.token,
        "expires": time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(run.begun + _SECONDS)),
        "externalEntityLink": work.configuration.get("ExternalEntityLink"),
        "approvalReviewLink": f"{console}#/{run.stage}/{run.action.name}/approve/{run.token}",
        "customData": work.configuration.get("CustomData"),
    }
    message = {"region": region(), "consoleLink": console, "approval": approval}
    subject = f"APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {run.action.name}"
    work.client("sns").publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(message))
