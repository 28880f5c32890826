"""The evaluator answers known cases: a matrix judged by one that cannot say no would prove nothing.

The cases are those of the IAM user guide ("Policy evaluation logic", "IAM JSON policy elements: Condition operators",
"Permissions boundaries for IAM entities").
"""

from typing import Any

import pytest

from tests.service_catalog.roles.evaluator import Request, decide

OWN, OTHER = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{OWN}:role/team/worker"
OBJECT = "arn:aws:s3:::data/a/b.csv"


def statement(**parts: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **parts}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def get(*statements: dict[str, Any], context: dict[str, Any] | None = None, **parts: Any) -> Request:
    usual = {"principal": ROLE, "action": "s3:GetObject", "resource": OBJECT, "policies": [document(*statements)]}
    return Request(**{**usual, "context": context or {}, **parts})


def when(operator: str, key: str, value: Any, context: dict[str, Any]) -> Request:
    return get(statement(Condition={operator: {key: value}}), context=context)


ALL = document(statement(Action="s3:*"))
NOT_SECRET = document(statement(), statement(Effect="Deny", Resource="arn:aws:s3:::data/secret/*"))
SHARED = document(statement(Principal={"AWS": f"arn:aws:iam::{OWN}:root"}))
TAG, KEYS = "aws:RequestTag/stage", "aws:TagKeys"
BOUNDED = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/ceiling"}}}
PASS = statement(Action="iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})
TRUST = document(
    statement(
        Principal={"AWS": f"arn:aws:iam::{OWN}:root"},
        Action="sts:AssumeRole",
        Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OWN}:role/team/*"}},
    )
)
FOR_LAMBDA = document(
    statement(
        Principal={"Service": "lambda.amazonaws.com"},
        Action="sts:AssumeRole",
        Condition={"StringEquals": {"aws:SourceAccount": OWN}},
    )
)


def assume(trust: dict[str, Any], principal: str = ROLE, **parts: Any) -> Request:
    usual: dict[str, Any] = {"policies": [document(statement(Action="sts:AssumeRole"))], "owner": OTHER}
    usual["has_resource_policy"] = True
    target = f"arn:aws:iam::{OTHER}:role/target"
    return Request(principal, "sts:AssumeRole", target, **(usual | {"resource_policy": trust} | parts))


def serve(service: str, context: dict[str, Any]) -> Request:
    target = f"arn:aws:iam::{OWN}:role/target"
    return Request(service, "sts:AssumeRole", target, context, resource_policy=FOR_LAMBDA, service=service)


CASES: dict[str, tuple[Request, bool]] = {
    "nothing is allowed by itself": (get(), False),
    "an allow allows": (get(statement()), True),
    "of another action, it does not": (get(statement(Action="s3:PutObject")), False),
    "actions have wildcards": (get(statement(Action="s3:Get*")), True),
    "actions know no case": (get(statement(Action="S3:getobject")), True),
    "resources have wildcards": (get(statement(Resource="arn:aws:s3:::data/a/*")), True),
    "resources know case": (get(statement(Resource="arn:aws:s3:::data/A/*")), False),
    "a question mark is one character": (get(statement(Resource="arn:aws:s3:::data/?/b.csv")), True),
    "not two": (get(statement(Resource="arn:aws:s3:::data/a/?.cs?v")), False),
    "an explicit deny wins": (get(statement(), statement(Effect="Deny")), False),
    "in any order": (get(statement(Effect="Deny"), statement()), False),
    "NotAction allows the others": (get({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}), True),
    "NotAction leaves its own out": (get({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}), False),
    "NotResource denies the others": (
        get(statement(), {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::other/*"}),
        False,
    ),
    "NotResource spares its own": (
        get(statement(), {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::data/*"}),
        True,
    ),
    # --- conditions
    "StringEquals": (when("StringEquals", TAG, "staging", {TAG: "staging"}), True),
    "StringEquals of one of several": (when("StringEquals", TAG, ["prod", "staging"], {TAG: "staging"}), True),
    "StringEquals has no wildcards": (when("StringEquals", TAG, "stag*", {TAG: "staging"}), False),
    "StringEquals of a key that is not sent": (when("StringEquals", TAG, "staging", {}), False),
    "StringLike has wildcards": (when("StringLike", TAG, "stag*", {TAG: "staging"}), True),
    "StringNotEquals of an equal": (when("StringNotEquals", TAG, "staging", {TAG: "staging"}), False),
    "StringNotEquals of none of several": (when("StringNotEquals", TAG, ["a", "staging"], {TAG: "staging"}), False),
    "StringNotEquals of a key that is not sent": (when("StringNotEquals", TAG, "staging", {}), True),
    "IfExists with a key that is not sent": (when("StringEqualsIfExists", TAG, "staging", {}), True),
    "IfExists with another value": (when("StringEqualsIfExists", TAG, "staging", {TAG: "prod"}), False),
    "keys of conditions know no case": (when("StringEquals", "AWS:requesttag/Stage", "x", {TAG: "x"}), True),
    "Null true: not sent": (when("Null", TAG, "true", {}), True),
    "Null true: sent": (when("Null", TAG, "true", {TAG: "x"}), False),
    "Null false: sent": (when("Null", TAG, "false", {TAG: "x"}), True),
    "Null false: not sent": (when("Null", TAG, "false", {}), False),
    "Bool": (when("Bool", "kms:GrantIsForAWSResource", "true", {"kms:GrantIsForAWSResource": "true"}), True),
    "Bool of a key that is not sent": (when("Bool", "kms:GrantIsForAWSResource", "true", {}), False),
    "NumericLessThan": (when("NumericLessThan", "s3:TlsVersion", "1.2", {"s3:TlsVersion": "1.1"}), True),
    "ArnLike": (when("ArnLike", "iam:PolicyARN", "arn:aws:iam::*:policy/own/*", {"iam:PolicyARN":
        "arn:aws:iam::111111111111:policy/own/x"}), True),
    "ArnLike of another path": (when("ArnLike", "iam:PolicyARN", "arn:aws:iam::*:policy/own/*", {"iam:PolicyARN":
        "arn:aws:iam::aws:policy/AdministratorAccess"}), False),
    "ForAllValues: all fit": (when("ForAllValues:StringEquals", KEYS, ["a", "b"], {KEYS: ["a", "b"]}), True),
    "ForAllValues: one does not": (when("ForAllValues:StringEquals", KEYS, ["a", "b"], {KEYS: ["a", "c"]}), False),
    "ForAllValues holds of nothing": (when("ForAllValues:StringEquals", KEYS, ["a"], {}), True),
    "ForAnyValue: one fits": (when("ForAnyValue:StringLike", KEYS, "a*", {KEYS: ["x", "ab"]}), True),
    "ForAnyValue: none fits": (when("ForAnyValue:StringLike", KEYS, "a*", {KEYS: ["x", "y"]}), False),
    "ForAnyValue fails of nothing": (when("ForAnyValue:StringEquals", KEYS, "a", {}), False),
    "all keys of a condition must hold": (
        get(statement(Condition={"StringEquals": {TAG: "x", "aws:RequestTag/b": "y"}}), context={TAG: "x"}),
        False,
    ),
    # --- boundaries
    "a boundary allows nothing by itself": (get(limits=[ALL]), False),
    "what both allow is allowed": (get(statement(), limits=[ALL]), True),
    "what the boundary leaves out is not": (get(statement(), limits=[document(statement(Action="s3:Put*"))]), False),
    "a boundary denies": (get(statement(Resource="arn:aws:s3:::data/secret/x"), resource="arn:aws:s3:::data/secret/x",
        limits=[NOT_SECRET]), False),
    "a condition on the boundary of a new role": (
        get(statement(Action="iam:CreateRole", **BOUNDED), action="iam:CreateRole",
            context={"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/ceiling"}), True),
    "another boundary": (
        get(statement(Action="iam:CreateRole", **BOUNDED), action="iam:CreateRole",
            context={"iam:PermissionsBoundary": "arn:aws:iam::111111111111:policy/sky"}), False),
    "no boundary": (get(statement(Action="iam:CreateRole", **BOUNDED), action="iam:CreateRole"), False),
    # --- passing roles
    "a role is passed to the service": (get(PASS, action="iam:PassRole", context={"iam:PassedToService":
        "lambda.amazonaws.com"}), True),
    "not to another": (get(PASS, action="iam:PassRole", context={"iam:PassedToService": "ec2.amazonaws.com"}), False),
    "nor to nobody in particular": (get(PASS, action="iam:PassRole"), False),
    # --- resource policies
    "in its own account, a bucket's policy suffices": (
        get(resource_policy=document(statement(Principal={"AWS": ROLE})), has_resource_policy=True, owner=OWN), True),
    "naming the account only, it does not": (get(resource_policy=SHARED, has_resource_policy=True, owner=OWN), False),
    "across accounts both must allow": (get(statement(), resource_policy=SHARED, has_resource_policy=True, owner=OTHER),
        True),
    "one of them is not enough": (get(statement(), has_resource_policy=True, owner=OTHER), False),
    "nor is the other": (get(resource_policy=SHARED, has_resource_policy=True, owner=OTHER), False),
    "a bucket's deny wins": (get(statement(), resource_policy=document(statement(Effect="Deny", Principal="*")),
        has_resource_policy=True, owner=OWN), False),
    "a key's own account needs its policy too": (get(statement(), has_resource_policy=True, owner=OWN, required=True),
        False),
    "and with it may": (get(statement(), resource_policy=SHARED, has_resource_policy=True, owner=OWN, required=True),
        True),
    # --- trust
    "a trusted role": (assume(TRUST), True),
    "a role outside the path": (assume(TRUST, f"arn:aws:iam::{OWN}:role/other/worker"), False),
    "a role of another account": (assume(TRUST, "arn:aws:iam::999999999999:role/team/worker"), False),
    "a trusted role that may not assume": (assume(TRUST, policies=[]), False),
    "a service": (serve("lambda.amazonaws.com", {"aws:SourceAccount": OWN}), True),
    "for somebody else": (serve("lambda.amazonaws.com", {"aws:SourceAccount": OTHER}), False),
    "another service": (serve("ec2.amazonaws.com", {"aws:SourceAccount": OWN}), False),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, bool]:
    """All cases in one process."""
    return dict(zip(CASES, decide([request for request, _ in CASES.values()]), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_evaluator_knows(name: str, answers: dict[str, bool]) -> None:
    assert answers[name] is CASES[name][1]
