"""The action CloudFormation: creates, updates and deletes stacks under a service role, directly or by change sets.

"AWS CloudFormation deploy action reference", CodePipeline user guide. A stack that would not change is a success.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator.codepipeline.work import ActionFailedError, Work
from rehearsal.emulator.service import region

_POLL_SECONDS = 0.1
_GOOD = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
_UNUSABLE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}


def run(work: Work) -> None:
    """Do what ActionMode says."""
    mode = work.setting("ActionMode")
    actions = {
        "CREATE_UPDATE": _create_or_update,
        "REPLACE_ON_FAILURE": _replace,
        "DELETE_ONLY": _delete,
        "CHANGE_SET_REPLACE": _prepare,
        "CHANGE_SET_EXECUTE": _execute,
    }
    if mode not in actions:
        raise ActionFailedError("ConfigurationError", f"ActionMode {mode} is not part of the rehearsal")
    actions[mode](work, work.client("cloudformation"), work.setting("StackName"))


def _create_or_update(work: Work, cloudformation: Any, name: str) -> None:
    stack = _stack(cloudformation, name)
    request = {"StackName": name, **_request(work)}
    if stack is None:
        request.pop("StackPolicyBody", None)
        work.run.external_id = cloudformation.create_stack(**request)["StackId"]
    elif stack["StackStatus"].endswith("IN_PROGRESS") and work.run.external_id:
        pass  # the update that was under way when the emulator was started again
    else:
        work.run.external_id = stack["StackId"]
        if not _changes(lambda: cloudformation.update_stack(**request)):
            work.run.summary = "No changes to the stack"
            _give_outputs(work, stack)
            return
    _await(work, cloudformation, name)


def _replace(work: Work, cloudformation: Any, name: str) -> None:
    stack = _stack(cloudformation, name)
    if stack and stack["StackStatus"] in _UNUSABLE:
        _delete(work, cloudformation, name)
        work.run.external_id = ""
    _create_or_update(work, cloudformation, name)


def _changes(update: Any) -> bool:
    """Whether there was anything to update."""
    try:
        update()
    except ClientError as error:
        if "No updates are to be performed" in error.response["Error"]["Message"]:
            return False
        raise
    return True


def _delete(work: Work, cloudformation: Any, name: str) -> None:
    stack = _stack(cloudformation, name)
    if stack is None:
        work.run.summary = "There is no such stack"
        return
    role = work.configuration.get("RoleArn")
    cloudformation.delete_stack(StackName=name, **({"RoleARN": role} if role else {}))
    work.run.external_id = stack["StackId"]
    work.wait(lambda: _is_settled(_stack(cloudformation, stack["StackId"])), _POLL_SECONDS)
    left = _stack(cloudformation, stack["StackId"])
    if left and left["StackStatus"] != "DELETE_COMPLETE":
        raise ActionFailedError("JobFailed", _failure(cloudformation, left))


def _prepare(work: Work, cloudformation: Any, name: str) -> None:
    """Create a change set, in the place of an older one of its name."""
    change_set = work.setting("ChangeSetName")
    stack = _stack(cloudformation, name)
    is_new = stack is None or stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    if stack is not None:
        cloudformation.delete_change_set(StackName=name, ChangeSetName=change_set)
    request = _request(work)
    request.pop("StackPolicyBody", None)
    cloudformation.create_change_set(
        StackName=name, ChangeSetName=change_set, ChangeSetType="CREATE" if is_new else "UPDATE", **request
    )
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set))
        return found["Status"] in ("CREATE_COMPLETE", "FAILED")

    work.wait(settled, _POLL_SECONDS)
    work.run.external_id = found.get("ChangeSetId") or change_set
    if found["Status"] == "FAILED" and not _is_empty(found):
        raise ActionFailedError("JobFailed", f"Change set {change_set}: {found.get('StatusReason')}")


def _is_empty(change_set: dict[str, Any]) -> bool:
    reason = change_set.get("StatusReason") or ""
    return "didn't contain changes" in reason or "No updates are to be performed" in reason


def _execute(work: Work, cloudformation: Any, name: str) -> None:
    change_set = work.setting("ChangeSetName")
    found = cloudformation.describe_change_set(StackName=name, ChangeSetName=change_set)
    if found["Status"] == "FAILED" and _is_empty(found):
        work.run.summary = "The change set is empty: nothing to do"
        return
    cloudformation.execute_change_set(StackName=name, ChangeSetName=change_set)
    _await(work, cloudformation, name)


# --- the request


def _request(work: Work) -> dict[str, Any]:
    settings = work.configuration
    parameters, tags, policy = _template_configuration(work)
    parameters |= _overrides(work)
    capabilities = [word.strip() for word in settings.get("Capabilities", "").split(",") if word.strip()]
    request = {
        "TemplateBody": work.read(work.setting("TemplatePath")).decode("utf-8"),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "Capabilities": capabilities,
        "RoleARN": settings.get("RoleArn"),
        "StackPolicyBody": json.dumps(policy) if policy else None,
    }
    return {key: value for key, value in request.items() if value is not None}


def _template_configuration(work: Work) -> tuple[dict[str, str], dict[str, str], Any]:
    """Parameters, tags and stack policy of the file that TemplateConfiguration names."""
    reference = work.configuration.get("TemplateConfiguration")
    if not reference:
        return {}, {}, None
    try:
        content = json.loads(work.read(reference))
        parameters = {key: _text(value, key) for key, value in (content.get("Parameters") or {}).items()}
        tags = {key: _text(value, key) for key, value in (content.get("Tags") or {}).items()}
    except (ValueError, AttributeError) as error:
        raise ActionFailedError("ConfigurationError", f"{reference} is no template configuration: {error}") from None
    return parameters, tags, content.get("StackPolicy")


def _text(value: Any, key: str) -> str:
    """CodePipeline takes texts only."""
    if not isinstance(value, str):
        raise ActionFailedError("ConfigurationError", f"The value of {key} must be a text, found {value!r}")
    return value


def _overrides(work: Work) -> dict[str, str]:
    text = work.configuration.get("ParameterOverrides") or "{}"
    try:
        return {key: _override(value, work) for key, value in json.loads(text).items()}
    except ValueError as error:
        raise ActionFailedError("ConfigurationError", f"ParameterOverrides is no JSON: {error}") from None


def _override(value: Any, work: Work) -> str:
    """Fn::GetParam and Fn::GetArtifactAtt ("Using parameter override functions with CodePipeline pipelines")."""
    if isinstance(value, dict) and "Fn::GetParam" in value:
        artifact, file, key = value["Fn::GetParam"]
        return str(json.loads(work.read(f"{artifact}::{file}"))[key])
    if isinstance(value, dict) and "Fn::GetArtifactAtt" in value:
        name, attribute = value["Fn::GetArtifactAtt"]
        artifact = work.artifact(name)
        url = f"https://s3.{region()}.amazonaws.com/{artifact.bucket}/{artifact.key}"
        return {"BucketName": artifact.bucket, "ObjectKey": artifact.key, "URL": url}[attribute]
    return str(value)


# --- the stack


def _stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" and not name.startswith("arn:") else found


def _is_settled(stack: dict[str, Any] | None) -> bool:
    return stack is None or not stack["StackStatus"].endswith("IN_PROGRESS")


def _await(work: Work, cloudformation: Any, name: str) -> None:
    """Wait for the stack. Raises ActionFailedError with the first resource that failed."""
    work.wait(lambda: _is_settled(_stack(cloudformation, name)), _POLL_SECONDS)
    stack = _stack(cloudformation, name)
    if stack is None:
        raise ActionFailedError("JobFailed", f"Stack {name} is gone")
    work.run.external_id = stack["StackId"]
    work.run.external_url = (
        f"https://{region()}.console.aws.amazon.com/cloudformation/home?region={region()}#/stack/detail?stackId={name}"
    )
    if stack["StackStatus"] not in _GOOD:
        raise ActionFailedError("JobFailed", _failure(cloudformation, stack))
    work.run.summary = f"Stack {name}: {stack['StackStatus']}"
    _give_outputs(work, stack)


def _give_outputs(work: Work, stack: dict[str, Any]) -> None:
    work.run.variables = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs") or []}


def _failure(cloudformation: Any, stack: dict[str, Any]) -> str:
    """What went wrong first in the last operation on a stack."""
    reasons = []
    for event in cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]:
        own = event["LogicalResourceId"] == event["StackName"]
        if event["ResourceStatus"].endswith("_FAILED") and not own:
            reasons.append(
                f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason')}"
            )
        if own and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
            break
    first = reasons[-1] if reasons else stack.get("StackStatusReason") or "no reason given"
    return f"Stack {stack['StackName']} is {stack['StackStatus']}: {first}"
