"""What a version was registered with is gone or spoilt: its contract, its evaluation, its data."""

from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.faults.deploying import (
    release_words,
    released,
    require_no_endpoint,
    require_no_traceback,
    require_refused,
)
from rehearsal.faults.fault import fault
from rehearsal.faults.models import described, place
from rehearsal.story import releasing
from rehearsal.story.world import World, expect


@fault("registered", series="evidence")
def contract_gone(world: World) -> None:
    """A version whose contract is gone is not released: nothing could be tested against it"""
    with _spoilt(world, f"{_contract(world)}/expected.jsonl", None):
        require_contract_missed(world)


def require_contract_missed(world: World) -> None:
    """Approve version 1: it is refused, as a part of its contract is not there."""
    require_refused(world, releasing.decide(world, 1), "the contract of model package", "expected.jsonl")
    require_no_endpoint(world)


@fault("registered", series="evidence")
def contract_spoilt(world: World) -> None:
    """A version whose contract is no JSON is not released"""
    with _spoilt(world, f"{_contract(world)}/schema.json", b'{"input": ['):
        require_refused(world, releasing.decide(world, 1), "schema.json")
        require_no_endpoint(world)


@fault("registered", series="evidence")
def evaluation_spoilt(world: World) -> None:
    """A version whose evaluation is no JSON is released without its figures: they inform, and decide nothing here"""
    with _spoilt(world, described(world, 1)["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"], b"{"):
        execution = releasing.decide(world, 1)
        status = released(world, execution)["RELEASE_STATUS"]
    expect(status == "release", "RELEASE_STATUS release", status)
    require_no_traceback(release_words(world, execution))
    world.say("released, with no figures")


def _contract(world: World) -> str:
    """The URI of what version 1 was registered with to be tested against."""
    return str(described(world, 1)["CustomerMetadataProperties"]["contract_uri"])


@contextmanager
def _spoilt(world: World, uri: str, content: bytes | None) -> Iterator[None]:
    """An object of S3 with another content, or none, while the block runs."""
    s3 = world.client("s3")
    before = s3.get_object(**place(uri))["Body"].read()
    if content is None:
        s3.delete_object(**place(uri))
    else:
        s3.put_object(**place(uri), Body=content)
    yield
    s3.put_object(**place(uri), Body=before)
