"""No training/serving skew: what training saw of a row is what the endpoint sees of it."""

import csv
import io
import json
from typing import Any

import numpy as np
import pytest

from kit.tests.runtime.steps.flow import Flow, mixed_table
from sagemaker_project_runtime.serving.booster import xgb
from sagemaker_project_runtime.serving.inference import Model, input_fn, predict_fn
from sagemaker_project_runtime.serving.payload import Prediction, columns
from sagemaker_project_runtime.steps import train
from sagemaker_project_runtime.steps.interface import record

KINDS = ("text/csv", "application/json", "application/jsonlines")


def sources(flow: Flow) -> list[dict[str, str]]:
    """The raw rows in the order in which preprocess wrote their features: by part."""
    table = [[str(cell) for cell in row] for row in mixed_table()]
    return [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def body(row: dict[str, str], model: Model, kind: str) -> bytes:
    if kind == "text/csv":
        text = io.StringIO()
        csv.writer(text).writerows([row.keys(), row.values()])
        return text.getvalue().encode()
    return json.dumps(record(row, model.transformation)).encode()


def test_training_rows_through_the_handler(mixed: Flow, binary: Model) -> None:
    """Each raw row, as each content type, gives the features that stand in train.csv or validation.csv."""
    out = mixed.root / "out"
    written = np.vstack([train.read(out / part).features for part in ("train", "validation")])
    known = {features.tobytes() for features in np.nan_to_num(written, nan=-1)}
    tested = {tuple(row.values()) for row in mixed.rows("test")}
    rows = [row for row in sources(mixed) if tuple(row.values()) not in tested]
    assert len(rows) == len(written)
    for row in rows:
        for kind in KINDS:
            request = input_fn(body(row, binary, kind), kind)
            features = binary.transformation.transform(columns(request, binary.transformation))  # type: ignore[arg-type]
            assert np.nan_to_num(features, nan=-1)[0].tobytes() in known, (kind, row)


def test_one_row_both_ways(mixed: Flow, binary: Model) -> None:
    """The first training row: its features as training read them, its prediction as xgb.predict gives it."""
    training = train.read(mixed.root / "out" / "train")
    matrix = xgb.DMatrix(training.features, feature_types=binary.transformation.feature_types)
    expected = binary.estimator.predict(matrix)
    tested = {tuple(row.values()) for row in mixed.rows("test")}
    found: list[Any] = []
    for row in sources(mixed):
        if tuple(row.values()) in tested:
            continue
        request = input_fn(body(row, binary, "text/csv"), "text/csv; header=present")
        features = binary.transformation.transform(columns(request, binary.transformation))  # type: ignore[arg-type]
        if np.array_equal(features[0], training.features[0], equal_nan=True):
            prediction = predict_fn(request, binary)
            assert isinstance(prediction, Prediction)
            found.append(prediction.scores[0])
    assert expected[0] in found


@pytest.mark.parametrize("name", ["binary", "multiclass", "regression"])
def test_inplace_prediction_equals_the_matrix_path(name: str, request: Any) -> None:
    """With XGBoost's native categories, missing values and a code that training saw rarely."""
    model: Model = request.getfixturevalue(name)
    random = np.random.default_rng(0)
    types = model.transformation.feature_types
    features = random.normal(100, 60, size=(300, len(types))).astype(np.float32)
    for position, kind in enumerate(types):
        if kind == "c":
            features[:, position] = random.integers(0, 4, 300)
    features[random.random(features.shape) < 0.2] = np.nan
    expected = model.estimator.predict(xgb.DMatrix(features, feature_types=types))
    assert np.array_equal(model.estimator.inplace_predict(features, validate_features=False), expected)
