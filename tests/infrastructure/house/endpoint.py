"""House rules on models, endpoints and autoscaling: a release can always be taken back, and undoes nothing."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape
from botocore.validate import ParamValidator

from tests.infrastructure.cloudformation import Stack

_CONFIG = "AWS::SageMaker::EndpointConfig"
_ENDPOINT = "AWS::SageMaker::Endpoint"
_UNNAMED = {"AWS::SageMaker::Model": "ModelName", _CONFIG: "EndpointConfigName"}
# Families with a disk inside the machine, which SageMaker takes no key for (API reference, CreateEndpointConfig).
_OWN_DISK = ("g4dn", "g5", "g6", "g6e", "p4d", "p5", "m5d", "c5d", "r5d", "m6gd", "c6gd", "r6gd", "r7gd")


def replaced_resources_have_no_name(stack: Stack) -> Iterator[str]:
    """Every property of models and endpoint configurations is create-only: a name would block the next release."""
    for kind, name_property in _UNNAMED.items():
        for name, properties in stack.of_type(kind):
            if name_property in properties:
                yield f"{name}: {name_property} must not be given"


def endpoints_roll_back(stack: Stack) -> Iterator[str]:
    """1 to 10 alarms of this stack watch every deployment; a serverless endpoint has no deployment to watch."""
    for name, endpoint in stack.of_type(_ENDPOINT):
        deployment = endpoint.get("DeploymentConfig")
        if _is_serverless(stack):
            if deployment:
                yield f"{name}: a serverless endpoint takes no DeploymentConfig"
            continue
        alarms = (deployment or {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
        own = {f"<{alarm}>" for alarm, _ in stack.of_type("AWS::CloudWatch::Alarm")}
        if not 1 <= len(alarms) <= 10:
            yield f"{name}: {len(alarms)} alarms watch a deployment, 1 to 10 must"
        yield from (f"{name}: {each} is no alarm of this stack" for each in alarms if each["AlarmName"] not in own)
        yield from _unwatched(stack, name, alarms)


def _unwatched(stack: Stack, name: str, alarms: list[dict[str, str]]) -> Iterator[str]:
    watched = {alarm["AlarmName"] for alarm in alarms}
    metrics = {
        metric
        for each, body in stack.of_type("AWS::CloudWatch::Alarm")
        if f"<{each}>" in watched
        for metric in _metrics(body)
    }
    yield from (
        f"{name}: no alarm on {metric} rolls a deployment back"
        for metric in ("Invocation5XXErrors", "Invocation4XXErrors", "ModelLatency")
        if metric not in metrics
    )


def _metrics(alarm: dict[str, Any]) -> Iterator[str]:
    if "MetricName" in alarm:
        yield alarm["MetricName"]
    for entry in alarm.get("Metrics", []):
        if "MetricStat" in entry:
            yield entry["MetricStat"]["Metric"]["MetricName"]


def traffic_moves_as_asked(stack: Stack) -> Iterator[str]:
    """The steps fit the policy, are at most half of the instances, and fit into the time."""
    for name, endpoint in stack.of_type(_ENDPOINT):
        policy = endpoint.get("DeploymentConfig", {}).get("BlueGreenUpdatePolicy")
        if not policy:
            if not _is_serverless(stack):
                yield f"{name}: no blue/green deployment"
            continue
        routing = policy["TrafficRoutingConfiguration"]
        step = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing["Type"])
        yield from (
            f"{name}: {key} has no place in {routing['Type']}"
            for key in {"CanarySize", "LinearStepSize"} - {step} & routing.keys()
        )
        if step:
            yield from _step_problems(stack, name, routing.get(step))
        waits = int(routing["WaitIntervalInSeconds"]) + int(policy.get("TerminationWaitInSeconds", 0))
        if waits >= int(policy.get("MaximumExecutionTimeoutInSeconds", 0)):
            yield f"{name}: the waits leave no time to deploy"


def _step_problems(stack: Stack, name: str, step: dict[str, str] | None) -> Iterator[str]:
    count = min((int(v["InitialInstanceCount"]) for _, v in _variants(stack) if "InitialInstanceCount" in v), default=0)
    if step is None:
        yield f"{name}: the size of a step is missing"
    elif step["Type"] == "CAPACITY_PERCENT" and not (10 <= int(step["Value"]) <= 50 and count >= 2):
        yield f"{name}: a step of {step['Value']} % of {count} instances is not between 10 % and half of them"
    elif step["Type"] == "INSTANCE_COUNT" and int(step["Value"]) * 2 > count:
        yield f"{name}: a step of {step['Value']} is more than half of {count} instances"


def releases_keep_scaled_counts(stack: Stack) -> Iterator[str]:
    """What autoscaling reached survives a release; weights follow the configuration."""
    asked = stack.values.get("AutoScaling")
    scaled = asked in ("on", "suspended")
    for name, endpoint in stack.of_type(_ENDPOINT):
        excluded = {each["VariantPropertyType"] for each in endpoint.get("ExcludeRetainedVariantProperties", [])}
        if endpoint.get("RetainAllVariantProperties") is not scaled:
            yield f"{name}: RetainAllVariantProperties must be {scaled} when AutoScaling is {asked}"
        if scaled and excluded != {"DesiredWeight"}:
            yield f"{name}: a release must set weights, and keep counts"


def capture_is_encrypted_sampled_and_apart(stack: Stack) -> Iterator[str]:
    """Captured data has a key, a share from 1 to 100 and a prefix that names the stage."""
    for name, config in stack.of_type(_CONFIG):
        capture = config.get("DataCaptureConfig")
        if capture is None:
            continue
        if "KmsKeyId" not in capture:
            yield f"{name}: captured data is not encrypted with the key"
        if not 1 <= int(capture["InitialSamplingPercentage"]) <= 100:
            yield f"{name}: {capture['InitialSamplingPercentage']} % of the traffic cannot be captured"
        if stack.values["StageName"] not in capture["DestinationS3Uri"].split("/"):
            yield f"{name}: captured data of all stages would be mixed"
        if {option["CaptureMode"] for option in capture["CaptureOptions"]} != {"Input", "Output"}:
            yield f"{name}: monitors need requests and answers"


def disks_are_encrypted(stack: Stack) -> Iterator[str]:
    """With the key, unless the machine's own disk is, which takes none."""
    for name, config in stack.of_type(_CONFIG):
        types = {
            str(variant.get("InstanceType")).split(".")[1:2][0]
            for _, variant in _variants(stack)
            if "InstanceType" in variant
        }
        own = bool(types & set(_OWN_DISK))
        if ("KmsKeyId" in config) is own:
            yield f"{name}: KmsKeyId must {'not ' if own else ''}be given for {types or 'a serverless endpoint'}"
        if "AsyncInferenceConfig" in config and "KmsKeyId" not in config["AsyncInferenceConfig"]["OutputConfig"]:
            yield f"{name}: asynchronous answers are not encrypted with the key"


def models_are_isolated(stack: Stack) -> Iterator[str]:
    """No network inside the container, and the team's network around it if there is one. Serverless offers neither."""
    serverless = _is_serverless(stack)
    for name, model in stack.of_type("AWS::SageMaker::Model"):
        if not serverless and model.get("EnableNetworkIsolation") is not True:
            yield f"{name}: the container can reach the network"
        if ("VpcConfig" in model) is not bool(stack.values.get("SubnetIds")):
            yield f"{name}: VpcConfig does not follow SubnetIds"
        if set(model.get("PrimaryContainer", {})) != {"ModelPackageName"}:
            yield f"{name}: a model is made from a model package and nothing else"


def variants_are_what_sagemaker_offers(stack: Stack) -> Iterator[str]:
    """Known machines, the constant variant name, one shadow beside one variant, plausible weights."""
    for name, config in stack.of_type(_CONFIG):
        production, shadow = config["ProductionVariants"], config.get("ShadowProductionVariants", [])
        if production[0]["VariantName"] != "AllTraffic":
            yield f"{name}: the first variant must stay AllTraffic"
        if shadow and (len(production), len(shadow)) != (1, 1):
            yield f"{name}: a shadow variant needs exactly one production variant"
        if "AsyncInferenceConfig" in config and (len(production) > 1 or shadow or "DataCaptureConfig" in config):
            yield f"{name}: an asynchronous endpoint has one variant and no data capture"
        if not sum(float(variant["InitialVariantWeight"]) for variant in production) > 0:
            yield f"{name}: the weights leave no traffic"
    known = _enum("ProductionVariantInstanceType")
    for name, variant in _variants(stack):
        if ("ServerlessConfig" in variant) is ("InstanceType" in variant):
            yield f"{name}: a variant has either ServerlessConfig or an InstanceType"
        if "InstanceType" in variant and variant["InstanceType"] not in known:
            yield f"{name}: {variant['InstanceType']} is no instance type for endpoints"


def the_endpoint_is_what_was_asked_for(stack: Stack) -> Iterator[str]:
    """EndpointType and CandidateUse decide, and nothing else does."""
    kind, use = stack.values.get("EndpointType"), stack.values.get("CandidateUse")
    for name, config in stack.of_type(_CONFIG):
        asked = (kind == "serverless", kind == "asynchronous", use == "ab-test", use == "shadow")
        found = (_is_serverless(stack), "AsyncInferenceConfig" in config, len(config["ProductionVariants"]) == 2)
        if asked != (*found, "ShadowProductionVariants" in config):
            yield f"{name}: is not {kind} with the second model used as {use}"
        if ("DataCaptureConfig" in config) is (stack.values["CapturePercent"] == "0"):
            yield f"{name}: data capture does not follow CapturePercent"


def scaling_has_room(stack: Stack) -> Iterator[str]:
    """Minimum ≤ maximum, by day and by night, on the endpoint of this stage; zero only for a queue."""
    floor = 0 if stack.values.get("EndpointType") == "asynchronous" else 1
    for name, target in stack.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        for each in [target, *(action["ScalableTargetAction"] for action in target.get("ScheduledActions", []))]:
            low, high = int(each["MinCapacity"]), int(each["MaxCapacity"])
            if not floor <= low <= high:
                yield f"{name}: from {low} to {high} instances, but at least {floor} must run"
        if target["ResourceId"] != f"endpoint/{endpoint_name(stack)}/variant/AllTraffic":
            yield f"{name}: {target['ResourceId']} is not the first variant of this stage's endpoint"


def jobs_are_what_sagemaker_takes(stack: Stack) -> Iterator[str]:
    """The schedule's input is a valid CreateTransformJob request, encrypted and under the stage's prefix."""
    shape = _model().operation_model("CreateTransformJob").input_shape
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule"):
        target = schedule["Target"]
        if not target["Arn"].endswith(":sagemaker:createTransformJob"):
            continue
        request = json.loads(target["Input"])
        yield from (f"{name}: {line}" for line in _validate(request, shape))
        if (
            not {"KmsKeyId"} <= request["TransformOutput"].keys()
            or "VolumeKmsKeyId" not in request["TransformResources"]
        ):
            yield f"{name}: predictions or disks are not encrypted with the key"
        if request["TransformResources"]["InstanceType"] not in _enum("TransformInstanceType"):
            yield f"{name}: {request['TransformResources']['InstanceType']} is no instance type for transform jobs"
        if not 1 < request.get("MaxConcurrentTransforms", 1) <= 100 // request["MaxPayloadInMB"]:
            yield f"{name}: one request at a time leaves processors idle; with its size at most 100 MB"
        if "<aws.scheduler.execution-id>" not in request["TransformJobName"]:
            yield f"{name}: the second job would have the name of the first"
        if stack.values["StageName"] not in request["TransformOutput"]["S3OutputPath"].split("/"):
            yield f"{name}: predictions of all stages would be mixed"


RULES = (
    replaced_resources_have_no_name,
    endpoints_roll_back,
    traffic_moves_as_asked,
    releases_keep_scaled_counts,
    capture_is_encrypted_sampled_and_apart,
    disks_are_encrypted,
    models_are_isolated,
    variants_are_what_sagemaker_offers,
    the_endpoint_is_what_was_asked_for,
    scaling_has_room,
    jobs_are_what_sagemaker_takes,
)


def endpoint_name(stack: Stack) -> str:
    """What the endpoint of a stage is called, everywhere."""
    return "-".join(str(stack.values[name]) for name in ("SageMakerProjectName", "SageMakerProjectId", "StageName"))


def _variants(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, config in stack.of_type(_CONFIG):
        for variant in [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]:
            yield f"{name} {variant['VariantName']}", variant


def _is_serverless(stack: Stack) -> bool:
    return any("ServerlessConfig" in variant for _, variant in _variants(stack))


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


@cache
def _enum(shape: str) -> frozenset[str]:
    return frozenset(_model().shape_for(shape).enum)


def _validate(request: dict[str, Any], shape: Shape) -> list[str]:
    report = ParamValidator().validate(request, shape)
    return report.generate_report().splitlines() if report.has_errors() else []
