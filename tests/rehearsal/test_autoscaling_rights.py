"""Application Auto Scaling tries its caller's own rights, on the target and on alarms, before it registers anything."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.served import GOOD, Hosting

TARGET = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
TARGET |= {"ResourceId": "endpoint/Main/variant/AllTraffic"}
OWN = allow("application-autoscaling:*", "sagemaker:*", "iam:CreateServiceLinkedRole")
ALARMS = ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms")


@pytest.fixture
def hosted(guarded: Account) -> Account:
    """An account with an endpoint that takes the name of a project with capitals."""
    hosting = Hosting(guarded)
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    guarded.client("iam").put_role_policy(RoleName="endpoint", PolicyName="p", PolicyDocument=policy)
    hosting.endpoint("Main", hosting.config("main", GOOD, count=1))
    return guarded


def register(account: Account, *statements: dict[str, Any]) -> None:
    role = account.role("scaler", "a.amazonaws.com", *statements)
    api = account.emulator.as_role("application-autoscaling", role)
    api.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2)


@pytest.mark.parametrize("lacking", ALARMS)
def test_a_caller_needs_the_right_to_alarms_that_are_not_named_after_it(hosted: Account, lacking: str) -> None:
    own = allow(lacking, resource=f"arn:aws:cloudwatch:*:{hosted.id}:alarm:sagemaker-*-prod-*")
    rest = allow(*(set(ALARMS) - {lacking}))
    with pytest.raises(ClientError, match=f"ValidationException.*not authorized to perform: {lacking}$"):
        register(hosted, OWN, own, rest)


def test_and_the_right_to_change_the_target(hosted: Account) -> None:
    with pytest.raises(ClientError, match=r"perform: sagemaker:UpdateEndpointWeightsAndCapacities$"):
        register(hosted, allow("application-autoscaling:*", "sagemaker:DescribeEndpoint", *ALARMS))


def test_a_caller_with_all_of_them_registers(hosted: Account) -> None:
    register(hosted, OWN, allow(*ALARMS))
    targets = hosted.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert [each["MaxCapacity"] for each in targets["ScalableTargets"]] == [2]
