"""What is refused before anything runs: one message with every problem, exit code 2, nothing made."""

import json
from typing import Any

import pytest

from kit.tests.local.pipelines import (
    Project,
    compare,
    condition,
    fail,
    get,
    json_get,
    processing,
    training,
    tuning,
)

PARAMETERS = [
    {"Name": "Count", "Type": "Integer", "DefaultValue": 1},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.5},
    {"Name": "Flag", "Type": "Boolean", "DefaultValue": False},
    {"Name": "Status", "Type": "String", "DefaultValue": "Approved", "EnumValues": ["Approved", "Rejected"]},
    {"Name": "Needed", "Type": "String"},
]


def refused(project: Project, steps: list[dict[str, Any]], *options: str, **define: Any) -> str:
    """The message of a run that is refused."""
    result = project.run(steps, *options, **define)
    assert result.code == 2, result.out + result.err
    assert not (project.root / "runs").exists(), "a refused run leaves nothing"
    assert "Traceback" not in result.err
    return result.err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Nonesuch=1", "Unknown parameter 'Nonesuch'; the pipeline has: Count, Flag, Needed, Rate, Status."),
        ("Count=1.5", "'Count' must be of type Integer; '1.5' is not"),
        ("Rate=high", "'Rate' must be of type Float; 'high' is not"),
        ("Flag=yes", "'Flag' must be of type Boolean; 'yes' is not"),
        ("Status=Maybe", "'Status' is 'Maybe'; allowed: Approved, Rejected"),
        ("Status", "must have the form NAME=VALUE"),
    ],
)
def test_a_bad_parameter(project: Project, given: str, message: str) -> None:
    options = ["--parameter", given, "--parameter", "Needed=x"]
    assert message in refused(project, [fail("Fail", "no")], *options, parameters=PARAMETERS)


def test_every_parameter_problem_is_told_at_once(project: Project) -> None:
    message = refused(project, [fail("Fail", "no")], "--parameter", "Count=x", parameters=PARAMETERS)
    assert "'Count' must be" in message and "'Needed' has no value: give one with --parameter Needed=VALUE" in message


def test_parameters_arrive_converted(project: Project) -> None:
    rule = compare("Equals", get("Parameters.Count"), 3)
    options = ["--parameter", "Count=3", "--parameter", "Needed=x"]
    result = project.run([condition("Check", rule, [], [fail("No", "no")])], *options, parameters=PARAMETERS)
    assert result.code == 0, result.out
    assert result.execution["Parameters"]["Count"] == 3


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"Name": "A", "Type": "EMR", "Arguments": {}}], "'A' is of type EMR, which does not run locally"),
        ([fail("A", "x"), fail("A", "y")], "Two steps are called 'A'"),
        ([fail("A", get("Steps.Gone.X"))], "'A' refers to a step 'Gone' that does not exist"),
        ([fail("A", get("Parameters.Gone"))], "'A' refers to a parameter 'Gone' that is not declared"),
        ([fail("A", get("Elsewhere.Gone"))], "neither a parameter, a step nor the execution"),
        ([fail("A", "x") | {"DependsOn": ["Gone"]}], "refers to a step 'Gone'"),
        (
            [fail("A", get("Steps.B.X")), fail("B", get("Steps.A.X"))],
            "wait for one another in a circle: ",
        ),
        (
            [processing("P", "s3://b/c"), fail("A", json_get("P", "Gone", "x"))],
            "reads property file 'Gone', which step 'P' does not declare",
        ),
        ([tuning("T", "s3://b/c", {}, strategy="Hyperband")], "the tuning strategy 'Hyperband' does not run locally"),
        (
            [processing("P", "s3://b/c", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})],
            "'soon' is not an ISO 8601 duration",
        ),
    ],
)
def test_a_bad_definition(project: Project, steps: list[dict[str, Any]], message: str) -> None:
    assert message in refused(project, steps)


def test_built_in_algorithms_need_their_image(project: Project) -> None:
    step = training("Train", "s3://bucket/x.tar.gz")
    step["Arguments"]["HyperParameters"] = {"eta": "0.1"}
    assert "an image's built-in algorithm cannot run without the image" in refused(project, [step])


@pytest.mark.parametrize("regex", ["auc=[0-9.]+", "auc=([0-9.]+"])
def test_a_broken_metric_is_found_first(project: Project, regex: str) -> None:
    step = training("Train", "s3://bucket/x.tar.gz")
    step["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"][0]["Regex"] = regex
    assert "metric 'validation:auc'" in refused(project, [step])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"Steps": []}', '{"Steps": [{}]}', "\x00\xff"])
def test_a_file_that_is_no_definition(project: Project, text: str) -> None:
    (project.root / "definition.json").write_text(text)
    result = project.command("run", "definition.json")
    assert result.code == 2 and "Traceback" not in result.err


def test_a_missing_definition_and_missing_assets(project: Project) -> None:
    assert "Cannot read the pipeline definition" in project.command("run", "nowhere.json").err
    project.assets["s3://bucket/gone.csv"] = "gone.csv"
    assert "gone.csv" in refused(project, [fail("A", "x")])


@pytest.mark.parametrize("uri", ["bucket/key", "s3://", "s3://bucket/../../etc/passwd"])
def test_an_address_that_is_none(project: Project, uri: str) -> None:
    project.assets[uri] = __file__
    assert "not an address of the form s3://bucket/key" in refused(project, [fail("A", "x")])


def test_the_champion_is_the_default_of_its_parameter(project: Project) -> None:
    """Covered as a whole in test_registry; here: without a champion the default stays."""
    parameters = [{"Name": "ChampionModelUri", "Type": "String", "DefaultValue": "s3://bucket/none.txt"}]
    result = project.run([condition("Yes", compare("Equals", 1, 1), [], [])], parameters=parameters)
    assert json.loads((project.root / "runs/latest/parameters.json").read_text()) == result.execution["Parameters"]
    assert result.execution["Parameters"] == {"ChampionModelUri": "s3://bucket/none.txt"}
