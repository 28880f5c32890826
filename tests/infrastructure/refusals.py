"""Values and combinations that must be refused before anything is touched: by a pattern, a Rule or a Comparison."""

from collections.abc import Iterator
from typing import NamedTuple

from tests.infrastructure import subjects
from tests.infrastructure.stages import ADDED, CANDIDATE, NETWORK, NOT_LIVE

_SERVERLESS = {**NOT_LIVE, "EndpointType": "serverless", "AutoScaling": "off"}
_ASYNCHRONOUS = {**NOT_LIVE, "EndpointType": "asynchronous"}
_NIGHT = {"AutoScaling": "on", "NightStart": "cron(0 20 ? * * *)", "NightEnd": "cron(0 6 ? * * *)"}


class Refusal(NamedTuple):
    """In `file`, `values` (otherwise as production, or the first scenario, has them) are refused with a sentence about
    `key`."""

    name: str
    file: str
    key: str
    values: dict[str, str]


def _of_product(*refusals: tuple[str, str, dict[str, str]]) -> Iterator[Refusal]:
    return (Refusal(name, "product.yaml", key, values) for name, key, values in refusals)


_ROLE = "arn:aws:iam::111122223333:role/connection"
_CONNECTION_ARN = "arn:aws:codeconnections:eu-central-1:111122223333:connection/8ad5a1f4-8a7b-4f0e-9c3c-1b2a3c4d5e6f"
_CONNECTION = {"RepositoryProvider": "Connection", "ConnectionArn": _CONNECTION_ARN, "RepositoryId": "owner/churn"}
_NO_PARTITION = _CONNECTION_ARN.replace("aws", "azure")
_VPC = "vpc-0123456789abcdef0"
_ACCOUNTS = ("StagingAccountId", "ProdAccountId")

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
    Refusal("a schema that is no object", "api.yaml", "ApiRequestSchema", {"ApiRequestSchema": "[]"}),
    Refusal("a batch schedule of Unix", "batch.yaml", "BatchSchedule", {"BatchSchedule": "0 3 * * *"}),
    Refusal("a batch on an endpoint's GPU", "batch.yaml", "BatchInstanceType", {"BatchInstanceType": "ml.g5.xlarge"}),
    Refusal(
        "a manifest as an address", "batch.yaml", "BatchManifestKey", {"BatchManifestKey": "s3://bucket/input.manifest"}
    ),
    *_of_product(
        ("a name of 33 characters", "SageMakerProjectName", {"SageMakerProjectName": "a" * 33}),
        ("a name with a dash at its end", "SageMakerProjectName", {"SageMakerProjectName": "churn-"}),
        ("an emoji for a name", "SageMakerProjectName", {"SageMakerProjectName": "churn🙂"}),
        ("an id of 21 characters", "SageMakerProjectId", {"SageMakerProjectId": "p" * 21}),
        ("an id in upper case", "SageMakerProjectId", {"SageMakerProjectId": "P-ABC"}),
        ("a connection without a repository", "RepositoryId", {**_CONNECTION, "RepositoryId": ""}),
        ("a connection without its ARN", "ConnectionArn", {**_CONNECTION, "ConnectionArn": ""}),
        ("CodeCommit and a connection", "ConnectionArn", {**_CONNECTION, "RepositoryProvider": "CodeCommit"}),
        ("a repository for CodeCommit", "RepositoryId", {"RepositoryId": "owner/churn"}),
        ("a repository as an address", "RepositoryId", {**_CONNECTION, "RepositoryId": "https://example.com/o/r"}),
        ("a repository without an owner", "RepositoryId", {**_CONNECTION, "RepositoryId": "churn"}),
        ("a role in the place of a connection", "ConnectionArn", {**_CONNECTION, "ConnectionArn": _ROLE}),
        (
            "an ARN of no partition",
            "ConnectionArn",
            {**_CONNECTION, "ConnectionArn": _NO_PARTITION},
        ),
        ("another provider", "RepositoryProvider", {"RepositoryProvider": "GitHub"}),
        ("a branch with a space", "BranchName", {"BranchName": "my branch"}),
        ("staging without production", "ProdAccountId", {"StagingAccountId": "222222222222"}),
        ("one account for both stages", "ProdAccountId", dict.fromkeys(_ACCOUNTS, "222222222222")),
        ("an account of 11 digits", "ProdAccountId", {"ProdAccountId": "33333333333"}),
        ("an organization's name", "OrganizationId", {"OrganizationId": "Example Ltd"}),
        ("subnets alone", "SecurityGroupIds", {"SubnetIds": NETWORK["SubnetIds"]}),
        ("a VPC alone", "SubnetIds", {"VpcId": _VPC}),
        ("a network without its VPC", "VpcId", NETWORK),
        ("subnets with spaces", "SubnetIds", {"SubnetIds": NETWORK["SubnetIds"].replace(",", ", ")}),
        ("a domain without a repository", "CodeArtifactRepository", {"CodeArtifactDomain": "packages"}),
        ("the owner of no domain", "CodeArtifactDomain", {"CodeArtifactDomainOwner": "444444444444"}),
        ("a network without security groups", "SecurityGroupIds", {"VpcId": _VPC, "SubnetIds": NETWORK["SubnetIds"]}),
        ("a seed without its key", "SeedKey", {"SeedKey": "unpublished.zip"}),
        ("a template that nobody published", "SeedBucket", {"SeedBucket": "unpublished", "SeedKey": "unpublished.zip"}),
        ("a seed that is no zip file", "SeedKey", {"SeedKey": "seeds/main.tar.gz"}),
        ("a schedule of Unix", "RetrainSchedule", {"RetrainSchedule": "0 3 * * *"}),
        ("training every minute", "RetrainSchedule", {"RetrainSchedule": "rate(1 minute)"}),
        ("a budget in words", "MonthlyBudget", {"MonthlyBudget": "little"}),
        ("a budget below nothing", "MonthlyBudget", {"MonthlyBudget": "-5"}),
        ("two addresses for alerts", "AlertEmail", {"AlertEmail": "a@example.com, b@example.com"}),
        ("an owner with an ampersand", "Owner", {"Owner": "Research & Development"}),
        ("logs for a week", "LogRetentionDays", {"LogRetentionDays": "7"}),
        ("a bucket as an address", "DataBucket", {"DataBucket": "s3://data"}),
        ("buckets with a space between them", "DataBucket", {"DataBucket": "raw-data, features"}),
        ("every bucket", "DataBucket", {"DataBucket": "raw-data,*"}),
        ("a list that ends with a comma", "DataBucket", {"DataBucket": "raw-data,"}),
        ("six buckets", "DataBucket", {"DataBucket": ",".join(f"data-{number}" for number in range(6))}),
        ("two accounts for the data", "DataAccountId", {"DataAccountId": "222222222222,333333333333"}),
        ("a name for the artifacts' account", "ArtifactsAccountId", {"ArtifactsAccountId": "shared-services"}),
        ("operations as a bus", "OperationsAccountId", {"OperationsAccountId": "arn:aws:events:::event-bus/default"}),
    ),
]


def accepted(file: str, text: str) -> Iterator[str]:
    """The refusals that a template does not make."""
    for refusal in REFUSALS:
        if refusal.file == file and not any(refusal.key in problem for problem in problems(refusal, text)):
            yield f"accepted: {refusal.name} ({refusal.key})"


def problems(refusal: Refusal, text: str) -> list[str]:
    """What a template says against a refusal's values."""
    return subjects.stack(refusal.file, text, refusal.values).problems()
