"""What a person sees of the story: a live timeline at a terminal, a line for each step in a log."""

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from rehearsal.report.facts import StepFact

_MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "interrupted": ("■", "yellow"), "waiting": ("·", "dim")}

_BESIDE = "∥"  # runs at the same time
_QUIET_SECONDS = 15.0  # in a log, a step that lasts is told of once in so long, if it has something new to say
_MARK_WIDTH, _TIME_WIDTH, _SHORTEST_LAST = 3, 9, 24


class Show(Protocol):
    """Is told of every change of a step."""

    def changed(self, fact: StepFact) -> None: ...


class Lines:
    """One line when a step ends, with what it said last; while it lasts, now and then what it is at.

    story.log keeps everything that was said.
    """

    def __init__(self, console: Console, quiet: float = _QUIET_SECONDS) -> None:
        self._console, self._quiet = console, quiet
        self._began = self._told = time.monotonic()
        self._shown: list[str] = []

    def changed(self, fact: StepFact) -> None:
        last = fact.lines[-1:]
        if fact.state != "running":
            title = f"{_MARKS[fact.state][0]} {fact.title}  {fact.seconds:.1f} s"
            self._tell([": ".join([title, *last]) if fact.state == "done" else title])
            self._shown.clear()
        elif time.monotonic() >= self._told + self._quiet:
            self._tell([f"▶ {fact.title}", *(f"    {line}" for line in last)])
            self._tell([f"    {_BESIDE} {line}" for line in fact.beside if not any(map(line.endswith, last))])

    def _tell(self, lines: list[str]) -> None:
        """Print those that were not printed since the last step ended."""
        self._told = time.monotonic()
        for line in lines:
            if line not in self._shown:
                self._console.print(Text(f"{self._told - self._began:6.1f}  {line}"), soft_wrap=True)
        self._shown += lines


class Timeline:
    """Every step on a line of its own, drawn anew ten times a second; in a low window, those around the running one."""

    def __init__(self, steps: list[StepFact]) -> None:
        self._steps, self._began = steps, time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self.is_over = False

    def changed(self, fact: StepFact) -> None:
        """Nothing: the lines are made of the facts themselves."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = _Columns(options.max_width, max((len(fact.title) for fact in self._steps), default=0))
        lines: list[Text] = []
        focus = 0
        for fact in self._steps:
            lines += self._lines(fact, columns)
            focus = len(lines) if fact.state != "waiting" else focus
        room = len(lines) if self.is_over else max(console.size.height - 4, 3)
        yield from _window(lines, focus, room)
        yield Text()
        yield self._sum(options.max_width)

    def _lines(self, fact: StepFact, columns: "_Columns") -> Iterator[Text]:
        """A step; while it runs, what it is at and what goes on beside it have lines of their own if need be."""
        last = fact.lines[-1] if fact.lines else ""
        if fact.state == "waiting":
            yield columns.line(Text("·", "dim"), Text(fact.title, "dim"))
        elif fact.state == "running":
            seconds = time.monotonic() - self._began - fact.started
            yield columns.line(self._frame(), Text(fact.title, "bold"), Text(f"{seconds:.0f} s", "cyan"), last)
            if last and not columns.last:
                yield columns.whole("   ", last)
            for line in fact.beside:
                yield columns.whole(f"{_BESIDE}  ", line)
        else:
            mark, style = _MARKS[fact.state]
            yield columns.line(Text(mark, style), Text(fact.title), Text(f"{fact.seconds:.1f} s", "dim"), last)

    def _frame(self) -> Text:
        frame = self._spinner.render(time.monotonic())
        return frame if isinstance(frame, Text) else Text("…", "cyan")

    def _sum(self, width: int) -> Text:
        done = sum(fact.state == "done" for fact in self._steps)
        words = f"  {done} of {len(self._steps)} steps, {time.monotonic() - self._began:.0f} s"
        room = max(min(30, width - len(words)), 0)
        filled = round(room * done / max(len(self._steps), 1))
        return _cut(Text.assemble(("━" * filled, "green"), ("━" * (room - filled), "dim"), words), width)


class _Columns:
    """How wide the parts of a line are: the last word of a step is left out before a title is cut."""

    def __init__(self, width: int, title: int) -> None:
        self.width = width
        left = width - _MARK_WIDTH - _TIME_WIDTH
        self.last = left - title - 2 if left - title - 2 >= _SHORTEST_LAST else 0
        self.title = max(left - self.last - (2 if self.last else 0), 1)

    def line(self, mark: Text, title: Text, took: Text | None = None, last: str = "") -> Text:
        """Mark, title, time and what the step said last."""
        time_shown = took or Text()
        padding = Text(" " * max(_TIME_WIDTH - len(time_shown), 0))
        said = Text.assemble("  ", _cut(Text(last, "dim"), self.last)) if self.last else Text()
        parts = (mark, " " * (_MARK_WIDTH - len(mark)), _cut(title, self.title, pad=True), padding, time_shown, said)
        return _cut(Text.assemble(*parts), self.width)

    def whole(self, mark: str, words: str) -> Text:
        """A line below a step."""
        return _cut(Text.assemble((mark, "cyan"), (words, "dim")), self.width)


def _cut(text: Text, width: int, pad: bool = False) -> Text:
    """On one line, and no wider than this."""
    text.truncate(width, overflow="ellipsis", pad=pad)
    text.no_wrap, text.overflow = True, "crop"
    return text


def _window(lines: list[Text], focus: int, room: int) -> list[Text]:
    """As many lines as there is room for, around `focus`, and how many are left out above and below."""
    if len(lines) <= room:
        return lines
    first = min(max(focus - room * 2 // 3, 0), len(lines) - room)
    shown, below = lines[first : first + room], len(lines) - first - room
    if first:
        shown[0] = Text(f"⋮  {first + 1} lines above", "dim")
    if below:
        shown[-1] = Text(f"⋮  {below + 1} lines below", "dim")
    return shown


@contextlib.contextmanager
def shown(console: Console, steps: list[StepFact]) -> Iterator[Show]:
    """A timeline while the block runs if a person looks on, else lines."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
        return
    timeline = Timeline(steps)
    with Live(timeline, console=console, refresh_per_second=10):
        try:
            yield timeline
        finally:
            timeline.is_over = True
