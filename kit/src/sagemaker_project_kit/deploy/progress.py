"""What a person sees while verify runs: a bar for the load on a terminal, a line every few seconds in a build log."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from sagemaker_project_kit.deploy.load import Tally
from sagemaker_project_kit.deploy.report import Result

LINE_SECONDS = 5.0


class LoadProgress:
    """Call it with the tally now and then; use it as a context manager so that the bar goes away."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("load"), BarColumn(), TextColumn("{task.fields[figures]}"), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("load", total=1, figures="", visible=False)
        self._next = time.monotonic() + LINE_SECONDS

    def __enter__(self) -> "LoadProgress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, tally: Tally) -> None:
        figures = f"{tally.done}/{tally.planned} · p99 {tally.quantile(0.99):.0f} ms · {len(tally.failures)} failed"
        is_over = tally.done >= tally.planned
        self._bar.update(self._task, completed=tally.done, total=tally.planned, figures=figures, visible=not is_over)
        if not self._console.is_terminal and time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_SECONDS
            self._console.print(f"load: {figures}", highlight=False)

    def tell(self, result: Result) -> None:
        """One line for each finished check in a build log; a terminal gets the table at the end."""
        if not self._console.is_terminal:
            self._console.print(f"{result.outcome}: {result.group}: {result.name}", highlight=False, markup=False)
