"""Train the team's model (model_build/model.py) in script mode and pack it with everything its endpoint needs.

It knows no framework: hyperparameters go to the team's `train` as they are. It refuses a model that would not answer
as an endpoint must (serving/seam.py). Same data, same hyperparameters, same machine: the same model.
"""

import argparse
import csv
import importlib.util
import json
import os
import shutil
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.job import Curves, Job, Rows
from sagemaker_project_runtime.serving import seam, wheels
from sagemaker_project_runtime.serving.inference import FRAMEWORK_FILE
from sagemaker_project_runtime.serving.transformation import Transformation, TransformationError
from sagemaker_project_runtime.steps import errors
from sagemaker_project_runtime.steps.errors import TrainingError

RUNTIME = Path(__file__).resolve().parents[1]
TEAM = "model_build"  # the package of the team's own modules, beside this one
CURVE = "learning_curve.json"
NOT_FOR_SERVING = ("train.py", "__init__.py")
NEEDS_THE_SDK = "pipeline.py"
CHANNELS = ("train", "validation", "transformation")


def read(channel: Path) -> Rows:
    """The one CSV file of a channel, as preprocess wrote it: header, label first. Raises TrainingError."""
    files = sorted(channel.glob("*.csv")) if channel.is_dir() else []
    if len(files) != 1:
        raise TrainingError(
            f"Channel {channel} holds {len(files)} CSV files: it must be the one that preprocess wrote."
        )
    with files[0].open(encoding="utf-8", newline="") as file:
        next(csv.reader(file), None)  # a name may hold a line break
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no rows: told below
            table: NDArray[np.float32] = np.loadtxt(file, dtype=np.float32, delimiter=",", ndmin=2)
    if not len(table):
        raise TrainingError(f"{files[0].name} holds no rows: give the split a larger share.")
    return Rows(np.ascontiguousarray(table[:, 1:]), table[:, 0].copy())


def read_transformation(channel: Path) -> Transformation:
    try:
        return Transformation.load(channel)
    except TransformationError as error:
        raise TrainingError(f"Channel transformation: {error}") from error


class LearningCurve:
    """What the team's model reports: each metric by round, and the round that was kept."""

    def __init__(self) -> None:
        self.curves: Curves = {}
        self.best = 0

    def report(self, curves: Curves, best_round: int) -> None:
        self.curves = {
            name: {metric: [float(value) for value in curve] for metric, curve in one.items()}
            for name, one in curves.items()
        }
        self.best = int(best_round)

    def write(self, directory: Path) -> None:
        """{"best_iteration", "train": {metric: […]}, "validation": {…}}; a metric that is undefined becomes null."""
        directory.mkdir(parents=True, exist_ok=True)
        finite = {
            name: {metric: [value if np.isfinite(value) else None for value in curve] for metric, curve in one.items()}
            for name, one in self.curves.items()
        }
        document = {"best_iteration": self.best, **finite}
        (directory / CURVE).write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")

    def objective(self, metric: str) -> str | None:
        r"""The line that a search for hyperparameters reads, in the form for which AWS's own images are registered:
        .*\[[0-9]+\].*#011validation-auc:(\S+), where #011 is a tab. None when the model reports no such curve.
        """
        curve = self.curves.get("validation", {}).get(metric)
        return f"[{self.best}]\tvalidation-{metric}:{curve[min(self.best, len(curve) - 1)]:.6f}" if curve else None


def pack(team: ModuleType, model: Any, transformation: Transformation, model_dir: Path) -> None:
    """Write what model.tar.gz is made of: model, transformation, framework, and the code that serves it."""
    model_dir.mkdir(parents=True, exist_ok=True)
    seam.call(team.save, model, model_dir)
    if not any(model_dir.iterdir()):
        raise TrainingError(f"save in {seam.FILE} wrote nothing into the folder that it was given.")
    transformation.save(model_dir)
    framework = seam.framework(team)._asdict()
    (model_dir / FRAMEWORK_FILE).write_text(json.dumps(framework) + "\n", encoding="utf-8")
    for name, file in serving_code().items():
        target = model_dir / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def serving_code() -> dict[str, Path]:
    """What an endpoint needs, by its place in the code folder: entry points, this runtime and the team's modules."""
    entry_points = (RUNTIME / "entry_points").glob("*.*")
    files = {file.name: file for file in sorted(entry_points) if file.name not in NOT_FOR_SERVING}
    for folder in (RUNTIME, RUNTIME / "serving"):
        files |= {file.relative_to(RUNTIME.parent).as_posix(): file for file in sorted(folder.glob("*.py"))}
    files |= {f"{wheels.FOLDER}/{file.name}": file for file in (RUNTIME.parent / wheels.FOLDER).glob("*.whl")}
    team = importlib.util.find_spec(TEAM)
    for place in (team.submodule_search_locations or ()) if team else ():
        modules = (file for file in sorted(Path(place).rglob("*.py")) if file != Path(place) / NEEDS_THE_SDK)
        files |= {f"{TEAM}/{file.relative_to(place).as_posix()}": file for file in modules}
    return files


def read_hyperparameters(words: Sequence[str]) -> dict[str, Any]:
    """`--name value` pairs → {name: JSON value or text}. SageMaker's own (sagemaker_*, _*) are left out."""
    found: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise TrainingError(f"Hyperparameters are pairs of --name and value, found {word!r}.")
        name, equals, value = word[2:].partition("=")
        if not equals and not rest:
            raise TrainingError(f"Hyperparameter {name!r} has no value.")
        value = value if equals else rest.pop(0)
        if not name.startswith(("sagemaker_", "_")):
            found[name] = _decode(value)
    return found


def _decode(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _directory(variable: str, path: str) -> Path:
    return Path(os.environ.get(variable, path))


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, Any]]:
    parser = argparse.ArgumentParser(description="Train the model of model_build/model.py.", allow_abbrev=False)
    for name in CHANNELS:
        folder = _directory(f"SM_CHANNEL_{name.upper()}", f"/opt/ml/input/data/{name}")
        parser.add_argument(f"--{name}", type=Path, default=folder)
    parser.add_argument("--model_dir", type=Path, default=_directory("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--output_data_dir", type=Path, default=_directory("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    known, rest = parser.parse_known_args(arguments)
    return known, read_hyperparameters(rest)


def make_job(
    options: argparse.Namespace, given: dict[str, Any], transformation: Transformation, curve: LearningCurve
) -> Job:
    """Everything that the team's `train` gets."""
    hosts = tuple(json.loads(os.environ.get("SM_HOSTS") or "null") or ("algo-1",))
    target = transformation.target
    return Job(
        train=read(options.train),
        validation=read(options.validation),
        feature_names=tuple(feature.name for feature in transformation.features),
        feature_types=tuple(transformation.feature_types),
        problem_type=target.problem_type,
        classes=target.classes,
        hyperparameters=given,
        threads=int(os.environ.get("SM_NUM_CPUS") or os.cpu_count() or 1),
        checkpoints=_directory("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"),
        hosts=hosts,
        rank=sorted(hosts).index(os.environ.get("SM_CURRENT_HOST", hosts[0])),
        report=curve.report,
    )


def run(options: argparse.Namespace, given: dict[str, Any]) -> None:
    """The whole training job."""
    transformation, curve = read_transformation(options.transformation), LearningCurve()
    team = seam.module(RUNTIME.parent)
    job = make_job(options, given, transformation, curve)
    name, version = seam.framework(team)
    facts = f"framework={name} version={version} rows={len(job.train)} features={len(job.feature_names)}"
    print(f"{facts} hyperparameters={json.dumps(given)}", flush=True)
    model = seam.call(team.train, job)
    if job.rank > 0:  # the first machine saves for all
        return
    pack(team, model, transformation, options.model_dir)
    seam.prove(team, model, options.model_dir, job)
    if curve.curves:
        curve.write(options.model_dir)
        curve.write(options.output_data_dir)
    metric = getattr(team, "OBJECTIVES", {}).get(job.problem_type, ("",))[0]
    if line := curve.objective(metric):
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    return errors.run(lambda: run(*parse(arguments)), errors.FAILURE)


if __name__ == "__main__":
    sys.exit(main())
