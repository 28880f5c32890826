"""Rules of a template: each function CloudFormation has for them, and what is left to AWS."""

from typing import Any

import pytest

from service_catalog import rules

VALUES = {"A": "1", "List": "a,b", "AWS::AccountId": "111111111111"}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ({"Fn::Equals": [ref("A"), "1"]}, True),
        ({"Fn::Equals": [ref("AWS::AccountId"), "1"]}, False),
        ({"Fn::Not": [{"Fn::Equals": [ref("A"), "1"]}]}, False),
        ({"Fn::And": [{"Fn::Equals": [ref("A"), "1"]}, {"Fn::Equals": [ref("A"), "2"]}]}, False),
        ({"Fn::Or": [{"Fn::Equals": [ref("A"), "1"]}, {"Fn::Equals": [ref("A"), "2"]}]}, True),
        ({"Fn::Contains": [["1", "2"], ref("A")]}, True),
        ({"Fn::Contains": [ref("List"), "c"]}, False),
        ({"Fn::EachMemberIn": [ref("List"), ["a", "b", "c"]]}, True),
        ({"Fn::EachMemberEquals": [ref("List"), "a"]}, False),
        ({"Fn::EachMemberIn": [{"Fn::ValueOfAll": ["AWS::EC2::Subnet::Id", "VpcId"]}, ["a"]]}, True),
    ],
)
def test_a_rule_holds_or_is_broken_with_its_sentence(expression: dict[str, Any], holds: bool) -> None:
    section = {"One": {"Assertions": [{"Assert": expression, "AssertDescription": "Say so"}]}}
    assert list(rules.broken(section, VALUES)) == ([] if holds else ["Say so"])


def test_a_rule_whose_condition_does_not_hold_asks_for_nothing() -> None:
    never = {"Fn::Equals": [ref("A"), "2"]}
    assert list(rules.broken({"One": {"RuleCondition": never, "Assertions": [{"Assert": never}]}}, VALUES)) == []
    assert list(rules.broken({"One": {"Assertions": [{"Assert": never}]}}, VALUES)) == [
        "rule One of the template does not hold"
    ]


def test_conditions_hold_by_the_answers_and_by_each_other() -> None:
    section = {
        "One": {"Fn::Equals": [ref("A"), "1"]},
        "Not": {"Fn::Not": [{"Condition": "One"}]},
        "Both": {"Fn::And": [{"Condition": "One"}, {"Fn::Not": [{"Condition": "Not"}]}]},
        "Unknown": {"Fn::Equals": [{"Fn::ValueOf": ["A", "VpcId"]}, "1"]},
    }
    assert rules.conditions(section, VALUES) == {"One": True, "Not": False, "Both": True, "Unknown": True}
