"""Templates and policies past what AWS takes: publish measures before it writes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rehearsal.faults.fault import fault
from rehearsal.faults.refusing import refuses, run
from rehearsal.story import publishing
from rehearsal.story.world import World, expect


@fault("published", series="templates")
def template_past_a_megabyte(world: World) -> None:
    """A template of more than 1,000,000 bytes is refused before anything is published."""
    with changed(world, "product/alerts.yaml", lambda text: text + "# padding\n" * 100_000):
        require_too_large(world)


def require_too_large(world: World) -> None:
    """Publish: it is refused for the size of the product's template."""
    refuses(world, *_publish(world), says=[r"product\.yaml has [\d,]+ bytes and AWS takes at most 1,000,000"])


@fault("published", series="templates")
def template_past_a_request(world: World) -> None:
    """A stack's template of more than 51,200 bytes, which no request takes, is refused; the product's comes from S3."""
    expect(run(world, "templates").code == 0, "the templates to be joined", "they were not")
    size = (publishing.repository(world) / "build" / "templates" / "product.yaml").stat().st_size
    expect(size > 51_200, "the product's template to be past 51,200 bytes, and published all the same", f"{size} bytes")
    with changed(world, "stage/role-of-endpoints.yaml", lambda text: text + "# padding\n" * 5_000):
        refuses(world, *_publish(world), says=[r"stage\.yaml has [\d,]+ bytes and AWS takes at most 51,200"])


@fault("published", series="templates")
def policy_past_its_size(world: World) -> None:
    """A managed policy of more than 6,144 characters is refused before anything is published."""
    actions = ", ".join(f'"s3:GetObject{number:04}"' for number in range(330))
    policy = (
        "  TooLarge:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      PolicyDocument:\n"
        f"        Statement: [{{Effect: Allow, Action: [{actions}], Resource: '*'}}]\n\nOutputs:\n"
    )
    with changed(world, "product/role-of-jobs.yaml", lambda text: text.replace("Outputs:\n", policy, 1)):
        refuses(world, *_publish(world), says=[r"product\.yaml: TooLarge has [\d,]+ characters", "6,144", "split it"])


@contextmanager
def changed(world: World, part: str, change: Callable[[str], str]) -> Iterator[None]:
    """A part of a template of the engineer's clone with other words, while the block runs."""
    path = publishing.repository(world) / "service_catalog" / "templates" / part
    text = path.read_text(encoding="utf-8")
    path.write_text(change(text), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def _publish(world: World) -> list[str]:
    return ["publish", "--uncommitted", *publishing.arguments(world)]
