"""Every input that cannot be used ends in one sentence that says what, where and what to do; nothing is written."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from kit.tests.runtime.steps.flow import Flow, as_csv, config


def table(rows: int = 40, header: tuple[str, ...] = ("age", "city", "y")) -> list[list[Any]]:
    return [list(header), *([20 + row % 30, "ABC"[row % 3], ("no", "yes")[row % 2]] for row in range(rows))]


def with_cell(line: int, column: int, value: str) -> bytes:
    rows = table()
    rows[line - 1][column] = value
    return as_csv(rows)


def with_target(*values: str) -> bytes:
    rows = table()
    for position, row in enumerate(rows[1:]):
        row[2] = values[position % len(values)]
    return as_csv(rows)


GOOD = as_csv(table())
CASES: dict[str, tuple[bytes, dict[str, Any], list[str]]] = {
    "target not there": (GOOD, {"target": "Y"}, ["target: there is no column 'Y'", "did you mean 'y'", "age, city, y"]),
    "one value": (with_target("yes"), {}, ["'y' has one value only ('yes')"]),
    "all missing": (with_target("", "NA"), {}, ["'y' has no value in any of the 40 rows"]),
    "empty file": (b"", {}, ["data.csv is empty", "header"]),
    "blank lines": (b"\n\n", {}, ["data.csv is empty"]),
    "header only": (b"age,city,y\n", {}, ["a header and no rows"]),
    "duplicate columns": (as_csv(table(header=("y", "city", "y"))), {}, ["more than once: 'y'"]),
    "binary": (b"\x89PNG\r\n\0\0\0" * 50, {}, ["data.csv is a binary file", "NUL"]),
    "workbook": (b"PK\x03\x04 whatever", {}, ["Excel workbook"]),
    "utf-16": ("age,city,y\n".encode("utf-16"), {}, ["UTF-16", "UTF-8"]),
    "latin-1": (with_cell(30, 1, "Köln").decode().encode("latin-1"), {}, ["is not UTF-8", "iconv"]),
    "damaged gzip": (gzip.compress(GOOD)[:-20], {}, ["damaged"]),
    "too many cells": (GOOD + b"1,A,no,9\n", {}, ["line 42", "4 values", "3 columns"]),
    "too few cells": (GOOD + b"1,A\n" + GOOD[11:], {}, ["line 42", "2 values", "3 columns"]),
    "open quote": (GOOD + b'1,"A,no\n' + GOOD[11:], {}, ["never closed"]),
    "text after quote": (GOOD + b'1,"A"x,no\n', {}, ["line 42", "follows a closing quotation mark"]),
    "text target": (GOOD, {"problem_type": "regression"}, ["line 2", "'y' is 'no'", "not a number"]),
    "later text target": (
        with_target(*map(str, range(30))).replace(b",7\n", b",seven\n", 1),
        {"problem_type": "regression"},
        ["line 9", "'seven'"],
    ),
    "three values": (with_target("a", "b", "c"), {}, ["has 3 different values", "'a' (14)", "multiclass"]),
    "too many classes": (
        as_csv([["x", "y"], *([row % 7, row] for row in range(300))]),
        {"problem_type": "multiclass"},
        ["300 different values", "regression"],
    ),
    "positive label": (
        GOOD,
        {"positive_label": "Yes"},
        ["positive_label 'Yes'", "did you mean 'yes'", "'no' and 'yes'"],
    ),
    "all names together": (
        GOOD,
        {"drop": ["adge"], "categorical": ["cty"], "numeric": ["foo"], "time_column": "when"},
        ["drop: there is no column 'adge' (did you mean 'age'?)", "'cty'", "(did you mean 'city'?)", "'foo'", "'when'"],
    ),
    "both kinds": (GOOD, {"numeric": ["city"], "categorical": ["city"]}, ["'city' is named both"]),
    "target dropped": (GOOD, {"drop": ["y"]}, ["'y' is the target"]),
    "time not a date": (GOOD, {"time_column": "city"}, ["line 2", "time_column 'city' is 'A'", "not a date"]),
    "time missing": (with_cell(9, 0, ""), {"time_column": "age"}, ["line 9", "time_column 'age' is ''"]),
    "few rows": (as_csv(table(12)), {}, ["Only 12 of 12 rows", "20"]),
    "nothing to learn from": (GOOD, {"drop": ["age", "city"]}, ["leaves no column to learn from"]),
    "wrong problem type": (GOOD, {"problem_type": "ranking"}, ["'ranking'", "regression, binary, multiclass"]),
    "unknown key": (GOOD, {"tarqet": "y"}, ["tarqet"]),
    "split": (GOOD, {"split": {"train": 0.9, "validation": 0.15, "test": 0.15}}, ["sum up to 1"]),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_error(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """In the file that SageMaker reads, too, whether or not the container starts with its folder."""
    content, changes, expected = CASES[case]
    output = tmp_path / "ml" / "output"
    monkeypatch.setenv("SM_OUTPUT_DIR", str(output))
    flow = Flow(tmp_path, config("y", "binary") | changes)
    assert flow.preprocess(content) == 1
    error = capsys.readouterr().err
    for part in expected:
        assert part in error
    assert "Traceback" not in error
    assert (output / "message").read_text(encoding="utf-8") in error
    assert not (tmp_path / "out").exists()


def test_no_file(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    (flow.root / "data").mkdir()
    assert flow.rerun_preprocess(flow.root / "out") == 1
    assert "holds no file" in capsys.readouterr().err


def test_several_files(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    assert flow.preprocess(GOOD) == 0
    assert flow.preprocess(GOOD, "b.csv") == 1
    assert "2 files (b.csv, data.csv)" in capsys.readouterr().err


def test_message_is_cut_to_what_sagemaker_keeps(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_OUTPUT_DIR", str(flow.root))
    wide = Flow(flow.root, config("y", "binary", drop=[f"wörong{number}" for number in range(200)]))
    assert wide.preprocess(GOOD) == 1
    assert len((flow.root / "message").read_bytes()) <= 1024


def test_one_class_in_the_training_rows(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["day", "x", "y"], *([f"2024-01-{day:02}", day % 7, "no" if day < 25 else "yes"] for day in range(1, 31))]
    assert Flow(flow.root, config("y", "binary", time_column="day")).preprocess(rows) == 1
    assert "train rows hold one value of target 'y' only" in capsys.readouterr().err


def test_config_missing(flow: Flow, capsys: pytest.CaptureFixture[str]) -> None:
    from sagemaker_project_runtime.steps import preprocess

    assert preprocess.main(["--data", "x", "--config", f"{flow.root}/none.json", "--output", "y"]) == 1
    assert "none.json cannot be read" in capsys.readouterr().err
