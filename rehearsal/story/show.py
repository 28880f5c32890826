"""What a person sees of the story: a live timeline at a terminal, one line for each event in a log."""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rehearsal.report.facts import StepFact

_MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "interrupted": ("■", "yellow"), "waiting": ("·", "dim")}


class Show(Protocol):
    """Is told of every change of a step."""

    def changed(self, fact: StepFact) -> None: ...


class Lines:
    """One line when a step begins, one for each thing it says, one when it ends."""

    def __init__(self, console: Console) -> None:
        self._console, self._began = console, time.monotonic()

    def changed(self, fact: StepFact) -> None:
        if fact.state == "running":
            self._print(f"    {fact.lines[-1]}" if fact.lines else f"▶ {fact.title}")
        else:
            self._print(f"{_MARKS[fact.state][0]} {fact.title}  {fact.seconds:.1f} s")

    def _print(self, text: str) -> None:
        self._console.print(Text(f"{time.monotonic() - self._began:6.1f}  {text}"), soft_wrap=True)


class Timeline:
    """Every step in one table that is drawn anew ten times a second."""

    def __init__(self, steps: list[StepFact]) -> None:
        self._steps, self._began = steps, time.monotonic()
        self._spinner = Spinner("dots", style="cyan")

    def changed(self, fact: StepFact) -> None:
        """Nothing: the table is made of the facts themselves."""

    def __rich__(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, show_header=False, expand=True, padding=(0, 1, 0, 0))
        table.add_column(width=2, no_wrap=True)
        table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
        table.add_column(justify="right", width=8, no_wrap=True)
        table.add_column(ratio=4, no_wrap=True, overflow="ellipsis")
        for fact in self._steps:
            table.add_row(*self._row(fact))
        return Group(table, self._sum())

    def _row(self, fact: StepFact) -> tuple[RenderableType, ...]:
        if fact.state == "waiting":
            return Text("·", "dim"), Text(fact.title, "dim"), "", ""
        last = Text(fact.lines[-1] if fact.lines else "", "dim")
        if fact.state == "running":
            seconds = time.monotonic() - self._began - fact.started
            return self._spinner, Text(fact.title, "bold"), Text(f"{seconds:.0f} s", "cyan"), last
        mark, style = _MARKS[fact.state]
        return Text(mark, style), Text(fact.title), Text(f"{fact.seconds:.1f} s", "dim"), last

    def _sum(self) -> Text:
        done = sum(fact.state == "done" for fact in self._steps)
        filled = round(30 * done / max(len(self._steps), 1))
        bar = Text.assemble(("━" * filled, "green"), ("━" * (30 - filled), "dim"))
        return Text.assemble("\n", bar, f"  {done} of {len(self._steps)} steps, {time.monotonic() - self._began:.0f} s")


@contextlib.contextmanager
def shown(console: Console, steps: list[StepFact]) -> Iterator[Show]:
    """A timeline while the block runs if a person looks on, else lines."""
    if not console.is_terminal:
        yield Lines(console)
        return
    timeline = Timeline(steps)
    with Live(timeline, console=console, refresh_per_second=10):
        yield timeline
