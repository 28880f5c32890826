"""Every fault of the bench comes out as it must; and a fault that does not happen is noticed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.faults import ELSEWHERE, FAULTS, bench, edge, evidence, models, states, templates
from rehearsal.faults.__main__ import main
from rehearsal.faults.fault import Fault, UnknownFaultError, fault, find, in_order
from rehearsal.faults.stage import Stage, stage
from rehearsal.report.facts import StepFact
from rehearsal.story.checkpoint import Place
from rehearsal.story.errors import StoryError
from rehearsal.story.rehearse import PACE

# The others need a project with a model and a quarter of an hour: `make faults` plays all, or pytest -m bench.
QUICK = ("accounts", "published")
IN_ORDER = [
    pytest.param(each, id=each.name, marks=() if each.begins in QUICK else pytest.mark.bench)
    for each in in_order(FAULTS.values())
]


class Quiet:
    """Shows nothing."""

    def changed(self, fact: StepFact) -> None:
        """What is said is among the facts."""


@pytest.fixture(scope="session")
def where() -> Iterator[Stage]:
    """A stage; what it begins from is made once, and kept like that of `make faults`."""
    with pytest.MonkeyPatch.context() as patch, states.kept() as kept, stage(kept, Quiet()) as found:
        patch.setenv("REHEARSAL_PACE", str(PACE))
        yield found


@pytest.mark.parametrize("fault", IN_ORDER)
def test_it_comes_out_as_it_must(where: Stage, fault: Fault) -> None:
    where.play(fault, StepFact(fault.name, fault.title))


def played(where: Stage, name: str) -> str:
    """What the bench says of a fault that did not come out as it must."""
    with pytest.raises(StoryError) as caught:
        where.play(FAULTS[name], StepFact(name, name))
    where.clear()
    return str(caught.value)


def test_a_template_that_is_not_too_large_is_noticed(where: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "changed", lambda *_: contextlib.nullcontext())
    assert "to be refused" in played(where, "template-past-a-megabyte")


@pytest.mark.bench
def test_a_contract_that_is_there_is_noticed(where: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"Key": "nothing"}
    monkeypatch.setattr(evidence, "place", lambda uri: models.place(uri) | elsewhere)
    assert "Release" in played(where, "contract-gone")


@pytest.mark.bench
def test_a_production_that_is_allowed_is_noticed(where: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "deny", lambda *_: None)
    assert "the release to fail" in played(where, "production-denied")


# --- the bench -------------------------------------------------------------------------------------------------------


class FakeStage:
    """Plays faults without an emulator."""

    def play(self, fault: Fault, fact: StepFact) -> None:
        fault.play(fact)  # type: ignore[arg-type]


def _fault(name: str, problem: str) -> Fault:
    def play(fact: Any) -> None:
        fact.lines.append("production serves on")
        if problem:
            raise StoryError("an egg", problem, "log")

    return Fault(name, f"{name} goes wrong", "published", play, leaves_no_trace=True, is_denied=False)


def test_each_fault_is_told_with_what_held_or_what_did_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "stage", lambda *_: contextlib.nullcontext(FakeStage()))
    monkeypatch.setattr(states.Kept, "has", lambda *_: True)
    kept = states.Kept(tmp_path, Place(tmp_path, 1))
    with (tmp_path / "printed").open("w") as file:
        failed = bench.run([_fault("one", ""), _fault("two", "none")], kept, Console(file=file, width=100))
    told = (tmp_path / "printed").read_text()
    assert failed == ["two"]
    assert "✓ one: one goes wrong" in told and "production serves on" in told
    assert "✗ two: two goes wrong" in told
    assert all(words in told for words in ("expected  an egg", "found     none", "look at   log"))
    assert 'make faults ARGS="--fault two"' in told


def test_all_are_listed_with_what_is_not_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in FAULTS)
    assert all(title in told for title in ELSEWHERE)


def test_a_fault_that_nobody_knows_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--fault", "nonsense"])
    assert "production-denied" in capsys.readouterr().err
    with pytest.raises(UnknownFaultError, match="nonsense"):
        find(["nonsense"])


def test_a_fault_needs_a_title_and_a_name_of_its_own() -> None:
    def production_denied(_: Any) -> None:
        """One more of this name."""

    with pytest.raises(ValueError, match="production-denied"):
        fault("published")(production_denied)


def test_two_benches_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with states.kept(tmp_path), pytest.raises(states.BusyError, match="wait for its end"), states.kept(tmp_path):
        pass
