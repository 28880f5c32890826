"""The joined templates of service_catalog/ with values as a person gives them, at the longest names allowed.

One entry of SUBJECTS for each file: what every stack of it is given, and what a scenario changes. A template without
one makes the gate red.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from service_catalog import joiner
from tests.infrastructure import stages
from tests.infrastructure.cloudformation import Stack, load

_CONNECTION_ID = "8ad5a1f4-8a7b-4f0e-9c3c-1b2a3c4d5e6f"
_CONNECTION = {
    "RepositoryProvider": "Connection",
    "ConnectionArn": f"arn:aws:codeconnections:eu-central-1:111122223333:connection/{_CONNECTION_ID}",
    "RepositoryId": "example-organization/churn",
    "BranchName": "release/2026",
}
_MEDIUM = {
    "StagingAccountId": "222222222222",
    "ProdAccountId": "333333333333",
    "OrganizationId": "o-a1b2c3d4e5",
}
_NETWORK = {
    "VpcId": "vpc-0123456789abcdef0",
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "SecurityGroupIds": "sg-0123456789abcdef0",
}
# What a large company keeps apart, beside the stages
_APART = {
    "DataBucket": ",".join(f"example-training-data-{number}" for number in range(5)),
    "DataAccountId": "555555555555",
    "ArtifactsAccountId": "666666666666",
    "OperationsAccountId": "777777777777",
}
_HERE = dict.fromkeys(("DataAccountId", "ArtifactsAccountId", "OperationsAccountId"), "111122223333")
_INDEX = {"CodeArtifactDomain": "example-packages", "CodeArtifactRepository": "python"}
_OPTIONS = {
    "Owner": "churn-team@example.com",
    "CostCenter": "CC 4711",
    "AlertEmail": "team@example.com",
    "MonthlyBudget": "500",
    "RetrainSchedule": "cron(0 5 ? * MON *)",
    "DataBucket": "example-training-data",
    "LogRetentionDays": "90",
}


class Subject(NamedTuple):
    """`given` holds in every scenario; the first scenario is the one that refusals start from."""

    given: Mapping[str, str]
    scenarios: Mapping[str, Mapping[str, str]]


SUBJECTS: dict[str, Subject] = {
    "product.yaml": Subject(
        {
            "SageMakerProjectName": stages.PROJECT_NAME,
            "SageMakerProjectId": stages.PROJECT_ID,
            "SeedBucket": "sagemaker-projects-111122223333-eu-central-1",
            "SeedKey": "seeds/0123456789abcdef.zip",
        },
        {
            "small, CodeCommit, every option off": {},
            "small, connection": _CONNECTION,
            "small, an old connection": _CONNECTION
            | {"ConnectionArn": _CONNECTION["ConnectionArn"].replace("codeconnections", "codestar-connections")},
            "production apart": {"StagingAccountId": "111122223333", "ProdAccountId": "333333333333"},
            "medium": _MEDIUM,
            "private network and package index": _NETWORK | _INDEX,
            "package index of another account": _INDEX | {"CodeArtifactDomainOwner": "444444444444"},
            "every option on": _CONNECTION | _MEDIUM | _NETWORK | _INDEX | _OPTIONS,
            "large": _CONNECTION | _MEDIUM | _NETWORK | _INDEX | _OPTIONS | _APART,
            "every account is this one": _INDEX | _OPTIONS | _HERE,
        },
    ),
    "portfolio.yaml": Subject(
        {"TemplateVersion": "1.2.3"},
        {
            "as published": {},
            "every option on": {"StageAccountIds": "222222222222,333333333333", "S3Channel": "on"}
            | {"DataAccountIds": "555555555555,888888888888"}
            | {"MoreStudioRoles": "studio/data-scientist-?", "MoreStudioRoles2": "studio/a", "MoreStudioRoles3": "b/*"}
            | {"AutomaticApproval": "on"}
            | {"TagOwner": "platform-team@example.com", "TagCostCenter": "CC 4711"},
            "a second region": {"AccountRoles": "existing", "ApiGatewayLogging": "on"},
            "logs of APIs set already": {"ApiGatewayLogging": "off"},
        },
    ),
    "stage.yaml": Subject(
        {"TemplateVersion": "1.2.3", "StageName": "prod", "ToolingAccountId": "444444444444"},
        {
            "an account of its own": {"OrganizationId": "o-a1b2c3d4e5"},
            "the tooling account": {"ToolingAccountId": "111122223333", "StageName": "staging"}
            | {"PermissionsBoundary": "existing", "ApiGatewayLogging": "off"},
            "an account with the other stage": {"PermissionsBoundary": "existing", "StageName": "staging"},
            "a second region": {"PermissionsBoundary": "existing", "StageRoles": "existing"},
            "machines approve": {"AutomaticApproval": "on"},
            "large": {"ArtifactsAccountId": "666666666666", "OperationsAccountId": "777777777777"}
            | {"DataAccountIds": "555555555555"},
            "watched from the tooling account": {"OperationsAccountId": "444444444444"},
        },
    ),
}


def templates() -> dict[str, str]:
    """File name → text of every template of service_catalog/."""
    return {name: joiner.template(name).text for name in joiner.NAMES}


def stack(file: str, text: str, overrides: Mapping[str, str] | None = None) -> Stack:
    """A template as its first scenario gets it, with some values changed."""
    subject = SUBJECTS[file]
    first = next(iter(subject.scenarios.values()))
    return Stack(load(text), {**subject.given, **first, **(overrides or {})})


def stacks(file: str, text: str) -> Iterator[tuple[str, Stack]]:
    """A template in every scenario."""
    subject = SUBJECTS[file]
    for name, values in subject.scenarios.items():
        yield name, Stack(load(text), {**subject.given, **values})
