"""Values and combinations that must be refused before anything is touched: by a pattern, a Rule or a Comparison."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.infrastructure import stages
from tests.infrastructure.stages import ADDED, CANDIDATE, NETWORK, NOT_LIVE

_SERVERLESS = {**NOT_LIVE, "EndpointType": "serverless", "AutoScaling": "off"}
_ASYNCHRONOUS = {**NOT_LIVE, "EndpointType": "asynchronous"}
_NIGHT = {"AutoScaling": "on", "NightStart": "cron(0 20 ? * * *)", "NightEnd": "cron(0 6 ? * * *)"}


class Refusal(NamedTuple):
    """In `file`, `values` (otherwise as production has them) are refused with a sentence about `key`."""

    name: str
    file: str
    key: str
    values: dict[str, str]


REFUSALS = [
    Refusal("a sample rate of 150", "endpoint.yaml", "CapturePercent", {"CapturePercent": "150"}),
    Refusal("a sample rate in words", "endpoint.yaml", "CapturePercent", {"CapturePercent": "all"}),
    Refusal("an unknown instance type", "endpoint.yaml", "InstanceType", {"InstanceType": "ml.m5.hugexlarge"}),
    Refusal("no instance", "endpoint.yaml", "InstanceCount", {"InstanceCount": "0"}),
    Refusal("serverless with a GPU", "endpoint.yaml", "InstanceType", {**_SERVERLESS, "InstanceType": "ml.g5.xlarge"}),
    Refusal("serverless in a VPC", "endpoint.yaml", "SubnetIds", {**_SERVERLESS, **NETWORK}),
    Refusal("serverless with data capture", "endpoint.yaml", "CapturePercent", {**_SERVERLESS, "CapturePercent": "10"}),
    Refusal(
        "serverless with a canary", "endpoint.yaml", "TrafficShifting", {**_SERVERLESS, "TrafficShifting": "CANARY"}
    ),
    Refusal("serverless with autoscaling", "endpoint.yaml", "AutoScaling", {**_SERVERLESS, "AutoScaling": "on"}),
    Refusal("serverless, scaled", "scaling.yaml", "AutoScaling", {**_SERVERLESS, "AutoScaling": "on"}),
    Refusal(
        "serverless with a second model",
        "endpoint.yaml",
        "CandidateUse",
        {**_SERVERLESS, "CandidateUse": "ab-test", **CANDIDATE},
    ),
    Refusal(
        "asynchronous with data capture", "endpoint.yaml", "CapturePercent", {**_ASYNCHRONOUS, "CapturePercent": "10"}
    ),
    Refusal(
        "asynchronous with a shadow",
        "endpoint.yaml",
        "CandidateUse",
        {**_ASYNCHRONOUS, "CandidateUse": "shadow", **CANDIDATE},
    ),
    Refusal(
        "asynchronous with traffic expected",
        "endpoint.yaml",
        "ExpectsTraffic",
        {**_ASYNCHRONOUS, "ExpectsTraffic": "yes"},
    ),
    Refusal("a test without a second model", "endpoint.yaml", "CandidateModelPackageArn", {"CandidateUse": "ab-test"}),
    Refusal(
        "a test of a model against itself",
        "endpoint.yaml",
        "CandidateModelPackageArn",
        {"CandidateUse": "ab-test", "CandidateModelPackageArn": ADDED["ModelPackageArn"]},
    ),
    Refusal(
        "a group instead of a version",
        "endpoint.yaml",
        "ModelPackageArn",
        {"ModelPackageArn": ADDED["ModelPackageArn"][:-2]},
    ),
    Refusal("a canary larger than half", "endpoint.yaml", "ShiftPercent", {"ShiftPercent": "80"}),
    Refusal("a canary of one instance", "endpoint.yaml", "InstanceCount", {"InstanceCount": "1"}),
    Refusal(
        "linear steps of one instance",
        "endpoint.yaml",
        "InstanceCount",
        {"TrafficShifting": "LINEAR", "InstanceCount": "1"},
    ),
    Refusal(
        "a canary of a candidate with one instance",
        "endpoint.yaml",
        "CandidateInstanceCount",
        {"CandidateUse": "shadow", "CandidateInstanceCount": "1", **CANDIDATE},
    ),
    Refusal("a canary too short for an alarm", "endpoint.yaml", "ShiftWaitSeconds", {"ShiftWaitSeconds": "60"}),
    Refusal(
        "waits longer than the deployment", "endpoint.yaml", "ShiftTimeoutSeconds", {"ShiftTimeoutSeconds": "1200"}
    ),
    Refusal(
        "subnets without security groups", "endpoint.yaml", "SecurityGroupIds", {**NETWORK, "SecurityGroupIds": ""}
    ),
    Refusal("security groups without subnets", "batch.yaml", "SubnetIds", {**NETWORK, "SubnetIds": ""}),
    Refusal("a single subnet", "endpoint.yaml", "SubnetIds", {**NETWORK, "SubnetIds": "subnet-0123456789abcdef0"}),
    Refusal("a share of errors above one", "endpoint.yaml", "Max5xxShare", {"Max5xxShare": "5"}),
    Refusal("a stage name that is too long", "endpoint.yaml", "StageName", {"StageName": "production"}),
    Refusal(
        "a project name that is too long", "endpoint.yaml", "SageMakerProjectName", {"SageMakerProjectName": "a" * 33}
    ),
    Refusal(
        "a project name with a dash in front", "endpoint.yaml", "SageMakerProjectName", {"SageMakerProjectName": "-a"}
    ),
    Refusal("a project id that is too long", "scaling.yaml", "SageMakerProjectId", {"SageMakerProjectId": "p" * 21}),
    Refusal("minimum above maximum", "scaling.yaml", "MinInstanceCount", {"MinInstanceCount": "9"}),
    Refusal("real-time scaled to zero", "scaling.yaml", "MinInstanceCount", {"MinInstanceCount": "0"}),
    Refusal(
        "real-time without instances at night",
        "scaling.yaml",
        "NightInstanceCount",
        {**_NIGHT, "NightInstanceCount": "0"},
    ),
    Refusal(
        "more instances at night than by day",
        "scaling.yaml",
        "NightInstanceCount",
        {**_NIGHT, "NightInstanceCount": "50"},
    ),
    Refusal(
        "a canary of a night's single instance",
        "scaling.yaml",
        "NightInstanceCount",
        {**_NIGHT, "NightInstanceCount": "1"},
    ),
    Refusal("a canary of a scaled single instance", "scaling.yaml", "MinInstanceCount", {"MinInstanceCount": "1"}),
    Refusal("a night without an end", "scaling.yaml", "NightEnd", {**_NIGHT, "NightEnd": ""}),
    Refusal("an end without a night", "scaling.yaml", "NightStart", {**_NIGHT, "NightStart": ""}),
    Refusal("a night without autoscaling", "scaling.yaml", "AutoScaling", {**_NIGHT, "AutoScaling": "off"}),
    Refusal("a night in words", "scaling.yaml", "NightStart", {**_NIGHT, "NightStart": "every evening"}),
    Refusal("tokens of no user pool", "api.yaml", "ApiUserPoolArn", {"ApiAuthorization": "COGNITO_USER_POOLS"}),
    Refusal("an API without authorisation", "api.yaml", "ApiAuthorization", {"ApiAuthorization": "NONE"}),
    Refusal("a rate above the burst", "api.yaml", "ApiRequestsPerSecond", {"ApiRequestsPerSecond": "300"}),
    Refusal("a revision that cannot be a name", "api.yaml", "ApiRevision", {"ApiRevision": "v1.2"}),
    Refusal("a schema that is no object", "api.yaml", "ApiRequestSchema", {"ApiRequestSchema": "[]"}),
    Refusal("a batch schedule of Unix", "batch.yaml", "BatchSchedule", {"BatchSchedule": "0 3 * * *"}),
    Refusal("a batch on an endpoint's GPU", "batch.yaml", "BatchInstanceType", {"BatchInstanceType": "ml.g5.xlarge"}),
    Refusal(
        "a manifest as an address", "batch.yaml", "BatchManifestKey", {"BatchManifestKey": "s3://bucket/input.manifest"}
    ),
]


def accepted(file: str, text: str) -> Iterator[str]:
    """The refusals that a template does not make."""
    for refusal in REFUSALS:
        if refusal.file == file and not any(refusal.key in problem for problem in problems(refusal, text)):
            yield f"accepted: {refusal.name} ({refusal.key})"


def problems(refusal: Refusal, text: str) -> list[str]:
    """What a template says against a refusal's values."""
    return stages.stack(text, "prod", refusal.values).problems()
