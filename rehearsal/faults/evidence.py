"""What a version was registered with is gone or spoilt: its contract, its evaluation, its data."""

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


@fault("registered")
def contract_gone(world: World) -> None:
    """A version whose contract is gone is not released: nothing could be tested against it"""
    uri = f"{described(world, 1)['CustomerMetadataProperties']['contract_uri']}/expected.jsonl"
    world.client("s3").delete_object(**place(uri))
    require_refused(world, releasing.decide(world, 1), "the contract of model package", "expected.jsonl")
    require_no_endpoint(world)


@fault("registered")
def contract_spoilt(world: World) -> None:
    """A version whose contract is no JSON is not released"""
    uri = f"{described(world, 1)['CustomerMetadataProperties']['contract_uri']}/schema.json"
    world.client("s3").put_object(**place(uri), Body=b'{"input": [')
    require_refused(world, releasing.decide(world, 1), "schema.json")
    require_no_endpoint(world)


@fault("registered")
def evaluation_spoilt(world: World) -> None:
    """A version whose evaluation is no JSON is released without its figures: they inform, and decide nothing here"""
    world.client("s3").put_object(
        **place(described(world, 1)["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]), Body=b"{"
    )
    execution = releasing.decide(world, 1)
    status = released(world, execution)["RELEASE_STATUS"]
    expect(status == "release", "RELEASE_STATUS release", status)
    require_no_traceback(release_words(world, execution))
    world.say("released, with no figures")
