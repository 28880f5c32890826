"""Requests in three formats, answers in three formats, and every bad payload with the sentence it gets."""

import csv
import io
import json
from typing import Any

import pytest

from sagemaker_project_runtime.serving.app import answer
from sagemaker_project_runtime.serving.inference import Model

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
Raw = dict[str, Any]


def as_csv(*rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def ask(model: Model, body: bytes | str | Any, kind: str = JSON, accept: str = "") -> tuple[int, str, str]:
    content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    status, content_type, answered = answer(model, content, kind, accept)
    return status, content_type, answered.decode()


def forms(row: Raw) -> list[tuple[bytes, str]]:
    names, values = list(row), list(row.values())
    return [
        (as_csv(names, values), CSV),
        (as_csv(values), CSV),
        (as_csv(values), "text/csv; header=absent"),
        (as_csv(names, values), "TEXT/CSV; charset=utf-8; header=present"),
        (b"\xef\xbb\xbf" + as_csv(names[::-1], values[::-1]), CSV),
        (json.dumps({"instances": [row]}).encode(), JSON),
        (json.dumps({"instances": [values]}).encode(), JSON),
        (json.dumps({"instances": [{"features": values}]}).encode(), JSON),
        (json.dumps([row]).encode(), JSON),
        (json.dumps([values]).encode(), JSON),
        (json.dumps(values).encode(), JSON),
        (json.dumps(row).encode(), "application/json; charset=utf-8"),
        (json.dumps({"features": values}).encode(), JSON),
        (json.dumps(row).encode() + b"\n", LINES),
        (json.dumps(values).encode(), LINES),
        (json.dumps({"features": values}).encode() + b"\r\n\r\n", "application/x-ndjson"),
    ]


def test_all_forms_of_one_row_get_one_answer(binary: Model, row: Raw) -> None:
    answers = {ask(binary, body, kind, CSV) for body, kind in forms(row)}
    assert len(answers) == 1
    assert answers.pop()[:2] == (200, CSV)


def test_dropped_columns_and_the_target_are_ignored(binary: Model, row: Raw) -> None:
    more = row | {"Kunden_ID": "K-1", "churn": "yes", "constant": "x", "empty": None}
    assert ask(binary, more) == ask(binary, row)
    assert ask(binary, as_csv(list(more), list(more.values())), CSV)[0] == 200


def test_missing_values_are_missing_in_every_form(binary: Model, row: Raw) -> None:
    gaps: list[Raw] = [row | {"größe": gap, "since": gap} for gap in (None, "", "NA", " NaN ")]
    assert len({ask(binary, gap, JSON, CSV) for gap in gaps}) == 1
    assert ask(binary, as_csv(list(row), list(gaps[1].values())), CSV) == ask(binary, gaps[0], JSON, CSV)


def test_unseen_categories_and_lenient_columns_are_answered(binary: Model, row: Raw) -> None:
    assert ask(binary, row | {"Stadt, Land": "Atlantis"})[0] == 200
    assert ask(binary, row | {"noisy": "unknown"})[0] == 200


def test_answers_binary(binary: Model, row: Raw) -> None:
    label, probability = ask(binary, row, JSON, CSV)[2].strip().split(",")
    assert label == ("yes" if float(probability) >= 0.5 else "no")
    record = {"prediction": label, "probability": float(probability)}
    assert json.loads(ask(binary, row)[2]) == {"predictions": [record]}
    assert [json.loads(line) for line in ask(binary, [row, row], JSON, LINES)[2].splitlines()] == [record, record]


def test_answers_multiclass(multiclass: Model) -> None:
    row = [column.maximum for column in multiclass.transformation.columns]  # type: ignore[union-attr]
    found = json.loads(ask(multiclass, row)[2])["predictions"][0]
    assert set(found["probabilities"]) == {"class_0", "class_1", "class_2"}
    assert found["probability"] == max(found["probabilities"].values()) == found["probabilities"][found["prediction"]]
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert ask(multiclass, row, JSON, CSV)[2] == f"{found['prediction']},{found['probability']!r}\n"


def test_answers_regression(regression: Model) -> None:
    row = [column.minimum for column in regression.transformation.columns]  # type: ignore[union-attr]
    value = json.loads(ask(regression, row)[2])["predictions"][0]["prediction"]
    assert isinstance(value, float)
    assert ask(regression, row, JSON, CSV)[2] == f"{value!r}\n"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", CSV),
        ("*/*", CSV),
        ("application/json", JSON),
        ("application/jsonlines;verbose=true", LINES),
        ("text/html, application/json;q=0.9, text/csv;q=0.1", JSON),
        ("text/html, */*;q=0.1", CSV),
        ("application/*", JSON),
        ("text/*", CSV),
        ("application/x-ndjson", LINES),
    ],
)
def test_accept(binary: Model, row: Raw, accept: str, kind: str) -> None:
    assert ask(binary, as_csv(list(row.values())), CSV, accept)[:2] == (200, kind)


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "nonsense", "application/json;q=x"])
def test_accept_what_cannot_be_produced(binary: Model, row: Raw, accept: str) -> None:
    status, kind, text = ask(binary, row, JSON, accept)
    assert (status, kind) == (406, JSON)
    assert "accept text/csv, application/json, application/jsonlines" in json.loads(text)["error"]


def without(row: Raw, name: str) -> Raw:
    return {key: value for key, value in row.items() if key != name}


ROW: Raw = {"größe": 171.5, "Stadt, Land": "Köln", "since": "2015-03-09", "noisy": 12, "visits": 3}
VALUES = list(ROW.values())
DEEP = "[" * 100_000 + "]" * 100_000
BAD: dict[str, tuple[Any, str, str]] = {
    "missing column": (without(ROW, "visits"), JSON, "row 1 has no column 'visits'."),
    "misspelt column": (
        {**without(ROW, "visits"), "visit": 1},
        JSON,
        "row 1 has no column 'visits' and has column 'visit', which the model does not know (did you mean 'visits'?).",
    ),
    "unknown column": (ROW | {"shoe": 1}, JSON, "row 1 has column 'shoe', which the model does not know."),
    "second row": ([ROW, without(ROW, "since")], JSON, "row 2 has no column 'since'."),
    "CSV header": (
        as_csv(["größe", "since"], VALUES[:2]),
        CSV,
        "the header has no column 'Stadt, Land', 'noisy', 'visits'.",
    ),
    "header twice": (as_csv([*ROW, "since"], [*VALUES, 1]), CSV, "the header names column 'since' more than once."),
    "header alone": (as_csv(list(ROW)), CSV, "the CSV holds a header and no rows: send at least one."),
    "not a number": (ROW | {"visits": "many"}, JSON, "row 1, column 'visits': 'many' is not a number."),
    "not a number in CSV": (
        as_csv(VALUES, [*VALUES[:4], "1_000"]),
        CSV,
        "row 2, column 'visits': '1_000' is not a number.",
    ),
    "not a date": (ROW | {"since": "soon"}, JSON, "row 1, column 'since': 'soon' is not a date (ISO 8601)."),
    "nested": (ROW | {"visits": [1]}, JSON, "row 1, column 'visits': [1] is not a number."),
    "nested object": (ROW | {"Stadt, Land": {}}, JSON, "row 1, column 'Stadt, Land': {} is not a text or a number."),
    "nested in lenient": (ROW | {"noisy": [1]}, JSON, "row 1, column 'noisy': [1] is not a number."),
    "huge integer": (
        json.dumps(ROW).replace("3}", "9" * 400 + "}"),
        JSON,
        "a number of more than 60 digits is not a number",
    ),
    "absurd integer": (json.dumps(ROW).replace("3}", "9" * 9999 + "}"), JSON, "the body is not JSON that can be read"),
    "NaN": (json.dumps(ROW).replace("3}", "NaN}"), JSON, "NaN is not JSON, write null"),
    "Infinity": (json.dumps(ROW).replace("3}", "-Infinity}"), LINES, "row 1 is not JSON"),
    "deep": (DEEP, JSON, "nested too deeply"),
    "deep line": (DEEP, LINES, "nested too deeply"),
    "empty": (b"", JSON, "the body is empty"),
    "blank": (b" \n ", CSV, "the body is empty"),
    "no rows": ({"instances": []}, JSON, "the body holds no rows"),
    "empty row": ([[]], JSON, "row 1 has 0 values, the model takes 5 in this order: 'größe',"),
    "scalar": ("3", JSON, "neither an object nor a list"),
    "scalar rows": ([ROW, 3], JSON, "row 2 is 3: send an object with column names, or a list of values."),
    "scalar line": ('{"a": 1}\n"x"', LINES, "row 2 is 'x'"),
    "mixed rows": ([ROW, VALUES], JSON, "row 2 is a list and row 1 is an object: send all rows alike."),
    "rows mixed": ([VALUES, ROW], JSON, "row 2 is an object and row 1 is a list: send all rows alike."),
    "broken JSON": ('{"a": ', JSON, "the body is not JSON that can be read"),
    "broken line": ("{}\n{", LINES, "row 2 is not JSON that can be read"),
    "too short": (
        as_csv(VALUES[:4]),
        CSV,
        "row 1 has 4 values, the model takes 5 in this order: 'größe', 'Stadt, Land',",
    ),
    "ragged": (as_csv(VALUES, VALUES[:4]), CSV, "row 2 has 4 values, row 1 has 5: the rows must be equally long."),
    "open quote": (b'1,"2,3', CSV, "the CSV cannot be read at line 1"),
    "huge cell": (b"1," + b"x" * 200_000, CSV, "field larger than field limit"),
    "not UTF-8": (b"\xff\xfe1,2", CSV, "the body is not UTF-8: byte 1 cannot be read."),
    "surrogate": (b'{"\\ud800": 1}', JSON, "has column '\\ud800', which the model does not know"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_payloads(binary: Model, case: str) -> None:
    body, kind, message = BAD[case]
    status, content_type, text = ask(binary, body, kind)
    assert (status, content_type) == (400, JSON)
    assert list(json.loads(text)) == ["error"]
    assert message in json.loads(text)["error"]
    assert len(text) < 1500


@pytest.mark.parametrize("kind", ["", "text/html", "application/x-npy", "json", "text/csv2"])
def test_unknown_content_type(binary: Model, kind: str) -> None:
    status, _, text = ask(binary, b"1", kind)
    assert status == 415
    assert "send text/csv, application/json, application/jsonlines" in json.loads(text)["error"]


def test_columns_named_like_values_need_the_header_parameter(binary: Model, row: Raw) -> None:
    """Without it the first row is a header as soon as half of its cells are names."""
    names_as_values = as_csv(list(row), list(row.values()))
    assert "is not a number" in ask(binary, names_as_values, "text/csv; header=absent")[2]
