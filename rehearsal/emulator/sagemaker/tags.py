"""Tags of everything in SageMaker, by ARN."""

from collections.abc import Iterator

from rehearsal.emulator import seams
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import Store, tag_finders

_tags: Store[dict[str, str]] = Store("tags")
# The ARNs as they are written; they are compared without their case.
_arns: Store[str] = Store("arns")


@operation
def add_tags(request: Document) -> Document:
    """A key that is there already gets the new value."""
    own = _tags.setdefault(request["ResourceArn"].lower(), {})
    _arns.setdefault(request["ResourceArn"].lower(), request["ResourceArn"])
    own |= {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    return {"Tags": [{"Key": key, "Value": value} for key, value in own.items()]}


@operation
def list_tags(request: Document) -> Document:
    """All on one page."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags_of(request["ResourceArn"]).items()]}


@operation
def delete_tags(request: Document) -> None:
    """Keys that are not there are no error."""
    own = _tags.setdefault(request["ResourceArn"].lower(), {})
    for key in request["TagKeys"]:
        own.pop(key, None)


def tags_of(arn: str) -> dict[str, str]:
    """The tags of a resource."""
    return dict(_tags.get(arn.lower()) or {})


def remember(arn: str, tags: list[Document] | None) -> None:
    """Keep the tags that a resource is made with."""
    _tags[arn.lower()] = {tag["Key"]: tag["Value"] for tag in tags or []}
    _arns[arn.lower()] = arn


def forget(arn: str) -> None:
    """Forget the tags of a resource that is gone."""
    _tags.pop(arn.lower())
    _arns.pop(arn.lower())


def tagged() -> Iterator[tuple[str, dict[str, str]]]:
    """ARN and tags of everything that has any, as the tagging API lists it."""
    for arn, tags in _tags.items():
        if tags:
            yield _arns.get(arn) or arn, tags


tag_finders.append(tags_of)
seams.list_tagged("sagemaker", tagged)
