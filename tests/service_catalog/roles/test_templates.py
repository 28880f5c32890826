"""The account templates: one boundary, one set of names, quotas at the longest names, statements that IAM takes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from service_catalog import names
from service_catalog.names import STAGES
from service_catalog.template import BODY_BYTES, POLICY_CHARACTERS
from tests.infrastructure import catalog
from tests.infrastructure.cloudformation import load
from tests.service_catalog.roles.accounts import LAYOUTS, REGION, TOOLING, Layout, layout
from tests.service_catalog.roles.arns import Placed

TEMPLATES = catalog.templates()
INLINE, TRUST = 10_240, 2_048  # "IAM and STS quotas" in the IAM user guide; white space does not count


def documents(where: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every identity policy and trust of every stack."""
    for stack in where.stacks.values():
        for name, role in stack.of_type("AWS::IAM::Role"):
            yield f"{stack.name} {name} trust", role["AssumeRolePolicyDocument"]
            yield from ((f"{stack.name} {name}", each["PolicyDocument"]) for each in role.get("Policies", []))
        for name, policy in stack.of_type("AWS::IAM::ManagedPolicy"):
            yield f"{stack.name} {name}", policy["PolicyDocument"]


def size(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def test_both_templates_have_the_same_boundary() -> None:
    both = [load(TEMPLATES[file])["Resources"]["Boundary"]["Properties"] for file in ("portfolio.yaml", "stage.yaml")]
    assert both[0] == both[1]


def test_both_templates_have_the_same_role_for_logs() -> None:
    both = [load(TEMPLATES[file])["Resources"]["ApiLogRole"]["Properties"] for file in ("portfolio.yaml", "stage.yaml")]
    texts = [json.dumps(each).replace("LogsOfApiGateway", "LogsOfApis") for each in both]
    assert texts[0] == texts[1]


def test_the_boundary_knows_every_stage() -> None:
    """Each stage leaves each other one alone, and the roles of none can be changed."""
    text = json.dumps(load(TEMPLATES["portfolio.yaml"])["Resources"]["Boundary"])
    for stage in STAGES:
        assert f":role/sagemaker-projects/sagemaker-{stage}-*" in text
        for other in set(STAGES) - {stage}:
            one, another = "aws:PrincipalTag/sagemaker:deployment-stage", "aws:ResourceTag/sagemaker:deployment-stage"
            assert json.dumps({one: stage, another: other}) in text


def test_the_templates_use_the_names_of_the_command_line() -> None:
    where = layout(LAYOUTS[0])
    portfolio = where.portfolio
    assert portfolio.arn("LaunchRole") == names.launch_role_arn("aws", TOOLING)
    assert portfolio.arn("Boundary") == names.boundary_arn("aws", TOOLING)
    assert portfolio.arn("Bucket") == f"arn:aws:s3:::{names.account_bucket(TOOLING, REGION)}"
    for stage in STAGES:
        for purpose in ("deploy", "cloudformation", "endpoint", "verify"):
            assert names.role_arn("aws", TOOLING, names.stage_role(stage, purpose)) in _roles(where.stage(stage))


def _roles(stack: Placed) -> set[str]:
    return {stack.arn(name) for name, _ in stack.of_type("AWS::IAM::Role")}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_policy_fits(name: str) -> None:
    where = layout(name)
    assert [(what, size(each)) for what, each in documents(where) if size(each) > POLICY_CHARACTERS] == []
    for stack in where.stacks.values():
        for role_name, role in stack.of_type("AWS::IAM::Role"):
            inline = sum(size(each["PolicyDocument"]) for each in role.get("Policies", []))
            assert inline <= INLINE, f"{stack.name} {role_name}: {inline}"
            assert size(role["AssumeRolePolicyDocument"]) <= TRUST, f"{stack.name} {role_name}"


@pytest.mark.parametrize("file", ["portfolio.yaml", "stage.yaml"])
def test_an_account_template_is_sent_without_a_bucket(file: str) -> None:
    """The first stack of an account makes the bucket that a larger template would have to lie in."""
    assert len(TEMPLATES[file].encode("utf-8")) <= BODY_BYTES


@pytest.mark.parametrize("name", LAYOUTS)
def test_iam_takes_every_statement(name: str) -> None:
    """Sids are letters and digits, once in a document; every action names a service; none is just a wildcard."""
    for what, document in documents(layout(name)):
        sids = [statement["Sid"] for statement in document["Statement"] if "Sid" in statement]
        assert len(sids) == len(set(sids)), what
        assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids), what
        for statement in document["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9*]+", action) for action in actions), what


def test_only_the_ceiling_has_actions_with_wildcards() -> None:
    for what, document in documents(layout(LAYOUTS[1])):
        allowed = [each["Action"] for each in document["Statement"] if each["Effect"] == "Allow"]
        assert what.endswith(" Boundary") or "*" not in json.dumps(allowed), what
