"""What a team's model.py can get wrong is told when it is trained, with function, line or row; never by an endpoint."""

import importlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit.tests.runtime.steps.flow import Flow, bundled, completed, config, mixed_table
from sagemaker_project_runtime.job import Rows
from sagemaker_project_runtime.serving.app import answer
from sagemaker_project_runtime.serving.inference import input_fn, predict_fn
from sagemaker_project_runtime.serving.payload import Prediction

# A model that is good: a straight line through two means, squeezed into what the problem needs.
GOOD = """
import numpy as np

FRAMEWORK = "numpy"

def train(job):
    values = np.nan_to_num(job.train.features)
    slope = np.array([np.corrcoef(column, job.train.labels)[0, 1] for column in values.T])
    spread = values.std(axis=0) + 1e-9
    return {"slope": np.nan_to_num(slope) / spread, "classes": np.array(len(job.classes))}

def save(model, folder):
    np.savez(folder / "line.npz", **model)

def load(folder):
    return dict(np.load(folder / "line.npz"))

def predict(model, features):
    scores = np.nan_to_num(features).astype(float) @ model["slope"]
    if model["classes"] == 0:
        return scores
    positive = 1 / (1 + np.exp(-scores / 10))
    if model["classes"] == 2:
        return positive
    rest = np.repeat(((1 - positive) / (model["classes"] - 1))[:, None], model["classes"] - 1, axis=1)
    return np.column_stack([positive, rest])
"""
Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Make the good model, with one text replaced, the team's."""

    def write(old: str = "", new: str = "") -> None:
        assert old in GOOD
        file = tmp_path / "model_build" / "model.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(GOOD.replace(old, new) if old else GOOD, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("model_build.model", file)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, "model_build.model", module)

    return write


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Flow]:
    """Preprocessed data of each problem."""
    tables = {"binary": (mixed_table(), "churn"), "multiclass": (bundled("wine_data"), "target")}
    tables["regression"] = (bundled("diabetes"), "target")
    flows = {}
    for problem, (table, target) in tables.items():
        flows[problem] = Flow(tmp_path_factory.mktemp(problem), config(target, problem))
        assert flows[problem].preprocess(table) == 0
    return flows


@pytest.fixture
def flow(prepared: dict[str, Flow], tmp_path: Path) -> Callable[[str], Flow]:
    """One of them, to train in."""

    def copy(problem: str) -> Flow:
        shutil.copytree(prepared[problem].root / "out", tmp_path / "flow" / "out")
        return Flow(tmp_path / "flow", prepared[problem].config)

    return copy


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_a_good_one_trains_evaluates_and_answers(flow: Any, put: Put, problem: str) -> None:
    put()
    one = flow(problem)
    assert one.train() == 0
    assert one.evaluate({"binary": "auc", "multiclass": "accuracy", "regression": "rmse"}[problem], 0.0) == 0
    assert one.json("judged/evaluation/model.json") == {"name": "numpy", "version": np.__version__}
    found = predict_fn(input_fn((one.root / "out/test/test.csv").read_bytes(), "text/csv"), one.model())
    assert isinstance(found, Prediction) and len(found.scores) == len(one.rows("test"))


FAULTS: dict[str, tuple[str, str, str, str]] = {
    "lacks a function": ("binary", "def load(", "def lode(", "model_build/model.py has no function load"),
    "raises": (
        "binary",
        "    values = ",
        "    1 / 0\n    values = ",
        "train in model_build/model.py, line 7, fails: Zero",
    ),
    "saves nothing": ("binary", 'np.savez(folder / "line.npz", **model)', "pass", "save in model_build/model.py wrote"),
    "cannot load": ("binary", 'np.load(folder / "line', 'np.load(folder / "lime', "load in model_build/model.py, line"),
    "no predict_proba": (
        "binary",
        "return positive\n    rest",
        "return model.predict_proba(features)\n    rest",
        "predict in model_build/model.py, line 24, fails: AttributeError: 'dict' object has no attribute",
    ),
    "both classes": (
        "binary",
        "return positive\n",
        "return np.column_stack([1 - positive, positive])\n",
        "of shape (60, 2) for 60 rows, a binary model must return floats of shape (60,): one probability a row",
    ),
    "labels": (
        "binary",
        "return positive\n",
        'return np.where(positive > 0.5, "yes", "no")\n',
        "returned <U3 of shape",
    ),
    "a distribution": (
        "regression",
        "return scores\n",
        "return np.column_stack([scores, scores * 0 + 1])\n",
        "of a predicted distribution, return its mean",
    ),
    "NaN": (
        "binary",
        "return positive\n",
        "positive[7:8] = np.nan; return positive\n",
        "row 8 of the validation rows is nan",
    ),
    "no probability": ("binary", "return positive\n", "return scores\n", "which is no probability"),
    "no sum": ("multiclass", "(1 - positive) / ", "(1.5 - positive) / ", "the classes must sum to 1"),
    "sorted": (
        "regression",
        "return scores\n",
        "return np.sort(scores)\n",
        "predict does not answer in the order of its rows",
    ),
    "of the batch": (
        "regression",
        "return scores\n",
        "return scores - scores.mean()\n",
        "predict answers otherwise for a row alone: row 1 of the validation rows",
    ),
    "loses something": (
        "regression",
        'return dict(np.load(folder / "line.npz"))',
        'return dict(np.load(folder / "line.npz")) | {"slope": np.ones(10)}',
        "the model that was saved and loaded answers otherwise: row 1",
    ),
    "no such framework": (
        "binary",
        '"numpy"',
        '"numpie"',
        "names the framework 'numpie', whose version cannot be found",
    ),
    "explains otherwise": (
        "regression",
        "def predict(",
        "def explain(model, features):\n    return features\n\ndef predict(",
        "explain in model_build/model.py returned an array of shape (5, 10) instead of (5, 11)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_told_at_training_time(
    fault: str, flow: Any, put: Put, tmp_path: Path, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    problem, old, new, sentence = FAULTS[fault]
    monkeypatch.setenv("SM_OUTPUT_DIR", str(tmp_path))
    put(old, new)
    assert flow(problem).train() == 1
    told = (tmp_path / "failure").read_text(encoding="utf-8")
    assert sentence in told
    assert f"TrainingError: {told}" in capsys.readouterr().err


def test_a_module_that_is_not_there(flow: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "model_build.model", None)
    assert flow("binary").train() == 1
    assert "model_build/model.py cannot be imported" in capsys.readouterr().err


def test_only_the_first_machine_saves(flow: Any, put: Put, monkeypatch: Any) -> None:
    put()
    monkeypatch.setenv("SM_HOSTS", '["algo-1", "algo-2"]')
    monkeypatch.setenv("SM_CURRENT_HOST", "algo-2")
    one = flow("binary")
    one.model_dir.mkdir()
    assert one.train() == 0
    assert not list(one.model_dir.iterdir())


def test_what_the_job_tells(flow: Any, put: Put, monkeypatch: Any, tmp_path: Path, capsys: Any) -> None:
    """Hyperparameters, names, types, classes, hosts, checkpoints."""
    monkeypatch.setenv("SM_CHECKPOINT_DIR", str(tmp_path / "checkpoints"))
    facts = ["job.problem_type", "job.classes", "len(job.feature_names)", "set(job.feature_types)"]
    facts += ["dict(job.hyperparameters)", "job.checkpoints", "job.hosts", "job.rank", "job.train.weights"]
    put("    values = ", f"    print({', '.join(facts)})\n    values = ")
    assert flow("binary").train("--depth", "3", "--kind", "deep") == 0
    said = capsys.readouterr().out
    assert "binary ('no', 'yes') 8 {" in said
    assert f"{{'depth': 3, 'kind': 'deep'}} {tmp_path}/checkpoints ('algo-1',) 0 None" in said


def test_batches_hold_every_row_once() -> None:
    rows = Rows(
        np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10, dtype=np.float32), np.ones(10, np.float32)
    )
    parts = list(rows.batches(4))
    assert [len(part) for part in parts] == [4, 4, 2]
    assert np.concatenate([part.labels for part in parts]).tolist() == list(range(10))
    assert parts[1].features.tolist() == rows.features[4:8].tolist()
    assert parts[2].weights is not None and len(parts[2].weights) == 2


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_the_project_s_own_model_explains_its_answers(problem: str, tmp_path: Path) -> None:
    """What every feature adds, and what all start from, sum to the answer before it becomes a probability."""
    table, target = (mixed_table(), "churn") if problem == "binary" else (bundled("diabetes"), "target")
    if problem == "multiclass":
        table = bundled("wine_data")
    one = completed(tmp_path, table, config(target, problem), "--num_round", "10")
    model = importlib.import_module("model_build.model")  # the template's
    estimator = one.model().estimator
    features = np.loadtxt(tmp_path / "out/validation/validation.csv", delimiter=",", skiprows=1, dtype=np.float32)[
        :5, 1:
    ]
    margins = estimator.inplace_predict(features, validate_features=False, predict_type="margin")
    assert model.explain(estimator, features).sum(axis=-1) == pytest.approx(margins, abs=1e-3)


def test_a_row_for_which_there_is_no_number_is_a_400(flow: Any, put: Put) -> None:
    """Rows of the validation set are tried; a caller's may be of another kind."""
    put("return scores\n", "return np.where(np.isnan(features).all(axis=1), np.nan, scores)\n")
    one = flow("regression")
    assert one.train() == 0
    good = dict(next(iter(one.rows("test"))))
    lines = "\n".join(json.dumps(row) for row in (good, dict.fromkeys(good)))
    status, _, said = answer(one.model(), lines.encode(), "application/jsonlines", "")
    assert (status, json.loads(said)["error"]) == (400, "row 2: the model has no number for it.")
