"""Read the one CSV file of a folder, chunk by chunk, and refuse every file that is not a well-formed table.

It reads text and never guesses types: cells stay as they are written. The csv module is also what the serving handler
reads with, so that both see the same cells.
"""

import csv
import gzip
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sagemaker_project_runtime.steps.errors import DataError

CHUNK_ROWS = 20_000
SEPARATORS = (",", ";", "\t", "|")
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows; `start` counts data rows from 0."""

    start: int
    rows: list[list[str]]

    def columns(self) -> list[Sequence[str]]:
        return list(zip(*self.rows, strict=True))


@dataclass(frozen=True)
class Table:
    """A CSV file whose header is known to be good; `chunks` reads it from the start each time."""

    path: Path
    separator: str
    header: tuple[str, ...]

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Raises DataError, with the line, for a row that is too long or too short and for text that is not UTF-8."""
        start = 0
        rows = (row for _, row in self._records())
        while chunk := list(islice(rows, size)):
            yield Chunk(start, chunk)
            start += len(chunk)

    def line_of(self, position: int) -> int:
        """The line on which a data row (from 0) ends; reads the file once more, so for error messages only."""
        return next(islice(self._records(), position, None))[0]

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        width = len(self.header)
        records = _records(self.path, self.separator)
        next(records)
        for line, row in records:
            if len(row) != width:
                raise DataError(
                    f"{self.path.name}, line {line}: {len(row)} values where the header names {width} columns. "
                    "Correct the line, or quote values that contain the separator."
                )
            yield line, row


def find(directory: Path) -> Path:
    """The one data file in the folder. Raises DataError when there is none, or more than one."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    candidates = [path for path in files if path.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".txt"))] or files
    if not candidates:
        raise DataError(f"{directory} holds no file: give the URI of one CSV file as the input data.")
    if len(candidates) > 1:
        names = ", ".join(str(path.relative_to(directory)) for path in candidates[:5])
        raise DataError(f"{directory} holds {len(candidates)} files ({names}): give the URI of exactly one CSV file.")
    return candidates[0]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_table(path: Path, target: str) -> Table:
    """Find the separator and check the header. Raises DataError. `target` only breaks ties between separators."""
    _check_bytes(path)
    separator = _sniff(path, target)
    header = next(_records(path, separator), (0, []))[1]
    if not header:
        raise DataError(f"{path.name} is empty: it must hold a header line and rows below it.")
    names = tuple(name.strip() or f"column_{position}" for position, name in enumerate(header, 1))
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataError(f"{path.name} names columns more than once: {_list(twice)}. Rename or remove the duplicates.")
    return Table(path, separator, names)


def _check_bytes(path: Path) -> None:
    with _binary(path) as file:
        try:
            start = file.read(65536)
        except (OSError, EOFError) as error:
            raise DataError(f"{path.name} is a damaged gzip file ({error}): write it again.") from error
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            raise DataError(f"{path.name} is {kind}, not CSV: save it as CSV in UTF-8.")
    if b"\0" in start:
        raise DataError(
            f"{path.name} is a binary file, not CSV (it contains NUL bytes): save the table as CSV in UTF-8."
        )


def _binary(path: Path) -> io.BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if zipped else path.open("rb")


def _sniff(path: Path, target: str) -> str:
    """The separator whose header names the target, else the one that makes the most columns; a comma when in doubt."""

    def worth(separator: str) -> tuple[bool, bool, int]:
        try:
            rows = [row for _, row in islice(_records(path, separator), 20)]
        except DataError:
            return False, False, 0
        header = [name.strip() for name in rows[0]] if rows else []
        return target in header, len({len(row) for row in rows}) == 1, len(header)

    return max(SEPARATORS, key=worth)


def _records(path: Path, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every line that is not blank."""
    with io.TextIOWrapper(_binary(path), encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        try:
            for row in reader:
                if row:
                    yield reader.line_num, row
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path.name} is not UTF-8: a character after line {reader.line_num} cannot be read. "
                "Save the file in UTF-8, for example with: iconv -f latin1 -t utf-8."
            ) from error
        except csv.Error as error:
            raise DataError(f"{path.name}, line {reader.line_num}: {_explain(error)}") from error
        except (OSError, EOFError) as error:
            raise DataError(
                f"{path.name} is damaged after line {reader.line_num} ({error}): write it again."
            ) from error


def _explain(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end" in text or "field larger" in text:
        return (
            "a quotation mark is opened here or before and never closed. Close it, or double it inside a quoted value."
        )
    if "expected after" in text:
        return "text follows a closing quotation mark. Double the quotation marks inside a quoted value."
    return f"{text}."


def _list(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
