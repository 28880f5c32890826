"""Whatever is sent, the answer is a prediction or a 4xx with one sentence, never a 500."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.tests.runtime.serving.texts import text
from sagemaker_project_runtime.serving.app import answer
from sagemaker_project_runtime.serving.inference import Model
from sagemaker_project_runtime.serving.payload import CONTENT_TYPES

NAMES = ["größe", "Stadt, Land", "since", "noisy", "visits", "churn", "Kunden_ID", "instances", "features"]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | text(12) | st.sampled_from(["1", "NA", "2015-01-01"])
)
CELLS = (
    SCALARS
    | st.integers(min_value=10**30, max_value=10**320)
    | st.recursive(SCALARS, lambda inner: st.lists(inner), max_leaves=4)
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES) | text(6), CELLS, max_size=9)
WHOLE = st.fixed_dictionaries(dict.fromkeys(NAMES[:5], CELLS))
ROWS = st.lists(OBJECTS | WHOLE | st.lists(CELLS, max_size=7) | CELLS, max_size=4)
DOCUMENTS = ROWS | OBJECTS | WHOLE | st.fixed_dictionaries({"instances": ROWS}) | CELLS
KINDS = st.sampled_from([*CONTENT_TYPES, "text/csv; header=present", "text/csv; header=absent", "text/plain"]) | text(
    20
)
ACCEPTS = st.sampled_from(["", "*/*", *CONTENT_TYPES, "text/html, */*;q=0.5"]) | text(20)

fuzz = settings(deadline=None, max_examples=300)


def check(model: Model, body: bytes, kind: str, accept: str) -> None:
    status, content_type, answered = answer(model, body, kind, accept)
    told = answered.decode("utf-8")
    if status == 200:
        assert content_type in CONTENT_TYPES
        assert "nan" not in told.lower()
    else:
        assert status in (400, 406, 415)
        error = json.loads(told)["error"]
        assert error.endswith(".")
        assert "\n" not in error


@fuzz
@given(body=st.binary(max_size=80), kind=KINDS, accept=ACCEPTS)
def test_any_bytes(binary: Model, body: bytes, kind: str, accept: str) -> None:
    check(binary, body, kind, accept)


@fuzz
@given(document=DOCUMENTS, kind=st.sampled_from(CONTENT_TYPES), accept=ACCEPTS)
def test_any_json(binary: Model, document: Any, kind: str, accept: str) -> None:
    check(binary, json.dumps(document).encode(), kind, accept)


@fuzz
@given(rows=ROWS, separator=st.sampled_from(["\n", "\r\n", "\n\n", " "]))
def test_any_lines(binary: Model, rows: list[Any], separator: str) -> None:
    check(binary, separator.join(map(json.dumps, rows)).encode(), "application/jsonlines", "")


CSV_CELL: Callable[..., Any] = st.text(alphabet="abc,\"'\n\r 1.\0;é", max_size=6) | st.sampled_from(NAMES)  # type: ignore[assignment]


@fuzz
@given(cells=st.lists(st.lists(CSV_CELL, max_size=6), max_size=4), kind=KINDS)  # type: ignore[arg-type]
def test_any_csv(binary: Model, cells: list[list[str]], kind: str) -> None:
    check(binary, "\n".join(",".join(row) for row in cells).encode(), kind, "")


@fuzz
@given(values=st.lists(SCALARS, min_size=5, max_size=5))
def test_flat_values_in_order(binary: Model, values: list[Any]) -> None:
    check(binary, json.dumps([values]).encode(), "application/json", "text/csv")
