"""A model_build/model.py of a team with LightGBM, which no image of AWS carries: its wheel travels with the code."""

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.job import Job, Rows, serving_threads

FRAMEWORK = "lightgbm"
IMAGE = "sklearn"
IMAGE_VERSION = "1.9-0"
OBJECTIVES = {
    "binary": ("binary_logloss", "Minimize"),
    "multiclass": ("multi_logloss", "Minimize"),
    "regression": ("l2", "Minimize"),
}
TUNABLE = {
    "Integer": "num_iterations num_leaves min_data_in_leaf",
    "Continuous": "learning_rate lambda_l2 feature_fraction",
}
FIXED = {"Integer": "early_stopping_round seed", "Categorical": "boosting"}

FILE = "lightgbm.txt"


def train(job: Job) -> Any:
    given = dict(job.hyperparameters)
    rounds, patience = int(given.pop("num_iterations", 300)), int(given.pop("early_stopping_round", 20))
    parameters = {"objective": job.problem_type, "seed": 7, "num_threads": job.threads, "verbosity": -1, **given}
    if job.problem_type == "multiclass":
        parameters["num_class"] = len(job.classes)
    curves: dict[str, dict[str, list[float]]] = {}
    train_rows = _dataset(job.train, job)
    booster = lightgbm.train(
        parameters,
        train_rows,
        num_boost_round=rounds,
        valid_sets=[train_rows, _dataset(job.validation, job, reference=train_rows)],
        valid_names=["train", "validation"],
        callbacks=[lightgbm.record_evaluation(curves), lightgbm.early_stopping(patience, verbose=False)],
    )
    job.report(curves, booster.best_iteration - 1)
    return booster


def save(model: Any, folder: Path) -> None:
    model.save_model(folder / FILE, num_iteration=model.best_iteration)


def load(folder: Path) -> Any:
    return lightgbm.Booster(model_file=folder / FILE)


def predict(model: Any, features: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(model.predict(features, num_threads=serving_threads()))


def _dataset(rows: Rows, job: Job, reference: Any = None) -> Any:
    categories = [place for place, kind in enumerate(job.feature_types) if kind == "c"]
    return lightgbm.Dataset(
        rows.features, rows.labels, weight=rows.weights, categorical_feature=categories, reference=reference
    )
