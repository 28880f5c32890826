"""The resolver itself: a gate that misreads a template proves nothing."""

from typing import Any

import pytest

from tests.infrastructure.cloudformation import Stack, Unresolvable, load

TEMPLATE = """
Parameters:
  Name: {Type: String, AllowedPattern: '^[a-z]+$', ConstraintDescription: letters}
  Count: {Type: Number, Default: 2, MinValue: 1, MaxValue: 5}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
Metadata:
  Comparisons: ["Count + 1 <= 4 when Name != big"]
Mappings:
  Sizes: {Small: {Paths: [a, b]}}
Rules:
  Big:
    RuleCondition: !Equals [!Ref Name, big]
    Assertions: [{Assert: !Equals [!Ref Count, "5"], AssertDescription: Count must be 5}]
Conditions:
  IsBig: !Equals [!Ref Name, big]
  IsSmall: !Not [!Condition IsBig]
Resources:
  Topic: {Type: AWS::SNS::Topic, Condition: IsBig}
  Fact: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: !Sub "${Name}!"}}
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Sub "${Name}-${AWS::Region}-${!literal}"
      Zone: !Select [1, !Ref Zones]
      First: !Select [0, !Split ["-", a-b]]
      All: !Join ["/", [!Ref Name, !If [IsBig, big, !Ref AWS::NoValue]]]
      Policy: !If [IsSmall, !Ref AWS::NoValue, yes]
      Own: !GetAtt Queue.Arn
      Local: !Sub ["${x}", {x: !Ref Name}]
      Paths: !FindInMap [Sizes, Small, Paths]
      Fact: !Sub "${Fact.Value} and ${Fact.Type}"
  Fn::ForEach::Zones:
    - Zone
    - !Ref Zones
    - In${Zone}: {Type: AWS::SNS::Topic, Properties: {TopicName: "in-${Zone}"}}
Outputs:
  Chosen: {Value: !Ref {"Fn::Sub": "In${Chosen}"}}
"""


def stack(**values: str) -> Stack:
    return Stack(load(TEMPLATE), {"Name": "small", **values})


def properties(**values: str) -> dict[str, Any]:
    found: dict[str, Any] = stack(**values).resources["Queue"]["Properties"]
    return found


def test_functions_are_evaluated() -> None:
    assert properties() == {
        "QueueName": "small-eu-central-1-${literal}",
        "Zone": "b",
        "First": "a",
        "All": "small",
        "Own": "<Queue.Arn>",
        "Local": "small",
        "Paths": ["a", "b"],
        "Fact": "small! and <Fact.Type>",
    }


def test_conditions_decide_which_resources_and_values_there_are() -> None:
    assert set(stack().resources) == {"Fact", "Queue", "Ina", "Inb"}
    assert set(stack(Name="big").resources) == {"Fact", "Topic", "Queue", "Ina", "Inb"}
    assert properties(Name="big")["All"] == "big/big"
    assert properties(Name="big")["Policy"] is True


def test_loops_are_written_out() -> None:
    assert stack(Zones="x,y").resources["Iny"]["Properties"] == {"TopicName": "in-y"}


def test_a_reference_to_nothing_is_an_error() -> None:
    with pytest.raises(Unresolvable, match="Chosen"):
        _ = stack().outputs


def test_a_reference_to_a_resource_whose_condition_does_not_hold_is_an_error() -> None:
    with pytest.raises(Unresolvable, match="condition"):
        stack().resolve({"Ref": "Topic"})


def test_an_unknown_function_is_an_error() -> None:
    with pytest.raises(Unresolvable, match="Fn::Cidr"):
        stack().resolve({"Fn::Cidr": ["10.0.0.0/8", 1, 8]})


@pytest.mark.parametrize("path", [["Sizes", "Small", "Names"], ["Sizes", "Big", "Paths"], ["Shapes", "Small", "Paths"]])
def test_what_a_mapping_does_not_have_is_an_error(path: list[str]) -> None:
    with pytest.raises(Unresolvable, match="mapping"):
        stack().resolve({"Fn::FindInMap": path})


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(Unresolvable, match="Name"):
        _ = Stack(load(TEMPLATE), {}).resources


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({}, []),
        ({"Name": "SMALL"}, ["Name is 'SMALL': allowed is letters"]),
        ({"Count": "9", "Name": "big"}, ["Count is '9': allowed is one of None", "Count must be 5"]),
        ({"Count": "many", "Name": "big"}, ["Count is 'many': allowed is one of None", "Count must be 5"]),
        ({"Count": "4"}, ["Count + 1 <= 4 when Name != big does not hold"]),
        ({"Name": "big"}, ["Count must be 5"]),
        ({"Name": "big", "Count": "5"}, []),
    ],
)
def test_what_cloudformation_refuses_is_refused(values: dict[str, str], problems: list[str]) -> None:
    assert stack(**values).problems() == problems
