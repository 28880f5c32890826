"""A template with a transform is a call to a macro: a role that may not make it makes no stack of the template."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.test_permissions import group_template

LOOPS = "arn:aws:cloudformation:us-east-1:aws:transform/LanguageExtensions"
PLACES = {
    "of the template": {"Transform": "AWS::LanguageExtensions"},
    "one of many": {"Transform": ["AWS::LanguageExtensions"]},
    "within it": {"Metadata": {"Fn::Transform": {"Name": "AWS::LanguageExtensions", "Parameters": {}}}},
}


def request(role: str, **more: Any) -> dict[str, Any]:
    """A stack with one model package group, made with a role."""
    return {"StackName": "s", "TemplateBody": json.dumps(group_template("g") | more), "RoleARN": role}


@pytest.mark.parametrize("more", PLACES.values(), ids=PLACES)
def test_the_role_of_a_stack_must_be_allowed_to_call_a_macro(guarded: Account, more: dict[str, Any]) -> None:
    role = guarded.role("service", "cloudformation.amazonaws.com", allow("sagemaker:*"))
    with pytest.raises(ClientError, match=f"not authorized to perform: cloudformation:CreateChangeSet .* {LOOPS}"):
        guarded.client("cloudformation").create_stack(**request(role, **more))
    assert (role, LOOPS) in [(item["role"], item["resource"]) for item in guarded.emulator.admin("denials")]


def test_a_caller_without_a_service_role_must_be_allowed_itself(guarded: Account) -> None:
    role = guarded.role("caller", "a.amazonaws.com", allow("cloudformation:CreateStack", "sagemaker:*"))
    made = request(role, Transform="AWS::LanguageExtensions")
    del made["RoleARN"]
    with pytest.raises(ClientError, match="not authorized to perform: cloudformation:CreateChangeSet"):
        guarded.emulator.as_role("cloudformation", role).create_stack(**made)


def test_a_role_that_may_call_the_macro_makes_the_stack(guarded: Account) -> None:
    macro = allow("cloudformation:CreateChangeSet", resource=LOOPS)
    role = guarded.role("service", "cloudformation.amazonaws.com", allow("sagemaker:*"), macro)
    more = {"Capabilities": ["CAPABILITY_AUTO_EXPAND"], "Transform": "AWS::LanguageExtensions"}
    made = request(role, Transform=more.pop("Transform"))
    guarded.client("cloudformation").create_stack(**made, **more)
    assert guarded.settled("s")["StackStatus"] == "CREATE_COMPLETE", guarded.reasons("s")


def test_a_template_without_a_macro_needs_nothing(guarded: Account) -> None:
    role = guarded.role("service", "cloudformation.amazonaws.com", allow("sagemaker:*"))
    guarded.client("cloudformation").create_stack(**request(role))
    assert guarded.settled("s")["StackStatus"] == "CREATE_COMPLETE", guarded.reasons("s")


@pytest.mark.parametrize("action", ["CreateStack", "CreateChangeSet"])
def test_a_stack_with_tags_needs_the_right_to_tag_it(guarded: Account, action: str) -> None:
    role = guarded.role("caller", "a.amazonaws.com", allow(f"cloudformation:{action}", "sagemaker:*"))
    api = guarded.emulator.as_role("cloudformation", role)
    made = {"StackName": "s", "TemplateBody": json.dumps(group_template("g"))}
    tags = {"Tags": [{"Key": "owner", "Value": "team"}]}
    change = {"ChangeSetName": "change", "ChangeSetType": "CREATE"} if action == "CreateChangeSet" else {}
    call = api.create_change_set if change else api.create_stack
    with pytest.raises(ClientError, match="perform: cloudformation:TagResource because"):
        call(**made, **tags, **change)
    asked = [each["resource"] for each in guarded.emulator.admin("denials") if each["role"] == role]
    assert asked == [f"arn:aws:cloudformation:us-east-1:{guarded.id}:stack/s/new"]
    call(**made, **change)
