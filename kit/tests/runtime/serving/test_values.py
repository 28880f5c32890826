"""One cell: missing, number, category, date."""

import math
from datetime import datetime
from typing import Any

import pytest

from sagemaker_project_runtime.serving.values import DATE_FORMATS, MISSING, category, moment, number, shown


@pytest.mark.parametrize("text", sorted(MISSING))
def test_missing_is_missing_everywhere(text: str) -> None:
    for cell in (text, f" {text} "):
        assert math.isnan(number(cell))
        assert category(cell) is None
        assert moment(cell, DATE_FORMATS) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", 1.0), (" 2.5 ", 2.5), ("-1e3", -1000.0), ("+4", 4.0), (".5", 0.5), (True, 1.0), (7, 7.0), (0.25, 0.25)],
)
def test_numbers(value: Any, expected: float) -> None:
    assert number(value) == expected


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", float("inf"), float("nan"), None])
def test_not_finite_is_missing(value: Any) -> None:
    assert math.isnan(number(value))


@pytest.mark.parametrize("value", ["1_000", "1,5", "0x10", "abc", "١٢", "1 000", "$5", "True", [1], {}, 10**400])
def test_not_a_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        number(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" a ", "a"), ("1.0", "1.0"), (1.0, "1"), (1, "1"), (1.5, "1.5"), (True, "True"), (None, None)],
)
def test_categories(value: Any, expected: str | None) -> None:
    assert category(value) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("2024-02-29", "ISO 8601", datetime(2024, 2, 29)),
        ("29.2.2024", "day/month/year", datetime(2024, 2, 29)),
        ("2/29/2024 1:05 PM", "month/day/year", datetime(2024, 2, 29, 13, 5)),
        ("2/29/2024 12:05 am", "month/day/year", datetime(2024, 2, 29, 0, 5)),
        ("2024/2/29 23:59:58.5", "year/month/day", datetime(2024, 2, 29, 23, 59, 58)),
        ("29 Feb 2024", "%d %b %Y", datetime(2024, 2, 29)),
    ],
)
def test_dates(text: str, name: str, expected: datetime) -> None:
    assert moment(text, [name]) == expected


@pytest.mark.parametrize("value", ["30.2.2024", "1/1/24", "yesterday", "12", 20240101, True, []])
def test_not_a_date(value: Any) -> None:
    with pytest.raises(ValueError, match=r".*"):
        moment(value, DATE_FORMATS)


@pytest.mark.parametrize("value", ["x" * 1000, 10**300, ["x" * 1000], {"a": "b" * 100}])
def test_quotes_are_short(value: Any) -> None:
    assert len(shown(value)) <= 61
