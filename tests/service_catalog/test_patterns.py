"""One home for the rules about names and tags: AWS agrees with it, and every copy of a rule says the same."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import botocore.session
import pytest

from sagemaker_project_kit.names import OWNER_VALUE
from scripts.bake import ROOT
from service_catalog import joiner, patterns

TEMPLATES = {name: joiner.template(name) for name in joiner.NAMES}
# How a copy of one of the rules begins, wherever it stands, and all of it up to its repetition.
COPY = re.compile(r"\[[a-zA-Z0-9-]+\]\(-\*\[[a-zA-Z0-9-]+\]\)\{[\d,]+\}|\[\\w \.:/[^\]]+\]\{[\d,]+\}")
SEARCHED = ("hooks", "rehearsal", "scripts", "service_catalog")


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pre_gen_project", ROOT / "hooks" / "pre_gen_project.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_rules_are_those_of_the_api() -> None:
    """SageMaker's model; and no service that tags what a project is made of takes less than an owner may be."""
    model = botocore.session.get_session().get_service_model
    name = model("sagemaker").shape_for("ProjectEntityName").metadata
    assert (name["pattern"], name["max"]) == (patterns.PROJECT_NAME, patterns.PROJECT_NAME_LENGTH)
    assert model("sagemaker").shape_for("ProjectId").metadata["max"] == patterns.PROJECT_ID_LENGTH
    shapes = {"codebuild": "ValueInput", "codepipeline": "TagValue", "scheduler": "TagValue", "sns": "TagValue"}
    shapes |= {"events": "TagValue", "ssm": "TagValue", "budgets": "ResourceTagValue", "servicecatalog": "TagValue"}
    limits = [model(service).shape_for(shape).metadata for service, shape in shapes.items()]
    assert max(limit["min"] for limit in limits) == 1
    assert min(limit["max"] for limit in limits) >= patterns.TAG_VALUE_LENGTH


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        (patterns.PROJECT_NAME, patterns.PROJECT_NAME_LENGTH),
        (patterns.PROJECT_ID, patterns.PROJECT_ID_LENGTH),
        (patterns.TAG_VALUE, patterns.TAG_VALUE_LENGTH),
    ],
)
def test_a_pattern_takes_from_one_character_to_its_length(pattern: str, length: int) -> None:
    taken = [bool(re.fullmatch(pattern, "a" * count)) for count in (0, 1, length, length + 1)]
    assert taken == [False, True, True, False]


def test_the_templates_ask_by_the_rules() -> None:
    product, portfolio = TEMPLATES["product.yaml"].parameters, TEMPLATES["portfolio.yaml"].parameters
    name, id_ = product["SageMakerProjectName"], product["SageMakerProjectId"]
    assert (name["AllowedPattern"], name["MaxLength"]) == (f"^{patterns.PROJECT_NAME}$", "32")
    assert (id_["AllowedPattern"], id_["MaxLength"]) == (f"^{patterns.PROJECT_ID}$", "20")
    assert {product[each]["AllowedPattern"] for each in ("Owner", "CostCenter")} == {f"^{patterns.TAG_VALUE}$"}
    tags = {portfolio[each]["AllowedPattern"] for each in ("TagOwner", "TagCostCenter")}
    assert tags == {f"^({patterns.TAG_VALUE})?$"}


def test_a_parameter_of_one_name_has_one_rule_in_every_template() -> None:
    rules: dict[str, list[object]] = {}
    for template in TEMPLATES.values():
        for name, declared in template.parameters.items():
            rules.setdefault(name, []).append([declared.get("AllowedPattern"), declared.get("AllowedValues")])
    shared = {name: found for name, found in rules.items() if len(found) > 1}
    assert "OrganizationId" in shared
    assert {name: found for name, found in shared.items() if any(each != found[0] for each in found)} == {}


def test_the_hook_repeats_the_rules() -> None:
    module = hook()
    assert (module.SLUG.pattern, module.SLUG_LENGTH) == (patterns.PROJECT_NAME, patterns.PROJECT_NAME_LENGTH)
    assert module.TAG_VALUE.pattern == patterns.TAG_VALUE == OWNER_VALUE.pattern
    assert patterns.WORDS["tag_value_hint"].replace("any of ", "") in str(module.tag_problem("owner", ""))


def test_the_questions_of_cookiecutter_repeat_the_length_of_a_name() -> None:
    asked = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    said = asked["project_slug"], asked["__refusal"], asked["__prompts__"]["project_slug"]
    numbers = [re.findall(r"(?:max_length=|length > |at most )(\d+)", each) for each in said]
    assert numbers == [[str(patterns.PROJECT_NAME_LENGTH)]] * 3


@pytest.mark.parametrize("folder", SEARCHED)
def test_no_other_copy_differs(folder: str) -> None:
    """Whatever looks like one of the rules is one of them, to the letter."""
    known = {patterns.PROJECT_NAME, patterns.PROJECT_ID, patterns.TAG_VALUE}
    found = {path: set(COPY.findall(path.read_text(encoding="utf-8"))) for path in texts(ROOT / folder)}
    assert {str(path): copies - known for path, copies in found.items() if copies - known} == {}
    assert any(found.values()) is (folder != "scripts")


def texts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".py", ".yaml", ".yml", ".json", ".toml")]
