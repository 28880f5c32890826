"""Plans: shown before anything is done, done in order, stopped at the first failure."""

import io

import pytest
from rich.console import Console

from service_catalog import plan
from service_catalog.plan import Change
from service_catalog.progress import Progress, Watch


def console(terminal: bool = False) -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=100, force_terminal=terminal, highlight=False), text


def test_a_plan_shows_what_changes_where_and_why() -> None:
    output, text = console()
    plan.show(
        [Change("create", "stack", "a", "why not", print, "1 x"), Change("keep", "tag", "b", place="2 y")], output
    )
    assert [line.split() for line in text.getvalue().splitlines()] == [
        ["what", "name", "where", "why"],
        ["+", "stack", "a", "1", "x", "why", "not"],
        ["=", "tag", "b", "2", "y"],
        ["1", "to", "create,", "1", "stays", "as", "it", "is"],
    ]


def test_text_of_aws_is_never_taken_for_markup() -> None:
    output, text = console()
    plan.show([Change("note", "orphan", "[red]x[/red]", "[bold]")], output)
    assert "[red]x[/red]" in text.getvalue()
    assert "[bold]" in text.getvalue()


def test_an_empty_plan_says_so() -> None:
    assert plan.summary([]) == "nothing to do"


def test_one_is_said_otherwise_than_many() -> None:
    assert plan.summary([Change("keep", "tag", "a"), Change("keep", "tag", "b")]) == "2 stay as they are"
    assert [plan.counted(count, "file") for count in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


@pytest.mark.parametrize("terminal", [True, False])
def test_changes_are_carried_out_in_order_up_to_the_first_that_fails(terminal: bool) -> None:
    done: list[str] = []

    def step(name: str) -> plan.Apply:
        def apply(watch: Watch) -> None:
            watch(f"news of {name}")
            done.append(name)
            if name == "b":
                raise ValueError(name)

        return apply

    changes = [Change("create", "thing", name, "", step(name)) for name in "abc"]
    output, text = console(terminal)
    with pytest.raises(ValueError, match="b"):
        plan.carry_out([Change("keep", "thing", "z"), *changes], Progress(output))
    assert done == ["a", "b"]
    assert "✓ create thing a" in text.getvalue().replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert "✗ create thing b" in text.getvalue().replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert "news of a" in text.getvalue()
