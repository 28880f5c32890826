"""Columns to features: codes, dates, leniency, and a file that another version can read."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.tests.runtime.serving.texts import text
from sagemaker_project_runtime.serving.inference import Model
from sagemaker_project_runtime.serving.transformation import (
    Categorical,
    Date,
    Dropped,
    Numeric,
    Target,
    Transformation,
    TransformationError,
    UnfitValueError,
    nearest,
)

NAN = float("nan")
TARGET = Target("y", "binary", ("no", "yes"))
FITTED = Transformation(
    TARGET,
    (
        Numeric("n"),
        Categorical("c", ("1", "False", "True", "a"), other=False),
        Categorical("o", ("a", "b"), other=True),
        Date("d", ("ISO 8601",), ("year", "month", "weekday", "hour")),
    ),
    (Dropped("id", "categorical", "an identifier"),),
)


def column(transformation: Transformation, name: str, *values: Any) -> list[list[float]]:
    """The features of one column alone."""
    alone = Transformation(TARGET, tuple(one for one in transformation.columns if one.name == name))
    found: list[list[float]] = alone.transform({name: values}).tolist()
    return found


def same(found: list[list[float]], expected: list[list[float]]) -> bool:
    return np.array_equal(np.array(found), np.array(expected), equal_nan=True)


def test_features_in_order() -> None:
    assert [feature.name for feature in FITTED.features] == ["n", "c", "o", "d.year", "d.month", "d.weekday", "d.hour"]
    assert FITTED.feature_types == ["q", "c", "c", "q", "q", "q", "q"]


def test_numbers() -> None:
    found = column(FITTED, "n", "1.5", 2, None, "", "1e39", 1e39, True)
    assert same(found, [[1.5], [2], [NAN], [NAN], [NAN], [NAN], [1]])


def test_categories_from_text_and_json_are_the_same() -> None:
    found = column(FITTED, "c", "a", " a ", "b", None, 1, 1.0, "1", True, False, "True")
    assert same(found, [[3], [3], [NAN], [NAN], [0], [0], [0], [2], [1], [2]])


def test_unseen_values_share_the_code_of_rare_ones() -> None:
    assert same(column(FITTED, "o", "a", "new", "NA"), [[0], [2], [NAN]])


def test_dates() -> None:
    found = column(FITTED, "d", "2024-02-29T13:30:00+02:00", "2024-02-29", "")
    assert same(found, [[2024, 2, 3, 13], [2024, 2, 3, 0], [NAN] * 4])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n", "abc", "row 2, column 'n': 'abc' is not a number"),
        ("n", [1], "row 2, column 'n': [1] is not a number"),
        ("c", {"a": 1}, "row 2, column 'c': {'a': 1} is not a text or a number"),
        ("d", "soon", "row 2, column 'd': 'soon' is not a date (ISO 8601)"),
        ("d", 5, "row 2, column 'd': 5 is not a date (ISO 8601)"),
    ],
)
def test_values_that_do_not_fit(name: str, value: Any, message: str) -> None:
    with pytest.raises(UnfitValueError) as caught:
        column(FITTED, name, None, value)
    assert str(caught.value) == message


def test_lenient_columns_take_them_for_missing() -> None:
    lenient = FITTED.with_lenient({"n", "d"})
    assert same(column(lenient, "n", "abc", "1"), [[NAN], [1]])
    assert same(column(lenient, "d", "soon"), [[NAN] * 4])
    with pytest.raises(UnfitValueError):
        column(lenient, "n", [1])


def test_unfit_columns_are_collected() -> None:
    unfit: set[str] = set()
    table: dict[str, Any] = {"n": ["x", "1"], "c": ["a", "a"], "o": ["a", "a"], "d": ["", ""]}
    assert np.isnan(FITTED.transform(table, unfit)[0, 0])
    assert unfit == {"n"}


def test_no_rows() -> None:
    assert FITTED.transform({name: [] for name in FITTED.names}).shape == (0, 7)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(text(8), text(8), st.dates().map(str)), min_size=1, max_size=12))
def test_rows_are_independent(rows: list[tuple[str, str, str]]) -> None:
    """Many rows at once give what each gives alone: batch and single predictions cannot differ."""
    unfit: set[str] = set()

    def table(part: list[tuple[str, str, str]]) -> dict[str, Any]:
        numbers, texts, dates = zip(*part, strict=True)
        return {"n": numbers, "c": texts, "o": texts, "d": dates}

    together = FITTED.transform(table(rows), unfit)
    alone = np.vstack([FITTED.transform(table([row]), unfit) for row in rows])
    assert np.array_equal(together, alone, equal_nan=True)


def test_saved_and_loaded_is_the_same(binary: Model, tmp_path: Path) -> None:
    for transformation in (FITTED, binary.transformation):
        transformation.save(tmp_path)
        assert Transformation.load(tmp_path) == transformation


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 2}', "version 2, this code reads version 1"),
        ("{}", "damaged"),
        ("[]", "damaged"),
        ("nonsense", "damaged"),
        (FITTED.to_json().replace('"numeric"', '"ordinal"'), "damaged"),
        (FITTED.to_json().replace('"lenient"', '"patient"'), "damaged"),
    ],
)
def test_other_versions_are_refused(text: str, message: str) -> None:
    with pytest.raises(TransformationError, match=message):
        Transformation.from_json(text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TransformationError, match=r"holds no transformation\.json"):
        Transformation.load(tmp_path)


def test_file_is_plain_json() -> None:
    assert json.loads(FITTED.to_json())["version"] == 1


@pytest.mark.parametrize(
    ("name", "hint"), [("Tenure", " (did you mean 'tenure'?)"), ("tenur", " (did you mean 'tenure'?)"), ("x", "")]
)
def test_nearest(name: str, hint: str) -> None:
    assert nearest(name, ["age", "tenure"]) == hint
