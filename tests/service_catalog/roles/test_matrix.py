"""Every case of matrix.toml, decided by an IAM evaluator over the policies of the templates."""

import pytest

from tests.service_catalog.roles import matrix
from tests.service_catalog.roles.evaluator import decide


@pytest.fixture(scope="module")
def wrong() -> dict[str, list[str]]:
    """Title → what was decided otherwise."""
    questions = [each for case in matrix.CASES for each in matrix.asked(case)]
    decisions = decide([each.request for each in questions])
    found: dict[str, list[str]] = {case["title"]: [] for case in matrix.CASES}
    for question, allowed in zip(questions, decisions, strict=True):
        if allowed is not question.may:
            found[question.title].append(str(question))
    return found


def test_there_are_enough() -> None:
    assert len(matrix.CASES) >= 100
    assert len({case["title"] for case in matrix.CASES}) == len(matrix.CASES)


def test_every_case_asks_something() -> None:
    assert [case["title"] for case in matrix.CASES if not list(matrix.asked(case))] == []


@pytest.mark.parametrize("title", [case["title"] for case in matrix.CASES])
def test_iam_decides(title: str, wrong: dict[str, list[str]]) -> None:
    assert not wrong[title], "\n".join(wrong[title])
