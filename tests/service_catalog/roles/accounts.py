"""Every role of a project as AWS would hold it: the real templates, resolved for one account and for three.

One project at the longest names allowed, and a second one beside it, whose things must be out of reach. Nothing here is
written down twice: policies, boundaries, trusts and resource policies are those of the templates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from service_catalog.names import CONCERNS, STAGES, Project
from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import PSEUDO, Stack, load
from tests.service_catalog.roles.arns import Placed

TOOLING, STAGING, PROD, STRANGER = "111111111111", "222222222222", "333333333333", "999999999999"
REGION, ORGANIZATION = "eu-central-1", "o-a1b2c3d4e5"
PROJECT = Project(stages.PROJECT_NAME, stages.PROJECT_ID)
OTHER = Project("other", "p-zzzzzzzzzzzz")
LAYOUTS = ("one account", "three accounts")
_REGISTRY = stages.ADDED["ModelPackageArn"].split(":")[4]  # the account that the gate's project is in
CONNECTION = catalog.SUBJECTS["product.yaml"].scenarios["every option on"]

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Role:
    """A role and everything that decides about it."""

    arn: str
    trust: Document
    policies: tuple[Document, ...]
    boundary: Document
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


@dataclass(frozen=True)
class Layout:
    """Where the stages are."""

    name: str

    @property
    def accounts(self) -> dict[str, str]:
        """Account of the tooling and of each stage."""
        apart = self.name == "three accounts"
        return {"tooling": TOOLING, "staging": STAGING if apart else TOOLING, "prod": PROD if apart else TOOLING}

    @cached_property
    def portfolio(self) -> Placed:
        return placed("portfolio.yaml", TOOLING, S3Channel="on", StageAccountIds=self._stage_accounts)

    @property
    def _stage_accounts(self) -> str:
        return ",".join(account for account in dict.fromkeys(self.accounts.values()) if account != TOOLING)

    def stage(self, stage: str) -> Placed:
        """The stage's roles; the boundary comes with them where the account has none."""
        return self._stages[stage]

    @cached_property
    def _stages(self) -> dict[str, Placed]:
        return {stage: self._stage(stage) for stage in STAGES}

    def _stage(self, stage: str) -> Placed:
        account = self.accounts[stage]
        boundary = "existing" if account == TOOLING else "create"
        values = {"StageName": stage, "ToolingAccountId": TOOLING, "OrganizationId": ORGANIZATION}
        return placed("stage.yaml", account, **values, PermissionsBoundary=boundary)

    @cached_property
    def product(self) -> Placed:
        return self.project(PROJECT)

    def project(self, project: Project, **values: str) -> Placed:
        """A project with every option: a connection, a network, a package index, a schedule, a budget."""
        where = {"StagingAccountId": self.accounts["staging"], "ProdAccountId": self.accounts["prod"]}
        apart = where if self.name == "three accounts" else {"StagingAccountId": "", "ProdAccountId": ""}
        names = {"SageMakerProjectName": project.name, "SageMakerProjectId": project.id}
        return placed("product.yaml", TOOLING, **{**CONNECTION, **apart, **names, **values})

    @cached_property
    def stacks(self) -> dict[str, Placed]:
        """Every stack with roles; those of the concerns of a stage are called staging-api, prod-batch and so on."""
        found = {"portfolio": self.portfolio, "product": self.product}
        found |= {stage: self.stage(stage) for stage in STAGES}
        return found | {f"{stage}-{concern}": self.concern(stage, concern) for stage in STAGES for concern in CONCERNS}

    def concern(self, stage: str, concern: str, overrides: Mapping[str, str] | None = None) -> Placed:
        """What the deploy pipeline makes in a stage."""
        text = stages.templates()[f"{concern}.yaml"]
        names = {"ArtifactBucketName": f"sagemaker-{PROJECT.id}-{TOOLING}-{REGION}", "KmsKeyArn": self.key}
        names["ExecutionRoleArn"] = self._role_arn(self.accounts[stage], f"sagemaker-{stage}-endpoint")
        values = {**stages.config(stage), **stages.ADDED, **(overrides or {}), **names, "StageName": stage}
        own = {name: value.replace(_REGISTRY, TOOLING) for name, value in values.items()}
        return _place(text, self.accounts[stage], PROJECT.stack(stage, concern), own)

    @property
    def key(self) -> str:
        return self.product.arn("Key")

    @staticmethod
    def _role_arn(account: str, name: str) -> str:
        return f"arn:aws:iam::{account}:role/sagemaker-projects/{name}"

    @cached_property
    def roles(self) -> dict[str, Role]:
        """Name of the role → the role. An account's own role for logs is the same in each account."""
        return {role.arn.split("/")[-1]: role for stack in self.stacks.values() for role in self._roles(stack)}

    def _roles(self, stack: Placed) -> Iterator[Role]:
        for name, role in stack.of_type("AWS::IAM::Role"):
            own = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
            tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])} | self._stack_tags(stack)
            policies = (*own, *_attached(stack, stack.arn(name), role))
            yield Role(stack.arn(name), role["AssumeRolePolicyDocument"], policies, self._boundary(stack), tags)

    def _stack_tags(self, stack: Placed) -> dict[str, str]:
        """A release tags its stacks, and CloudFormation whatever is in them."""
        stage = next((stage for stage in STAGES if f"-{stage}-" in stack.name), "")
        return {"sagemaker:deployment-stage": stage} if stage else {}

    def _boundary(self, stack: Placed) -> Document:
        """The boundary of the account that a stack is in."""
        makers = [self.portfolio, *(self.stage(stage) for stage in STAGES)]
        for maker in makers:
            for name, policy in maker.of_type("AWS::IAM::ManagedPolicy"):
                if name == "Boundary" and maker.account == stack.account:
                    return dict(policy["PolicyDocument"])
        raise AssertionError(f"account {stack.account} has no boundary")

    def resource_policy(self, arn: str) -> Document | None:
        """The policy that our templates give to a bucket, key, model package group or event bus."""
        bucket = self.product.arn("Bucket")
        if arn == bucket or arn.startswith(f"{bucket}/"):
            return _only(self.product, "AWS::S3::BucketPolicy", "PolicyDocument")
        if arn == self.key:
            return _only(self.product, "AWS::KMS::Key", "KeyPolicy")
        if arn.endswith(":event-bus/default") and f":{TOOLING}:" in arn:
            statement = _only(self.portfolio, "AWS::Events::EventBusPolicy", "Statement")
            return {"Version": "2012-10-17", "Statement": [statement]} if statement else None
        if f":model-package/{PROJECT.unique}/" in arn or arn.endswith(f":model-package-group/{PROJECT.unique}"):
            return _only(self.product, "AWS::SageMaker::ModelPackageGroup", "ModelPackageGroupPolicy")
        return None


@cache
def layout(name: str) -> Layout:
    """One of LAYOUTS; made once, because resolving takes a second."""
    return Layout(name)


class _Stack(Stack):
    """A stack in another account than the gate's."""

    @cached_property
    def values(self) -> dict[str, Any]:
        found = Stack.values.func(self)  # type: ignore[attr-defined]  # super().values would keep its own
        return {**found, "AWS::AccountId": self.given["AWS::AccountId"]}


def placed(file: str, account: str, **values: str) -> Placed:
    """A template of service_catalog/ in an account, with some values changed."""
    given = {**catalog.SUBJECTS[file].given, **values}
    own = {name: value.replace(PSEUDO["AWS::AccountId"], account) for name, value in given.items()}
    return _place(catalog.templates()[file], account, file.removesuffix(".yaml"), own)


def _place(text: str, account: str, name: str, values: Mapping[str, str]) -> Placed:
    assert PSEUDO["AWS::Region"] == REGION
    stack = _Stack(load(text), {**values, "AWS::AccountId": account})
    assert stack.problems() == []
    return Placed(stack, account, name)


def _attached(stack: Placed, arn: str, role: Mapping[str, Any]) -> Iterator[Document]:
    """Managed policies of the same stack: named by the role, or naming it."""
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy"):
        names = policy.get("Roles", [])
        if stack.arn(name) in role.get("ManagedPolicyArns", []) or arn.split("/")[-1] in names:
            yield policy["PolicyDocument"]


def _only(stack: Placed, kind: str, key: str) -> Document | None:
    found: Document | None = next((properties.get(key) for _, properties in stack.of_type(kind)), None)
    return found
