"""Judge a trained model on raw test rows, through the same handler that will serve it, and the champion beside it.

Writes evaluation/ (evaluation.json, gate.json, model.json) and contract/ (interface.py). Baselines, bias and
attribution are steps of their own: they read the same inputs. A champion that cannot score these rows does not stop
the challenger.
"""

import argparse
import csv
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.inference import Model, Refusal, input_fn, model_fn, predict_fn
from sagemaker_project_runtime.serving.payload import CSV
from sagemaker_project_runtime.serving.transformation import Target, TransformationError
from sagemaker_project_runtime.serving.values import category, number, shown
from sagemaker_project_runtime.steps import champion, errors, gate, interface, known_metrics, metrics
from sagemaker_project_runtime.steps.errors import EvaluationError, TrainingError
from sagemaker_project_runtime.steps.gate import Bar, Champion

ARCHIVE = "model.tar.gz"
CHUNK_ROWS = 5_000
CONTENT_TYPE = f"{CSV}; header=present"


@dataclass(frozen=True)
class RawRows:
    """The raw rows that preprocess kept apart."""

    path: Path
    header: tuple[str, ...]

    @classmethod
    def find(cls, directory: Path) -> "RawRows":
        files = sorted(directory.glob("*.csv"))
        if len(files) != 1:
            raise EvaluationError(
                f"{directory} holds {len(files)} CSV files: it must be the one that preprocess wrote."
            )
        with files[0].open(encoding="utf-8", newline="") as file:
            header = tuple(next(csv.reader(file), ()))
        return cls(files[0], header)

    def rows(self) -> Iterator[list[str]]:
        with self.path.open(encoding="utf-8", newline="") as file:
            yield from islice(csv.reader(file), 1, None)

    def records(self) -> Iterator[dict[str, str]]:
        return (dict(zip(self.header, row, strict=True)) for row in self.rows())

    def payloads(self) -> Iterator[bytes]:
        """The rows as requests."""
        rows = self.rows()
        while chunk := list(islice(rows, CHUNK_ROWS)):
            yield as_csv([self.header, *chunk])

    def labels(self, target: Target) -> NDArray[np.float64]:
        """Class positions, or numbers. Raises EvaluationError for a label that the model does not know."""
        position = self.header.index(target.name)
        known = {label: float(code) for code, label in enumerate(target.classes)}
        read = number if not target.classes else lambda cell: known[category(cell) or ""]
        try:
            return np.array([read(row[position]) for row in self.rows()])
        except (KeyError, ValueError) as error:
            raise EvaluationError(
                f"The test rows hold a value of {target.name!r} that the model does not know: {error}."
            ) from error


def as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


@contextmanager
def unpacked(directory: Path) -> Iterator[Path]:
    """What is in the folder's model.tar.gz. Raises EvaluationError when there is none that can be unpacked safely."""
    archive = directory / ARCHIVE
    if not archive.is_file():
        raise EvaluationError(f"{directory} holds no {ARCHIVE}: it must be the folder with a training job's model.")
    with tempfile.TemporaryDirectory() as folder:
        try:
            with tarfile.open(archive) as tar:
                _extract(tar, Path(folder))
        except (tarfile.TarError, EOFError, OSError) as error:
            raise EvaluationError(f"{archive.name} cannot be unpacked: {error}.") from error
        yield Path(folder)


def load(folder: Path) -> Model:
    """The unpacked model. Raises EvaluationError when it is none that this project trained."""
    try:
        return model_fn(str(folder))
    except (TransformationError, TrainingError) as error:
        raise EvaluationError(str(error)) from error


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Only what stays inside `folder`. tarfile learnt to see to that in Python 3.11.4; Debian 12 has 3.11.2."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():
        inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not inside or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name!r} leads outside the folder, or is no plain file")
        member.mode &= 0o755
    tar.extractall(folder)  # noqa: S202 - seen to above


def score(model: Model, test: RawRows) -> NDArray[np.float64]:
    """The handler's scores for every raw test row. Raises EvaluationError when it refuses them."""
    scores = []
    for position, body in enumerate(test.payloads()):
        prediction = predict_fn(input_fn(body, CONTENT_TYPE), model)
        if isinstance(prediction, Refusal):
            raise EvaluationError(_refused(position, prediction.error))
        scores.append(prediction.scores.astype(np.float64))
    if not scores:
        raise EvaluationError(f"{test.path.name} holds no rows: give the split a larger share for the test.")
    return np.concatenate(scores)


def _refused(payload: int, error: str) -> str:
    where = f" (rows counted from {payload * CHUNK_ROWS + 1})" if payload else ""
    return f"it refuses the test rows{where}: {error}"


def judge_champion(
    directory: Path, target: Target, test: RawRows, labels: NDArray[np.float64], metric: str
) -> Champion:
    """The champion's metric on the same rows, or why there is none."""
    if not (directory / ARCHIVE).is_file():
        return Champion(present=False)
    try:
        with unpacked(directory) as folder:
            found = metrics.values(target.problem_type, labels, _scores_of_champion(folder, target, test))
        if metric not in found:
            raise EvaluationError(f"{metric} is undefined for its answers")
        return Champion(present=True, value=found[metric])
    except (EvaluationError, known_metrics.MetricError) as error:
        return Champion(present=True, reason=str(error))


def _scores_of_champion(folder: Path, challenger: Target, test: RawRows) -> NDArray[np.float64]:
    """Its scores for the same question; by its own code where that is not ours."""
    if champion.has_our_code(folder):
        model = load(folder)
        _check_same_task(_named(model.transformation.target), challenger)
        return score(model, test)
    answers = champion.ask(folder, test.payloads())
    _check_same_task(answers.target, challenger)
    if answers.scores is None:
        raise EvaluationError(_refused(answers.refusal["body"], answers.refusal["error"]))
    return answers.scores


def _check_same_task(standing: dict[str, Any], challenger: Target) -> None:
    for what, ours in _named(challenger).items():
        if standing[what] != ours:
            raise EvaluationError(f"its target's {what} is {shown(standing[what])}, the new model's is {shown(ours)}")


def _named(target: Target) -> dict[str, Any]:
    return {"name": target.name, "problem_type": target.problem_type, "classes": list(target.classes)}


def evaluate(
    model_dir: Path, test_dir: Path, champion_dir: Path, bar: Bar, output: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write evaluation/ and contract/ into `output`; returns evaluation.json and gate.json. Raises EvaluationError."""
    with unpacked(model_dir) as folder:
        return _judge(load(folder), RawRows.find(test_dir), champion_dir, bar, output)


def _judge(
    model: Model, test: RawRows, champion_dir: Path, bar: Bar, output: Path
) -> tuple[dict[str, Any], dict[str, Any]]:
    target = model.transformation.target
    _check_metric(target.problem_type, bar.metric)
    labels, scores = test.labels(target), score(model, test)
    found = metrics.evaluation(target.problem_type, labels, scores, target.classes)
    values = found[metrics.FAMILIES[target.problem_type]]
    if bar.metric not in values:
        raise EvaluationError(f"{bar.metric} is undefined on the {len(labels)} test rows: they need more variety.")
    guess = metrics.constant_guesses(target.problem_type, labels).get(bar.metric)
    standing = judge_champion(champion_dir, target, test, labels, bar.metric)
    verdict = gate.decide(target.problem_type, bar, values[bar.metric]["value"], guess, standing)
    _write(output / "evaluation" / "evaluation.json", found)
    _write(output / "evaluation" / "gate.json", verdict)
    _write(output / "evaluation" / "model.json", model.framework._asdict())
    _write_contract(model, test, output / "contract")
    return found, verdict


def _check_metric(problem_type: str, metric: str) -> None:
    allowed = known_metrics.names(problem_type)
    if metric not in allowed:
        raise EvaluationError(f"metric {metric!r} does not judge a {problem_type} model: choose {', '.join(allowed)}.")


def _write_contract(model: Model, test: RawRows, directory: Path) -> None:
    transformation = model.transformation
    rows = interface.sample(interface.record(row, transformation) for row in test.records())
    raw = list(islice(test.records(), interface.SAMPLE_ROWS))
    body = as_csv([transformation.names, *([row[name] for name in transformation.names] for row in raw)])
    interface.write(model, rows, body, directory)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Judge a model on raw test rows, and the champion beside it.")
    parser.add_argument("--model", type=Path, required=True, help="folder with model.tar.gz")
    parser.add_argument("--test", type=Path, required=True, help="folder with the raw test rows")
    parser.add_argument("--champion", type=Path, required=True, help="folder with the champion's model.tar.gz, if any")
    parser.add_argument("--metric", required=True)
    parser.add_argument("--threshold", type=float, required=True)
    parser.add_argument("--champion-tolerance", type=float, default=0.0)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    return errors.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    bar = Bar(options.metric, options.threshold, options.champion_tolerance)
    _, verdict = evaluate(options.model, options.test, options.champion, bar, options.output)
    print(verdict["threshold_message"], verdict["champion_message"], sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
