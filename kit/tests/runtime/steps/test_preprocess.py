"""What preprocess makes of good files: split, kinds, reasons, bytes."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kit.tests.runtime.steps.flow import Flow, as_csv, config, mixed_table


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    flow = Flow(tmp_path_factory.mktemp("mixed"), config("churn", "binary"))
    assert flow.preprocess(mixed_table()) == 0
    return flow


def test_rows_are_divided_by_class(churn: Flow) -> None:
    rows = churn.json("out/summary/summary.json")["rows"]
    assert rows == {"total": 7043, "train": 4931, "validation": 1056, "test": 1056, "dropped_missing_target": 0}
    for part, field in (("train", "0"), ("validation", "0"), ("test", "No")):
        counts = Counter(row["churn"] for row in churn.rows(part))
        assert counts[field] / sum(counts.values()) == pytest.approx(5174 / 7043, abs=0.002)


def test_every_row_lands_once_and_test_rows_stay_raw(mixed: Flow) -> None:
    header, *rows = mixed_table()
    raw = [dict(zip(header, map(str, row), strict=True)) for row in rows]
    assert all(row in raw for row in mixed.rows("test"))
    assert sum(len(mixed.rows(part)) for part in ("train", "validation", "test")) == 400


@pytest.mark.parametrize(
    ("column", "role", "kind", "reason"),
    [
        ("Kunden_ID", "dropped", "categorical", "value of its own"),
        ("größe", "feature", "numeric", ""),
        ("Stadt, Land", "feature", "categorical", ""),
        ("since", "feature", "date", ""),
        ("empty", "dropped", "categorical", "missing"),
        ("constant", "dropped", "categorical", "same value"),
        ("noisy", "feature", "numeric", ""),
        ("churn", "target", "categorical", ""),
    ],
)
def test_kinds_of_a_stranger_s_columns(mixed: Flow, column: str, role: str, kind: str, reason: str) -> None:
    entry = mixed.summary_of(column)
    assert (entry["role"], entry["kind"]) == (role, kind)
    assert reason in entry.get("reason", "")


def test_noise_in_numbers_is_told(mixed: Flow) -> None:
    assert "'unknown', count as missing" in mixed.summary_of("noisy")["note"]


def test_positive_class_is_what_people_mean(mixed: Flow) -> None:
    assert mixed.json("out/summary/summary.json")["target"]["positive_label"] == "yes"


def test_features_are_finite_or_missing(mixed: Flow) -> None:
    first = mixed.rows("train")[0]
    names = [
        "churn",
        "größe",
        "Stadt, Land",
        "since.year",
        "since.month",
        "since.day",
        "since.weekday",
        "noisy",
        "visits",
    ]
    assert list(first) == names
    assert {row["since.year"] for row in mixed.rows("train")} <= {"nan", *map(str, range(2010, 2025))}


def test_same_input_same_bytes(mixed: Flow, tmp_path: Path) -> None:
    assert mixed.rerun_preprocess(tmp_path) == 0
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5
    for file in files:
        assert (tmp_path / file).read_bytes() == (mixed.root / "out" / file).read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda table: b"\xef\xbb\xbf" + as_csv(table),
        lambda table: as_csv(table, ";"),
        lambda table: as_csv(table, "\t"),
        lambda table: as_csv(table).replace(b"\n", b"\r\n"),
        lambda table: gzip.compress(as_csv(table), mtime=0),
        lambda table: as_csv(table) + b"\n\n",
    ],
    ids=["bom", "semicolon", "tab", "crlf", "gzip", "blank lines"],
)
def test_dialects_read_the_same(mixed: Flow, flow: Flow, change: Any) -> None:
    again = Flow(flow.root, mixed.config)
    assert again.preprocess(change(mixed_table())) == 0
    for part in ("train", "validation", "test"):
        assert again.rows(part) == mixed.rows(part)


def test_rows_without_target_are_dropped_and_counted(flow: Flow) -> None:
    table = [["x", "y"], *([row, ("a", "b", "", "NA")[row % 4]] for row in [*range(5), *range(75)])]
    assert flow.preprocess(table) == 0
    rows = flow.json("out/summary/summary.json")["rows"]
    assert rows["dropped_missing_target"] == 39
    assert rows["train"] + rows["validation"] + rows["test"] == 41


def test_rare_classes_train_first(flow: Flow) -> None:
    classes = ["a"] * 60 + ["b"] * 20 + ["c"] * 3 + ["d"]
    table = [["x", "y"], *([row % 9, label] for row, label in enumerate(classes))]
    assert Flow(flow.root, config("y", "multiclass")).preprocess(table) == 0
    target = flow.json("out/summary/summary.json")["target"]
    assert target["train_counts"]["d"] == 1
    assert target["train_counts"]["c"] + target["test_counts"]["c"] == 3
    assert target["train_counts"]["c"] >= 2


def test_only_rare_classes_are_still_divided(flow: Flow) -> None:
    table = [["x", "y"], *([row % 9, f"c{row // 2}"] for row in range(40))]
    assert Flow(flow.root, config("y", "multiclass")).preprocess(table) == 0
    assert min(flow.json("out/summary/summary.json")["rows"][part] for part in ("train", "validation", "test")) > 0


def dated(order: list[int]) -> list[list[Any]]:
    return [
        ["when", "x", "y"],
        *([f"2024-{1 + day // 28:02}-{1 + day % 28:02}", day % 5, "ab"[day % 3 == 0]] for day in order),
    ]


def test_time_splits_oldest_to_newest(flow: Flow) -> None:
    timed = Flow(flow.root, config("y", "binary", time_column="when"))
    assert timed.preprocess(dated([(day * 37) % 200 for day in range(200)])) == 0
    rows = timed.json("out/summary/summary.json")["rows"]
    assert (rows["train"], rows["validation"], rows["test"]) == (140, 30, 30)
    newest = sorted(row["when"] for row in timed.rows("test"))
    assert newest == sorted(row[0] for row in dated(list(range(170, 200)))[1:])
    assert [name for name in timed.rows("train")[0] if "when" in name] == ["when.month", "when.day", "when.weekday"]


def test_one_moment_is_never_divided(flow: Flow) -> None:
    timed = Flow(flow.root, config("y", "binary", time_column="when"))
    table = dated([day // 50 for day in range(200)])
    for position, row in enumerate(table[1:]):
        row[2] = "ab"[position % 2]
    assert timed.preprocess(table) == 0
    rows = timed.json("out/summary/summary.json")["rows"]
    assert all(rows[part] % 50 == 0 and rows[part] for part in ("train", "validation", "test"))


def test_time_as_a_number_splits_and_is_no_feature(flow: Flow) -> None:
    table = [["epoch", "x", "y"], *([(row * 37) % 200 * 3600 + 0.5, row % 5, row % 2] for row in range(200))]
    timed = Flow(flow.root, config("y", "binary", time_column="epoch"))
    assert timed.preprocess(table) == 0
    assert {float(row["epoch"]) for row in timed.rows("test")} == {row * 3600 + 0.5 for row in range(170, 200)}
    assert "splits by time" in timed.summary_of("epoch")["reason"]


def test_only_training_rows_are_learnt_from(flow: Flow) -> None:
    """The last rows hold a category and a maximum that no training row has."""
    table = dated(list(range(200)))
    table[0] += ["city", "size"]
    for position, row in enumerate(table[1:]):
        row += [
            "new" if position > 180 else "old" if position % 2 else "older",
            position % 50 + 1000 * (position > 180),
        ]
    timed = Flow(flow.root, config("y", "binary", time_column="when"))
    assert timed.preprocess(table) == 0
    columns = {column["name"]: column for column in timed.json("out/transformation/transformation.json")["columns"]}
    assert columns["city"]["categories"] == ["old", "older"]
    assert columns["size"]["maximum"] == 49


def test_values_that_only_test_rows_hold_make_a_column_lenient(flow: Flow) -> None:
    table = dated(list(range(200)))
    table[-1][1] = "broken"
    timed = Flow(flow.root, config("y", "binary", time_column="when"))
    assert timed.preprocess(table) == 0
    assert timed.json("out/transformation/transformation.json")["columns"][1]["lenient"] is True


@pytest.mark.parametrize(
    ("name", "cell", "outcome"),
    [
        ("x", lambda row: row, "row number"),
        ("customerID", lambda row: 10_000 + (row * 7919) % 90_000, "identifier"),
        ("order_id", lambda row: 5 * row, "identifier"),
        ("paid", lambda row: 5 * row, None),
        ("x", lambda row: row + 0.5, None),
        ("x", lambda row: f"note {row}", "free text"),
        ("x", lambda row: row // 2, None),
    ],
)
def test_identifiers(flow: Flow, name: str, cell: Any, outcome: str | None) -> None:
    table = [[name, "other", "y"], *([cell(row), row % 4, row % 2] for row in range(100))]
    assert flow.preprocess(table) == 0
    entry = flow.summary_of(name)
    assert entry["role"] == ("dropped" if outcome else "feature")
    assert (outcome or "") in entry.get("reason", "")


def test_named_columns_are_kept_as_named(flow: Flow) -> None:
    table = [["row", "code", "y"], *([row, row % 12, row % 2] for row in range(100))]
    named = Flow(flow.root, config("y", "binary", numeric=["row"], categorical=["code"]))
    assert named.preprocess(table) == 0
    assert named.summary_of("row") == {"name": "row", "role": "feature", "kind": "numeric"}
    assert named.summary_of("code")["kind"] == "categorical"


def test_categories_are_capped(flow: Flow) -> None:
    table = [
        ["word", "x", "y"],
        *([f"w{min(row % 500, row % 7 * 60 + row % 60)}", row % 4, row % 2] for row in range(3000)),
    ]
    assert flow.preprocess(table) == 0
    column = flow.json("out/transformation/transformation.json")["columns"][0]
    assert len(column["categories"]) == 255
    assert column["other"] is True


@pytest.mark.parametrize(
    ("write", "name"),
    [
        ("{0}-{1:02}-{2:02}", "ISO 8601"),
        ("{0}-{1:02}-{2:02}T{3:02}:30:00Z", "ISO 8601"),
        ("{2}.{1}.{0}", "day/month/year"),
        ("{1}/{2}/{0} {3}:15", "month/day/year"),
        ("{0}/{1}/{2}", "year/month/day"),
    ],
)
def test_dates_are_recognised(flow: Flow, write: str, name: str) -> None:
    days = [write.format(2015 + row % 9, 1 + row % 12, 1 + row % 28, row % 24) for row in range(200)]
    assert flow.preprocess([["d", "y"], *([day, row // 3 % 2] for row, day in enumerate(days))]) == 0
    column = flow.json("out/transformation/transformation.json")["columns"][0]
    assert (column["kind"], column["formats"]) == ("date", [name])
    assert ("hour" in column["parts"]) == ("{3" in write)


def test_unnamed_columns_get_a_name(flow: Flow) -> None:
    table = [["", "x", "y"], *([row, row % 4, row % 2] for row in range(100))]
    assert flow.preprocess(table) == 0
    assert flow.summary_of("column_1")["reason"].endswith("a row number")


def test_summary_is_json_that_anyone_reads(mixed: Flow) -> None:
    text = (mixed.root / "out/summary/summary.json").read_text(encoding="utf-8")
    document = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert len(document["data_sha256"]) == 64
    assert "größe" in text
