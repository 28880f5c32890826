"""The people of the story and the accounts as a company has them before it meets this template.

Each person acts with a role of their own, whose policies are what this template's documentation tells a company to give
them. Nobody acts as the root of an account, except here, where the accounts are prepared.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.host import Emulator
from rehearsal.story.world import World

ROLES = {
    "engineer": "platform-engineer",  # owns the accounts: publishes the product, upgrades and deletes projects
    "scientist": "service-role/AmazonSageMaker-ExecutionRole-20260105T090000",  # works in Studio
    "approver": "model-approver",  # decides which model is released
    "application": "application",  # calls the endpoint in production
}
DOMAIN = "company-studio"
USER = "data-scientist"


def role(person: str, account: str) -> str:
    """The ARN of a person's role in an account."""
    return f"arn:aws:iam::{account}:role/{ROLES[person]}"


def prepare(world: World) -> None:
    """Make the roles of the people, and a Studio domain, in every account of the company."""
    for account in sorted(set(world.options.accounts.values())):
        iam = world.emulator.client("iam", account, world.options.region)
        _role(iam, account, "engineer", _statement("*", "*"))
        _role(iam, account, "application", _statement("sagemaker:InvokeEndpoint", "*"))
    tooling = world.options.accounts["tooling"]
    iam = world.emulator.client("iam", tooling, world.options.region)
    _role(iam, tooling, "scientist", *_STUDIO, service="sagemaker.amazonaws.com")
    _role(iam, tooling, "approver", *_APPROVER)
    _studio(world.emulator, tooling, world.options.region)


def _statement(action: str | list[str], resource: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


# What a Studio role needs for projects: the SageMaker developer guide's AmazonSageMakerFullAccess gives much more.
_STUDIO = (
    _statement(
        ["sagemaker:CreateProject", "sagemaker:Describe*", "sagemaker:List*", "sagemaker:Search", "sagemaker:AddTags"],
        "*",
    ),
    _statement(["sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"], "*"),
    _statement(
        [
            *("servicecatalog:List*", "servicecatalog:Describe*", "servicecatalog:Search*", "servicecatalog:Scan*"),
            *("servicecatalog:ProvisionProduct", "servicecatalog:TerminateProvisionedProduct"),
        ],
        "*",
    ),
    _statement(["codecommit:GitPull", "codecommit:GitPush", "codecommit:Get*", "codecommit:List*"], "*"),
    _statement(["codepipeline:Get*", "codepipeline:List*", "codebuild:BatchGet*", "codebuild:List*"], "*"),
    _statement(["s3:GetObject", "s3:ListBucket", "s3:PutObject", "kms:Decrypt", "kms:GenerateDataKey"], "*"),
    _statement(["logs:Get*", "logs:Filter*"], "*"),
)
_APPROVER = (
    _statement(["sagemaker:DescribeModelPackage", "sagemaker:ListModelPackages", "sagemaker:UpdateModelPackage"], "*"),
    _statement(["codepipeline:Get*", "codepipeline:List*", "codepipeline:PutApprovalResult"], "*"),
    _statement(["s3:GetObject", "kms:Decrypt"], "*"),
)


def _role(iam: Any, account: str, person: str, *statements: dict[str, Any], service: str = "") -> None:
    path, _, name = f"/{ROLES[person]}".rpartition("/")
    principal: dict[str, str] = {"AWS": f"arn:aws:iam::{account}:root"} | ({"Service": service} if service else {})
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    iam.create_role(RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=_document(trust))
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=_document(*statements))


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _studio(emulator: Emulator, account: str, region: str) -> None:
    """A domain with one user, whose execution role is the scientist's."""
    sagemaker = emulator.client("sagemaker", account, region)
    execution_role = {"ExecutionRole": role("scientist", account)}
    try:
        domain = sagemaker.create_domain(
            DomainName=DOMAIN,
            AuthMode="IAM",
            DefaultUserSettings=execution_role,
            SubnetIds=["subnet-0a1b2c3d4e5f60718"],
            VpcId="vpc-0a1b2c3d4e5f60718",
        )
        domain_id = domain["DomainArn"].rsplit("/", 1)[-1]
        sagemaker.create_user_profile(DomainId=domain_id, UserProfileName=USER, UserSettings=execution_role)
    except ClientError as error:
        raise RuntimeError(f"the emulator cannot make a Studio domain: {error}") from error
