"""config/<stage>.json against the templates and against each other."""

import json

import pytest

from tests.infrastructure import stages
from tests.infrastructure.cloudformation import load

DECLARED = {
    name: parameter for text in stages.templates().values() for name, parameter in load(text)["Parameters"].items()
}
# What protects users has to be stricter where users are; a copy of staging.json is a mistake.
STRICTER = {
    "InstanceCount": "one instance is no redundancy (SageMaker.4 of the AWS security standard wants two)",
    "TrafficShifting": "all users at once would meet a bad model",
    "AutoScaling": "a rush must not wait for a person",
}


@pytest.mark.parametrize("stage", stages.STAGES)
def test_every_key_is_a_parameter_and_every_parameter_has_a_value(stage: str) -> None:
    given = stages.config(stage).keys()
    needed = {name for name, parameter in DECLARED.items() if "Default" not in parameter}
    assert given - DECLARED.keys() == set()
    assert needed - given - stages.ADDED.keys() - {"StageName"} == set()
    assert given & (stages.ADDED.keys() | {"StageName"}) == set()


@pytest.mark.parametrize("stage", stages.STAGES)
def test_every_value_is_text_as_cloudformation_takes_it(stage: str) -> None:
    document = json.loads((stages.FOLDER / "config" / f"{stage}.json").read_text("utf-8"))
    assert {"Parameters", "Tags"} <= document.keys()
    assert all(isinstance(value, str) for part in ("Parameters", "Tags") for value in document[part].values())


def test_both_stages_name_the_same_keys() -> None:
    assert list(stages.config("staging")) == list(stages.config("prod"))


@pytest.mark.parametrize("name", STRICTER)
def test_production_is_not_a_copy_of_staging(name: str) -> None:
    assert stages.config("prod")[name] != stages.config("staging")[name]


def test_production_has_two_instances_steps_and_autoscaling() -> None:
    production = stages.config("prod")
    assert int(production["InstanceCount"]) >= 2
    assert production["TrafficShifting"] in ("CANARY", "LINEAR")
    assert production["AutoScaling"] == "on"
    assert 1 <= int(production["CapturePercent"]) < 100


def test_a_parameter_means_the_same_in_every_template() -> None:
    """Constraints too: a value that one template takes must not be refused by the next."""
    constraints = ("Type", "Default", "AllowedValues", "AllowedPattern", "MinValue", "MaxValue", "MaxLength")
    seen: dict[str, tuple[str, list[object]]] = {}
    for file, text in stages.templates().items():
        for name, parameter in load(text)["Parameters"].items():
            found = [parameter.get(key) for key in constraints]
            first, expected = seen.setdefault(name, (file, found))
            assert found == expected, f"{name} differs between {first} and {file}"
