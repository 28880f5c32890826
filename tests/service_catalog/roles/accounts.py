"""Every role of a project as AWS would hold it: the real templates, resolved for one account and for three.

One project at the longest names allowed, and a second one beside it, whose things must be out of reach. Nothing here is
written down twice: policies, boundaries, trusts and resource policies are those of the templates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from service_catalog import lending
from service_catalog.names import CONCERNS, PART_PARAMETERS, PARTS, STAGES, Project
from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import PSEUDO, Stack, load
from tests.service_catalog.roles.arns import Placed

TOOLING, STAGING, PROD, STRANGER = "111111111111", "222222222222", "333333333333", "999999999999"
REGION, ORGANIZATION = "eu-central-1", "o-a1b2c3d4e5"
PROJECT = Project(stages.PROJECT_NAME, stages.PROJECT_ID)
OTHER = Project("other", "p-zzzzzzzzzzzz")
DATA, ARTIFACTS, OPERATIONS = "444444444444", "555555555555", "666666666666"
LAYOUTS = ("one account", "three accounts", "every account")
BUCKETS = ("training-data", "features")
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
        """Account of the tooling, of each stage, and of each part that may be kept apart."""
        stages = {"staging": STAGING, "prod": PROD} if self.name != "one account" else {}
        parts = {"data": DATA, "artifacts": ARTIFACTS, "operations": OPERATIONS} if self.name == "every account" else {}
        return dict.fromkeys(("tooling", *STAGES, *PARTS), TOOLING) | stages | parts

    @property
    def borrower(self) -> lending.Borrower:
        """Whom other accounts let in."""
        stages = tuple(self.accounts[stage] for stage in STAGES)
        return lending.Borrower(TOOLING, REGION, stages=stages, project=PROJECT.id)

    def parts(self, *parts: str) -> dict[str, str]:
        """Parameter to account of these parts. With three accounts they are left empty, with one they are its own."""
        return {PART_PARAMETERS[part]: self.accounts[part] for part in parts if self.name != "three accounts"}

    @cached_property
    def portfolio(self) -> Placed:
        data = DATA if self.name == "every account" else ""
        return placed(
            "portfolio.yaml", TOOLING, S3Channel="on", StageAccountIds=self._stage_accounts, DataAccountIds=data
        )

    @property
    def _stage_accounts(self) -> str:
        found = dict.fromkeys(self.accounts[stage] for stage in STAGES)
        return ",".join(account for account in found if account != TOOLING)

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
        parts = self.parts("artifacts", "operations")
        return placed("stage.yaml", account, **values, **parts, PermissionsBoundary=boundary)

    @cached_property
    def product(self) -> Placed:
        return self.project(PROJECT)

    def project(self, project: Project, **values: str) -> Placed:
        """A project with every option: a connection, a network, a package index, a schedule, a budget."""
        where = {"StagingAccountId": self.accounts["staging"], "ProdAccountId": self.accounts["prod"]}
        apart = where if self.name != "one account" else {"StagingAccountId": "", "ProdAccountId": ""}
        apart |= {"DataBucket": ",".join(BUCKETS), **self.parts(*PARTS)}
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
        if self.accounts["data"] != TOOLING and (lent := self._lent(arn)):
            return {"Version": "2012-10-17", "Statement": lent}
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

    def _lent(self, arn: str) -> list[Document]:
        """What other accounts were told to add to their policies: all but for the bucket that is not to be read yet."""
        for bucket in BUCKETS[:1]:
            if arn.split("/")[0] == f"arn:aws:s3:::{bucket}":
                return list(lending.data_bucket(self.borrower, bucket))
        if arn.startswith(f"arn:aws:kms:{REGION}:{DATA}:key/"):
            return list(lending.data_key(self.borrower))
        if f":{ARTIFACTS}:repository/images" in arn:
            return list(lending.image_repository(self.borrower))
        if f":{ARTIFACTS}:domain/" in arn or f":{ARTIFACTS}:repository/example-packages" in arn:
            return list(lending.package_domain(self.borrower))
        if arn.endswith(f":{OPERATIONS}:event-bus/default"):
            return list(lending.event_bus(self.borrower, OPERATIONS))
        return []


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
