"""The four functions SageMaker's serving toolkits call: model_fn, input_fn, predict_fn, output_fn.

A payload that cannot be answered travels through them as a Refusal instead of an exception: AWS's toolkit turns every
exception of user code into a 500, but hands on what output_fn returns, and Flask accepts a WSGI application there.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from sagemaker_project_runtime.serving import payload
from sagemaker_project_runtime.serving.booster import xgb
from sagemaker_project_runtime.serving.payload import PayloadError, Prediction, Request
from sagemaker_project_runtime.serving.transformation import Transformation, TransformationError, UnfitValueError

MODEL_FILE = "xgboost-model.ubj"


class Model(NamedTuple):
    """A loaded model: the booster and the transformation its features come from."""

    booster: Any  # xgboost.Booster
    transformation: Transformation


@dataclass(frozen=True)
class Refusal:
    """A 4xx answer. Callable as a WSGI application (and no tuple), which gets its status through AWS's toolkit."""

    status: int
    error: str

    @property
    def body(self) -> str:
        return json.dumps({"error": self.error})

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = self.body.encode("ascii")
        headers = [("Content-Type", payload.JSON), ("Content-Length", str(len(body)))]
        start_response(f"{self.status} {HTTPStatus(self.status).phrase}", headers)
        return [body]


def model_fn(model_dir: str) -> Model:
    """Load the model from an unpacked model.tar.gz. Raises TransformationError if it is not one of ours."""
    directory = Path(model_dir)
    transformation = Transformation.load(directory)
    file = directory / MODEL_FILE
    if not file.is_file():
        raise TransformationError(f"{directory} holds no {MODEL_FILE}: this is not a model that this project trained.")
    booster = xgb.Booster(model_file=file)
    booster.set_param({"nthread": int(os.environ.get("OMP_NUM_THREADS") or 1)})
    return Model(booster, transformation)


def input_fn(body: bytes | str, content_type: str) -> Request | Refusal:
    """Read the body. Which columns exist is not known yet: predict_fn matches them."""
    try:
        return payload.parse(body, content_type)
    except PayloadError as error:
        return Refusal(error.status, str(error))


def predict_fn(data: Request | Refusal, model: Model) -> Prediction | Refusal:
    """Raw rows → scores: the class probabilities, or the value of a regression."""
    if isinstance(data, Refusal):
        return data
    try:
        features = model.transformation.transform(payload.columns(data, model.transformation))
    except PayloadError as error:
        return Refusal(error.status, str(error))
    except UnfitValueError as error:
        return Refusal(400, f"{error}.")
    scores = model.booster.inplace_predict(features, validate_features=False)
    return Prediction(data.content_type, scores, model.transformation.target)


def output_fn(prediction: Prediction | Refusal, accept: str) -> tuple[str, str] | Refusal:
    """The answer and its content type, in what `accept` asks for (as the request came if it does not care)."""
    if isinstance(prediction, Refusal):
        return prediction
    try:
        content_type = payload.accepted(accept, prediction.content_type)
    except PayloadError as error:
        return Refusal(error.status, str(error))
    return payload.render(prediction, content_type), content_type
