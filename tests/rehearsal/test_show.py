"""The timeline in the terminal: no line is wider than the window, and in a low one the running step is in sight."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from rehearsal.report.facts import StepFact
from rehearsal.story.show import Lines, Timeline, shown

TITLE = "A step whose title is longer than most windows of a terminal are wide, and goes on for a while"


@pytest.fixture
def steps() -> list[StepFact]:
    """Nine steps played, one that runs and has something beside it, nine to come."""
    played = [StepFact(f"p{number}", f"{number} {TITLE}", "done", 0, 99.5, ["said last"]) for number in range(9)]
    running = StepFact("r", "now it runs", "running", 0, 0, ["what it is at"], beside=["build pipeline: beside it"])
    return [*played, running, *(StepFact(f"w{number}", f"{number} {TITLE}") for number in range(9))]


def drawn(steps: list[StepFact], width: int, height: int, is_over: bool = False) -> list[str]:
    """The lines of the timeline in a window."""
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, height=height, color_system=None)
    timeline = Timeline(steps)
    timeline.is_over = is_over
    console.print(timeline)
    return output.getvalue().rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(160, 50), (80, 24), (40, 12), (20, 8)])
def test_it_fits_into_the_window_and_shows_the_running_step(steps: list[StepFact], width: int, height: int) -> None:
    lines = drawn(steps, width, height)
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if "what it is at" in line or "now it runs" in line or "build pipe" in line]
    assert "of 19 s" in lines[-1]


def test_what_is_left_out_is_counted(steps: list[StepFact]) -> None:
    lines = drawn(steps, 80, 14)
    above, below = lines[0].split()[1], lines[-3].split()[1]
    assert (lines[0], lines[-3]) == (f"⋮  {above} lines above", f"⋮  {below} lines below")
    assert int(above) + int(below) + len(lines) - 4 == 19 + 2  # the running step has two lines below it


def test_in_the_end_every_step_is_there(steps: list[StepFact]) -> None:
    assert len(drawn(steps, 80, 10, is_over=True)) == 19 + 2 + 2


def test_in_a_wide_window_steps_say_what_they_said_last(steps: list[StepFact]) -> None:
    assert "said last" in drawn(steps, 180, 50)[0]
    assert "said last" not in drawn(steps, 100, 50)[0]


def logged(quiet: float) -> list[str]:
    """What a log says of a step that says three things and lasts."""
    output = io.StringIO()
    show = Lines(Console(file=output), quiet)
    fact = StepFact("a", "Alpha", "running")
    for line in ("one", "two", "three", "three"):
        fact.lines.append(line)
        fact.beside = ["build pipeline: beside it", f"build pipeline, which the step waits for: {line}"]
        show.changed(fact)
    fact.state, fact.seconds = "done", 3.2
    show.changed(fact)
    return [line.split(maxsplit=1)[1] for line in output.getvalue().splitlines()]


def test_a_log_has_one_line_for_a_step_that_is_soon_over() -> None:
    assert logged(60) == ["✓ Alpha  3.2 s: three"]


def test_a_log_tells_once_what_a_long_step_is_at() -> None:
    assert logged(0) == ["▶ Alpha", "one", "∥ build pipeline: beside it", "two", "three", "✓ Alpha  3.2 s: three"]


def test_neither_a_file_nor_a_dumb_terminal_is_drawn_upon(steps: list[StepFact]) -> None:
    for console in (Console(file=io.StringIO()), Console(force_terminal=True, _environ={"TERM": "dumb"})):
        with shown(console, steps) as show:
            assert isinstance(show, Lines)
