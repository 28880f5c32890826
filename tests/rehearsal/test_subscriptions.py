"""Alert addresses come and go: a subscription is no resource for IAM, so its end is allowed on everything or not."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.conftest import Account, allow

ONE, OTHER = ({"Protocol": "email", "Endpoint": f"{name}@example.com"} for name in ("one", "other"))
MADE = (
    "sns:CreateTopic",
    "sns:GetTopicAttributes",
    "sns:SetTopicAttributes",
    "sns:DeleteTopic",
    "sns:TagResource",
    "sns:Subscribe",
)


def template(*subscriptions: dict[str, str]) -> dict[str, Any]:
    properties = {"TopicName": "alerts", **({"Subscription": list(subscriptions)} if subscriptions else {})}
    return {"Resources": {"Alerts": {"Type": "AWS::SNS::Topic", "Properties": properties}}}


def change(account: Account, role: str, *subscriptions: dict[str, str]) -> str:
    """Update the stack; the status it ends with."""
    body = json.dumps(template(*subscriptions))
    account.client("cloudformation").update_stack(StackName="s", TemplateBody=body, RoleARN=role)
    return str(account.settled("s")["StackStatus"])


def addresses(account: Account) -> list[str]:
    sns = account.client("sns")
    arn = f"arn:aws:sns:us-east-1:{account.id}:alerts"
    return sorted(each["Endpoint"] for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"])


def service_role(account: Account, *statements: dict[str, Any]) -> str:
    topic = allow(*MADE, "sns:Unsubscribe", resource=f"arn:aws:sns:*:{account.id}:alerts")
    return account.role("service", "cloudformation.amazonaws.com", topic, *statements)


@pytest.mark.parametrize("after", [(), (OTHER,)], ids=["removed", "changed"])
def test_a_grant_on_the_topic_does_not_end_a_subscription(guarded: Account, after: tuple[dict[str, str], ...]) -> None:
    role = service_role(guarded)
    assert guarded.stack("s", template(ONE), RoleARN=role)["StackStatus"] == "CREATE_COMPLETE", guarded.reasons("s")
    assert change(guarded, role, *after) == "UPDATE_ROLLBACK_COMPLETE"
    assert "sns:Unsubscribe on resource: * " in guarded.reasons("s")


def test_addresses_are_changed_and_removed(guarded: Account) -> None:
    role = service_role(guarded, allow("sns:Unsubscribe"))
    guarded.stack("s", template(ONE), RoleARN=role)
    assert change(guarded, role, OTHER) == "UPDATE_COMPLETE", guarded.reasons("s")
    assert addresses(guarded) == ["other@example.com"]
    assert change(guarded, role) == "UPDATE_COMPLETE", guarded.reasons("s")
    assert addresses(guarded) == []


def test_a_call_that_names_a_subscription_is_asked_for_on_everything(guarded: Account) -> None:
    topic = guarded.client("sns").create_topic(Name="alerts")["TopicArn"]
    made = guarded.client("sns").subscribe(TopicArn=topic, **ONE, ReturnSubscriptionArn=True)["SubscriptionArn"]
    role = guarded.role("caller", "a.amazonaws.com", allow("sns:Unsubscribe", resource=f"{topic}*"))
    with pytest.raises(ClientError, match="sns:Unsubscribe because no identity-based policy"):
        guarded.emulator.as_role("sns", role).unsubscribe(SubscriptionArn=made)
