"""The reasons for grants that a story does not need, and what a terminal is told of them."""

from pathlib import Path

import pytest

from rehearsal.report import grants
from rehearsal.report.facts import Facts, GrantFact, RoleFact, StepFact, read
from rehearsal.report.page import render

ROLE = "arn:aws:iam::111111111111:role/sagemaker-projects/sagemaker-p-1a2b3c4d5e6f"


@pytest.mark.parametrize(
    ("role", "kind"),
    [
        (f"{ROLE}-train", "train"),
        (f"{ROLE}-staging-batch", "staging-batch"),
        ("arn:aws:iam::222222222222:role/sagemaker-projects/sagemaker-prod-deploy", "prod-deploy"),
        ("arn:aws:iam::111111111111:role/sagemaker-projects/sagemaker-projects-launch", "launch"),
        ("arn:aws:iam::111111111111:role/platform-engineer", ""),
    ],
)
def test_a_role_is_known_by_what_it_is_for(role: str, kind: str) -> None:
    assert grants.kind(role) == kind


def test_no_grant_has_two_reasons() -> None:
    known = [(each.role, each.statement, action) for each in grants.reasons() for action in each.actions]
    assert len(known) == len(set(known))
    assert all(each.text and not each.text.endswith(".") for each in grants.reasons())


def test_a_reason_belongs_to_role_statement_and_action() -> None:
    known = grants.reasons()[0]
    role = f"{ROLE}-{known.role.replace('*', 'staging')}"
    assert grants.reason(role, known.statement, known.actions[0]) == known.text
    assert grants.reason(role, known.statement, "s3:NeverHeardOf") == ""
    assert grants.reason("arn:aws:iam::111111111111:role/somebody", known.statement, known.actions[0]) == ""


def facts(*steps: str) -> Facts:
    unused = [GrantFact("ReadItsData", "s3:GetObject", "when it reads"), GrantFact("Other", "s3:PutObject")]
    roles = [RoleFact(f"{ROLE}-train", {"s3:ListBucket": 3}, unused), RoleFact("arn:aws:iam::1:role/person")]
    found = Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1", roles=roles, outcome="played")
    found.accounts = {"tooling": "111111111111"}
    found.steps = [StepFact(name, name, "done") for name in steps]
    return found


def test_the_terminal_counts_by_role_and_tells_what_has_no_reason() -> None:
    told = list(grants.lines(facts("publish", "delete")))
    assert told[0].startswith("0 calls denied")
    assert " ".join(told[1].split()) == "train 1 used 2 unused, 1 without a known reason"
    assert len(told) == 2


def test_a_story_played_in_part_has_not_yet_needed_everything() -> None:
    assert list(grants.lines(facts("publish"))) == ["0 calls denied"]


def test_the_report_lists_each_unused_grant_with_its_reason() -> None:
    page = render(facts("publish", "delete"))
    assert '<li>when it reads: <code>s3:GetObject</code> <span class="dim">ReadItsData</span></li>' in page
    assert '<li><strong>no reason known</strong>: <code>s3:PutObject</code> <span class="dim">Other</span></li>' in page
    assert "no reason known" not in render(facts("publish"))


def test_permissions_that_were_not_checked_are_not_counted() -> None:
    unchecked = read(Path(__file__).with_name("facts.json"))
    unchecked.permissions_enforced = False
    assert list(grants.lines(unchecked)) == []
