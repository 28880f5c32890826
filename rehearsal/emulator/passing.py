"""Which calls hand a role, or a connection, to a service: for each, the permission to pass it is asked for."""

import json
from collections.abc import Iterator
from typing import Any

from .seams import ApiCall

# Action: where the role stands in the request, and the service that will assume it.
PASSED = {
    "codebuild:CreateProject": ("serviceRole", "codebuild.amazonaws.com"),
    "codebuild:UpdateProject": ("serviceRole", "codebuild.amazonaws.com"),
    "codepipeline:CreatePipeline": ("pipeline.roleArn", "codepipeline.amazonaws.com"),
    "codepipeline:UpdatePipeline": ("pipeline.roleArn", "codepipeline.amazonaws.com"),
    "events:PutTargets": ("Targets.RoleArn", "events.amazonaws.com"),
    "lambda:CreateFunction": ("Role", "lambda.amazonaws.com"),
    "scheduler:CreateSchedule": ("Target.RoleArn", "scheduler.amazonaws.com"),
    "scheduler:UpdateSchedule": ("Target.RoleArn", "scheduler.amazonaws.com"),
    "cloudformation:CreateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:UpdateStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:DeleteStack": ("RoleARN", "cloudformation.amazonaws.com"),
    "cloudformation:CreateChangeSet": ("RoleARN", "cloudformation.amazonaws.com"),
    "sagemaker:CreateModel": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateProcessingJob": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateTrainingJob": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateAutoMLJob": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateHyperParameterTuningJob": ("TrainingJobDefinition.RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreatePipeline": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:UpdatePipeline": ("RoleArn", "sagemaker.amazonaws.com"),
    "sagemaker:CreateFeatureGroup": ("RoleArn", "sagemaker.amazonaws.com"),
}


def passed_roles(call: ApiCall, action: str) -> list[tuple[str, str]]:
    """The roles that a call passes, each with the service that gets it; a role that is not named is not passed."""
    if action == "servicecatalog:CreateConstraint":
        return _launch_role(call)
    if action not in PASSED:
        return []
    path, service = PASSED[action]
    return [(role, service) for role in at(_request(call), path.split(".")) if role]


def passed_connections(call: ApiCall, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The permissions to pass connections to a pipeline: action, connection and condition keys.

    "Actions, resources, and condition keys for AWS CodeConnections", Service Authorization Reference.
    """
    if action not in ("codepipeline:CreatePipeline", "codepipeline:UpdatePipeline"):
        return []
    arns = filter(None, at(_request(call), ["pipeline", "stages", "actions", "configuration", "ConnectionArn"]))
    services = {arn: arn.split(":")[2] for arn in arns}
    return [
        (f"{service}:PassConnection", arn, {f"{service}:PassedToService": "codepipeline.amazonaws.com"})
        for arn, service in services.items()
    ]


def _launch_role(call: ApiCall) -> list[tuple[str, str]]:
    request = _request(call)
    role = json.loads(request.get("Parameters") or "{}").get("RoleArn") if request.get("Type") == "LAUNCH" else None
    return [(role, "servicecatalog.amazonaws.com")] if role else []


def _request(call: ApiCall) -> dict[str, Any]:
    """The members of a request, of a JSON or of a query protocol."""
    if call.body[:1] == b"{":
        document: dict[str, Any] = json.loads(call.body)
        return document
    return {name: value[0] if isinstance(value, list) else value for name, value in call.parameters.items()}


def at(value: Any, path: list[str]) -> Iterator[str]:
    """What stands at a path, in each item of every list on the way; empty for nothing there."""
    if isinstance(value, list):
        for item in value:
            yield from at(item, path)
    elif not path:
        yield str(value or "")
    elif isinstance(value, dict) and path[0] in value:
        yield from at(value[path[0]], path[1:])
