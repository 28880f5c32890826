"""An update while it happens, for a person: a live table at a terminal, one line for each phase elsewhere."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.bar import Bar
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sagemaker_project_kit.local.deployment.load import Load
from sagemaker_project_kit.local.deployment.recording import Recording

_BAR = 30


class Progress:
    """Shows `recording`. Call `update` after each event."""

    def __init__(self, console: Console, recording: Recording, load: Load | None) -> None:
        self._console, self._recording, self._load = console, recording, load
        self._said = ""
        self._live: AbstractContextManager[Any] = (
            Live(get_renderable=self._view, refresh_per_second=8, console=console)
            if console.is_terminal
            else nullcontext()
        )

    def __enter__(self) -> "Progress":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def update(self) -> None:
        """Say a new phase where nothing is drawn live."""
        recording = self._recording
        if recording.phase != self._said and not self._console.is_terminal:
            counts = f"  ({self._load.answered} requests, {len(self._load.failures)} failed)" if self._load else ""
            self._console.print(f"{time.strftime('%H:%M:%S')}  {recording.stage}  {recording.phase}{counts}")
        self._said = recording.phase

    def _view(self) -> Group:
        recording = self._recording
        rows = [Text.assemble((recording.stage, "bold"), "  ", recording.phase)]
        return Group(*rows, table(recording)) if recording.old else Group(*rows)


def table(recording: Recording) -> Table:
    """Both fleets with weight, requests, errors and p99."""
    view = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("fleet", "traffic", "", "requests", "5xx", "4xx", "p99 ms"):
        view.add_column(name, justify="left" if name in ("fleet", "traffic") else "right")
    shares = ((recording.old, "blue", 100 - recording.share), (recording.new, "green", recording.share))
    for fleet, color, share in shares:
        figures = recording.figures(fleet)
        errors = (str(figures.server_errors), str(figures.refusals))
        view.add_row(
            f"[{color}]{fleet}",
            Bar(100, 0, share, width=_BAR, color=color),
            f"{share} %",
            str(figures.requests),
            *(text if text == "0" else f"[red]{text}" for text in errors),
            f"{figures.milliseconds:.1f}",
        )
    return view
