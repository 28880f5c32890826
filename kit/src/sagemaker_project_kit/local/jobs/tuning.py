"""Tuning steps: many training jobs, the best one chosen by the objective metric in their logs.

Random search draws all points first. Bayesian search goes in rounds of MaxParallelTrainingJobs, so that the same seed
gives the same jobs whatever finishes first. Warm start and early stopping have no effect here. As on AWS the step
succeeds when at least one job does.
"""

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed
from sagemaker_project_kit.local.jobs import search
from sagemaker_project_kit.local.jobs.job import Job, Properties, arn
from sagemaker_project_kit.local.jobs.training import Trial, train
from sagemaker_project_kit.local.state.atomic import now, token

_DEFAULT_SEED = 0


@dataclass(frozen=True)
class Result:
    """One finished training job. `value` is None if it failed or never printed the objective metric."""

    point: search.Point
    name: str
    tuned: Mapping[str, str]
    properties: Properties
    value: float | None
    failure: str = ""


class Tuner:
    """The training jobs of one Tuning step."""

    def __init__(self, job: Job) -> None:
        config = job.arguments["HyperParameterTuningJobConfig"]
        limits = config["ResourceLimits"]
        self.job = job
        self.name = job.new_name(32)
        self.objective = config["HyperParameterTuningJobObjective"]
        self.bayesian = config["Strategy"] == "Bayesian"
        self.space = search.Space(config.get("ParameterRanges") or {})
        self.count = int(limits["MaxNumberOfTrainingJobs"])
        self.parallel = max(1, min(int(limits["MaxParallelTrainingJobs"]), job.runtime.cores, self.count))
        self.rng = random.Random(config.get("RandomSeed", _DEFAULT_SEED))  # noqa: S311 - a search, not a secret
        self.done = 0

    def run(self) -> list[Result]:
        """Every job's result, best first; those without a value last."""
        results: list[Result] = []
        with ThreadPoolExecutor(self.parallel) as pool:
            while len(results) < self.count:
                first = len(results) + 1
                points = self._next(results)
                results += pool.map(self._trial, points, range(first, first + len(points)))
        return sorted(results, key=lambda result: -self._gain(result) if result.value is not None else float("inf"))

    def _next(self, results: list[Result]) -> list[search.Point]:
        left = self.count - len(results)
        seen = [(result.point, self._gain(result)) for result in results if result.value is not None]
        if not self.bayesian:
            return [self.space.random_point(self.rng) for _ in range(left)]
        if len(seen) < 2:
            starts = min(left, search.random_starts(self.space, self.parallel))
            return [self.space.random_point(self.rng) for _ in range(starts)]
        return search.propose(self.space, seen, min(self.parallel, left), self.rng)

    def _gain(self, result: Result) -> float:
        value = result.value or 0.0
        return value if self.objective["Type"] == "Maximize" else -value

    def _trial(self, point: search.Point, number: int) -> Result:
        tuned = self.space.hyperparameters(point)
        name = f"{self.name}-{number:03d}-{token()}"
        trial = Trial(name, self._arguments(tuned), self._log(number), self._threads())
        try:
            properties = train(self.job, trial)
        except StepFailed as error:
            properties, failure = {}, str(error)
        else:
            failure = ""
        self.done += 1
        self.job.note(f"{self.done}/{self.count} jobs")
        return self._result(point, trial, tuned, properties, failure)

    def _result(
        self, point: search.Point, trial: Trial, tuned: Mapping[str, str], properties: Properties, failure: str
    ) -> Result:
        wanted = self.objective["MetricName"]
        values = [
            entry["Value"] for entry in properties.get("FinalMetricDataList", []) if entry["MetricName"] == wanted
        ]
        if not values:
            failure = failure or f"the objective metric {wanted!r} does not occur in its log ({trial.log})"
        return Result(point, trial.name, tuned, properties, values[0] if values else None, failure)

    def _arguments(self, tuned: Mapping[str, str]) -> dict[str, Any]:
        definition = self.job.arguments["TrainingJobDefinition"]
        return {**definition, "HyperParameters": {**(definition.get("StaticHyperParameters") or {}), **tuned}}

    def _log(self, number: int) -> Path:
        folder = self.job.log.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{number:03d}.log"

    def _threads(self) -> dict[str, str]:
        """Jobs that run side by side share the cores instead of fighting for them."""
        share = max(1, self.job.runtime.cores // self.parallel)
        return {"OMP_NUM_THREADS": str(share), "SM_NUM_CPUS": str(share)} if self.parallel > 1 else {}


def run(job: Job) -> Properties:
    """Run a Tuning step and return what DescribeHyperParameterTuningJob would, with every job's summary, best first."""
    tuner = Tuner(job)
    results = tuner.run()
    job.log.write_text("".join(_lines(results)), encoding="utf-8")
    if results[0].value is None:
        raise StepFailed(f"none of its {len(results)} training jobs succeeded; the first: {results[0].failure}")
    summaries = [_summary(result, tuner.objective) for result in results]
    return {
        **job.arguments,
        "HyperParameterTuningJobName": tuner.name,
        "HyperParameterTuningJobArn": arn("hyper-parameter-tuning-job", tuner.name),
        "HyperParameterTuningJobStatus": "Completed",
        "HyperParameterTuningEndTime": now(),
        "BestTrainingJob": summaries[0],
        "TrainingJobSummaries": summaries,
    }


def _lines(results: list[Result]) -> Iterator[str]:
    for result in results:
        tuned = " ".join(f"{key}={value}" for key, value in result.tuned.items())
        yield f"{result.name} {result.value if result.value is not None else result.failure} {tuned}\n"


def _summary(result: Result, objective: Mapping[str, str]) -> dict[str, Any]:
    base = {
        "TrainingJobName": result.name,
        "TrainingJobArn": arn("training-job", result.name),
        "TunedHyperParameters": dict(result.tuned),
        "ObjectiveStatus": "Succeeded" if result.value is not None else "Failed",
    }
    if result.value is None:
        return {**base, "TrainingJobStatus": "Failed", "FailureReason": result.failure}
    metric = {"Type": objective["Type"], "MetricName": objective["MetricName"], "Value": result.value}
    return {
        **base,
        "TrainingJobStatus": "Completed",
        "ModelArtifacts": result.properties["ModelArtifacts"],
        "FinalHyperParameterTuningJobObjectiveMetric": metric,
    }
