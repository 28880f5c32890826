"""Every fault of the bench comes out as it must; and a fault that does not happen is noticed."""

import contextlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from kit.tests.waiting import PATIENCE, until
from rehearsal.faults import ELSEWHERE, FAULTS, bench, evidence, lanes, permissions, states, templates
from rehearsal.faults.__main__ import main
from rehearsal.faults.fault import STATES, Fault, State, UnknownFaultError, fault, find
from rehearsal.faults.lanes import LANES, Lanes
from rehearsal.faults.schedule import Schedule, Turn, turns
from rehearsal.report.facts import StepFact
from rehearsal.story.errors import StoryError
from rehearsal.story.rehearse import PACE

# The halves of three faults that come after something went wrong; the title is what they say when nothing did.
HARMLESS = [
    Fault("template-of-its-size", "to be refused", "published", templates.require_too_large),
    Fault("contract-there", "Release to refuse it", "registered", evidence.require_contract_missed),
    Fault("production-allowed", "the release to fail", "second-approved", permissions.require_denied),
]


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> Mapping[str, StepFact]:
    """What became of the faults that this session's tests are about: they are played side by side, before the first."""
    chosen = [each.callspec.params.get("fault") for each in request.session.items if hasattr(each, "callspec")]
    faults = [each for each in chosen if isinstance(each, Fault)]
    teller = bench.Teller(Console(quiet=True))
    with pytest.MonkeyPatch.context() as patch, states.kept() as kept:
        patch.setenv("REHEARSAL_PACE", str(PACE))
        Lanes(kept, teller).play(faults)
    return {fact.name: fact for fact in teller.facts}


def named(faults: Iterable[Fault]) -> list[Any]:
    return [pytest.param(each, id=each.name) for each in faults]


@pytest.mark.faults
@pytest.mark.parametrize("fault", named(FAULTS.values()))
def test_it_comes_out_as_it_must(outcomes: Mapping[str, StepFact], fault: Fault) -> None:
    assert outcomes[fault.name].state == "done", outcomes[fault.name].problem


@pytest.mark.faults
@pytest.mark.parametrize("fault", named(HARMLESS))
def test_one_that_does_not_happen_is_noticed(outcomes: Mapping[str, StepFact], fault: Fault) -> None:
    assert fault.title in outcomes[fault.name].problem


# --- the order -------------------------------------------------------------------------------------------------------


def nothing(_: Any) -> None:
    """Goes wrong in no way."""


def some(state: State, *names: str, series: str = "", is_long: bool = False) -> list[Fault]:
    return [Fault(name, name, state, nothing, series, is_long=is_long) for name in names]


def test_later_states_and_long_faults_come_first_and_a_series_is_one_turn() -> None:
    faults = [*some("published", "a", series="few"), *some("published", "b"), *some("published", "c", series="few")]
    faults += [*some("registered", "d", series="few"), *some("registered", "e", is_long=True)]
    found = [(turn.state, "".join(each.name for each in turn.faults)) for turn in turns(faults)]
    assert found == [("registered", "e"), ("registered", "d"), ("published", "ac"), ("published", "b")]


def test_a_series_is_played_as_it_is_listed_in_whatever_order_it_is_asked_for() -> None:
    backwards = list(reversed(FAULTS.values()))
    assert {turn for turn in turns(backwards) if len(turn.faults) > 1} == {
        turn for turn in turns(FAULTS.values()) if len(turn.faults) > 1
    }


def test_states_are_made_before_what_begins_from_them() -> None:
    schedule = Schedule([*some("accounts", "a"), *some("published", "b")])
    assert schedule.next() == Turn("accounts")
    schedule.made("accounts")
    assert schedule.next() == Turn("published")
    assert schedule.next() == Turn("accounts", tuple(schedule.faults[:1]))
    schedule.made("published")
    assert schedule.next() == Turn("published", tuple(schedule.faults[1:]))
    assert schedule.next() is None


def test_what_is_there_is_not_made_again() -> None:
    schedule = Schedule(some("registered", "a"), there=STATES)
    assert schedule.next() == Turn("registered", tuple(schedule.faults))
    assert schedule.next() is None


def test_faults_of_a_state_that_is_lost_are_not_played() -> None:
    faults = [*some("accounts", "a"), *some("published", "b"), *some("registered", "c")]
    schedule = Schedule(faults, there=["accounts"])
    assert schedule.next() == Turn("published")
    assert [fault.name for fault in schedule.lost("published")] == ["c", "b"]
    assert schedule.next() == Turn("accounts", tuple(faults[:1]))
    assert schedule.next() is None


# --- the bench -------------------------------------------------------------------------------------------------------


class FakeStage:
    """Plays faults without an emulator, and makes every state but `registered`."""

    def play(self, fault: Fault, fact: StepFact) -> None:
        fault.play(fact)  # type: ignore[arg-type]

    def make(self, state: State, _: StepFact) -> None:
        if state == "registered":
            raise StoryError("a model", "none", "log")

    def clear(self) -> None:
        """Nothing runs."""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> states.Kept:
    """No states yet, and faults that are played by a FakeStage."""
    monkeypatch.setattr(lanes, "stage", lambda *_: contextlib.nullcontext(FakeStage()))
    return states.Kept(tmp_path)


def _fault(name: str, problem: str = "", state: State = "published") -> Fault:
    def play(fact: Any) -> None:
        fact.lines.append("production serves on")
        if problem:
            raise StoryError("an egg", problem, "log")

    return Fault(name, f"{name} goes wrong", state, play)


def run(faults: Sequence[Fault], kept: states.Kept) -> tuple[list[str], str]:
    """What failed, and what was printed."""
    with (kept.folder / "printed").open("w") as file:
        failed = bench.run(faults, kept, Console(file=file, width=100))
    return failed, (kept.folder / "printed").read_text()


def test_each_fault_is_told_with_what_held_or_what_did_not(kept: states.Kept) -> None:
    failed, told = run([_fault("one"), _fault("two", "none")], kept)
    assert failed == ["two"]
    assert "✓ one: one goes wrong" in told and "production serves on" in told
    assert "✗ two: two goes wrong" in told
    assert all(words in told for words in ("expected  an egg", "found     none", "look at   log"))
    assert "1 of 2 faults came out as they must" in told
    assert 'make faults ARGS="--fault two"' in told


def test_what_a_lost_state_keeps_from_being_played_counts_as_failed(kept: states.Kept) -> None:
    failed, told = run([_fault("one"), _fault("two", state="in-production")], kept)
    assert failed == ["two"]
    assert "✗ (the story as far as registered)" in told and "expected  a model" in told
    assert "the story to come as far as in-production" in told


def test_as_many_faults_as_there_are_lanes_are_played_at_once(kept: states.Kept) -> None:
    together = threading.Barrier(LANES, timeout=PATIENCE)

    def play(_: Any) -> None:
        together.wait()

    faults = [Fault(str(number), "waits for the others", "accounts", play) for number in range(LANES)]
    assert run(faults, kept)[0] == []


def test_ctrl_c_ends_what_runs_and_begins_nothing_more(kept: states.Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, played = threading.Event(), list[str]()

    def play(fact: Any) -> None:
        played.append(fact.name)
        ended.wait(PATIENCE)

    def interrupted(_: Any) -> None:
        until(lambda: played)
        raise KeyboardInterrupt

    monkeypatch.setattr(lanes, "_wait_for", interrupted)
    monkeypatch.setattr(lanes, "_end_programs", ended.set)
    faults = [Fault(str(number), "waits", "accounts", play) for number in range(LANES + 2)]
    with pytest.raises(KeyboardInterrupt):
        run(faults, kept)
    assert 1 <= len(played) <= LANES
    assert "waits" not in (kept.folder / "printed").read_text()


def test_all_are_listed_with_what_is_not_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert all(name in told for name in FAULTS)
    assert all(title in told for title in ELSEWHERE)
    assert all(f"{state}: {meaning}" in told for state, meaning in states.MEANING.items())


def test_a_fault_that_nobody_knows_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--fault", "production-denid"])
    told = capsys.readouterr().err
    assert "Did you mean production-denied" in told
    assert "make faults ARGS=--list" in told
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
