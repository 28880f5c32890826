"""The story itself as far as production, on the emulator, with every permission checked: the proof that the parts fit.

`python -m rehearsal` plays on from there, for a quarter of an hour.
"""

from pathlib import Path

import pytest
from rich.console import Console

from rehearsal.report import facts as recorded
from rehearsal.story import STORY
from rehearsal.story.rehearse import rehearse
from rehearsal.story.step import until
from rehearsal.story.world import Options

pytestmark = pytest.mark.slow


def test_a_project_reaches_production_with_no_call_denied(tmp_path: Path) -> None:
    steps = until(STORY, "production")
    with (tmp_path / "shown").open("w") as shown:
        folder = rehearse(steps, Options(size="medium"), Console(file=shown), tmp_path)
    facts = recorded.read(folder / "facts.json")
    assert [(step.name, step.state) for step in facts.steps] == [(step.name, "done") for step in steps]
    assert facts.permissions_enforced
    assert [role.denied for role in facts.roles if role.denied] == []
    assert {pipeline.name.rsplit("-", 1)[-1] for pipeline in facts.pipelines} == {"build", "deploy"}
    assert facts.models
    assert facts.resources
    assert "Every step came out as it should" in (folder / "report.html").read_text()
