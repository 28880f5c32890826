"""The team's own columns: `derive` of model_build/features.py, called alike in preprocessing and at the endpoint.

It gets each cell in one form, whatever file or request it came from: a float, a text or None. What it returns is turned
back into the text of a cell, so that both sides read the same. Without such a function nothing here is called. It
refuses what would differ between training and serving, or make training fail later, with the row and the function.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from sagemaker_project_runtime.serving.values import Value, category, number, shown

NAME = "model_build.features"
FUNCTION = "derive in model_build/features.py"

Cell = float | str | None
Columns = Mapping[str, Sequence[Cell]]
"""Column → one value a row: a float where it is a number, else a text, None where it is missing."""


class DerivedError(Exception):
    """The team's function cannot be used; `row` counts from 0 within the table given, None where it is all of them."""

    def __init__(self, what: str, row: int | None = None) -> None:
        super().__init__(what)
        self.what, self.row = what, row


class Given(dict[str, list[Cell]]):
    """The columns that the function may read, which remembers those that it did."""

    def __init__(self, columns: Mapping[str, Sequence[Value]], hidden: Mapping[str, str]) -> None:
        super().__init__({name: _cleaned(name, values) for name, values in columns.items()})
        self.hidden, self.read = hidden, set[str]()

    def __getitem__(self, name: str) -> list[Cell]:
        self.read.add(name)
        return super().__getitem__(name)

    def __missing__(self, name: str) -> list[Cell]:
        if name in self.hidden:
            raise DerivedError(f"{FUNCTION} reads {name!r}, {self.hidden[name]}")
        raise DerivedError(f"{FUNCTION} reads {name!r}, which is no column of the data; there are: {', '.join(self)}")

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self or name in self.hidden else default

    def __iter__(self) -> Iterator[str]:
        self.read.update(super().__iter__())
        return super().__iter__()

    def items(self) -> Any:
        self.read.update(super().__iter__())
        return super().items()

    def values(self) -> Any:
        self.read.update(super().__iter__())
        return super().values()


def function() -> Callable[[Columns], Columns] | None:
    """The team's `derive`, or None where there is none."""
    try:
        return getattr(importlib.import_module(NAME), "derive", None)
    except ModuleNotFoundError as error:
        if error.name in (NAME, NAME.partition(".")[0]):
            return None
        raise DerivedError(f"model_build/features.py cannot be imported: {error}") from error
    except ImportError as error:
        raise DerivedError(f"model_build/features.py cannot be imported: {error}") from error


def _cleaned(name: str, values: Sequence[Value]) -> list[Cell]:
    try:
        return [cell(value) for value in values]
    except ValueError as error:
        row = next(row for row, value in enumerate(values) if isinstance(value, list | dict))
        raise DerivedError(f"column {name!r}: {shown(values[row])} is no number, text or null", row) from error


def cell(value: Value) -> Cell:
    """A cell in the one form that the function gets."""
    text = category(value)
    if text is None:
        return None
    try:
        found = number(text)
    except ValueError:  # true in JSON is "true" or "True" in a file
        return text.casefold() if text.casefold() in ("true", "false") else text
    return found if isfinite(found) else None


def derive(given: Given) -> dict[str, list[str]]:
    """The new columns as the text of their cells. Raises DerivedError, with the row where there is one."""
    derive = function()
    rows = len(next(iter(dict.values(given)), []))
    if derive is None:
        raise DerivedError(f"the model was trained with columns of {FUNCTION}, which is not there")
    try:
        found = derive(given)
    except DerivedError:
        raise
    except Exception as error:
        raise DerivedError(*_first_that_fails(derive, given, error)) from error
    if not isinstance(found, Mapping):
        raise DerivedError(f"{FUNCTION} returned {shown(found)}: it must return a dict of columns")
    return {str(name): _cells(str(name), values, rows, given) for name, values in found.items()}


def _first_that_fails(derive: Callable[..., Any], given: Given, error: Exception) -> tuple[str, int | None]:
    """What to say of the exception, and the first row that raises one when it is alone."""
    rows = len(next(iter(dict.values(given)), []))
    for row in range(rows):
        try:
            derive(_only(given, row))
        except Exception as single:
            return f"{FUNCTION} fails: {type(single).__name__}: {single}", row
    return f"{FUNCTION} fails for {rows} rows together and for none alone: {type(error).__name__}: {error}", None


def _only(given: Given, row: int) -> Given:
    return Given({name: [values[row]] for name, values in dict.items(given)}, given.hidden)


def _cells(name: str, values: Any, rows: int, given: Given) -> list[str]:
    if dict.__contains__(given, name) or name in given.hidden:
        raise DerivedError(f"{FUNCTION} returns {name!r}, which is a column of the data: give it another name")
    if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != rows:
        count = len(values) if hasattr(values, "__len__") and not isinstance(values, str) else shown(values)
        raise DerivedError(f"{FUNCTION} returned {count} values of {name!r} for {rows} rows: it must be one a row")
    plain = values.tolist() if hasattr(values, "tolist") else list(values)
    return [_text(name, value, row) for row, value in enumerate(plain)]


def _text(name: str, value: Any, row: int) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise DerivedError(f"{FUNCTION} returned {shown(value)} in {name!r}, which is no number, text or None", row)


def check_alone(given: Given, columns: Mapping[str, Sequence[str]], row: int) -> None:
    """Raises DerivedError when the function finds something else for this row alone than among the others."""
    alone = derive(_only(given, row))
    for name, values in columns.items():
        if (single := alone.get(name)) != [values[row]]:
            raise DerivedError(
                f"{FUNCTION} finds {shown(values[row])} in {name!r} for this row among others and "
                f"{shown(single[0] if single else None)} for it alone: a row's value may depend on that row only",
                row,
            )
