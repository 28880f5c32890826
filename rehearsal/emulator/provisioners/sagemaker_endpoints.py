"""AWS::SageMaker::Model, EndpointConfig and Endpoint, made with the API as whoever CloudFormation acts for.

A model or configuration without a name gets one of its own each time, so that a change replaces it.
"""

import time
from typing import Any

from rehearsal.emulator.provisioning import Context, Properties, ignored, own_tags, provisioner, tag_changes
from rehearsal.emulator.service import AwsError, new_id
from rehearsal.emulator.shapes import typed

_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 3600.0
_BUSY = ("Creating", "Updating", "RollingBack", "Deleting", "SystemUpdating")
# What is kept and shown, but has no effect on what runs here.
_WITHOUT_EFFECT = {
    "AWS::SageMaker::Model": {"VpcConfig"},
    "AWS::SageMaker::EndpointConfig": {
        "KmsKeyId",
        "ProductionVariants[].InitialInstanceCount",
        "ProductionVariants[].InstanceType",
        "ProductionVariants[].ServerlessConfig",
        "ShadowProductionVariants[].InitialInstanceCount",
        "ShadowProductionVariants[].InstanceType",
        "AsyncInferenceConfig.ClientConfig",
    },
}


def _note_without_effect(type_name: str, properties: Properties) -> None:
    given = {path for path in _WITHOUT_EFFECT[type_name] if _has(properties, path.replace("[]", "").split("."))}
    if given:
        ignored[type_name] = (ignored.get(type_name) or set()) | given


def _has(value: Any, path: list[str]) -> bool:
    if isinstance(value, list):
        return any(_has(item, path) for item in value)
    return not path or (value.get(path[0]) is not None and _has(value[path[0]], path[1:]))


def _request(operation: str, properties: Properties) -> Properties:
    return typed("sagemaker", operation, properties) | {"Tags": own_tags(properties)}


def _update_tags(api: Any, ref: str, old: Properties, new: Properties) -> None:
    added, removed = tag_changes(old, new)
    if added:
        api.add_tags(ResourceArn=ref, Tags=added)
    if removed:
        api.delete_tags(ResourceArn=ref, TagKeys=removed)


def _name(given: str | None, context: Context) -> str:
    return given or f"{context.logical_id}-{new_id(length=12)}"[-63:]


@provisioner(
    "AWS::SageMaker::Model",
    create_only=(
        "ModelName",
        "Containers",
        "EnableNetworkIsolation",
        "ExecutionRoleArn",
        "InferenceExecutionConfig",
        "PrimaryContainer",
        "VpcConfig",
    ),
    tags=True,
)
class Model:
    """Ref is the ARN."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        name = _name(properties.get("ModelName"), context)
        _note_without_effect("AWS::SageMaker::Model", properties)
        request = {**_request("CreateModel", properties), "ModelName": name}
        arn = context.client("sagemaker").create_model(**request)["ModelArn"]
        return arn, {"ModelArn": arn, "ModelName": name}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        _update_tags(context.client("sagemaker"), ref, old, new)
        return {"ModelArn": ref, "ModelName": _named(context.client("sagemaker"), ref)}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("sagemaker").delete_model(ModelName=ref.rpartition("/")[2])


def _named(api: Any, ref: str) -> str:
    """A model's name as it was given; its ARN has it in lower case."""
    return str(api.describe_model(ModelName=ref.rpartition("/")[2])["ModelName"])


@provisioner(
    "AWS::SageMaker::EndpointConfig",
    create_only=(
        "EndpointConfigName",
        "AsyncInferenceConfig",
        "DataCaptureConfig",
        "EnableNetworkIsolation",
        "ExecutionRoleArn",
        "ExplainerConfig",
        "KmsKeyId",
        "MetricsConfig",
        "ProductionVariants",
        "ShadowProductionVariants",
        "VpcConfig",
    ),
    tags=True,
)
class EndpointConfig:
    """Ref is the ARN."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        name = _name(properties.get("EndpointConfigName"), context)
        _note_without_effect("AWS::SageMaker::EndpointConfig", properties)
        request = {**_request("CreateEndpointConfig", properties), "EndpointConfigName": name}
        arn = context.client("sagemaker").create_endpoint_config(**request)["EndpointConfigArn"]
        return arn, {"EndpointConfigArn": arn, "EndpointConfigName": name}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api = context.client("sagemaker")
        _update_tags(api, ref, old, new)
        shown = api.describe_endpoint_config(EndpointConfigName=ref.rpartition("/")[2])
        return {"EndpointConfigArn": ref, "EndpointConfigName": shown["EndpointConfigName"]}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("sagemaker").delete_endpoint_config(EndpointConfigName=ref.rpartition("/")[2])


@provisioner("AWS::SageMaker::Endpoint", create_only=("EndpointName",), tags=True)
class Endpoint:
    """Ref is the ARN. CloudFormation waits for it; one that comes back with its old configuration failed to update."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        name, api = _name(properties.get("EndpointName"), context), context.client("sagemaker")
        # For an endpoint that is being made these have no meaning; reading them says that they are known.
        _ = properties.get("RetainAllVariantProperties"), properties.get("ExcludeRetainedVariantProperties")
        request = {**_request("CreateEndpoint", properties), "EndpointName": name}
        arn = api.create_endpoint(**request)["EndpointArn"]
        _await(api, name, request["EndpointConfigName"])
        return arn, {"EndpointArn": arn, "EndpointName": name}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api, name = context.client("sagemaker"), _endpoint_name(ref, new)
        _update_tags(api, ref, old, new)
        request = {**typed("sagemaker", "UpdateEndpoint", new), "EndpointName": name}
        if api.describe_endpoint(EndpointName=name)["EndpointConfigName"] != request["EndpointConfigName"]:
            api.update_endpoint(**request)
            _await(api, name, request["EndpointConfigName"])
        return {"EndpointArn": ref, "EndpointName": name}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        api, name = context.client("sagemaker"), _endpoint_name(ref, properties)
        api.delete_endpoint(EndpointName=name)


def _endpoint_name(ref: str, properties: Properties) -> str:
    return str(properties.get("EndpointName") or ref.rpartition("/")[2])


def _await(api: Any, name: str, config: str) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while (shown := api.describe_endpoint(EndpointName=name))["EndpointStatus"] in _BUSY:
        if time.monotonic() > deadline:
            raise AwsError("NotStabilized", f"Endpoint {name} is still {shown['EndpointStatus']}.")
        time.sleep(_POLL_SECONDS)
    if shown["EndpointStatus"] != "InService" or shown["EndpointConfigName"] != config:
        reason = shown.get("FailureReason", "no reason given")
        raise AwsError("NotStabilized", f"Endpoint {name} did not take the configuration {config}: {reason}")
