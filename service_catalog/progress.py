"""What a person sees while AWS works: a spinner with the latest event at a terminal, one line for each in a log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text

Watch = Callable[[str], None]


class Progress:
    """Steps one after another. Use `step` as a context manager; what it yields takes news of the step."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Watch]:
        """Shows `title` until the block ends, then how long it took, or that it failed."""
        started, news = time.monotonic(), [""]
        with self._shown(title) as show:

            def watch(text: str) -> None:
                news[0] = text
                show(text)

            try:
                yield watch
            except BaseException:
                self._end("✗", "red", title, news[0], started)
                raise
        self._end("✓", "green", title, "", started)

    @contextmanager
    def _shown(self, title: str) -> Iterator[Watch]:
        if not self._console.is_terminal:
            yield lambda text: self._console.print(Text.assemble("  ", text), soft_wrap=True)
            return
        with Status(Text(title), console=self._console, spinner="dots") as status:
            yield lambda text: status.update(Text.assemble(title, "  ", (text, "dim")))

    def _end(self, mark: str, style: str, title: str, news: str, started: float) -> None:
        seconds = time.monotonic() - started
        line = Text.assemble((mark, style), " ", title, "  ", (f"{seconds:.1f} s", "dim"))
        if news and self._console.is_terminal:
            line.append(f"  {news}", style="dim")
        self._console.print(line, soft_wrap=True)
