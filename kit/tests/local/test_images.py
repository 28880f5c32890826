"""What SageMaker refuses of images that it takes for built-in algorithms, refused here before anything runs."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from kit.tests.local.pipelines import Project, training, tuning
from sagemaker_project_kit.local.jobs import images

GOLDEN = Path(__file__).parents[1] / "pipeline" / "golden" / "tuning.json"
XGBOOST = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SKLEARN = "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
DEFINITIONS = [{"Name": "validation:auc", "Regex": "validation-auc=([0-9.eE+-]+)"}]


def refused(**changes: Any) -> list[str]:
    """The refusals of the golden tuning job after changes to its algorithm, objective and ranges."""
    document = json.loads(GOLDEN.read_text(encoding="utf-8"))
    arguments = copy.deepcopy(next(step["Arguments"] for step in document["Steps"] if step["Type"] == "Tuning"))
    algorithm = arguments["TrainingJobDefinition"]["AlgorithmSpecification"] | changes.get("algorithm", {})
    config = arguments["HyperParameterTuningJobConfig"]
    config["HyperParameterTuningJobObjective"] |= changes.get("objective", {})
    config["ParameterRanges"] |= changes.get("ranges", {})
    return list(images.refusals(algorithm, config))


def test_what_the_project_sends_is_taken() -> None:
    assert refused() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"algorithm": {"MetricDefinitions": DEFINITIONS}}, "You can't override the metric definitions"),
        ({"objective": {"MetricName": "validation:gini"}}, "computes no metric 'validation:gini'"),
        ({"ranges": {"IntegerParameterRanges": [{"Name": "max_leaves"}]}}, "registers 'max_leaves' as no tunable"),
        ({"ranges": {"CategoricalParameterRanges": [{"Name": "tree_method"}]}}, "'tree_method' as no tunable"),
        (
            {"ranges": {"IntegerParameterRanges": [{"Name": "min_child_weight"}]}},
            "registers 'min_child_weight' as Continuous, the range is one of IntegerParameterRanges",
        ),
        ({"algorithm": {"TrainingImage": SKLEARN}}, "no metric definition names the objective 'validation:auc'"),
    ],
)
def test_what_sagemaker_refuses(changes: dict[str, Any], sentence: str) -> None:
    (told,) = refused(**changes)
    assert sentence in told


def test_a_framework_image_takes_definitions_and_any_range() -> None:
    algorithm = {"TrainingImage": SKLEARN, "MetricDefinitions": DEFINITIONS}
    assert refused(algorithm=algorithm, ranges={"IntegerParameterRanges": [{"Name": "max_leaf_nodes"}]}) == []


@pytest.mark.parametrize("kind", ["Training", "Tuning"])
def test_a_run_is_refused_before_it_starts(project: Project, kind: str) -> None:
    archive = project.archive("s3://bucket/code/sourcedir.tar.gz", {"train.py": "raise SystemExit(1)"})
    ranges = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0.01", "MaxValue": "1.0"}]}
    step = training("Fit", archive) if kind == "Training" else tuning("Fit", archive, ranges)
    job = step["Arguments"].get("TrainingJobDefinition", step["Arguments"])
    job["AlgorithmSpecification"]["TrainingImage"] = XGBOOST
    result = project.run([step])
    assert result.code != 0
    assert "You can't override the metric definitions" in result.out + result.err
    assert not (project.root / "runs").exists()


def test_the_image_s_own_expression_reads_the_last_line_that_matches(project: Project) -> None:
    """Its lines of several metrics do not: the group swallows what CloudWatch shows instead of the tabs."""
    lines = ["[0]\tvalidation-auc:0.7\tvalidation-logloss:0.5", "[3]\tvalidation-auc:0.855122", "validation-auc=0.1"]
    archive = project.archive("s3://bucket/code/sourcedir.tar.gz", {"train.py": f"print({chr(10).join(lines)!r})"})
    step = training("Fit", archive)
    step["Arguments"]["AlgorithmSpecification"] = {"TrainingImage": XGBOOST, "TrainingInputMode": "File"}
    metrics = project.run([step]).step("Fit")["Metrics"]
    found = {metric["MetricName"]: metric["Value"] for metric in metrics}
    assert found == {"validation:auc": 0.855122, "validation:logloss": 0.5}


def test_the_expression_is_the_registered_one() -> None:
    """As DescribeTrainingJob shows it of a job of the image."""
    (regex,) = [
        one["Regex"] for one in images.definitions({"TrainingImage": XGBOOST}) if one["Name"] == "validation:auc"
    ]
    assert regex == r".*\[[0-9]+\].*#011validation-auc:(\S+)"
    assert re.match(regex, "[30]#011validation-auc:0.855122")
