"""The team's own columns: the same in training and at the endpoint, and refused where they could not be."""

import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.tests.runtime.serving.test_skew import KINDS, body, sources
from kit.tests.runtime.steps.flow import Flow, completed, config, mixed_table
from sagemaker_project_runtime.serving import derived
from sagemaker_project_runtime.serving.app import answer
from sagemaker_project_runtime.serving.inference import input_fn
from sagemaker_project_runtime.serving.payload import columns
from sagemaker_project_runtime.steps import train

Derive = Callable[[Any], Any]


def derive(given: Any) -> Any:
    """Of a number, a date and an identifier that is no feature by itself; numbers, texts, gaps and an array."""
    sizes, since = given["größe"], given["since"]
    return {
        "log size": [None if size is None else float(np.log(size)) for size in sizes],
        "decade": [None if not isinstance(at, str) else f"{at[:3]}0s" for at in since],
        "odd": np.array([int(str(name)[-1]) % 2 for name in given["Kunden_ID"]]),
    }


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[Derive], None]:
    """Put a function into the team's features.py."""

    def put(function: Derive) -> None:
        module = types.ModuleType("model_build.features")
        module.derive = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return put


@pytest.fixture
def flow(tmp_path: Path, own: Callable[[Derive], None]) -> Iterator[Flow]:
    own(derive)
    yield completed(tmp_path, mixed_table(), config("churn", "binary"), "--num_round", "10")


def test_training_and_serving_see_the_same(flow: Flow) -> None:
    """Each raw row alone, as each content type, gives the features that stand in train.csv or validation.csv."""
    out, model = flow.root / "out", flow.model()
    written = np.vstack([train.read(out / part).features for part in ("train", "validation")])
    assert [feature.name for feature in model.transformation.features][-3:] == ["log size", "decade", "odd"]
    known = {features.tobytes() for features in np.nan_to_num(written, nan=-1)}
    tested = {tuple(row.values()) for row in flow.rows("test")}
    rows = [row for row in sources(flow) if tuple(row.values()) not in tested]
    assert len(rows) == len(written)
    for row in rows:
        for kind in KINDS:
            request = input_fn(body(row, model, kind), kind)
            features = model.transformation.transform(columns(request, model.transformation))  # type: ignore[arg-type]
            assert np.nan_to_num(features, nan=-1)[0].tobytes() in known, (kind, row)


def test_a_column_that_is_only_read_must_be_sent(flow: Flow) -> None:
    assert flow.evaluate("auc", 0.5) == 0
    schema = flow.json("judged/contract/schema.json")
    assert [column["kind"] for column in schema["input"] if column["name"] == "Kunden_ID"] == ["raw"]
    assert flow.summary_of("Kunden_ID")["role"] == "read"
    assert flow.summary_of("decade") == {"name": "decade", "role": "derived", "kind": "categorical"}
    contract = flow.root / "judged" / "contract"
    rows = [json.loads(line) for line in (contract / "sample.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(rows[0]) == {column["name"] for column in schema["input"]}
    without = json.dumps({name: value for name, value in rows[0].items() if name != "Kunden_ID"})
    status, _, said = answer(flow.model(), without.encode(), "application/json", "")
    assert (status, "has no column 'Kunden_ID'" in json.loads(said)["error"]) == (400, True)


def test_a_row_for_which_it_fails_is_a_400_that_names_it(flow: Flow, own: Any) -> None:
    (row,) = flow.rows("test")[:1]
    lines = "\n".join(json.dumps({**row, "Kunden_ID": name}) for name in ("K-1", "K-x"))
    status, _, said = answer(flow.model(), lines.encode(), "application/jsonlines", "")
    assert status == 400
    assert "row 2: derive in model_build/features.py fails: ValueError" in json.loads(said)["error"]
    status, _, said = answer(flow.model(), json.dumps({**row, "größe": [1]}).encode(), "application/json", "")
    assert status == 400
    assert "row 1: column 'größe': [1] is no number" in json.loads(said)["error"]


def test_without_a_function_nothing_changes(tmp_path: Path) -> None:
    flow = completed(tmp_path, mixed_table(100), config("churn", "binary"), "--num_round", "2")
    assert "derived" not in flow.json("model/transformation.json")


FAULTS: dict[str, tuple[Derive, str]] = {
    "raises for a row": (lambda c: {"x": [1 / (v != 3) for v in c["visits"]]}, "line 8: {f} fails: ZeroDivisionError"),
    "another number of rows": (lambda c: {"x": [1.0]}, "{f} returned 1 values of 'x' for 400 rows"),
    "no list": (lambda c: {"x": 7}, "{f} returned 7 values of 'x' for 400 rows"),
    "no dict": (lambda c: [1.0], "{f} returned [1.0]: it must return a dict"),
    "reads the target": (lambda c: {"x": c["churn"]}, "{f} reads 'churn', which is the target"),
    "gets the target": (lambda c: {"x": c.get("churn")}, "{f} reads 'churn', which is the target"),
    "reads what is dropped": (lambda c: {"x": c["constant"]}, "reads 'constant', which [data] drop keeps"),
    "reads nothing there": (lambda c: {"x": c["vists"]}, "{f} reads 'vists', which is no column of the data"),
    "a name of the data": (lambda c: {"visits": c["visits"]}, "{f} returns 'visits', which is a column of the data"),
    "the target's name": (lambda c: {"churn": c["visits"]}, "{f} returns 'churn', which is a column of the data"),
    "no cell": (lambda c: {"x": [[1]] * len(c["visits"])}, "line 2: {f} returned [1] in 'x'"),
    "depends on other rows": (
        lambda c: {"x": [v - max(c["visits"]) for v in c["visits"]]},
        "{f} finds '-",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_refused_before_training(fault: str, tmp_path: Path, own: Any, capsys: pytest.CaptureFixture[str]) -> None:
    function, sentence = FAULTS[fault]
    own(function)
    assert Flow(tmp_path, config("churn", "binary", drop=["constant"])).preprocess(mixed_table()) == 1
    told = capsys.readouterr().err
    assert told.startswith("DataError: data.csv")
    assert sentence.format(f=derived.FUNCTION) in told


def test_a_module_that_cannot_be_imported(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(derived, "NAME", "kit.tests.runtime.serving.features_that_fail")
    assert Flow(tmp_path, config("churn", "binary")).preprocess(mixed_table()) == 1
    assert "model_build/features.py cannot be imported: No module named 'polars_of_tomorrow'" in capsys.readouterr().err
