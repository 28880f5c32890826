"""The frame of the story: the order of the steps, what a failing one says, what is kept, that nothing is left over."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from kit.tests.waiting import PATIENCE
from kit.tests.waiting import until as wait_until
from rehearsal.__main__ import advice, parse
from rehearsal.host import ROOT, Emulator
from rehearsal.report import facts as recorded
from rehearsal.report.facts import Facts, StepFact
from rehearsal.story import STORY, pipelines
from rehearsal.story.errors import DeniedError, StoryError
from rehearsal.story.play import facts_of, play
from rehearsal.story.rehearse import new_folder
from rehearsal.story.show import Lines, Timeline, shown
from rehearsal.story.step import Step, UnknownStepError, step, until
from rehearsal.story.world import Options, World


class FakeEmulator:
    """Answers what the player asks of the emulator: which calls were denied, and which executions there are."""

    def __init__(self, folder: Path) -> None:
        self.state, self.denials, self.executions = folder, list[Any](), list[Any]()

    def admin(self, path: str) -> list[Any]:
        assert path == "denials"
        return self.denials

    def as_role(self, service: str, role: str, region: str) -> Any:
        assert service == "codepipeline"
        return self

    def list_pipeline_executions(self, pipelineName: str) -> dict[str, Any]:  # noqa: N803
        return {"pipelineExecutionSummaries": self.executions[::-1]}


@pytest.fixture
def stand_in(tmp_path: Path) -> FakeEmulator:
    return FakeEmulator(tmp_path)


@pytest.fixture
def world(tmp_path: Path, stand_in: FakeEmulator) -> World:
    facts = Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1")
    show = Lines(Console(file=(tmp_path / "shown").open("w")), quiet=0.0)
    return World(Options(size="small"), tmp_path, cast(Emulator, stand_in), facts, show)


def first(world: World) -> None:
    """The first thing that happens."""
    world.say("one")


def second_thing(world: World) -> None:
    """The second thing."""
    world.say("two")


STEPS = [step(first), step(second_thing)]


def played(steps: list[Step], world: World) -> list[StepFact]:
    world.facts.steps = facts_of(steps)
    play(steps, world)
    return world.facts.steps


def test_steps_are_named_after_functions_and_titled_by_docstrings() -> None:
    assert [(each.name, each.title) for each in STEPS] == [
        ("first", "The first thing that happens"),
        ("second-thing", "The second thing"),
    ]


def test_a_step_without_a_title_is_refused() -> None:
    def untitled(world: World) -> None:
        world.say("")

    with pytest.raises(ValueError, match="untitled"):
        step(untitled)


def test_steps_are_played_in_order_and_what_they_say_is_kept(world: World) -> None:
    facts = played(STEPS, world)
    assert [(fact.state, fact.lines) for fact in facts] == [("done", ["one"]), ("done", ["two"])]
    assert facts[0].started <= facts[1].started
    assert (world.folder / "story.log").read_text().count("step=") == 2


def test_until_stops_after_the_named_step() -> None:
    assert until(STEPS, "first") == STEPS[:1]
    assert until(STEPS, None) == STEPS
    with pytest.raises(UnknownStepError, match=r"no step 'third'\. All of them: make demo"):
        until(STEPS, "third")


def test_a_name_that_nobody_knows_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    for words, near in (
        (["--until", "prodution"], "Did you mean production?"),
        (["--fault", "production-denid"], "Did you mean production-denied"),
        (["--fault", "5xx"], "Did you mean endpoint-5xx?"),
    ):
        with pytest.raises(SystemExit):
            parse(words)
        told = capsys.readouterr().err
        assert near in told
        assert len(told) < 300


def test_the_help_says_what_people_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = capsys.readouterr().out
    assert told.startswith('usage: make demo ARGS="')
    assert all(f"  {each.name} " in told and each.title in told for each in STORY)


def test_steps_beyond_those_played_stay_waiting(world: World) -> None:
    world.facts.steps = facts_of(STEPS)
    play(STEPS[:1], world)
    assert [fact.state for fact in world.facts.steps] == ["done", "waiting"]


def test_a_failing_step_says_what_was_expected_what_was_found_and_where_to_look(world: World) -> None:
    def failing(world: World) -> None:
        """A step that fails."""
        raise StoryError("three eggs", "two", world.folder / "log")

    with pytest.raises(StoryError) as caught:
        played([step(failing), *STEPS], world)
    assert str(caught.value) == f"expected  three eggs\nfound     two\nlook at   {world.folder / 'log'}"
    assert [fact.state for fact in world.facts.steps] == ["failed", "waiting", "waiting"]
    assert world.facts.steps[0].problem == str(caught.value)
    assert caught.value.before == ""
    with pytest.raises(StoryError) as caught:
        played([*STEPS, step(failing)], world)
    assert caught.value.before == "second-thing"


def test_whoever_sees_a_step_fail_is_told_how_to_try_it_by_hand() -> None:
    words = 'to do     try it by hand: make demo ARGS="--until canary --keep"'
    assert advice(Options(), "canary") == words
    small = advice(Options(size="small", name="Churn"), "canary")
    assert small.endswith('ARGS="--size small --name Churn --until canary --keep"')


def test_a_denied_call_fails_the_step_and_is_named(world: World, stand_in: FakeEmulator) -> None:
    def denied(_: World) -> None:
        """A step that goes well, although a call was denied."""
        stand_in.denials.append({"role": "arn:aws:iam::1:role/jobs", "action": "s3:GetObject"})

    with pytest.raises(DeniedError, match=r"role/jobs.*s3:GetObject"):
        played([step(denied)], world)


def test_a_denial_explains_the_failure_that_it_led_to(world: World, stand_in: FakeEmulator) -> None:
    def denied(_: World) -> None:
        """A step that fails because a call was denied."""
        stand_in.denials.append({"action": "kms:Decrypt"})
        raise StoryError("an answer", "none")

    with pytest.raises(DeniedError, match="kms:Decrypt"):
        played([step(denied)], world)


def execution(number: int) -> dict[str, Any]:
    """As CodePipeline lists one."""
    trigger = {"triggerType": "StartPipelineExecution", "triggerDetail": "the dispatcher"}
    return {"pipelineExecutionId": f"{number:08d}", "status": "InProgress", "trigger": trigger}


def test_an_execution_that_no_step_waited_for_fails_the_step(world: World, stand_in: FakeEmulator) -> None:
    stand_in.executions.append(execution(1))

    def expected(world: World) -> None:
        """A step that waits for what starts."""
        pipelines.started(world, "build", 1)

    def unasked(_: World) -> None:
        """A step that does nothing, while something starts."""
        stand_in.executions.append(execution(2))

    played([step(expected)], world)
    with pytest.raises(StoryError, match=r"nothing else to start the build pipeline\s*found.*00000002 by .*dispatcher"):
        played([step(unasked)], world)


def test_two_executions_at_once_are_one_too_many(world: World, stand_in: FakeEmulator) -> None:
    stand_in.executions += [execution(1), execution(2)]
    with pytest.raises(StoryError, match="one execution of the deploy pipeline"):
        pipelines.started(world, "deploy", 1)


def test_what_runs_beside_a_step_is_told_until_it_is_over(world: World, tmp_path: Path) -> None:
    told = iter(["build pipeline, a push: Source", "build pipeline, a push: Train"])
    world.beside.append(lambda: next(told, None))

    def waiting(world: World) -> None:
        """A step that waits."""
        until = time.monotonic() + 0.3
        world.looked, world.step.lines = 0.0, ["working"]
        world.wait(lambda: True if time.monotonic() > until else None, "the time to pass", PATIENCE)
        world.looked = 0.0
        world.wait(
            lambda: None if world.beside and time.monotonic() < until + PATIENCE else True, "it to end", 2 * PATIENCE
        )

    played([step(waiting)], world)
    text = (tmp_path / "shown").read_text()
    assert text.count("∥ build pipeline, a push: Source") == 1
    assert text.count("∥ build pipeline, a push: Train") == 1
    assert world.beside == []


def test_waiting_ends_with_what_was_seen_last(world: World) -> None:
    def probe() -> None:
        world.say("InProgress")

    with pytest.raises(StoryError, match="InProgress"):
        world.wait(probe, "the pipeline to end", 0.05)
    assert world.wait(lambda: "there", "something", 1) == "there"


def test_interruption_is_noted_as_such(world: World) -> None:
    def interrupted(_: World) -> None:
        """A step during which a person presses Ctrl-C."""
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played([step(interrupted)], world)
    assert world.facts.steps[0].state == "interrupted"


def test_folders_of_rehearsals_never_collide_and_the_newest_is_linked(tmp_path: Path) -> None:
    folders = [new_folder(tmp_path) for _ in range(3)]
    assert len(set(folders)) == 3
    assert (tmp_path / "latest").resolve() == folders[-1]


def test_a_terminal_gets_a_timeline_and_a_log_gets_lines(tmp_path: Path) -> None:
    steps = [
        StepFact("a", "First", "done", 0, 1.5, ["made"]),
        StepFact("b", "Second", "running", 1.5, beside=["build pipeline, a push: Train"]),
        StepFact("c", "Third"),
    ]
    terminal = Console(force_terminal=True, width=100, file=(tmp_path / "terminal").open("w+"))
    with shown(terminal, steps) as timeline:
        assert isinstance(timeline, Timeline)
        timeline.changed(steps[1])
    text = (tmp_path / "terminal").read_text()
    assert all(word in text for word in ("First", "Second", "Third", "1.5 s", "made", "1 of 3 steps", "a push"))
    with shown(Console(file=(tmp_path / "log").open("w")), steps) as lines:
        assert isinstance(lines, Lines)


def test_options_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    last = STORY[-1].name
    assert parse(["--size", "small", "--until", last]) == Options(size="small", until=last)
    for words in (["--until", "nonsense"], ["--fault", "nonsense"], ["--size", "large"]):
        with pytest.raises(SystemExit):
            parse(words)
        assert words[1] in capsys.readouterr().err


def test_every_step_of_the_story_has_a_name_of_its_own() -> None:
    assert len({each.name for each in STORY}) == len(STORY)


def test_on_windows_it_says_what_it_needs() -> None:
    code = "import os, runpy; os.name = 'nt'; runpy.run_module('rehearsal', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "WSL" in done.stderr
    assert "Traceback" not in done.stderr


def group_members(leader: int) -> set[int]:
    """Processes that descend from one that we started, by what /proc or ps says."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found, fresh = set[int](), {leader}
    while fresh:
        found |= fresh
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
    return found - {leader}


@pytest.mark.story
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rehearsal_leaves_no_process_and_a_report(tmp_path: Path, number: signal.Signals) -> None:
    code = (
        "import sys, signal, pathlib\n"
        "from rehearsal import __main__ as program\n"
        "from rehearsal.story import rehearse\n"
        f"original, sys.argv = rehearse.new_folder, ['rehearsal', '--no-permissions']\n"
        f"rehearse.new_folder = lambda kept: original(pathlib.Path({str(tmp_path)!r}))\n"
        "sys.exit(program.main())"
    )
    started = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    story = tmp_path / "latest" / "story.log"
    wait_until(lambda: story.exists() or started.poll() is not None)
    processes = group_members(started.pid)
    started.send_signal(number)
    started.communicate(timeout=PATIENCE)
    assert started.returncode not in (0, None)
    assert processes, "the emulator was never started"
    assert [process for process in processes if alive(process)] == []
    facts = recorded.read(tmp_path / "latest" / "facts.json")
    assert facts.outcome == "interrupted"
    assert "Interrupted" in (tmp_path / "latest" / "report.html").read_text()


@pytest.mark.story
def test_a_story_that_failed_is_kept_running_if_asked(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from rehearsal import __main__ as program\n"
        "from rehearsal.story import rehearse\n"
        "from rehearsal.story.errors import StoryError\n"
        "from rehearsal.story.step import step\n"
        "def broken(world):\n"
        "    'It breaks.'\n"
        "    raise StoryError('three eggs', 'two')\n"
        "def begun(world):\n"
        "    'It begins.'\n"
        "program.STORY[:] = [step(begun), step(broken), program.STORY[-1]]\n"
        "original, sys.argv = rehearse.new_folder, ['rehearsal', '--keep', '--size', 'small']\n"
        f"rehearse.new_folder = lambda kept: original(pathlib.Path({str(tmp_path)!r}))\n"
        "sys.exit(program.main())"
    )
    started = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout
    lines = list(itertools.takewhile(lambda line: not line.startswith("log "), started.stdout))
    told = "".join(lines)
    (look,) = re.findall(r"http://\S+/_look/", told)
    with urllib.request.urlopen(look, timeout=PATIENCE) as answer:  # noqa: S310 - our own address on loopback
        assert answer.status == 200
    started.send_signal(signal.SIGINT)
    rest, _ = started.communicate(timeout=PATIENCE)
    assert started.returncode == 1
    assert "expected  three eggs" in told
    assert "The story failed" in told
    assert "1 of 3 steps came out as they should, one was not played." in rest
    assert "three eggs" not in rest
    assert recorded.read(tmp_path / "latest" / "facts.json").outcome == "failed"


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_facts_survive_a_file(tmp_path: Path, world: World) -> None:
    played(STEPS, world)
    recorded.write(world.facts, tmp_path / "facts.json")
    assert recorded.read(tmp_path / "facts.json") == world.facts
    text = json.loads((tmp_path / "facts.json").read_text()) | {"surprise": 1}
    (tmp_path / "facts.json").write_text(json.dumps(text))
    with pytest.raises(ValueError, match="surprise"):
        recorded.read(tmp_path / "facts.json")
