"""Each fault that would widen a role is noticed: a case of the matrix that must be denied would be allowed.

Every Deny is taken out and every condition of an Allow, one at a time, in every role of both layouts. (That resources
are not everything is a house rule: tests/infrastructure/house/identity.py.)
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from service_catalog.names import STAGES
from tests.service_catalog.roles import matrix
from tests.service_catalog.roles.accounts import PROJECT
from tests.service_catalog.roles.evaluator import Request, decide

# Faults that change no decision here → why the statement stands all the same.
HARMLESS = {
    "boundary: NoOtherRoleEvenIfItTrustsEverybody is gone": "ministack holds a trust in everybody to the boundary; IAM"
    " does not where a trust names the session itself, and then only an explicit deny counts",
}


class Weaker(NamedTuple):
    """A statement of a role or boundary, and what became of it."""

    role: str
    sid: str
    fault: str
    old: Mapping[str, Any]
    new: Mapping[str, Any] | None


def weakened(role: str, documents: tuple[Mapping[str, Any], ...]) -> Iterator[Weaker]:
    """Every fault of every statement."""
    for statement in (each for document in documents for each in document["Statement"]):
        if statement["Effect"] == "Deny":
            yield Weaker(role, statement["Sid"], "is gone", statement, None)
            continue
        if "Condition" in statement:
            bare = {key: value for key, value in statement.items() if key != "Condition"}
            yield Weaker(role, statement["Sid"], "has no condition", statement, bare)


def apply(weaker: Weaker, request: Request) -> Request:
    """The request under the weaker policies."""

    def mended(document: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = [weaker.new if each == weaker.old else each for each in document["Statement"]]
        return {**document, "Statement": [each for each in kept if each is not None]}

    policies, limits = tuple(map(mended, request.policies)), tuple(map(mended, request.limits))
    return replace(request, policies=policies, limits=limits)


@pytest.fixture(scope="module")
def unnoticed() -> set[str]:
    questions = [each for case in matrix.CASES if not case["may"] for each in matrix.asked(case) if each.role]
    pairs = [(weaker, apply(weaker, each.request)) for each in questions for weaker in _of(each)]
    decisions = decide([request for _, request in pairs])
    faults = {_name(weaker) for each in questions for weaker in _all(each)}
    return faults - {_name(weaker) for (weaker, _), allowed in zip(pairs, decisions, strict=True) if allowed}


def _of(asked: matrix.Asked) -> Iterator[Weaker]:
    """The faults that concern what is asked: no other one can change the answer."""
    action = asked.request.action
    yield from (each for each in _all(asked) if any(fnmatchcase(action, listed) for listed in _actions(each.old)))


def _all(asked: matrix.Asked) -> Iterator[Weaker]:
    if asked.request.policies != (matrix.EVERYTHING,):
        yield from weakened(asked.role, tuple(asked.request.policies))
    yield from (each for each in weakened("boundary", tuple(asked.request.limits)) if each.fault == "is gone")


def _actions(statement: Mapping[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def _name(weaker: Weaker) -> str:
    role = weaker.role.replace(PROJECT.id, "*")
    for stage in STAGES:
        role = role.replace(f"-{stage}-", "-STAGE-")
    return f"{role}: {weaker.sid} {weaker.fault}"


def test_every_fault_is_noticed(unnoticed: set[str]) -> None:
    assert sorted(unnoticed - HARMLESS.keys()) == []


def test_every_harmless_fault_is_still_one(unnoticed: set[str]) -> None:
    assert sorted(HARMLESS.keys() - unnoticed) == []
