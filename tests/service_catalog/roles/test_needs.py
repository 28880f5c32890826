"""The launch role and the CloudFormation role of each stage have what their templates take, on the ARNs they will have,
and little else: every other action of theirs is listed here with its reason."""

import re
from collections.abc import Iterator, Mapping

import pytest

from service_catalog.names import CONCERNS, STAGES
from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import load
from tests.service_catalog.roles import accounts, needs
from tests.service_catalog.roles.accounts import LAYOUTS, PROJECT, Layout, Role, layout
from tests.service_catalog.roles.evaluator import Request, decide
from tests.service_catalog.roles.needs import Need

# Action that no resource derives → why the role has it.
LAUNCH_EXTRA = {
    "the stack itself: Service Catalog makes it under this role (administrator guide, launch constraints)": [
        "cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:DeleteStack",
        "cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents", "cloudformation:ListStackResources",
        "cloudformation:GetTemplate", "cloudformation:GetTemplateSummary", "cloudformation:ValidateTemplate",
        "cloudformation:SetStackPolicy", "cloudformation:TagResource",
        "cloudformation:UntagResource",
    ],
    "an update of the product makes and executes change sets": [
        "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteChangeSet", "cloudformation:ListChangeSets",
    ],
    "services check the key for their caller: S3, SNS, SQS, Logs, Scheduler, CodeBuild and CodePipeline are given it": [
        "kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt", "kms:CreateGrant",
    ],
    "the second name of the same service": ["codeconnections:PassConnection"],
}  # fmt: skip
STAGE_EXTRA = {
    "Application Auto Scaling asks for it on behalf of its caller (its user guide, permissions for target services)": [
        "sagemaker:UpdateEndpointWeightsAndCapacities",
    ],
    "a model of another account's package (developer guide, deploy a model version from a different account)": [
        "sagemaker:DescribeModelPackage", "sagemaker:AccessModelPackage",
    ],
    "services check the key for their caller: SageMaker, SNS, SQS, Logs and Scheduler are given it": [
        "kms:GenerateDataKey", "kms:Decrypt", "kms:CreateGrant",
    ],
}  # fmt: skip


def product_needs() -> Iterator[Need]:
    """In every scenario of the gate."""
    for values in catalog.SUBJECTS["product.yaml"].scenarios.values():
        stack = accounts.placed("product.yaml", accounts.TOOLING, **values)
        yield from needs.needs(stack, {})


def stage_needs(where: Layout, stage: str) -> Iterator[Need]:
    """In every scenario of the gate, with the tags that a release gives to its stacks."""
    tags = {"sagemaker:project-name": PROJECT.name, "sagemaker:project-id": PROJECT.id, "owner": "ml-team"}
    tags |= {"sagemaker:deployment-stage": stage, "cost-center": "unassigned"}
    for concern in CONCERNS:
        declared = load(stages.templates()[f"{concern}.yaml"])["Parameters"].keys()
        for values in stages.SCENARIOS.values():
            if not values or values.keys() & declared:
                yield from needs.needs(where.concern(stage, concern, values), tags)


def missing(role: Role, wanted: list[Need]) -> list[str]:
    """One line for each action that the role lacks."""
    tags = {f"aws:PrincipalTag/{key}": value for key, value in role.tags.items()}
    asked = [
        Request(role.arn, each.action, each.resource, {**each.context, **tags}, role.policies, (role.boundary,))
        for each in wanted
    ]
    return sorted(
        {
            f"{each.why}: {each.action} on {each.resource} with {dict(each.context)}"
            for each, allowed in zip(wanted, decide(asked), strict=True)
            if not allowed
        }
    )


def granted(role: Role) -> set[str]:
    """Every action that a statement of the role allows."""
    return {action for statement in _statements(role) for action in _list(statement["Action"])}


def _statements(role: Role) -> Iterator[Mapping[str, list[str]]]:
    for policy in role.policies:
        yield from (each for each in policy["Statement"] if each["Effect"] == "Allow")


def _list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def unique(wanted: Iterator[Need]) -> list[Need]:
    """Needs that differ in anything but for whose sake."""
    return list({(each.action, each.resource, str(each.context)): each for each in wanted}.values())


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_launch_role_can_make_a_project(name: str) -> None:
    where = layout(name)
    lacks = missing(where.roles["sagemaker-projects-launch"], unique(product_needs()))
    assert not lacks, "\n".join(lacks)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_cloudformation_role_can_make_its_stage(name: str, stage: str) -> None:
    where = layout(name)
    lacks = missing(where.roles[f"sagemaker-{stage}-cloudformation"], unique(stage_needs(where, stage)))
    assert not lacks, "\n".join(lacks)


def test_the_launch_role_has_little_else() -> None:
    where = layout(LAYOUTS[0])
    derived = {each.action for each in product_needs()}
    extra = {action for group in LAUNCH_EXTRA.values() for action in group}
    assert granted(where.roles["sagemaker-projects-launch"]) - derived == extra


@pytest.mark.parametrize("stage", STAGES)
def test_the_cloudformation_role_has_little_else(stage: str) -> None:
    where = layout(LAYOUTS[1])
    derived = {each.action for each in stage_needs(where, stage)}
    extra = {action for group in STAGE_EXTRA.values() for action in group}
    assert granted(where.roles[f"sagemaker-{stage}-cloudformation"]) - derived == extra


def test_what_is_left_out_of_the_schemas_is_in_them() -> None:
    """A reason that fits nothing any more is a mistake."""
    texts = [*stages.templates().values(), catalog.templates()["product.yaml"]]
    kinds = {body["Type"] for text in texts for body in load(text)["Resources"].values() if isinstance(body, dict)}
    for group in needs.UNUSED:
        listed = {each for kind in group.get("types", kinds) for each in needs.permissions(kind)}
        assert set(group["actions"]) <= listed, group["why"]
        assert group["why"]
        assert re.match(PUBLIC, group["source"]), group["why"]


# A text of AWS's that everybody can read, with the page in quotes.
PUBLIC = r"[\w ]+ ((user|developer) guide|(API|template|authorization) reference), '.+'"


def test_what_is_left_out_for_a_property_is_left_out_of_the_templates() -> None:
    """An action that a property leads to is needed as soon as one of ours has it."""
    texts = [*stages.templates().values(), catalog.templates()["product.yaml"]]
    bodies = [body for text in texts for body in load(text)["Resources"].values()]
    for group in needs.UNUSED:
        for name in group.get("without", []):
            assert all(name in needs.properties(kind) for kind in group["types"]), f"{group['types']} know no {name}"
            found = [body for body in bodies if body["Type"] in group["types"] and name in body.get("Properties", {})]
            assert found == [], group["why"]
