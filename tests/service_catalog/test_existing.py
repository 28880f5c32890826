"""Whether what the tagging API lists is still there: asked of each service in its own way, and never guessed."""

import pytest

from service_catalog.aws import existing
from service_catalog.aws.account import Account
from tests.service_catalog.accounts import Accounts, deny

PLACE = "eu-west-1:{account}"
NEVER_THERE = [
    f"arn:aws:sagemaker:{PLACE}:model/gone",
    f"arn:aws:sagemaker:{PLACE}:endpoint/gone",
    f"arn:aws:sagemaker:{PLACE}:endpoint-config/gone",
    f"arn:aws:sagemaker:{PLACE}:model-package-group/gone",
    f"arn:aws:sagemaker:{PLACE}:code-repository/gone",
    f"arn:aws:sagemaker:{PLACE}:project/gone",
    f"arn:aws:cloudformation:{PLACE}:stack/gone/1",
    f"arn:aws:codecommit:{PLACE}:gone",
    f"arn:aws:codepipeline:{PLACE}:gone",
    f"arn:aws:events:{PLACE}:rule/gone",
    f"arn:aws:kms:{PLACE}:key/11111111-1111-1111-1111-111111111111",
    f"arn:aws:lambda:{PLACE}:function:gone",
    "arn:aws:s3:::gone-{account}",
    f"arn:aws:sns:{PLACE}:gone",
    f"arn:aws:sqs:{PLACE}:gone",
    f"arn:aws:ssm:{PLACE}:parameter/gone",
]


@pytest.mark.parametrize("arn", NEVER_THERE)
def test_what_is_not_there_is_known_to_be_gone(account: Account, arn: str) -> None:
    assert existing.is_there(account, arn.format(account=account.id)) is False


def test_what_is_there_is_there_until_it_is_deleted(account: Account) -> None:
    topic = account.client("sns").create_topic(Name="there")["TopicArn"]
    account.client("s3").create_bucket(
        Bucket=f"there-{account.id}", CreateBucketConfiguration={"LocationConstraint": account.region}
    )
    account.client("ssm").put_parameter(Name="/a/there", Value="x", Type="String")
    key = account.client("kms").create_key()["KeyMetadata"]
    arns = [topic, f"arn:aws:s3:::there-{account.id}", f"arn:aws:ssm:eu-west-1:{account.id}:parameter/a/there"]
    assert [existing.is_there(account, arn) for arn in [*arns, key["Arn"]]] == [True] * 4
    account.client("kms").schedule_key_deletion(KeyId=key["KeyId"])
    assert existing.is_there(account, key["Arn"]) is False


def test_what_cannot_be_asked_is_unknown(accounts: Accounts) -> None:
    account = Account(deny(accounts.session(accounts.number()), "sns.GetTopicAttributes"))
    assert existing.is_there(account, f"arn:aws:sns:eu-west-1:{account.id}:any") is None
    assert existing.is_there(account, f"arn:aws:glue:eu-west-1:{account.id}:job/any") is None
