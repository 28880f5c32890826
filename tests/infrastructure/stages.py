"""The templates with the values that a release would give them: the real config files at the longest names allowed."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.baking import PROJECT_FOLDER
from tests.infrastructure.cloudformation import Stack, load

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / PROJECT_FOLDER / "model_deploy"
STAGES = ("staging", "prod")

PROJECT_NAME = "1Customer-Churn-Prediction-Model"  # 32 characters
PROJECT_ID = "p-abcdefghij01234567"  # 20 characters
_REGISTRY = "arn:aws:sagemaker:eu-central-1:444455556666:model-package"

ADDED = {
    "SageMakerProjectName": PROJECT_NAME,
    "SageMakerProjectId": PROJECT_ID,
    "ModelPackageArn": f"{_REGISTRY}/{PROJECT_NAME}-{PROJECT_ID}/7",
    "ModelPackageGroupName": f"{PROJECT_NAME}-{PROJECT_ID}",
    "ArtifactBucketName": "sagemaker-444455556666-eu-central-1-p-abcdefghij01234567",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "ExecutionRoleArn": "arn:aws:iam::111122223333:role/sagemaker-projects/sagemaker-endpoint",
    "TemplateVersion": "1.2.3",
    "GitCommit": "0123456789abcdef0123456789abcdef01234567",
}
NETWORK = {"SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1", "SecurityGroupIds": "sg-0123456789abcdef0"}
CANDIDATE = {"CandidateModelPackageArn": f"{_REGISTRY}/{PROJECT_NAME}-{PROJECT_ID}/8"}
NOT_LIVE = {"CapturePercent": "0", "TrafficShifting": "ALL_AT_ONCE", "ExpectsTraffic": "no"}

# One option at a time, each applied to the config files of both stages; every one must be accepted.
SCENARIOS: dict[str, dict[str, str]] = {
    "as configured": {},
    "serverless": {**NOT_LIVE, "EndpointType": "serverless", "AutoScaling": "off"},
    "asynchronous, scaled to zero": {**NOT_LIVE, "EndpointType": "asynchronous", "AutoScaling": "on"}
    | {"MinInstanceCount": "0", "NightInstanceCount": "0"},
    "linear": {"TrafficShifting": "LINEAR", "ShiftPercent": "25", "InstanceCount": "4", "MinInstanceCount": "2"}
    | {"ShiftWaitSeconds": "300", "ShiftTimeoutSeconds": "7200"},
    "A/B test": {"CandidateUse": "ab-test", **CANDIDATE},
    "shadow": {"CandidateUse": "shadow", **CANDIDATE},
    "private network": NETWORK,
    "GPU": {"InstanceType": "ml.g5.xlarge"},
    "traffic expected": {"ExpectsTraffic": "yes", "AlarmEmail": "team@example.com"},
    "nights": {"AutoScaling": "on", "NightStart": "cron(0 20 ? * MON-FRI *)", "NightEnd": "cron(0 6 ? * MON-FRI *)"}
    | {"NightTimezone": "Europe/Berlin"},
    "scaling suspended": {"AutoScaling": "suspended"},
    "tokens": {"ApiAuthorization": "COGNITO_USER_POOLS"}
    | {"ApiUserPoolArn": "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_AbCdEfGhI"},
    "batch switched on": {"BatchState": "ENABLED", "BatchSchedule": "rate(6 hours)"},
}


def templates() -> dict[str, str]:
    """File name → text of every template of a stage."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}


def config(stage: str) -> dict[str, str]:
    """The parameters of config/<stage>.json."""
    parameters: dict[str, str] = json.loads((FOLDER / "config" / f"{stage}.json").read_text("utf-8"))["Parameters"]
    return parameters


def stack(text: str, stage: str, overrides: Mapping[str, str] | None = None) -> Stack:
    """A template as a stage gets it."""
    return Stack(load(text), {**config(stage), **ADDED, "StageName": stage, **(overrides or {})})


def stacks(text: str) -> Iterator[tuple[str, Stack]]:
    """A template in every scenario of both stages; scenarios that change nothing it declares are left out."""
    document = load(text)
    for stage in STAGES:
        values = {**config(stage), **ADDED, "StageName": stage}
        for name, overrides in SCENARIOS.items():
            if not overrides or overrides.keys() & document["Parameters"].keys():
                yield f"{stage}, {name}", Stack(document, {**values, **overrides})
