"""Progress of a run for a person: a live table at a terminal, one line for each change elsewhere.

It only looks at the record and never changes it.
"""

import signal
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from sagemaker_project_kit.local.pipeline.record import (
    EXECUTING,
    FAILED,
    SKIPPED,
    STOPPED,
    SUCCEEDED,
    WAITING,
    StepRecord,
)

if TYPE_CHECKING:
    from rich.table import Table

_LOOK = {
    WAITING: ("dim", "·"),
    EXECUTING: ("cyan", "▶"),
    SUCCEEDED: ("green", "✔"),
    FAILED: ("red", "✘"),
    STOPPED: ("yellow", "■"),
    SKIPPED: ("dim", "-"),
}


class Progress(Protocol):
    """What an execution tells while it runs."""

    def __enter__(self) -> "Progress": ...

    def __exit__(self, *_: object) -> None: ...

    def started(self, step: StepRecord) -> None:
        """A step runs from now on."""

    def ended(self, step: StepRecord) -> None:
        """A step has ended."""

    def stopping(self, number: int) -> None:
        """A signal has asked for the end."""


def choose(steps: Iterable[StepRecord]) -> Progress:
    """A live table if standard output is a terminal, else plain lines."""
    steps = list(steps)
    return LiveProgress(steps) if sys.stdout.isatty() else PlainProgress(steps)


class PlainProgress:
    """One line for each change, for logs and pipes."""

    def __init__(self, steps: list[StepRecord]) -> None:
        self._width = max(len(step.name) for step in steps)

    def __enter__(self) -> "PlainProgress":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _say(self, name: str, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {name:<{self._width}}  {text}", flush=True)

    def started(self, step: StepRecord) -> None:
        """A step runs from now on."""
        self._say(step.name, "started")

    def ended(self, step: StepRecord) -> None:
        """A step has ended."""
        self._say(step.name, f"{step.status.lower()} after {step.seconds:.1f} s{remark(step)}")

    def stopping(self, number: int) -> None:
        """A signal has asked for the end."""
        self._say("", f"{signal.Signals(number).name}: ending the steps")


def remark(step: StepRecord) -> str:
    """A short addition to a step's state."""
    if step.cached:
        return ", cached"
    if step.type == "Condition" and step.status == SUCCEEDED:
        return f", {'true' if step.properties['Outcome'] else 'false'}"
    return f", {step.note}" if step.note else ""


class LiveProgress:
    """A table that is drawn again four times a second."""

    def __init__(self, steps: list[StepRecord]) -> None:
        from rich.live import Live

        self._steps = steps
        self._live = Live(get_renderable=lambda: table(steps), refresh_per_second=4)

    def __enter__(self) -> "LiveProgress":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.refresh()
        self._live.stop()

    def started(self, step: StepRecord) -> None:
        """Nothing to do: the table shows it."""

    def ended(self, step: StepRecord) -> None:
        """Nothing to do: the table shows it."""

    def stopping(self, number: int) -> None:
        """A signal has asked for the end."""
        self._live.console.print(f"{signal.Signals(number).name}: ending the steps …", style="yellow")


def table(steps: Iterable[StepRecord]) -> "Table":
    """Every step with its state and time; those inside a Condition are indented."""
    from rich.table import Table

    view = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("step", "left"), ("state", "left"), ("time", "right")):
        view.add_column(name, justify=justify)  # type: ignore[arg-type]
    steps = list(steps)
    depth = _depths(steps)
    for step in steps:
        style, sign = _LOOK[step.status]
        indent = "  " * depth[step.name]
        seconds = f"{step.elapsed():.1f} s" if step.start_time else ""
        view.add_row(f"{indent}{step.name}", f"[{style}]{sign} {step.status.lower()}{remark(step)}", seconds)
    return view


def _depths(steps: list[StepRecord]) -> dict[str, int]:
    depths: dict[str, int] = {}
    for step in steps:
        depths[step.name] = depths[step.parent] + 1 if step.parent else 0
    return depths
