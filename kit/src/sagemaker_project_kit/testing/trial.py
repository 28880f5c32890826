"""A project's jobs, played once in this process on its own data: preprocess, train, evaluate. No SDK, no pipeline.

The steps are called as SageMaker calls them, with arguments and folders; the answers come from the endpoint's handler.
"""

import csv
import io
import json
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_kit.pipeline.settings import find_source, load
from sagemaker_project_kit.pipeline.staging import step_config
from sagemaker_project_kit.pipeline.tables import Settings
from sagemaker_project_runtime.serving.inference import Model, Refusal, input_fn, model_fn, output_fn, predict_fn
from sagemaker_project_runtime.serving.payload import CONTENT_TYPES, JSONLINES, columns
from sagemaker_project_runtime.serving.values import category
from sagemaker_project_runtime.steps import evaluate, preprocess, table, train
from sagemaker_project_runtime.steps.interface import record

__all__ = ["CONTENT_TYPES", "Trial", "TrialError", "play"]

Row = Mapping[str, str]


class TrialError(Exception):
    """A job of the trial failed, or the handler refused a row; the message says which and why."""


@dataclass(frozen=True)
class Trial:
    """What the jobs left in `folder`."""

    settings: Settings
    folder: Path

    @property
    def target(self) -> str:
        """The column that is predicted."""
        return self.settings.data.target

    @cached_property
    def model(self) -> Model:
        """The model, as an endpoint loads it."""
        return model_fn(str(self.folder / "model"))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What Preprocess says of the data: rows, columns, target."""
        return _read_json(self.folder / "out/summary/summary.json")

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """evaluation.json: metrics by family and name."""
        return _read_json(self.folder / "judged/evaluation/evaluation.json")

    @cached_property
    def gate(self) -> dict[str, Any]:
        """gate.json: metric, threshold, champion, and the sentences about them."""
        return _read_json(self.folder / "judged/evaluation/gate.json")

    @cached_property
    def test_rows(self) -> list[dict[str, str]]:
        """The raw rows that training never saw, as they stand in the file."""
        return _rows(self.folder / "out" / "test" / "test.csv")

    @cached_property
    def seen_rows(self) -> list[dict[str, str]]:
        """The raw rows that trained the model or stopped its training, with a value of the target."""
        source = table.open_table(table.find(self.folder / "data"), self.target)
        kept_apart = {tuple(row.values()) for row in self.test_rows}
        cells = (row for chunk in source.chunks() for row in chunk.rows if tuple(row) not in kept_apart)
        rows = [dict(zip(source.header, row, strict=True)) for row in cells]
        return [row for row in rows if category(row[self.target]) is not None]

    def seen_features(self) -> NDArray[np.float32]:
        """The features of those rows (rows, features) as training read them, in the order of its files."""
        return np.vstack([train.read(self.folder / "out" / part).features for part in ("train", "validation")])

    def features(self, row: Row, content_type: str) -> NDArray[np.float32]:
        """The features (features,) that the endpoint's handler makes of a raw row. Raises TrialError."""
        request = input_fn(self.body([row], content_type), content_type)
        if isinstance(request, Refusal):
            raise TrialError(f"the handler refuses the row: {request.error}")
        found: NDArray[np.float32] = self.model.transformation.transform(columns(request, self.model.transformation))[0]
        return found

    def answers(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """What the endpoint answers to raw rows, one answer a row. Raises TrialError."""
        answer = output_fn(predict_fn(input_fn(self.body(rows, JSONLINES), JSONLINES), self.model), JSONLINES)
        if isinstance(answer, Refusal):
            raise TrialError(f"the handler refuses the rows: {answer.error}")
        return [json.loads(line) for line in answer[0].splitlines()]

    def scores(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """What the model says of raw rows, as the handler asks it: (rows,) or (rows, classes). Raises TrialError."""
        prediction = predict_fn(input_fn(self.body(rows, JSONLINES), JSONLINES), self.model)
        if isinstance(prediction, Refusal):
            raise TrialError(f"the handler refuses the rows: {prediction.error}")
        found: NDArray[np.float32] = np.asarray(prediction.scores)
        return found

    def body(self, rows: Sequence[Row], content_type: str) -> bytes:
        """Raw rows as a caller would send them."""
        records = [record(dict(row), self.model.transformation) for row in rows]
        if content_type == "text/csv":
            text = io.StringIO()
            names = list(records[0])
            csv.writer(text).writerows([names, *([row[name] for name in names] for row in rows)])
            return text.getvalue().encode()
        lines = [json.dumps(each) for each in records]
        return ("\n".join(lines) if content_type == JSONLINES else f"[{', '.join(lines)}]").encode()


def _read_json(path: Path) -> dict[str, Any]:
    """An object in a file that a job wrote."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def play(root: Path, folder: Path, data: Path | None = None) -> Trial:
    """Preprocess, train once and evaluate, as project.toml in `root` says, into the empty `folder`.

    `data`: a sample on this machine, for a project whose source is in S3.

    Raises:
        SettingsError: project.toml is not in order, or there is no data.
        TrialError: a job failed; it has said why.
    """
    settings = load(root, {})
    source = data or find_source(root, settings.data.source)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / source.name).write_bytes(source.read_bytes())
    (folder / "preprocess.json").write_text(json.dumps(step_config(settings)), encoding="utf-8")
    out, model, judged = folder / "out", folder / "model", folder / "judged"
    _run(preprocess, data=folder / "data", config=folder / "preprocess.json", output=out)
    channels = {name: out / name for name in ("train", "validation", "transformation")}
    hyperparameters = {
        name: json.dumps(value) if isinstance(value, bool) else value
        for name, value in settings.train.hyperparameters.items()
    }
    with _threads("1"):  # a table of a test: several would wait for one another longer than they compute
        _run(train, **channels, model_dir=model, output_data_dir=folder / "output_data", **hyperparameters)
    (folder / "archive").mkdir()
    with tarfile.open(folder / "archive" / evaluate.ARCHIVE, "w:gz", compresslevel=1) as archive:
        archive.add(model, arcname=".")
    judge = settings.evaluate
    limits = {"metric": judge.metric, "threshold": judge.threshold, "champion-tolerance": judge.champion_tolerance}
    folders = {"model": folder / "archive", "test": out / "test", "champion": folder / "none"}
    _run(evaluate, **folders, **limits, output=judged)
    return Trial(settings, folder)


@contextmanager
def _threads(count: str) -> Iterator[None]:
    """What a job reads as the number of its machine's processors."""
    before = os.environ.get("SM_NUM_CPUS")
    os.environ["SM_NUM_CPUS"] = count
    try:
        yield
    finally:
        del os.environ["SM_NUM_CPUS"]
        os.environ.update({} if before is None else {"SM_NUM_CPUS": before})


def _run(step: Any, **arguments: Any) -> None:
    """A step's main, as its job calls it. Raises TrialError."""
    words = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    if step.main(words):
        raise TrialError(f"{step.__name__.rpartition('.')[2]} failed; its sentence stands above, in what it printed")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))
