"""SageMaker's caching rule, attribute by attribute, by running pipelines twice."""

import copy
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.tests.local.pipelines import (
    CACHED,
    OUTPUT,
    TRAIN,
    WRITE,
    Project,
    get,
    output_of,
    processing,
    training,
    tuning,
)
from sagemaker_project_kit.local.pipeline import cache

ETA = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "1.0"}]}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def steps(project: Project) -> list[dict[str, Any]]:
    """A Processing step and a Training step on its output, both cached."""
    code = project.script("write", WRITE)
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": TRAIN})
    prepare = processing("Prepare", code, [f"{OUTPUT}/result", "x"], environment={"A": "1"}, **CACHED)
    train = training("Train", archive, {"eta": "0.1"}, channels={"train": output_of("Prepare")}, **CACHED)
    return [prepare, train]


def cached(project: Project, steps: list[dict[str, Any]], *options: str) -> dict[str, bool]:
    """Run and tell which steps were taken from the cache."""
    result = project.run(steps, *options)
    assert result.code == 0, result.out + result.err
    return {step["StepName"]: step["Cached"] for step in result.execution["Steps"]}


def test_an_unchanged_step_takes_over_the_earlier_results(project: Project, steps: list[dict[str, Any]]) -> None:
    first = project.run(steps)
    second = project.run(steps)
    assert [step["Cached"] for step in second.execution["Steps"]] == [True, True], second.out
    assert "cached" in second.out
    for name in ("Prepare", "Train"):
        assert second.step(name)["Outputs"] == first.step(name)["Outputs"], "the outputs of the earlier run propagate"
        source = second.step(name)["CacheHitResult"]["SourcePipelineExecutionArn"]
        assert source == first.execution["PipelineExecutionArn"]
    assert (project.root / "runs/latest/outputs/Prepare/result/value.txt").is_file()


MISSES: list[tuple[str, int, Change]] = [
    ("AppSpecification", 0, lambda a: a["AppSpecification"]["ContainerArguments"].append("y")),
    ("AppSpecification.ImageUri", 0, lambda a: a["AppSpecification"].update(ImageUri="image:2")),
    ("Environment", 0, lambda a: a["Environment"].update(A="2")),
    ("HyperParameters", 1, lambda a: a["HyperParameters"].update(eta="0.2")),
    ("AlgorithmSpecification", 1, lambda a: a["AlgorithmSpecification"].update(TrainingImage="image:2")),
    ("InputDataConfig", 1, lambda a: a["InputDataConfig"][0].update(ContentType="text/plain")),
    ("training Environment", 1, lambda a: a.update(Environment={"A": "1"})),
    ("CheckpointConfig", 1, lambda a: a.update(CheckpointConfig={"S3Uri": "s3://bucket/c"})),
]
HITS: list[tuple[str, int, Change]] = [
    ("ProcessingResources", 0, lambda a: a.update(ProcessingResources={"ClusterConfig": {"InstanceCount": 1}})),
    ("RoleArn", 0, lambda a: a.update(RoleArn="arn:aws:iam::111111111111:role/other")),
    ("StoppingCondition", 1, lambda a: a.update(StoppingCondition={"MaxRuntimeInSeconds": 60})),
    ("ResourceConfig", 1, lambda a: a.update(ResourceConfig={"InstanceType": "ml.m5.large"})),
    ("OutputDataConfig", 1, lambda a: a["OutputDataConfig"].update(S3OutputPath="s3://bucket/elsewhere")),
]


@pytest.mark.parametrize(("index", "change"), [miss[1:] for miss in MISSES], ids=[miss[0] for miss in MISSES])
def test_a_changed_attribute_runs_the_step_again(
    project: Project, steps: list[dict[str, Any]], index: int, change: Change
) -> None:
    cached(project, steps)
    changed = copy.deepcopy(steps)
    change(changed[index]["Arguments"])
    assert cached(project, changed)[steps[index]["Name"]] is False


@pytest.mark.parametrize(("index", "change"), [hit[1:] for hit in HITS], ids=[hit[0] for hit in HITS])
def test_another_attribute_does_not(project: Project, steps: list[dict[str, Any]], index: int, change: Change) -> None:
    cached(project, steps)
    changed = copy.deepcopy(steps)
    change(changed[index]["Arguments"])
    assert cached(project, changed) == {"Prepare": True, "Train": True}


def test_a_step_that_ran_again_makes_those_after_it_run_again(project: Project, steps: list[dict[str, Any]]) -> None:
    cached(project, steps)
    steps[0]["Arguments"]["Environment"]["A"] = "2"
    assert cached(project, steps) == {"Prepare": False, "Train": False}, "the input of Train has another address"


def test_caching_is_off_unless_asked_for(project: Project, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        step["CacheConfig"] = {"Enabled": False, "ExpireAfter": "P30D"}
    cached(project, steps)
    assert cached(project, steps) == {"Prepare": False, "Train": False}


def test_no_cache_runs_everything_and_renews_the_cache(project: Project, steps: list[dict[str, Any]]) -> None:
    cached(project, steps)
    assert cached(project, steps, "--no-cache") == {"Prepare": False, "Train": False}
    newest = project.run(None)
    sources = {step["CacheHitResult"]["SourcePipelineExecutionArn"] for step in newest.execution["Steps"]}
    assert len(sources) == 1 and newest.step("Prepare")["Cached"]


def test_another_pipeline_does_not_share(project: Project, steps: list[dict[str, Any]]) -> None:
    cached(project, steps, "--pipeline", "one")
    assert cached(project, steps, "--pipeline", "two") == {"Prepare": False, "Train": False}


def test_results_that_are_gone_are_no_hit(project: Project, steps: list[dict[str, Any]]) -> None:
    first = project.run(steps)
    shutil.rmtree(project.stored(first.step("Prepare")["Outputs"]["result"]["S3Uri"]))
    assert cached(project, steps) == {"Prepare": False, "Train": False}


def test_an_old_result_expires(project: Project, steps: list[dict[str, Any]]) -> None:
    cached(project, steps)
    for path in (project.root / ".local/cache").rglob("*.json"):
        entry = json.loads(path.read_text())
        path.write_text(json.dumps(entry | {"CompletedTime": "2020-01-01T00:00:00.000000Z"}))
    assert cached(project, steps) == {"Prepare": False, "Train": False}


def test_a_failed_step_is_not_cached(project: Project) -> None:
    code = project.script("fail", "raise SystemExit(3)")
    steps = [processing("Prepare", code, **CACHED)]
    results = [project.run(steps), project.run(steps)]
    assert [result.code for result in results] == [1, 1]
    assert not list((project.root / ".local").glob("cache/**/*.json"))


def test_tuning_is_cached_by_its_configuration(project: Project) -> None:
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": TRAIN})
    steps = [tuning("Tune", archive, ETA, jobs=2, extra=CACHED)]
    assert [cached(project, steps)["Tune"] for _ in range(2)] == [False, True]
    steps[0]["Arguments"]["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] = 3
    assert cached(project, steps) == {"Tune": False}


def test_transform_is_keyed_by_aws_attributes() -> None:
    base = {"ModelName": "m", "TransformInput": {"a": 1}, "Environment": {}, "TransformResources": {"n": 1}}
    assert cache.key("Transform", base) == cache.key("Transform", base | {"TransformResources": {"n": 2}})
    for name, value in {
        "ModelName": "n",
        "TransformInput": {},
        "Environment": {"A": "1"},
        "DataProcessing": {},
    }.items():
        assert cache.key("Transform", base) != cache.key("Transform", base | {name: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(days=30)),
        ("PT1H", timedelta(hours=1)),
        ("P1Y2M3W4DT5H6M7S", timedelta(days=365 + 60 + 21 + 4, hours=5, minutes=6, seconds=7)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("T16m", timedelta(minutes=16)),
        (None, None),
    ],
)
def test_durations(text: str | None, expected: timedelta | None) -> None:
    assert cache.lifetime(text) == expected


@pytest.mark.parametrize("text", ["P", "PT", "30", "soon", "P1.5D", "-P1D"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        cache.lifetime(text)


def test_parameters_count_by_value(project: Project, tmp_path: Path) -> None:
    code = project.script("write", WRITE)
    steps = [processing("Write", code, [f"{OUTPUT}/result", get("Parameters.Word")], **CACHED)]
    parameters = [{"Name": "Word", "Type": "String", "DefaultValue": "a"}]
    runs = [project.run(steps, "--parameter", f"Word={word}", parameters=parameters) for word in ("a", "b", "a")]
    assert [run.step("Write")["Cached"] for run in runs] == [False, False, True]
