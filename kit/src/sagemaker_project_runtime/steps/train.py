"""Train one XGBoost model in script mode and pack it with everything its endpoint needs.

Hyperparameters that it does not know go to xgb.train as they are. It refuses objectives whose output the serving
handler could not tell apart from probabilities. Same data, same hyperparameters, same machine: the same model.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.booster import xgb
from sagemaker_project_runtime.serving.inference import MODEL_FILE
from sagemaker_project_runtime.serving.transformation import Target, Transformation, TransformationError
from sagemaker_project_runtime.steps import errors
from sagemaker_project_runtime.steps.errors import TrainingError

# The last metric decides when to stop: log loss, because a model that stops on a lucky AUC is badly calibrated.
DEFAULTS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"]},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}
RUNTIME = Path(__file__).resolve().parents[1]
TEAM = "model_build"  # the package of the team's own modules, beside this one
CURVE = "learning_curve.json"
NOT_FOR_SERVING = ("train.py", "__init__.py")
NEEDS_THE_SDK = "pipeline.py"

Curves = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Data:
    """Features (rows, features) and labels (rows,) of one channel."""

    features: NDArray[np.float32]
    labels: NDArray[np.float32]


def read(channel: Path) -> Data:
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
    return Data(np.ascontiguousarray(table[:, 1:]), table[:, 0].copy())


def read_transformation(channel: Path) -> Transformation:
    try:
        return Transformation.load(channel)
    except TransformationError as error:
        raise TrainingError(f"Channel transformation: {error}") from error


def parameters(target: Target, train: Data, given: dict[str, Any]) -> dict[str, Any]:
    """XGBoost's parameters: those given over the defaults of the problem type. Raises TrainingError."""
    defaults = DEFAULTS[target.problem_type]
    merged: dict[str, Any] = {"seed": 0, "tree_method": "hist", "nthread": _threads(), **defaults, **given}
    if target.classes and merged["objective"] != defaults["objective"]:
        raise TrainingError(
            f"Hyperparameter objective is {merged['objective']!r}: a {target.problem_type} model needs "
            f"{defaults['objective']!r}, because it answers with probabilities."
        )
    if target.problem_type == "multiclass":
        merged["num_class"] = len(target.classes)
    if merged.get("scale_pos_weight") == "auto":
        positive = float(train.labels.sum())
        merged["scale_pos_weight"] = (len(train.labels) - positive) / positive
    return merged


def _threads() -> int:
    return int(os.environ.get("SM_NUM_CPUS") or os.cpu_count() or 1)


def fit(
    train: Data, validation: Data, feature_types: list[str], params: dict[str, Any], rounds: int, patience: int
) -> tuple[Any, Curves]:
    """The booster at its best round on the validation rows, and each metric by round. Raises TrainingError."""
    matrix = xgb.QuantileDMatrix(train.features, train.labels, feature_types=feature_types)
    held_out = xgb.QuantileDMatrix(validation.features, validation.labels, feature_types=feature_types, ref=matrix)
    curves: Curves = {}
    stop = [xgb.callback.EarlyStopping(rounds=patience, save_best=True)] if patience > 0 else []
    try:
        booster = xgb.train(
            params,
            matrix,
            num_boost_round=rounds,
            evals=[(matrix, "train"), (held_out, "validation")],
            evals_result=curves,
            callbacks=stop,
            verbose_eval=max(1, rounds // 10),
        )
    except (xgb.core.XGBoostError, ValueError, TypeError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(f"XGBoost refuses these hyperparameters: {reason.strip()[:300]}") from error
    return booster, {
        name: {metric: list(map(float, curve)) for metric, curve in one.items()} for name, one in curves.items()
    }


def pack(booster: Any, transformation: Transformation, curves: Curves, model_dir: Path) -> None:
    """Write what model.tar.gz is made of: model, transformation, learning curve, and the code that serves it."""
    model_dir.mkdir(parents=True, exist_ok=True)
    booster.save_model(model_dir / MODEL_FILE)
    transformation.save(model_dir)
    write_curves(curves, booster, model_dir)
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
    team = importlib.util.find_spec(TEAM)
    for place in (team.submodule_search_locations or ()) if team else ():
        modules = (file for file in sorted(Path(place).rglob("*.py")) if file.name != NEEDS_THE_SDK)
        files |= {f"{TEAM}/{file.relative_to(place).as_posix()}": file for file in modules}
    return files


def write_curves(curves: Curves, booster: Any, directory: Path) -> None:
    """{"best_iteration", "train": {metric: […]}, "validation": {…}}; a metric that is undefined becomes null."""
    directory.mkdir(parents=True, exist_ok=True)
    finite = {
        name: {metric: [value if np.isfinite(value) else None for value in curve] for metric, curve in one.items()}
        for name, one in curves.items()
    }
    document = {"best_iteration": booster.num_boosted_rounds() - 1, **finite}
    (directory / CURVE).write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")


def best_line(curves: Curves, booster: Any) -> list[str]:
    """One line a metric, at the best round: what SageMaker's tuning reads as its objective."""
    best = booster.num_boosted_rounds() - 1
    return [
        f"validation-{metric}={curve[min(best, len(curve) - 1)]:.6f}" for metric, curve in curves["validation"].items()
    ]


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
    parser = argparse.ArgumentParser(description="Train an XGBoost model.", allow_abbrev=False)
    parser.add_argument("--num_round", "--num_boost_round", type=float, default=300)
    parser.add_argument("--early_stopping_rounds", type=float, default=20, help="0: never stop early")
    parser.add_argument("--train", type=Path, default=_directory("SM_CHANNEL_TRAIN", "/opt/ml/input/data/train"))
    parser.add_argument(
        "--validation", type=Path, default=_directory("SM_CHANNEL_VALIDATION", "/opt/ml/input/data/validation")
    )
    parser.add_argument(
        "--transformation",
        type=Path,
        default=_directory("SM_CHANNEL_TRANSFORMATION", "/opt/ml/input/data/transformation"),
    )
    parser.add_argument("--model_dir", type=Path, default=_directory("SM_MODEL_DIR", "/opt/ml/model"))
    parser.add_argument("--output_data_dir", type=Path, default=_directory("SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"))
    known, rest = parser.parse_known_args(arguments)
    return known, read_hyperparameters(rest)


def run(options: argparse.Namespace, given: dict[str, Any]) -> None:
    """The whole training job."""
    transformation = read_transformation(options.transformation)
    train, validation = read(options.train), read(options.validation)
    params = parameters(transformation.target, train, given)
    print(f"rows={len(train.labels)} features={train.features.shape[1]} parameters={json.dumps(params)}", flush=True)
    rounds, patience = int(options.num_round), int(options.early_stopping_rounds)
    booster, curves = fit(train, validation, transformation.feature_types, params, rounds, patience)
    pack(booster, transformation, curves, options.model_dir)
    write_curves(curves, booster, options.output_data_dir)
    print("\n".join(best_line(curves, booster)), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    return errors.run(lambda: run(*parse(arguments)), errors.FAILURE)


if __name__ == "__main__":
    sys.exit(main())
