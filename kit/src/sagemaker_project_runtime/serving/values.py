"""Read one cell of a table: is it missing, a number, a date, a category? Training and serving both ask here.

Refuses to guess: what is not clearly a number or a date raises ValueError, and the caller decides what that means.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from math import isfinite

Value = str | float | int | bool | None

NAN = float("nan")

# What pandas reads as missing by default, and the question mark of the UCI repository. Not "none" in lower case:
# many data sets have it as a category.
MISSING = frozenset(
    {
        *("", "?", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>"),
        *("NaN", "nan", "-NaN", "-nan", "NaT", "null", "NULL", "Null", "None"),
    }
)

ISO = "ISO 8601"
_ORDERS = {"year/month/day": (0, 1, 2), "day/month/year": (2, 1, 0), "month/day/year": (2, 0, 1)}
_NAMED_MONTHS = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
DATE_FORMATS = (ISO, *_ORDERS, *_NAMED_MONTHS)
_DATE = re.compile(
    r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})"
    r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?: ?([AaPp])[Mm])?)?"
)


def number(value: Value) -> float:
    """The value as a float; NaN when it is missing or infinite. Raises ValueError when it is not a number."""
    if type(value) is str:
        text = value.strip()
        if text in MISSING:
            return NAN
        if "_" in text or not text.isascii():
            raise ValueError(value)
        result = float(text)
    elif value is None:
        return NAN
    elif isinstance(value, (int, float)):
        result = _real(value)
    else:
        raise ValueError(value)
    return result if isfinite(result) else NAN


def _real(value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(value) from error


def category(value: Value) -> str | None:
    """The text a category is known by; None when the value is missing. Raises ValueError for a list or an object."""
    if isinstance(value, str):
        text = value.strip()
        return None if text in MISSING else text
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (bool, int, float)):
        return str(value)
    if value is None:
        return None
    raise ValueError(value)


def moment(value: Value, formats: Sequence[str]) -> datetime | None:
    """The value as a date in the first format that fits; None when it is missing. Raises ValueError otherwise."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(value)
    text = value.strip()
    if text in MISSING:
        return None
    for name in formats:
        try:
            return _read_date(text, name)
        except ValueError:
            continue
    raise ValueError(value)


def _read_date(text: str, name: str) -> datetime:
    if name == ISO:
        return datetime.fromisoformat(text)
    if name in _ORDERS:
        return _ordered_date(text, _ORDERS[name])
    return datetime.strptime(text, name)


def _ordered_date(text: str, order: tuple[int, int, int]) -> datetime:
    match = _DATE.fullmatch(text)
    if not match:
        raise ValueError(text)
    year, month, day = (match.group(position + 1) for position in order)
    if len(year) != 4:
        raise ValueError(text)
    hour = _hour(match.group(4), match.group(7))
    return datetime(int(year), int(month), int(day), hour, int(match.group(5) or 0), int(match.group(6) or 0))


def _hour(digits: str | None, half: str | None) -> int:
    hour = int(digits or 0)
    if half is None:
        return hour
    return hour % 12 + (12 if half in "pP" else 0)


def shown(value: object) -> str:
    """The value as an error message quotes it: repr, cut at 60 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    text = repr(value[:61]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
