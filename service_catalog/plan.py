"""What a command is going to do, as a list that is shown first and then carried out.

A change is found out by reading only; `apply` is the one thing that writes. It must bring about what it says whatever
was done meanwhile, by an earlier run that was killed or by another at the same time: doing it twice is doing it once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from service_catalog import layout
from service_catalog.progress import Progress, Watch

Apply = Callable[[Watch], None]
Ask = Callable[[str], bool]
Action = Literal["create", "update", "repair", "delete", "stop", "keep", "note"]
_MARKS: dict[str, tuple[str, str]] = {
    "create": ("+", "green"),
    "update": ("~", "yellow"),
    "repair": ("~", "yellow"),
    "delete": ("-", "red"),
    "stop": ("■", "red"),
    "keep": ("=", "dim"),
    "note": ("!", "magenta"),
}


@dataclass(frozen=True)
class Change:
    """One line of a plan; without `apply` there is nothing to do."""

    action: Action
    kind: str
    name: str
    detail: str = ""
    apply: Apply | None = None
    place: str = ""
    # What somebody else has to type: shown after the table, whole, so that it can be copied.
    command: str = ""

    def title(self, with_place: bool) -> str:
        """What a person reads while it is done."""
        return f"{self.action} {self.kind} {self.name}" + (f" in {self.place}" if with_place and self.place else "")


def pending(changes: Iterable[Change]) -> list[Change]:
    """Those that have something to do."""
    return [change for change in changes if change.apply is not None]


def show(changes: Sequence[Change], console: Console) -> None:
    """The plan line by line, then the sum of it, then what others have to type."""
    several = len({change.place for change in changes if change.place}) > 1
    rows = [_row(change, several) for change in changes]
    layout.show(("", "what", "name", *(["where"] if several else []), "why"), rows, console)
    console.print(Text(summary(changes), style="bold"))
    for change in changes:
        if change.command:
            console.print(Text(f"\n{change.name}, {change.detail}:\n{change.command}"), soft_wrap=True)


def _row(change: Change, with_place: bool) -> layout.Row:
    cells = (change.kind, change.name, *([change.place] if with_place else []))
    return layout.Row(*_MARKS[change.action], cells, change.detail, faint=change.action == "keep")


def summary(changes: Sequence[Change]) -> str:
    """How many of each, such as "2 to create, 5 unchanged"."""
    words = {
        "create": "to create",
        "update": "to update",
        "repair": "to repair",
        "delete": "to delete",
        "stop": "to stop",
        "keep": "stay as they are",
        "note": "to note",
    }
    counts = ((action, sum(change.action == action for change in changes)) for action in words)
    words_for_one = {**words, "keep": "stays as it is"}
    found = (f"{count} {(words_for_one if count == 1 else words)[action]}" for action, count in counts if count)
    return ", ".join(found) or "nothing to do"


def counted(count: int, word: str) -> str:
    """A number with its word: "1 file", "2 files"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def carry_out(changes: Iterable[Change], progress: Progress) -> None:
    """Do all of it, in order, each with its line of progress. Stops at the first that fails."""
    waiting = pending(changes)
    several_places = len({change.place for change in waiting if change.place}) > 1
    for change in waiting:
        assert change.apply is not None  # noqa: S101 - pending() chose these
        with progress.step(change.title(several_places)) as watch:
            change.apply(watch)
