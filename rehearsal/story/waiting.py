"""Why nothing happened: what a person would look up when a push or an approval starts nothing.

Of the events since the step began: rules of the project that one field kept from matching; what rules did match, and
what became of it in the project's queue of lost events and in the log of its dispatcher.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.story.errors import OverdueError
from rehearsal.story.world import World

FRESH_SECONDS = 5.0  # an event may be a little older than the step that waits for what it does
MOST = 3


@contextmanager
def told_why_nothing_came(world: World) -> Iterator[None]:
    """Let the error of a wait in vain within the block say why nothing came. Raises OverdueError."""
    try:
        yield
    except OverdueError as error:
        raise OverdueError(error.expected, why_nothing_came(world), *error.where) from error


def why_nothing_came(world: World) -> str:
    """Sentences about the project's rules, or that no event came at all."""
    ours = f"sagemaker-{world.project.id}-"
    since = time.time() - (time.monotonic() - world.began - world.step.started) - FRESH_SECONDS
    events = [each for each in world.emulator.admin("events") if each["time"] >= since]
    matched = sorted({_name(arn) for each in events for arn in each["matched"] if ours in arn})
    nearly = [
        sentence
        for each in reversed(events)
        for arn, sentence in each["nearly"].items()
        if ours in arn and _name(arn) not in matched
    ]
    told = list(dict.fromkeys(nearly))[:MOST]
    if matched:
        told += [f"rule {' and rule '.join(matched)} matched", *_lost(world), *_errors(world)]
    return "; ".join(told) or f"none of {len(events)} events since came near a rule of the project"


def _name(arn: str) -> str:
    return arn.rpartition("rule/")[2]


def _lost(world: World) -> list[str]:
    """What the project's queue of lost events says of deliveries that failed."""
    sqs = world.emulator.client("sqs", world.options.accounts["tooling"], world.options.region)
    url = sqs.get_queue_url(QueueName=f"sagemaker-{world.project.id}-lost-events")["QueueUrl"]
    how = {"MessageAttributeNames": ["All"], "VisibilityTimeout": 0, "MaxNumberOfMessages": 10}
    found = sqs.receive_message(QueueUrl=url, **how)
    return [f"lost: {_attributes(each) or each['Body'][:300]}" for each in found.get("Messages", [])][:MOST]


def _attributes(message: dict[str, Any]) -> str:
    given = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
    return f"{given['ERROR_CODE']} {given.get('ERROR_MESSAGE', '')}" if "ERROR_CODE" in given else ""


def _errors(world: World) -> list[str]:
    """What the dispatcher's log says of errors."""
    logs = world.emulator.client("logs", world.options.accounts["tooling"], world.options.region)
    group = f"/aws/lambda/sagemaker-{world.project.id}-dispatcher"
    try:
        events = logs.filter_log_events(logGroupName=group)["events"]
    except ClientError:
        return []
    lines = [str(each["message"]).strip() for each in events if "rror" in str(each["message"])]
    return [f"the dispatcher says: {json.dumps(line[-300:])}" for line in lines[-1:]]
