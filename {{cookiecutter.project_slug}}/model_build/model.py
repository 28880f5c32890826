"""Your model: how it is trained, saved, loaded and asked. This file is yours; everything else works with any framework.

It is XGBoost here. For another framework write the same four functions with it and correct the facts below. Every
training job checks what they return: shape, order of the rows, no NaN, probabilities where there are classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sagemaker_project_runtime.job import Job, Rows, TrainingError, serving_threads
from sagemaker_project_runtime.serving.booster import xgb

# --- facts, read from this text without running it: plain values only ------------------------------------------------

# What you import; its name and version go into the registry and the model card.
FRAMEWORK = "xgboost"
# The image of AWS that trains and serves it: https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/ecr-us-east-1.html
IMAGE = "xgboost"
IMAGE_VERSION = "3.2-0"
# By problem type, the metric on validation rows that a search for hyperparameters looks at; job.report must hold it.
OBJECTIVES = {
    "binary": ("auc", "Maximize"),
    "multiclass": ("mlogloss", "Minimize"),
    "regression": ("rmse", "Minimize"),
}
# The hyperparameters that project.toml may set and a search may vary, by kind, names with spaces between them. These
# are the twelve that AWS's image registers as tunable; SageMaker refuses others.
TUNABLE = {
    "Integer": "num_round max_depth",
    "Continuous": "eta gamma min_child_weight max_delta_step subsample colsample_bytree colsample_bylevel "
    "colsample_bynode lambda alpha",
}
# Those that project.toml may set only: https://xgboost.readthedocs.io/en/release_3.2.0/parameter.html, without what
# belongs to GPUs and to learning to rank. Categorical is every other value: a word, true or false, a list as text.
FIXED = {
    "Integer": "early_stopping_rounds seed verbosity nthread max_leaves max_bin num_parallel_tree "
    "max_cached_hist_node max_cat_to_onehot max_cat_threshold refresh_leaf top_k",
    "Continuous": "base_score learning_rate min_split_loss reg_lambda reg_alpha rate_drop one_drop skip_drop "
    "tweedie_variance_power huber_slope",
    "Categorical": "objective eval_metric booster sampling_method tree_method scale_pos_weight updater process_type "
    "grow_policy monotone_constraints interaction_constraints multi_strategy sample_type normalize_type "
    "feature_selector quantile_alpha aft_loss_distribution disable_default_eval_metric seed_per_iteration",
}

# --- the model -------------------------------------------------------------------------------------------------------

FILE = "xgboost-model.ubj"
# The last metric decides when to stop: log loss, because a model that stops on a lucky AUC is badly calibrated.
DEFAULTS: dict[str, dict[str, Any]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"]},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss"},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}


def train(job: Job) -> Any:
    """The model, fitted on job.train and stopped at its best round on job.validation. Raises TrainingError."""
    given = dict(job.hyperparameters)
    rounds, patience = int(given.pop("num_round", 300)), int(given.pop("early_stopping_rounds", 20))
    train = _matrix(job.train, job)
    held_out = _matrix(job.validation, job, ref=train)
    stop = [xgb.callback.EarlyStopping(rounds=patience, save_best=True)] if patience > 0 else []
    curves: dict[str, dict[str, list[float]]] = {}
    try:
        booster = xgb.train(
            _parameters(job, given),
            train,
            num_boost_round=rounds,
            evals=[(train, "train"), (held_out, "validation")],
            evals_result=curves,
            callbacks=stop,
            verbose_eval=max(1, rounds // 10),
        )
    except (xgb.core.XGBoostError, ValueError, TypeError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise TrainingError(f"XGBoost refuses these hyperparameters: {reason.strip()[:300]}") from error
    job.report(curves, booster.num_boosted_rounds() - 1)
    return booster


def save(model: Any, folder: Path) -> None:
    """Write into `folder` what `load` reads there."""
    model.save_model(folder / FILE)


def load(folder: Path) -> Any:
    """The model that `save` wrote into `folder`, here or on another machine."""
    booster = xgb.Booster(model_file=folder / FILE)
    booster.set_param({"nthread": serving_threads()})
    return booster


def predict(model: Any, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """One answer a row, in the order of the rows: (rows,) probabilities of the second of two classes or the numbers of
    a regression, (rows, classes) probabilities of more classes. Endpoints ask this too: keep it fast.
    """
    scores: NDArray[np.float32] = model.inplace_predict(features, validate_features=False)
    return scores


def explain(model: Any, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each feature adds to each answer, and last what every answer starts from: (rows, columns + 1), before the
    last with more than two classes (rows, classes, columns + 1). You may leave this function out.
    """
    matrix = xgb.DMatrix(features, feature_types=model.feature_types)
    contributions: NDArray[np.float32] = model.predict(matrix, pred_contribs=True)
    return contributions


def _matrix(rows: Rows, job: Job, ref: Any = None) -> Any:
    types = list(job.feature_types)
    return xgb.QuantileDMatrix(rows.features, rows.labels, weight=rows.weights, feature_types=types, ref=ref)


def _parameters(job: Job, given: dict[str, Any]) -> dict[str, Any]:
    """Those given over the defaults of the problem type."""
    defaults = DEFAULTS[job.problem_type]
    merged = {"seed": 0, "tree_method": "hist", "nthread": job.threads, **defaults, **given}
    if job.classes and merged["objective"] != defaults["objective"]:
        raise TrainingError(
            f"Hyperparameter objective is {merged['objective']!r}: a {job.problem_type} model needs "
            f"{defaults['objective']!r}, because it answers with probabilities."
        )
    if job.problem_type == "multiclass":
        merged["num_class"] = len(job.classes)
    if merged.get("scale_pos_weight") == "auto":
        positive = float(job.train.labels.sum())
        merged["scale_pos_weight"] = (len(job.train) - positive) / positive
    return merged
