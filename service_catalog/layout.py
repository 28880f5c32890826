"""Lines of a plan or a preview on a terminal of any width: a table where it fits, a list where it would not.

Names, ids and commands are never broken by us, so that they can be copied: one that is longer than the terminal runs on
in its next line. Sentences are folded between words.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Less than this for the sentences of a table's last column, and they are easier to read below their line.
_SENTENCE = 30
_GAP = 2


@dataclass(frozen=True)
class Row:
    """A mark, some short cells, and a sentence."""

    mark: str
    style: str
    cells: tuple[str, ...]
    sentence: str = ""
    faint: bool = False


def show(headings: Sequence[str], rows: Sequence[Row], console: Console) -> None:
    """As a table with these headings (of the mark, of each cell, of the sentence), or as a list."""
    if _fits(headings, rows, console.width):
        console.print(_table(headings, rows))
        return
    for row in rows:
        what, more = row.cells[:2], row.cells[2:]
        gap = " " * _GAP
        _print(Text.assemble((row.mark, row.style), gap, gap.join(filter(None, what))), console, faint=row.faint)
        hang(": ".join(filter(None, (*more, row.sentence))), console, 4, faint=row.faint)


def hang(sentence: str, console: Console, indent: int, *, head: Text | str = "", faint: bool = False) -> None:
    """A sentence, folded between words, each of its lines this far from the margin; the first one beside `head`."""
    room = max(console.width - indent, _SENTENCE)
    for line in textwrap.wrap(sentence, room, break_long_words=False, break_on_hyphens=False):
        start = Text.assemble(head)
        start.pad_right(indent - cell_len(start.plain))
        _print(start + line, console, faint=faint)
        head = ""


def _print(line: Text, console: Console, *, faint: bool) -> None:
    console.print(line, soft_wrap=True, style="dim" if faint else None)


def _fits(headings: Sequence[str], rows: Sequence[Row], width: int) -> bool:
    """Whether all cells fit in one line, and the sentences between words beside them."""
    columns = [[heading, *cells] for heading, *cells in zip(headings[1:-1], *(row.cells for row in rows), strict=True)]
    taken = 1 + _GAP + sum(max(map(cell_len, column)) + _GAP for column in columns)
    words = [cell_len(word) for row in rows for word in row.sentence.split()]
    longest = max((cell_len(row.sentence) for row in rows), default=0)
    return width - taken >= max([*words, min(_SENTENCE, longest)], default=0)


def _table(headings: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, _GAP, 0, 0))
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    for row in rows:
        cells = (Text(row.mark, row.style), *map(Text, (*row.cells, row.sentence)))
        table.add_row(*cells, style="dim" if row.faint else None)
    return table


def listed(words: Sequence[str], most: int) -> str:
    """The first of them, and how many more there are."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
