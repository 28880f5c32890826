"""A model_build/model.py of a team with scikit-learn: a pipeline of its own, on AWS's scikit-learn image."""

from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sagemaker_project_runtime.job import Job

FRAMEWORK = "sklearn"
IMAGE = "sklearn"
IMAGE_VERSION = "1.9-0"
OBJECTIVES = {
    "binary": ("logloss", "Minimize"),
    "multiclass": ("logloss", "Minimize"),
    "regression": ("rmse", "Minimize"),
}
TUNABLE = {"Continuous": "strength"}
FIXED = {"Integer": "max_iter"}

FILE = "pipeline.joblib"


def train(job: Job) -> Any:
    given = dict(job.hyperparameters)
    strength, max_iter = float(given.get("strength", 1.0)), int(given.get("max_iter", 1000))
    places: dict[str, list[int]] = {"q": [], "c": []}
    for place, kind in enumerate(job.feature_types):
        places[kind].append(place)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), places["q"]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), places["c"]),
        ]
    )
    last = LogisticRegression(C=1 / strength, max_iter=max_iter) if job.classes else Ridge(alpha=strength)
    pipeline = make_pipeline(columns, last).fit(job.train.features, job.train.labels)
    loss = {}
    for name, rows in (("train", job.train), ("validation", job.validation)):
        if job.classes:
            answers = pipeline.predict_proba(rows.features)
            loss[name] = {"logloss": [float(log_loss(rows.labels, answers, labels=range(len(job.classes))))]}
        else:
            loss[name] = {"rmse": [float(root_mean_squared_error(rows.labels, pipeline.predict(rows.features)))]}
    job.report(loss, 0)
    return pipeline


def save(model: Any, folder: Path) -> None:
    joblib.dump(model, folder / FILE)


def load(folder: Path) -> Any:
    return joblib.load(folder / FILE)


def predict(model: Any, features: NDArray[np.float32]) -> NDArray[Any]:
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(features))
    probabilities = np.asarray(model.predict_proba(features))
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
