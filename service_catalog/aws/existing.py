"""Whether something that the tagging API lists is still there: what was deleted may stay on its list for a while.

It "returns all the tagged or previously tagged resources" (Resource Groups Tagging API reference, GetResources).

It only reads. What it cannot ask about, by its type or for want of a permission, is unknown and never said to be gone.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from service_catalog import errors
from service_catalog.aws.account import Account

# How the part of an ARN after the account begins, with its service, to what describes it: operation and parameter.
_LOOKS: dict[tuple[str, str], tuple[str, str]] = {
    ("sagemaker", "model/"): ("describe_model", "ModelName"),
    ("sagemaker", "endpoint/"): ("describe_endpoint", "EndpointName"),
    ("sagemaker", "endpoint-config/"): ("describe_endpoint_config", "EndpointConfigName"),
    ("sagemaker", "model-package-group/"): ("describe_model_package_group", "ModelPackageGroupName"),
    ("sagemaker", "code-repository/"): ("describe_code_repository", "CodeRepositoryName"),
    ("sagemaker", "monitoring-schedule/"): ("describe_monitoring_schedule", "MonitoringScheduleName"),
    ("sagemaker", "project/"): ("describe_project", "ProjectName"),
    ("cloudformation", "stack/"): ("describe_stacks", "StackName"),
    ("codecommit", ""): ("get_repository", "repositoryName"),
    ("codepipeline", ""): ("get_pipeline_state", "name"),
    ("events", "rule/"): ("describe_rule", "Name"),
    ("kms", "key/"): ("describe_key", "KeyId"),
    ("lambda", "function:"): ("get_function_configuration", "FunctionName"),
    ("s3", ""): ("head_bucket", "Bucket"),
    ("sns", ""): ("get_topic_attributes", "TopicArn"),
    ("sqs", ""): ("get_queue_url", "QueueName"),
    ("ssm", "parameter/"): ("get_parameter", "Name"),
}
# These take the whole ARN, or a name that begins with a slash.
_WHOLE = ("sns", "cloudformation")
_GONE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "describe_key": lambda answer: answer["KeyMetadata"]["KeyState"] in ("PendingDeletion", "PendingReplicaDeletion"),
    "describe_stacks": lambda answer: answer["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE",
    "describe_project": lambda answer: answer["ProjectStatus"] == "DeleteCompleted",
}
_MISSING_CODES = ("404", "NoSuchBucket", "NonExistentQueue", "DoesNotExist", "NotFound")
_MISSING_WORDS = ("could not find", "cannot find", "does not exist", "not found")


def is_there(account: Account, arn: str) -> bool | None:
    """Whether it exists; None if nobody can tell."""
    _, _, service, _, _, name = arn.split(":", 5)
    kinds = [kind for (of, kind) in _LOOKS if of == service and name.startswith(kind)]
    if not kinds:
        return None
    operation, parameter = _LOOKS[service, max(kinds, key=len)]
    value = arn if service in _WHOLE else name.removeprefix(max(kinds, key=len))
    try:
        answer = getattr(account.client(service), operation)(**{parameter: "/" + value if service == "ssm" else value})
    except ClientError as error:
        return False if _is_missing(error) else None
    except BotoCoreError:
        return None
    return not (operation in _GONE and _GONE[operation](answer))


def _is_missing(error: ClientError) -> bool:
    """Every service has its own word for what is not there; SageMaker and CloudFormation have but a sentence."""
    code, words = errors.code(error), errors.message(error).lower()
    if any(part in code for part in _MISSING_CODES):
        return True
    return code in ("ValidationException", "ValidationError") and any(part in words for part in _MISSING_WORDS)
