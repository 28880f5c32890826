"""What a person is told about a change set: each property, from what to what, and what merely follows in one line."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from service_catalog import preview
from service_catalog.aws.stacks import Detail, Preview, ResourceChange, Stacks
from service_catalog.preview import Meaning
from tests.service_catalog.stubs import Call, stubbed

PLACE = {"StackName": "SC-1", "ChangeSetName": "upgrade-preview"}
# As CloudFormation writes them: a property that refers to an answer comes twice, and only the second says why.
BY_ANSWER = (
    Detail("Properties", "Tags", recreation="Never", evaluation="Dynamic", source="DirectModification"),
    Detail("Properties", "Tags", evaluation="Static", source="ParameterReference", entity="CostCenter"),
)
BY_KEY = Detail("Properties", "KmsKeyId", evaluation="Dynamic", source="ResourceAttribute", entity="Key.Arn")
BY_HAND = Detail("Properties", "Period", evaluation="Static", source="DirectModification")


def changed(name: str, *details: Detail, **more: str) -> ResourceChange:
    return ResourceChange("Modify", name, "AWS::A::B", details=details, **more)


def meaning(*items: ResourceChange, **more: Any) -> Meaning:
    return Meaning(Preview(items, is_empty=False, **more), {"CostCenter": "unassigned"}, {"CostCenter": "42"})


def shown(what: Meaning, width: int = 100) -> str:
    text = io.StringIO()
    preview.show(what, Console(file=text, width=width, highlight=False))
    return text.getvalue()


def template(**properties: Any) -> str:
    return json.dumps({"Resources": {"One": {"Type": "AWS::A::B", "Properties": properties}}})


# --- what CloudFormation tells ---------------------------------------------------------------------------------------


def target(path: str, before: str, after: str, **more: str) -> dict[str, Any]:
    found = {"Attribute": "Properties", "Name": path.split("/")[2], "Path": path, **more}
    found |= {"BeforeValue": before} if before else {}
    found |= {"AfterValue": after} if after else {}
    return {"Target": found, "Evaluation": "Static", "ChangeSource": "DirectModification"}


def asked(*details: Mapping[str, Any]) -> Preview:
    """The preview of a change set of one resource, over two pages."""
    change = {"Action": "Modify", "LogicalResourceId": "One", "ResourceType": "AWS::A::B", "Details": list(details)}
    empty: dict[str, Any] = {"Changes": []}
    page = {"Status": "CREATE_COMPLETE", "Changes": [{"Type": "Resource", "ResourceChange": change}]}
    values = {**PLACE, "IncludePropertyValues": True}
    calls: list[Call] = [
        ("describe_change_set", PLACE, ("ChangeSetNotFound", "does not exist", 404)),
        ("create_change_set", None, {}),
        ("describe_change_set", PLACE, {**empty, "Status": "CREATE_COMPLETE"}),
        ("describe_change_set", values, {**empty, "NextToken": "2"}),
        ("describe_change_set", {**values, "NextToken": "2"}, page),
        ("get_template", None, ("AccessDenied", "You may not", 403)),
        ("describe_change_set", PLACE, {**empty, "Status": "CREATE_COMPLETE"}),
        ("delete_change_set", PLACE, {}),
    ]
    with stubbed("cloudformation", *calls) as client:
        return Stacks(client, 0).preview("SC-1", "upgrade-preview", "https://s3.eu-west-1.amazonaws.com/b/k", {})


@pytest.mark.parametrize(
    ("path", "before", "after", "words"),
    [
        ("/Properties/Period", "300", "60", "Period: 300 → 60"),
        ("/Properties/Environment/Variables/A", "", "b", "Environment.Variables.A: new, b"),
        ("/Properties/Environment/Variables/A", "b", "", "Environment.Variables.A: gone, was b"),
        ("/Properties/RoleArn", "arn:1", "{{changeSet:KNOWN_AFTER_APPLY}}", "RoleArn: arn:1 → what AWS will know"),
        ("/Properties/Tags", '[{"Key":"a","Value":"1"}]', '[{"Key":"a","Value":"2"}]', "Tags.a: 1 → 2"),
        ("/Properties/Policy", '{"A":{"B":[1,2]}}', '{"A":{"B":[1,3]}}', "Policy.A.B.1: 2 → 3"),
    ],
)
def test_a_property_is_told_from_what_to_what(path: str, before: str, after: str, words: str) -> None:
    assert f"\n    · {words}" in shown(Meaning(asked(target(path, before, after)), {}, {}))


def test_a_value_that_cloudformation_has_cut_is_not_shown() -> None:
    found = asked(target("/Properties/Code", "(Truncated-Signature):a", "(Truncated-Signature):b"))
    assert shown(Meaning(found, {}, {})).splitlines() == ["~ One  AWS::A::B", "    · Code"]


def test_the_same_property_told_twice_is_one_line() -> None:
    one = target("/Properties/Period", "300", "60")
    assert shown(Meaning(asked(one, one), {}, {})).count("Period: 300 → 60") == 1


def test_many_properties_and_long_values_are_cut() -> None:
    found = asked(*(target(f"/Properties/P{number}", "a" * 100, "b" * 100) for number in range(10)))
    text = shown(Meaning(found, {}, {}), 200)
    assert "a" * 59 + "… → " in text
    assert "a" * 60 not in text
    assert "and 2 more" in text


# --- what the templates tell -----------------------------------------------------------------------------------------


def test_where_it_tells_no_values_the_templates_do() -> None:
    more = {"template_before": template(Period=300, Name="a"), "template_after": template(Period=60, Name="a")}
    assert "Period: 300 → 60" in shown(meaning(changed("One", BY_HAND), **more))


def test_a_property_whose_text_stays_follows_whatever_the_change_set_calls_it() -> None:
    """CloudFormation calls it a DirectModification, too, when a mapping or the order of tags has changed."""
    same = template(Period={"Fn::FindInMap": ["A", "B", "C"]})
    what = meaning(changed("One", BY_HAND), template_before=same, template_after=same)
    assert what.edits(what.preview.resources[0]) == []
    assert "set again, because they refer to what changes: One" in shown(what)


def test_who_may_make_no_change_set_is_told_what_that_hides() -> None:
    before, after = template(Period=300, Old=1), template(Period=60, New={"Fn::GetAtt": ["A", "Arn"]})
    text = shown(meaning(changed("One"), template_before=before, template_after=after, is_compared=True))
    assert "New: new, !GetAtt" in text
    assert "Old: gone, was 1" in text
    assert "You may not make a change set (cloudformation:CreateChangeSet)" in text


# --- what follows, and what is lost ----------------------------------------------------------------------------------


def test_what_follows_from_an_answer_is_one_line() -> None:
    text = shown(meaning(*(changed(f"R{number}", *BY_ANSWER) for number in range(40))), 160)
    assert text.splitlines() == [
        "~ CostCenter, 'unassigned' → '42', changes Tags of 40 resources: R0, R1, R2, R3, R4, R5 and 34 more"
    ]


def test_what_follows_from_another_resource_is_one_line_and_its_doubt_another() -> None:
    text = shown(meaning(changed("A", BY_KEY), changed("B", BY_KEY, replacement="Conditional")))
    assert text.splitlines() == [
        "~ set again, because they refer to what changes: A, B",
        "~ of these, CloudFormation cannot say beforehand whether they are made anew: B",
    ]


def test_what_is_lost_comes_first_and_loud_even_if_it_only_follows() -> None:
    always = replace(BY_KEY, recreation="Always")
    removed = ResourceChange("Remove", "Gone", "AWS::A::B", policy="Delete")
    kept = ResourceChange("Remove", "Kept", "AWS::A::B", policy="Retain")
    what = meaning(changed("One", BY_HAND), changed("Log", always, replacement="True"), removed, kept)
    lines = shown(what).splitlines()
    assert lines[0] == "REMOVED OR MADE ANEW: 3"
    assert [line.split()[1] for line in lines if line[0] in "±-"] == ["Log", "Gone", "Kept"]
    assert "IS MADE ANEW, EMPTY: what it holds is lost (KmsKeyId, which follows Key.Arn, cannot change" in lines[2]
    assert lines[-2].startswith("~ One")
    assert "    leaves the stack; AWS keeps it" in lines
    assert [item.logical_id for item in what.lost] == ["Log", "Gone", "Kept"]


def test_a_property_that_may_make_it_anew_says_so_before_the_others() -> None:
    text = shown(meaning(changed("A", BY_HAND), changed("B", BY_HAND, replacement="Conditional")))
    assert text.index("B  AWS") < text.index("cannot say beforehand") < text.index("A  AWS")


@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_broken_inside_a_word(width: int) -> None:
    long = "sagemaker-projects-222222222222-eu-central-1/a-name-that-is-longer-than-most-terminals-are"
    text = shown(Meaning(asked(target("/Properties/Name", "short", long[:59])), {}, {}), width)
    assert long[:59] in text
