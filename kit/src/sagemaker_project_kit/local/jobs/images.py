"""Images that SageMaker takes for built-in algorithms, in script mode too, and what it registers of them.

Of these it knows metrics and tunable hyperparameters by itself and refuses others: "You can't override the metric
definitions for Amazon SageMaker algorithms" (reported in script mode for sagemaker-xgboost, with versions 2 and 3 of
the SDK). So this refuses them here as well, before anything runs. Framework and own images need definitions.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

TAB = "#011"  # how CloudWatch, and so the registered expressions, show a tab
_XGBOOST = re.compile(r".*/sagemaker-xgboost:.*")
# https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost-tuning.html, metrics computed by the algorithm.
_METRICS = ("accuracy", "auc", "error", "f1", "logloss", "mae", "map", "merror", "mlogloss", "mse", "ndcg", "rmse")
# The same page, tunable hyperparameters; kinds as the image registers them.
_TUNABLE = {
    **dict.fromkeys(("num_round", "max_depth"), "Integer"),
    **dict.fromkeys(
        ("eta", "gamma", "min_child_weight", "max_delta_step", "subsample", "lambda", "alpha"), "Continuous"
    ),
    **dict.fromkeys(("colsample_bytree", "colsample_bylevel", "colsample_bynode"), "Continuous"),
}


def definitions(algorithm: Mapping[str, Any]) -> list[dict[str, str]]:
    """The metric definitions that count for a job: the image's own, or those that the job brings."""
    if not is_built_in(algorithm):
        return list(algorithm.get("MetricDefinitions") or [])
    return [
        {"Name": f"{rows}:{metric}", "Regex": rf".*\[[0-9]+\].*{TAB}{rows}-{metric}:(\S+)"}
        for rows in ("train", "validation")
        for metric in _METRICS
    ]


def is_built_in(algorithm: Mapping[str, Any]) -> bool:
    """Whether the AlgorithmSpecification names such an image."""
    return bool(_XGBOOST.fullmatch(str(algorithm.get("TrainingImage", ""))))


def refusals(algorithm: Mapping[str, Any], tuning: Mapping[str, Any]) -> Iterator[str]:
    """Why SageMaker would refuse a job, or a tuning job with this HyperParameterTuningJobConfig, of such an image."""
    objective = (tuning.get("HyperParameterTuningJobObjective") or {}).get("MetricName")
    if not is_built_in(algorithm):
        if objective and objective not in [entry["Name"] for entry in algorithm.get("MetricDefinitions") or []]:
            yield f"no metric definition names the objective {objective!r}, and this image brings none along."
        return
    if algorithm.get("MetricDefinitions"):
        yield "You can't override the metric definitions for Amazon SageMaker algorithms: send none for this image."
    if objective and objective not in [entry["Name"] for entry in definitions(algorithm)]:
        yield f"the image computes no metric {objective!r}; it does: {', '.join(_METRICS)}, each as validation:…"
    for kind, entries in (tuning.get("ParameterRanges") or {}).items():
        for name in [entry["Name"] for entry in entries]:
            if _TUNABLE.get(name) is None:
                yield f"the image registers {name!r} as no tunable hyperparameter; these are: {', '.join(_TUNABLE)}."
            elif kind != f"{_TUNABLE[name]}ParameterRanges":
                yield f"the image registers {name!r} as {_TUNABLE[name]}, the range is one of {kind}."
