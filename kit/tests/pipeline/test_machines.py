"""One list of machines: what the registry says of a model is what templates, stages and recipes use."""

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from kit.tests.places import PROJECT
from sagemaker_project_kit.deploy import template as templates
from sagemaker_project_kit.pipeline.machines import ARCHITECTURES, BY_ARCHITECTURE, of_image
from sagemaker_project_kit.pipeline.validation import walk_steps

DEPLOY = PROJECT / "model_deploy"
GOLDEN = Path(__file__).parent / "golden"
# AWS's own processors, which run images of arm64 only: a family such as m7g, c6gd or r8g, but not g5g (GPUs).
ARM = re.compile(r"ml\.[a-z]\d+g[a-z]*\..*")


def allowed(template: str, parameter: str) -> list[str]:
    return [
        str(value) for value in templates.read(DEPLOY / template).parameters[parameter].declaration["AllowedValues"]
    ]


@pytest.mark.parametrize("image", ARCHITECTURES)
def test_the_templates_offer_what_the_registry_says_of_each_image(image: str) -> None:
    machines = of_image(image)
    assert sorted(allowed("endpoint.yaml", "InstanceType")) == sorted(machines.inference)
    assert sorted(allowed("batch.yaml", "BatchInstanceType")) == sorted(machines.transform)


@pytest.mark.parametrize("variant", ["training", "tuning"])
def test_the_definition_registers_them(variant: str) -> None:
    document = json.loads((GOLDEN / f"{variant}.json").read_text(encoding="utf-8"))
    register: dict[str, Any] = next(s for s in walk_steps(document["Steps"]) if s["Type"] == "RegisterModel")
    specification = register["Arguments"]["InferenceSpecification"]
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == list(of_image("xgboost").inference)
    assert specification["SupportedTransformInstanceTypes"] == list(of_image("xgboost").transform)


def test_they_are_of_the_images_processor_and_known_to_the_api() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    for architecture, machines in BY_ARCHITECTURE.items():
        for shape, types in (
            ("ProductionVariantInstanceType", machines.inference),
            ("TransformInstanceType", machines.transform),
        ):
            assert set(types) <= set(model.shape_for(shape).enum)
            assert len(types) == len(set(types))
            assert {bool(ARM.fullmatch(each)) for each in types} == {architecture == "arm64"}


def test_stages_and_recipes_use_them() -> None:
    machines = of_image("xgboost")
    words = {"InstanceType": machines.inference, "BatchInstanceType": machines.transform}
    texts = [*(DEPLOY / "config").glob("*.json"), PROJECT / "README.md"]
    found = [
        (path.name, word, value)
        for path in texts
        for word, value in re.findall(r'"(InstanceType|BatchInstanceType)": "(ml\.[^"]+)"', path.read_text("utf-8"))
    ]
    assert {name for name, _, _ in found} == {path.name for path in texts}
    assert [each for each in found if each[2] not in words[each[1]]] == []
