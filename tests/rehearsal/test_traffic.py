"""Clients of an endpoint ask until the pipeline has ended, whatever the story does; one failure is noticed."""

import io
import json
import threading
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from kit.tests.waiting import until
from rehearsal.host import Emulator
from rehearsal.report.facts import Facts, ShiftFact
from rehearsal.story import releasing
from rehearsal.story.errors import StoryError
from rehearsal.story.show import Lines
from rehearsal.story.traffic import Heard, Known, begin
from rehearsal.story.world import Options, World

OLD, NEW = Known("version 1", [0.1]), Known("version 2", [0.2])


class Endpoint:
    """Stands in for the emulator and its endpoint: it answers as one version, or fails."""

    def __init__(self, folder: Path) -> None:
        self.state, self.version, self.is_failing, self.asked = folder, OLD, False, 0

    def as_role(self, service: str, role: str, region: str) -> Any:
        assert service == "sagemaker-runtime"
        return self

    def invoke_endpoint(self, **_: object) -> dict[str, Any]:
        self.asked += 1
        if self.is_failing:
            raise ClientError({"Error": {"Code": "ModelError", "Message": "500"}}, "InvokeEndpoint")
        answer = {"predictions": [{"probability": value} for value in self.version.probabilities]}
        return {"Body": io.BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def endpoint(tmp_path: Path) -> Endpoint:
    return Endpoint(tmp_path)


@pytest.fixture
def world(tmp_path: Path, endpoint: Endpoint) -> World:
    facts = Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1")
    facts.shifts.append(ShiftFact("Version 2", "", []))
    show = Lines(Console(file=io.StringIO()))
    return World(Options(size="small"), tmp_path, cast(Emulator, endpoint), facts, show)


def both_answered(world: World, endpoint: Endpoint, ended: threading.Event) -> Heard:
    """Clients that both versions answered, and that still ask."""
    heard = world.heard = begin(world, "prod", [{}], [OLD, NEW], ended.is_set)
    until(lambda: heard.totals[OLD.name])
    endpoint.version = NEW
    until(lambda: heard.totals[NEW.name])
    return heard


def test_they_ask_until_the_pipeline_has_ended(world: World, endpoint: Endpoint) -> None:
    ended = threading.Event()
    heard = both_answered(world, endpoint, ended)
    releasing.require_shift(world, heard)
    before = endpoint.asked
    until(lambda: endpoint.asked > before)
    ended.set()
    until(lambda: heard.thread and not heard.thread.is_alive())
    releasing.require_unharmed(world)
    shift = world.facts.shifts[-1]
    assert sum(sum(sample.answers.values()) for sample in shift.samples) == endpoint.asked
    assert shift.marks == {"pipeline green": heard.ended}


def test_a_request_that_fails_after_the_update_fails_the_step(world: World, endpoint: Endpoint) -> None:
    heard = both_answered(world, endpoint, threading.Event())
    releasing.require_shift(world, heard)
    endpoint.is_failing = True
    until(lambda: heard.failed)
    with pytest.raises(StoryError, match="no request to fail"):
        releasing.require_unharmed(world)
    assert heard.thread and not heard.thread.is_alive()
    assert sum(sample.errors for sample in world.facts.shifts[-1].samples) == heard.failed
