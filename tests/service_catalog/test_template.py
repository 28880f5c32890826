"""Templates as text: stamps change one value and nothing besides; limits are said with the way out."""

import json
import re

import pytest

from service_catalog import joiner
from service_catalog.errors import SourceError
from service_catalog.template import BODY_BYTES, POLICY_CHARACTERS, Template, difference, read

TEXT = """# comment
Parameters:
  SeedKey:
    Type: String
    Default: ""  # publish: seed key
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Sub "${SeedKey}"}}   # odd   spacing
"""


@pytest.mark.parametrize("value", ["seeds/1a.zip", "", 'a "quoted" \\ value', "\\1\\g<2>", "ümlaut"])
def test_a_stamp_changes_one_value_and_not_a_byte_besides(value: str) -> None:
    stamped = Template("product.yaml", TEXT).stamped({"seed key": value})
    assert stamped.parameters["SeedKey"]["Default"] == value
    assert stamped.text == TEXT.replace('""', json.dumps(value))


@pytest.mark.parametrize(
    ("text", "count"), [(TEXT.replace("publish: seed key", ""), 0), (TEXT + '    Again: ""  # publish: seed key\n', 2)]
)
def test_a_stamp_needs_exactly_one_line(text: str, count: int) -> None:
    with pytest.raises(SourceError, match=rf"product.yaml has {count} lines .*# publish: seed key"):
        Template("product.yaml", text).stamped({"seed key": "x"})


def test_a_template_of_nearly_the_size_that_aws_takes_is_taken_and_one_byte_more_is_not() -> None:
    template = Template("product.yaml", TEXT + "#" * (1000 - len(TEXT)))
    template.require_size(1000)
    with pytest.raises(SourceError, match=r"product.yaml has 1,000 bytes and AWS takes at most 999.*templ"):
        template.require_size(999)


def test_size_is_counted_in_bytes() -> None:
    with pytest.raises(SourceError, match="has 20 bytes"):
        Template("product.yaml", "ü" * 10).require_size(19)


def policy(characters: int) -> Template:
    """A template with a policy of so many characters."""
    document = {"Statement": [{"Sid": ""}]}
    document["Statement"][0]["Sid"] = "x" * (characters - len(json.dumps(document, separators=(",", ":"))))
    properties = {"PolicyDocument": document}
    return Template(
        "stage.yaml", json.dumps({"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}})
    )


def test_a_policy_past_the_limit_of_iam_is_named() -> None:
    policy(POLICY_CHARACTERS).require_policies()
    with pytest.raises(SourceError, match=r"stage.yaml: P has 6,145 characters.*6,144.*split it"):
        policy(POLICY_CHARACTERS + 1).require_policies()


def test_what_is_not_a_template_is_said() -> None:
    with pytest.raises(SourceError, match=r"stage.yaml is not YAML: (.|\n)*line"):
        read("a: [", "stage.yaml")
    with pytest.raises(SourceError, match="no Resources"):
        read("text", "stage.yaml")


def test_short_forms_are_read_as_their_functions() -> None:
    found = read("{A: !Ref B, C: !GetAtt D.Arn, E: !Sub x, F: !If [G, !Ref H, 1], I: {J: 010}}")
    assert found == {
        "A": {"Ref": "B"},
        "C": {"Fn::GetAtt": ["D", "Arn"]},
        "E": {"Fn::Sub": "x"},
        "F": {"Fn::If": ["G", {"Ref": "H"}, "1"]},
        "I": {"J": "010"},
    }


def test_differences_are_named() -> None:
    old = {"Resources": {"A": 1, "B": 1}, "Parameters": {"P": 1}, "Description": "old"}
    new = {"Resources": {"B": 2, "C": 1}, "Parameters": {"P": 2}, "Description": "new"}
    assert str(difference(old, new)) == "+C ~B ~Parameters -A"
    assert not difference(old, {**old, "Description": "new"})


@pytest.mark.parametrize("name", ["product", "portfolio", "stage"])
def test_our_templates_are_within_the_limits(name: str) -> None:
    template = joiner.template(f"{name}.yaml")
    template.require_size(1_000_000 if name == "product" else 51_200)
    template.require_policies()


def test_the_stage_template_can_be_rolled_out_by_stacksets() -> None:
    """A body of at most 51,200 bytes (CreateStackSet), and no nested stack, transform or macro (StackSets user guide).

    Nothing in it may belong to one account: no number, no export that another stack would have to make.
    """
    template = joiner.template("stage.yaml")
    template.require_size(BODY_BYTES)
    assert not {"Transform", "Mappings"} & template.document.keys()
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert not {kind for kind in kinds if kind.startswith(("AWS::CloudFormation::", "Custom::"))}
    assert not re.search(r"ImportValue|Export:|resolve:|(?<!\d)\d{12}(?!\d)", template.text)
    asked = {name for name, declared in template.parameters.items() if "Default" not in declared}
    assert asked == {"StageName", "ToolingAccountId"}
