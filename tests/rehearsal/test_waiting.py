"""What a wait in vain says: the rule that nearly matched, what was lost, what the dispatcher's log says."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kit.tests.waiting import until
from rehearsal import host
from rehearsal.report.facts import Facts
from rehearsal.story.errors import OverdueError
from rehearsal.story.show import Lines
from rehearsal.story.waiting import told_why_nothing_came, why_nothing_came
from rehearsal.story.world import TOOLING, Options, World
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role


@pytest.fixture
def world(emulator: host.Emulator, tmp_path: Path) -> World:
    facts = Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1")
    found = World(Options(size="small"), tmp_path, emulator, facts, Lines(Console(file=io.StringIO())))
    found.project.id = f"p-{uuid.uuid4().hex[:12]}"
    url = client(found, "sqs").create_queue(QueueName=f"sagemaker-{found.project.id}-lost-events")["QueueUrl"]
    assert url
    return found


def client(world: World, service: str) -> Any:
    return world.emulator.client(service, TOOLING)


def rule(world: World, name: str, *words: str, **target: Any) -> str:
    """A rule of the project for words that are said; its name."""
    full = f"sagemaker-{world.project.id}-{name}"
    pattern = {"source": [world.project.id], "detail": {"word": list(words)}}
    client(world, "events").put_rule(Name=full, EventPattern=json.dumps(pattern))
    if target:
        client(world, "events").put_targets(Rule=full, Targets=[{"Id": "t", **target}])
    return full


def say(world: World, word: str) -> None:
    entry = {"Source": world.project.id, "DetailType": "Said", "Detail": json.dumps({"word": word})}
    client(world, "events").put_events(Entries=[entry])


def test_the_rule_that_nearly_matched_is_named_with_the_field(world: World) -> None:
    name = rule(world, "approval", "Aproved", "Rejected")
    say(world, "Approved")
    assert why_nothing_came(world) == (
        f"rule {name} did not match Said of {world.project.id}: "
        'detail.word is "Approved", the pattern wants "Aproved" or "Rejected"'
    )


def test_without_any_event_it_says_so(world: World) -> None:
    rule(world, "approval", "Approved")
    world.began = time.monotonic() + 60  # what other tests did is long ago
    assert why_nothing_came(world) == "none of 0 events since came near a rule of the project"


def test_what_could_not_be_delivered_is_told(world: World) -> None:
    queue = f"arn:aws:sqs:us-east-1:{TOOLING}:sagemaker-{world.project.id}-lost-events"
    target = f"arn:aws:codepipeline:us-east-1:{TOOLING}:gone"
    starter = role(Account(world.emulator, TOOLING), world.project.id, "events")
    name = rule(world, "push", "pushed", Arn=target, RoleArn=starter, DeadLetterConfig={"Arn": queue})
    say(world, "pushed")
    told = eventually(lambda: why_nothing_came(world), "lost: ")
    assert told.startswith(f"rule {name} matched; lost: PipelineNotFoundException")


def test_the_error_of_the_dispatcher_is_told(world: World) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    raise ValueError('no such half')\n")
    function = client(world, "lambda").create_function(
        FunctionName=f"sagemaker-{world.project.id}-dispatcher",
        Runtime="python3.13",
        Handler="index.handler",
        Role=role(Account(world.emulator, TOOLING), world.project.id, "lambda"),
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    rule(world, "push", "pushed", Arn=function)
    say(world, "pushed")
    assert "no such half" in eventually(lambda: why_nothing_came(world), "the dispatcher says: ")


def eventually(tell: Callable[[], str], word: str) -> str:
    told: str = until(lambda: text if word in (text := tell()) else "")
    return told


def test_a_wait_that_was_in_vain_keeps_what_was_expected(world: World) -> None:
    with pytest.raises(OverdueError) as caught, told_why_nothing_came(world):
        world.wait(lambda: None, "a pipeline to start", 0.05)
    assert str(caught.value).startswith("expected  a pipeline to start within 0 s\nfound     ")
