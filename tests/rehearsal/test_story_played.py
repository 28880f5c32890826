"""The story itself, from publish to delete, in one account and in three, with every permission checked.

The one goes through the S3 channel, the other through Service Catalog.
"""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.report import facts as recorded
from rehearsal.report.facts import Facts
from rehearsal.story import STORY
from tests.rehearsal.conftest import CHANNELS, NAMES, Size

pytestmark = pytest.mark.story
# What was built and deployed, oldest first; it is what the steps began, and nothing else.
BUILDS = ["Succeeded", "Succeeded", "Failed"]  # the seed, a better model, a worse one
DEPLOYMENTS = [
    *("Succeeded", "Succeeded"),  # no model yet, version 1
    "Failed",  # a change of the deploy half, rejected after staging
    *("Succeeded", "Failed", "Succeeded"),  # version 2, the one that fails, version 1 again
]


@pytest.mark.parametrize("size", [pytest.param(size, marks=pytest.mark.xdist_group(size)) for size in NAMES])
def test_the_whole_story_is_played_with_no_call_denied(stories: Callable[[Size], Path], size: Size) -> None:
    folder = stories(size)
    facts = recorded.read(folder / "facts.json")
    assert [(step.name, step.state) for step in facts.steps] == [(step.name, "done") for step in STORY]
    assert facts.permissions_enforced
    assert facts.channel == CHANNELS[size]
    assert [role.denied for role in facts.roles if role.denied] == []
    assert _statuses(facts, "build") == BUILDS
    assert _statuses(facts, "deploy") == DEPLOYMENTS
    assert [(model.version, model.remark) for model in facts.models] == [
        (1, "released first"),
        (2, "trained more carefully"),
        (3, "rolled back"),
    ]
    assert [re.split(r"[:,]", shift.title)[0] for shift in facts.shifts] == [
        "Version 2 to production",
        "Version 3",
        "Back to version 1",
    ]
    for shift in (facts.shifts[0], facts.shifts[2]):  # the version between them is rolled back
        assert shift.marks["pipeline green"] >= shift.marks["update ends"]
        assert sum(sample.errors for sample in shift.samples) == 0
    assert facts.resources
    assert "Every step came out as it should" in (folder / "report.html").read_text()


def _statuses(facts: Facts, half: str) -> list[str]:
    (found,) = [pipeline for pipeline in facts.pipelines if pipeline.name.endswith(f"-{half}")]
    return [execution.status for execution in found.executions][::-1]
