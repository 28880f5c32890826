"""Every name at its longest: within AWS's limits, and the same in names.py as in the templates."""

import re
from collections.abc import Iterator

import pytest

from service_catalog import names
from service_catalog.names import Project
from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import Stack

ACCOUNT, REGION = "111122223333", "ap-southeast-2"  # no region's name is longer
LONGEST = Project("A" * 32, "p" * 20)
DIGIT = Project("1-" + "Z" * 30, "0" * 20)
SHORTEST = Project("a", "b")

# What → longest, pattern. From botocore's models and CloudFormation's registry; 64 for a role, rule or function.
LIMITS = {
    "alias": (256, r"alias/[a-zA-Z0-9/_-]+"),
    "bucket": (63, r"[a-z0-9][a-z0-9-]+[a-z0-9]"),
    "build": (150, r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}"),
    "endpoint": (63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "group": (63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "parameter": (1011, r"[\w./-]+"),
    "part": (64, r"[\w-]+"),
    "pipeline": (100, r"[A-Za-z0-9.@_-]+"),
    "product": (100, r".+"),
    "repository": (63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "role": (64, r"[\w+=,.@-]+"),
    "stack": (128, r"[a-zA-Z][a-zA-Z0-9-]*"),
    "training": (256, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
}
PARTS = ["approval", "push", "drift", "failed", "seed", "seed-failed", "lost-events", "alerts", "dispatcher", "retrain"]
PARTS += ["project", "network", "builds", "operations"]


def every_name(project: Project) -> Iterator[tuple[str, str]]:
    """Kind → name of everything that a project has."""
    yield from (("pipeline", name) for name in project.pipelines)
    yield from (("build", project.build(purpose)) for purpose in names.BUILDS)
    yield from (("role", project.role(purpose)) for purpose in names.ROLES)
    yield from (("part", project.part(purpose)) for purpose in PARTS)
    yield from (("stack", project.stack(stage, concern)) for stage in names.STAGES for concern in names.CONCERNS)
    yield from (("endpoint", project.endpoint(stage)) for stage in names.STAGES)
    yield from (("parameter", project.parameter(f"{stage}/account")) for stage in names.STAGES)
    yield from [("repository", project.repository), ("group", project.group), ("training", project.training)]
    yield from [("bucket", project.bucket(ACCOUNT, REGION)), ("alias", project.key_alias)]


@pytest.mark.parametrize("project", [LONGEST, DIGIT, SHORTEST], ids=["longest", "digits", "shortest"])
def test_every_name_is_one_that_aws_takes(project: Project) -> None:
    wrong = [(kind, name) for kind, name in every_name(project) if not _fits(kind, name)]
    assert wrong == []


def _fits(kind: str, name: str) -> bool:
    longest, pattern = LIMITS[kind]
    return len(name) <= longest and re.fullmatch(pattern, name) is not None


def test_names_of_an_account_fit_too() -> None:
    roles = [names.stage_role(stage, kind) for stage in names.STAGES for kind in _STAGE_ROLES]
    assert all(_fits("role", role) for role in [*roles, names.LAUNCH_ROLE, names.BOUNDARY])
    assert all(_fits("stack", stack) for stack in [names.PORTFOLIO_STACK, *map(names.stage_stack, names.STAGES)])
    assert _fits("bucket", names.account_bucket(ACCOUNT, REGION))
    assert _fits("product", names.PRODUCT)


_STAGE_ROLES = ("deploy", "cloudformation", "endpoint", "verify")


def test_two_projects_share_no_name() -> None:
    """Not even those of one name, after the first is deleted and made again."""
    first, second = dict(_flat(Project("churn", "p-1"))), dict(_flat(Project("churn", "p-2")))
    assert [kind for kind in first if first[kind] == second[kind]] == []


def _flat(project: Project) -> Iterator[tuple[str, str]]:
    yield from ((f"{kind} {position}", name) for position, (kind, name) in enumerate(every_name(project)))


# --- the templates say the same ---------------------------------------------------------------------------------------

PROJECT = Project(stages.PROJECT_NAME, stages.PROJECT_ID)


@pytest.fixture(scope="module")
def product() -> Stack:
    """With everything that a product can have."""
    return dict(catalog.stacks("product.yaml", catalog.templates()["product.yaml"]))["large"]


def named(stack: Stack, kind: str, key: str) -> set[str]:
    return {properties[key] for _, properties in stack.of_type(kind)}


def test_product_names_are_these(product: Stack) -> None:
    assert named(product, "AWS::CodePipeline::Pipeline", "Name") == set(PROJECT.pipelines)
    assert named(product, "AWS::CodeBuild::Project", "Name") == set(map(PROJECT.build, names.BUILDS))
    assert named(product, "AWS::IAM::Role", "RoleName") == set(map(PROJECT.role, names.ROLES))
    assert named(product, "AWS::S3::Bucket", "BucketName") == {PROJECT.bucket("111122223333", "eu-central-1")}
    assert named(product, "AWS::KMS::Alias", "AliasName") == {PROJECT.key_alias}
    # CloudFormation names it: under a fixed name it could not follow a change of branch or provider
    assert not any("CodeRepositoryName" in each for _, each in product.of_type("AWS::SageMaker::CodeRepository"))
    assert named(product, "AWS::SageMaker::ModelPackageGroup", "ModelPackageGroupName") == {PROJECT.group}
    assert PROJECT.parameter("staging/account") in named(product, "AWS::SSM::Parameter", "Name")


def test_parts_of_the_product_are_these(product: Stack) -> None:
    kinds = {
        "AWS::Events::Rule": "Name",
        "AWS::SQS::Queue": "QueueName",
        "AWS::SNS::Topic": "TopicName",
        "AWS::Lambda::Function": "FunctionName",
        "AWS::Scheduler::Schedule": "Name",
        "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    }
    found = {name for kind, key in kinds.items() for name in named(product, kind, key)}
    push = {PROJECT.part("push")}  # a connection has triggers instead
    assert found | push == {PROJECT.part(purpose) for purpose in PARTS}


def test_the_repository_of_codecommit_is_this() -> None:
    first = catalog.stack("product.yaml", catalog.templates()["product.yaml"])
    assert named(first, "AWS::CodeCommit::Repository", "RepositoryName") == {PROJECT.repository}


def test_stacks_and_roles_of_the_stages_are_these(product: Stack) -> None:
    ((_, deploy),) = [each for each in product.of_type("AWS::CodePipeline::Pipeline") if "Variables" in each[1]]
    actions = [action for stage in deploy["Stages"] for action in stage["Actions"] if "RoleArn" in action]
    stacks = {action["Configuration"]["StackName"] for action in actions}
    assert stacks == {PROJECT.stack(stage, concern) for stage in names.STAGES for concern in names.CONCERNS}
    accounts = {"staging": "222222222222", "prod": "333333333333"}
    roles = {names.role_arn("aws", accounts[stage], names.stage_role(stage, "deploy")) for stage in names.STAGES}
    assert {action["RoleArn"] for action in actions} == roles


def test_every_role_of_the_product_has_the_boundary(product: Stack) -> None:
    boundaries = {role["PermissionsBoundary"] for _, role in product.of_type("AWS::IAM::Role")}
    assert boundaries == {names.boundary_arn("aws", "111122223333")}
