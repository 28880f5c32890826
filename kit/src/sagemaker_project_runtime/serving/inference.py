"""The four functions SageMaker's serving toolkits call: model_fn, input_fn, predict_fn, output_fn.

A payload that cannot be answered travels through them as a Refusal instead of an exception: AWS's toolkit turns every
exception of user code into a 500, but hands on what output_fn returns, and Flask accepts a WSGI application there.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving import payload, seam
from sagemaker_project_runtime.serving.derived import DerivedError
from sagemaker_project_runtime.serving.payload import PayloadError, Prediction, Request
from sagemaker_project_runtime.serving.seam import Framework
from sagemaker_project_runtime.serving.transformation import Transformation, TransformationError, UnfitValueError

FRAMEWORK_FILE = "framework.json"


class Model(NamedTuple):
    """A loaded model: what the team's `load` returned, its `predict`, and the transformation its features come from."""

    estimator: Any
    predict: Callable[[Any, NDArray[np.float32]], NDArray[Any]]
    transformation: Transformation
    framework: Framework


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
    """Load the model from an unpacked model.tar.gz. Raises TransformationError or TrainingError if it is not ours."""
    directory = Path(model_dir)
    transformation = Transformation.load(directory)
    team = seam.module(directory / "code")
    try:
        framework = Framework(**json.loads((directory / FRAMEWORK_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TransformationError(
            f"{directory} holds no {FRAMEWORK_FILE} of this project: train the model again."
        ) from error
    return Model(seam.call(team.load, directory), team.predict, transformation, framework)


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
    except DerivedError as error:
        return Refusal(400, f"{error}." if error.row is None else f"row {error.row + 1}: {error}.")
    scores = model.predict(model.estimator, features)
    if not np.isfinite(scores).all():
        row = int(np.argmin(np.isfinite(scores).reshape(len(features), -1).all(axis=1)))
        return Refusal(400, f"row {row + 1}: the model has no number for it.")
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
