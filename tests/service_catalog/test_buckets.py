"""The account's bucket against strict stubs: written once, never somebody else's, never overwritten."""

import hashlib

import pytest
from botocore.exceptions import ClientError

from service_catalog.aws.buckets import Bucket, key_of, url
from service_catalog.errors import BucketError
from tests.service_catalog.stubs import REGION, TOOLING, Call, stubbed

CONTENT = b"content"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OWNED = {"Bucket": "b", "ExpectedBucketOwner": TOOLING}
HERE = {"ContentLength": len(CONTENT), "Metadata": {"sha256": DIGEST}}
MISSING = ("404", "Not Found", 404)
PUT = {
    **OWNED,
    "Key": "k",
    "Body": CONTENT,
    "ContentType": "text/plain",
    "Metadata": {"sha256": DIGEST},
    "IfNoneMatch": "*",
}


def put(*calls: Call) -> bool:
    with stubbed("s3", *calls) as client:
        return Bucket(client, "b", TOOLING).put_once("k", CONTENT, "text/plain")


def test_an_object_is_written_if_it_is_not_there() -> None:
    assert put(("head_object", {**OWNED, "Key": "k"}, MISSING), ("put_object", PUT, {}))


def test_an_object_that_is_there_is_not_written_again() -> None:
    assert not put(("head_object", {**OWNED, "Key": "k"}, HERE))


@pytest.mark.parametrize("word", ["PreconditionFailed", "ConditionalRequestConflict"])
def test_an_object_that_another_run_writes_meanwhile_is_as_good(word: str) -> None:
    calls: list[Call] = [
        ("head_object", None, MISSING),
        ("put_object", PUT, (word, "x", 412)),
        ("head_object", None, HERE),
    ]
    assert not put(*calls)


@pytest.mark.parametrize(
    "found", [{**HERE, "ContentLength": 1}, {**HERE, "Metadata": {"sha256": "0"}}, {"ContentLength": 7}]
)
def test_an_object_with_other_content_is_never_overwritten(found: dict[str, object]) -> None:
    with pytest.raises(
        BucketError, match=r"s3://b/k is not what its name says.*Nothing was overwritten.*aws s3 rm s3://b/k"
    ):
        put(("head_object", None, found))


def test_a_failure_to_write_is_not_taken_for_success() -> None:
    with pytest.raises(ClientError, match="SlowDown"):
        put(("head_object", None, MISSING), ("put_object", None, ("SlowDown", "x", 503)))


@pytest.mark.parametrize(("answer", "is_there"), [({}, True), (MISSING, False)])
def test_a_bucket_is_there_or_not(answer: object, is_there: bool) -> None:
    with stubbed("s3", ("head_bucket", OWNED, answer)) as client:
        assert Bucket(client, "b", TOOLING).exists() is is_there


def test_a_bucket_of_somebody_else_is_said() -> None:
    with (
        stubbed("s3", ("head_bucket", OWNED, ("403", "Forbidden", 403))) as client,
        pytest.raises(BucketError) as caught,
    ):
        Bucket(client, "b", TOOLING).exists()
    assert "belongs to another account than 111111111111" in str(caught.value)
    assert "Nothing was written" in str(caught.value)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [("aws", REGION, "s3.eu-west-1.amazonaws.com"), ("aws-cn", "cn-north-1", "s3.cn-north-1.amazonaws.com.cn")],
)
def test_addresses_belong_to_their_partition_and_lead_back_to_the_key(partition: str, region: str, host: str) -> None:
    address = url("b", "templates/1/x.yaml", region, partition)
    assert address == f"https://b.{host}/templates/1/x.yaml"
    assert key_of(address, "b") == "templates/1/x.yaml"
    assert key_of(f"https://{host}/b/templates/1/x.yaml", "b") == "templates/1/x.yaml"
    assert key_of(address, "other") == ""
