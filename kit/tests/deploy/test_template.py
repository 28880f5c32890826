"""Templates are read as CloudFormation reads them, and values are refused as CloudFormation would refuse them."""

from pathlib import Path

import pytest

from kit.tests.places import PROJECT
from sagemaker_project_kit.deploy import comparisons, rules, template
from sagemaker_project_kit.deploy.errors import TemplateError
from sagemaker_project_kit.deploy.stage import instance_types
from sagemaker_project_kit.deploy.template import Template

INLINE = """
AWSTemplateFormatVersion: 2010-09-09
Metadata:
  Comparisons:
    - Min <= Max
    - Wait + Wait < Limit when Kind = on
Parameters:
  Min: {Type: Number, Default: 1, MinValue: 0, MaxValue: 9}
  Max: {Type: Number, Default: 4, MinValue: 1}
  Wait: {Type: Number, Default: 10}
  Limit: {Type: Number, Default: 60}
  Kind: {Type: String, AllowedValues: [on, off, yes], Default: on}
  Memory: {Type: Number, Default: 2048, AllowedValues: [1024, 2048]}
  Name: {Type: String, MinLength: 2, MaxLength: 4, AllowedPattern: "[a-z]+", Default: abc,
         ConstraintDescription: Must be lower case.}
  Zones: {Type: CommaDelimitedList, Default: "", AllowedPattern: "[a-c]", ConstraintDescription: zones a to c}
  Subnets: {Type: "List<AWS::EC2::Subnet::Id>", Default: ""}
  Needed: {Type: String}
Rules:
  OffIsAlone:
    RuleCondition: !Equals [!Ref Kind, off]
    Assertions:
      - Assert: !And [!Contains [["1", "2"], !Ref Min], !Not [!Equals [!Ref Max, "9"]]]
        AssertDescription: Min must be 1 or 2 when Kind is off
  KnownZones:
    Assertions:
      - Assert: !EachMemberIn [!Ref Zones, [a, b]]
        AssertDescription: Zones must be a or b
Resources:
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "${Name}", DisplayName: !If [X, !GetAtt A.B.C, !Ref Name]}
"""


@pytest.fixture
def inline(tmp_path: Path) -> Template:
    path = tmp_path / "inline.yaml"
    path.write_text(INLINE, encoding="utf-8")
    return template.read(path)


def problems(inline: Template, **values: str) -> list[str]:
    return list(inline.problems({"Needed": "x", **values}, "config/prod.json", {"AWS::Region": "eu-west-1"}))


def test_values_that_fit(inline: Template) -> None:
    assert problems(inline) == []
    assert problems(inline, Min="2.5", Kind="yes", Zones="a,b", Subnets="subnet-0a1b2c3d,subnet-1a1b2c3d") == []
    assert inline.complete({"Needed": "x", "Other": "y"})["Memory"] == "2048"


def test_yaml_words_stay_text(inline: Template) -> None:
    assert inline.parameters["Kind"].declaration["AllowedValues"] == ["on", "off", "yes"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"Min": "10"}, "config/prod.json Parameters.Min: must be 0 to 9; found '10'"),
        ({"Max": "0"}, "config/prod.json Parameters.Max: must be at least 1; found '0'"),
        ({"Max": "many"}, "config/prod.json Parameters.Max: must be a number; found 'many'"),
        ({"Max": "NaN"}, "config/prod.json Parameters.Max: must be a number; found 'NaN'"),
        ({"Kind": "true"}, "config/prod.json Parameters.Kind: must be one of on, off, yes; found 'true'"),
        ({"Memory": "1500"}, "config/prod.json Parameters.Memory: must be one of 1024, 2048; found '1500'"),
        ({"Name": "ABC"}, "config/prod.json Parameters.Name: must be lower case; found 'ABC'"),
        ({"Name": "abcde"}, "config/prod.json Parameters.Name: must have a length of 2 to 4; found 'abcde'"),
        ({"Zones": "a,d"}, "config/prod.json Parameters.Zones: must be zones a to c; found 'a,d'"),
        (
            {"Subnets": "sg-0a1b2c3d"},
            "config/prod.json Parameters.Subnets: must be an id of the form subnet-…; found 'sg-0a1b2c3d'",
        ),
    ],
)
def test_each_problem_names_file_key_value_and_what_is_allowed(
    inline: Template, values: dict[str, str], sentence: str
) -> None:
    assert problems(inline, **values) == [sentence]


def test_all_problems_are_told_together(inline: Template) -> None:
    found = list(inline.problems({"Min": "10", "Kind": "x"}, "config/prod.json", {}))
    assert len(found) == 3
    assert "config/prod.json Parameters.Needed: is missing; inline.yaml has no default for it" in found


def test_a_rule_tells_its_sentence_and_what_it_looked_at(inline: Template) -> None:
    assert problems(inline, Kind="off", Min="3") == [
        "config/prod.json: Min must be 1 or 2 when Kind is off (rule OffIsAlone of inline.yaml); "
        "found Kind='off', Min='3', Max='4'"
    ]
    assert problems(inline, Kind="off", Min="2") == []
    assert problems(inline, Zones="a,c") == [
        "config/prod.json: Zones must be a or b (rule KnownZones of inline.yaml); found Zones='a,c'"
    ]


def test_a_comparison_tells_both_sides(inline: Template) -> None:
    assert problems(inline, Min="6") == [
        "config/prod.json: Min must be at most Max (4) (inline.yaml); found Min='6', Max='4'"
    ]
    (problem,) = problems(inline, Wait="30")
    assert "Wait + Wait must be less than Limit (60) when Kind is on" in problem
    assert problems(inline, Wait="30", Kind="yes") == []


def test_an_unknown_key_gets_the_nearest_name(inline: Template) -> None:
    (problem,) = template.unknown_keys(["Zone"], [inline], "config/prod.json")
    assert problem.startswith(
        "config/prod.json Parameters.Zone: no template (inline.yaml) has a parameter of this name"
    )
    assert problem.endswith("did you mean 'Zones'?")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Resources: {A: 1, A: 2}", "broken.yaml: line 1: the key 'A' occurs twice"),
        ("Resources: [", "broken.yaml is not valid YAML"),
        ("Parameters: {}", "broken.yaml is no CloudFormation template: it has no Resources"),
        (
            "Rules: {R: {Assertions: [{Assert: !ValueOf [A, B]}]}}\nResources: {}",
            "Fn::ValueOf cannot be evaluated offline",
        ),
        ("Rules: {R: {}}\nResources: {}", "each rule needs Assertions"),
        ("Metadata: {Comparisons: [A ~ B]}\nResources: {}", "the comparison 'A ~ B' must look like"),
        ("Metadata: {Comparisons: [A < 1]}\nResources: {}", "the comparison 'A < 1' names 'A', which is no parameter"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        template.read(path)
    assert sentence in str(caught.value)


def test_a_missing_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="is missing"):
        template.read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"Fn::Or": [{"Fn::Equals": ["a", "b"]}, {"Fn::Equals": [{"Ref": "X"}, "1"]}]}, True),
        ({"Fn::EachMemberEquals": [{"Ref": "L"}, "z"]}, False),
        ({"Fn::EachMemberIn": [{"Ref": "L"}, ["y", "z"]]}, True),
        ({"Fn::Equals": [{"Fn::Equals": ["a", "a"]}, {"Fn::Not": [{"Fn::Equals": ["a", "b"]}]}]}, True),
        ({"Fn::Contains": [["a"], {"Ref": "X"}]}, False),
    ],
)
def test_rule_functions(expression: object, holds: bool) -> None:
    assert rules.evaluate(expression, {"X": "1", "L": ["y", "z"]}) is holds


def test_a_rule_about_no_parameter_is_an_error() -> None:
    with pytest.raises(TemplateError, match="'Gone', which is no parameter"):
        rules.evaluate({"Ref": "Gone"}, {})


def test_comparisons_read_conditions() -> None:
    (comparison,) = comparisons.read(['A + 2 >= B when C = "" and D != x'], ["A", "B", "C", "D"], "t.yaml")
    assert comparison.names == ["A", "B", "C", "D"]
    assert comparison.problem({"A": "1", "B": "4", "C": "", "D": "y"}) == (
        "A + 2 must be at least B (4) when C is empty and D is not x"
    )
    assert comparison.problem({"A": "1", "B": "4", "C": "set", "D": "y"}) == ""
    assert comparison.problem({"A": "one", "B": "4", "C": "", "D": "y"}) == ""


# --- the real templates ----------------------------------------------------------------------------------------------

REAL = sorted((PROJECT / "model_deploy").glob("*.yaml"))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_real_template_can_be_checked_offline(path: Path) -> None:
    found = template.read(path)
    assert found.parameters
    for name, parameter in found.parameters.items():
        if parameter.default is not None:
            assert parameter.problem(parameter.default) == "", name


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_instance_types_on_offer_exist(path: Path) -> None:
    for name, parameter in template.read(path).parameters.items():
        if name.endswith("InstanceType"):
            shape = "TransformInstanceType" if name.startswith("Batch") else "ProductionVariantInstanceType"
            offered = set(parameter.declaration.get("AllowedValues", [])) - {"ml.serverless"}
            assert offered <= set(instance_types(shape)), name


def test_parameters_that_templates_share_mean_the_same() -> None:
    seen: dict[str, tuple[str, object]] = {}
    for path in REAL:
        for name, parameter in template.read(path).parameters.items():
            meaning = (parameter.type, parameter.declaration.get("AllowedValues"))
            assert seen.setdefault(name, meaning) == meaning, name
