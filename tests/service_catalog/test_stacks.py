"""Stacks in every state, against strict stubs: what is done about each, and in which words the rest is refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from service_catalog.aws.stacks import CAPABILITIES, Stack, Stacks, Wanted
from service_catalog.errors import StackError
from tests.service_catalog.stubs import NOON, REGION, TOOLING, Call, Told, stubbed

NAME = "sagemaker-projects-portfolio"
ID = f"arn:aws:cloudformation:{REGION}:{TOOLING}:stack/{NAME}/1"
WANTED = Wanted(NAME, "{}", {"A": "1"})
ABSENT = ("ValidationError", f"Stack with id {NAME} does not exist", 400)


def described(status: str, name: str = NAME, **more: Any) -> dict[str, Any]:
    return {"Stacks": [{"StackName": name, "StackId": ID, "StackStatus": status, "CreationTime": NOON, **more}]}


def look(status: str, name: str = NAME) -> Call:
    return ("describe_stacks", {"StackName": name}, described(status))


def event(resource: str, status: str, reason: str = "", minutes: int = 0) -> dict[str, Any]:
    return {
        "StackId": ID,
        "EventId": f"{resource}-{status}",
        "StackName": NAME,
        "LogicalResourceId": resource,
        "ResourceType": "AWS::IAM::Role",
        "Timestamp": NOON + timedelta(days=3650, minutes=minutes),
        "ResourceStatus": status,
        **({"ResourceStatusReason": reason} if reason else {}),
    }


def events(*newest_first: dict[str, Any], name: str = ID) -> Call:
    return ("describe_stack_events", {"StackName": name}, {"StackEvents": list(newest_first)})


FAILED = events(
    event("Portfolio", "DELETE_COMPLETE", minutes=4),
    event("Bucket", "CREATE_FAILED", "Resource creation cancelled", minutes=3),
    event("LaunchRole", "CREATE_FAILED", "User may not iam:CreateRole", minutes=2),
    event("Portfolio", "CREATE_COMPLETE", minutes=1),
)
CAUSE = r"LaunchRole \(AWS::IAM::Role\): User may not iam:CreateRole"


def change_set(name: str, kind: str, status: str = "CREATE_COMPLETE", **more: Any) -> list[Call]:
    """Looked for, made and computed."""
    place = {"StackName": NAME, "ChangeSetName": name}
    made = {
        **place,
        "ChangeSetType": kind,
        "TemplateBody": "{}",
        "Parameters": [{"ParameterKey": "A", "ParameterValue": "1"}],
        "Capabilities": CAPABILITIES,
    }
    return [
        ("describe_change_set", place, ("ChangeSetNotFound", "ChangeSet [x] does not exist", 404)),
        ("create_change_set", made, {}),
        ("describe_change_set", place, {"Status": "CREATE_IN_PROGRESS"}),
        ("describe_change_set", place, {"Status": status, **more}),
    ]


def executed(name: str) -> Call:
    return ("execute_change_set", {"StackName": NAME, "ChangeSetName": name}, {})


NEW = WANTED.change_set(None)
UPDATE = WANTED.change_set(Stack(NAME, ID, "CREATE_COMPLETE", updated=str(NOON)))


@pytest.fixture
def ensured() -> Callable[..., tuple[Stack, Told]]:
    """Ensure WANTED with exactly these calls."""

    def ensure(*calls: Call) -> tuple[Stack, Told]:
        told = Told()
        with stubbed("cloudformation", *calls) as client:
            return Stacks(client, pause=0).ensure(WANTED, told), told

    return ensure


Ensured = Callable[..., tuple[Stack, Told]]


def test_a_stack_that_is_not_there_is_created_and_its_events_are_told(ensured: Ensured) -> None:
    calls = [
        ("describe_stacks", None, ABSENT),
        *change_set(NEW, "CREATE"),
        executed(NEW),
        look("CREATE_IN_PROGRESS"),
        events(event("Portfolio", "CREATE_IN_PROGRESS"), name=NAME),
        look("CREATE_IN_PROGRESS"),
        events(event("Portfolio", "CREATE_COMPLETE"), event("Portfolio", "CREATE_IN_PROGRESS"), name=NAME),
        look("CREATE_COMPLETE"),
        look("CREATE_COMPLETE"),
    ]
    stack, told = ensured(*calls)
    assert stack.status == "CREATE_COMPLETE"
    assert told.lines == ["Portfolio: create in progress", "Portfolio: create complete"]


def test_a_change_set_that_was_never_executed_counts_as_no_stack(ensured: Ensured) -> None:
    place = {"StackName": NAME, "ChangeSetName": NEW}
    calls = [
        look("REVIEW_IN_PROGRESS"),
        ("describe_change_set", place, {"Status": "CREATE_COMPLETE", "ExecutionStatus": "AVAILABLE"}),
        ("describe_change_set", place, {"Status": "CREATE_COMPLETE"}),
        executed(NEW),
        look("CREATE_COMPLETE"),
        look("CREATE_COMPLETE"),
    ]
    assert ensured(*calls)[0].status == "CREATE_COMPLETE"


def test_a_change_set_that_another_run_makes_at_the_same_time_is_taken_up(ensured: Ensured) -> None:
    calls = [
        look("CREATE_COMPLETE"),
        change_set(UPDATE, "UPDATE")[0],
        ("create_change_set", None, ("AlreadyExistsException", "exists", 400)),
        *change_set(UPDATE, "UPDATE")[2:],
        executed(UPDATE),
        look("UPDATE_COMPLETE"),
        look("UPDATE_COMPLETE"),
    ]
    assert ensured(*calls)[0].status == "UPDATE_COMPLETE"


def test_a_change_set_that_can_no_longer_be_executed_is_replaced(ensured: Ensured) -> None:
    place = {"StackName": NAME, "ChangeSetName": UPDATE}
    calls = [
        look("CREATE_COMPLETE"),
        ("describe_change_set", place, {"Status": "CREATE_COMPLETE", "ExecutionStatus": "OBSOLETE"}),
        ("delete_change_set", place, {}),
        *change_set(UPDATE, "UPDATE")[1:],
        executed(UPDATE),
        look("UPDATE_COMPLETE"),
        look("UPDATE_COMPLETE"),
    ]
    assert ensured(*calls)[0].status == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information.",
        "No updates are to be performed.",
    ],
)
def test_an_empty_change_set_is_success_and_is_removed(ensured: Ensured, reason: str) -> None:
    calls = [
        look("CREATE_COMPLETE"),
        *change_set(UPDATE, "UPDATE", "FAILED", StatusReason=reason),
        ("delete_change_set", {"StackName": NAME, "ChangeSetName": UPDATE}, {}),
        look("CREATE_COMPLETE"),
    ]
    assert "nothing to change" in ensured(*calls)[1]


def test_a_template_that_cloudformation_refuses_is_said_with_its_reason(ensured: Ensured) -> None:
    calls = [
        look("CREATE_COMPLETE"),
        *change_set(UPDATE, "UPDATE", "FAILED", StatusReason="Rule Accounts does not hold"),
        ("delete_change_set", None, {}),
    ]
    with pytest.raises(StackError, match=r"refuses the change of stack .*: Rule Accounts does not hold"):
        ensured(*calls)


def test_a_failed_creation_holds_nothing_and_is_made_anew(ensured: Ensured) -> None:
    calls = [
        look("ROLLBACK_COMPLETE"),
        FAILED,
        look("ROLLBACK_COMPLETE", ID),
        ("delete_stack", {"StackName": ID}, {}),
        ("describe_stacks", {"StackName": ID}, described("DELETE_COMPLETE")),
        *change_set(NEW, "CREATE"),
        executed(NEW),
        look("CREATE_COMPLETE"),
        look("CREATE_COMPLETE"),
    ]
    stack, told = ensured(*calls)
    assert stack.status == "CREATE_COMPLETE"
    assert "LaunchRole (AWS::IAM::Role): User may not iam:CreateRole" in told


def test_a_rollback_that_failed_is_continued_and_then_updated(ensured: Ensured) -> None:
    calls = [
        look("UPDATE_ROLLBACK_FAILED"),
        ("continue_update_rollback", {"StackName": NAME}, {}),
        look("UPDATE_ROLLBACK_IN_PROGRESS"),
        events(name=NAME),
        look("UPDATE_ROLLBACK_COMPLETE"),
        *change_set(UPDATE, "UPDATE"),
        executed(UPDATE),
        look("UPDATE_COMPLETE"),
        look("UPDATE_COMPLETE"),
    ]
    assert ensured(*calls)[0].status == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("status", "before", "command"),
    [
        (
            "UPDATE_ROLLBACK_FAILED",
            [("continue_update_rollback", {"StackName": NAME}, {}), look("UPDATE_ROLLBACK_FAILED")],
            "continue-update-rollback",
        ),
        ("DELETE_FAILED", [], "delete-stack"),
        ("ROLLBACK_FAILED", [], "delete-stack"),
        ("UPDATE_FAILED", [], "describe-stack-events"),
    ],
)
def test_states_that_only_a_person_can_end_are_said_with_cause_and_command(
    ensured: Ensured, status: str, before: list[Call], command: str
) -> None:
    words = (
        rf"{NAME} is in {status}: {CAUSE}\. Remove that cause, then: aws cloudformation {command} --stack-name {NAME}"
    )
    with pytest.raises(StackError, match=words):
        ensured(look(status), *before, FAILED)


@pytest.mark.parametrize(
    "status",
    ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"],
)
def test_somebody_elses_work_is_awaited(ensured: Ensured, status: str) -> None:
    calls = [
        look(status),
        events(event("Bucket", status), name=NAME),
        look("CREATE_COMPLETE"),
        *change_set(UPDATE, "UPDATE"),
        executed(UPDATE),
        look("UPDATE_COMPLETE"),
        look("UPDATE_COMPLETE"),
    ]
    assert f"Bucket: {status.lower().replace('_', ' ')}" in ensured(*calls)[1]


def test_a_faster_run_is_awaited_and_its_result_taken(ensured: Ensured) -> None:
    calls = [
        look("CREATE_COMPLETE"),
        *change_set(UPDATE, "UPDATE"),
        ("execute_change_set", None, ("InvalidChangeSetStatus", "is in EXECUTE_IN_PROGRESS status", 400)),
        look("UPDATE_IN_PROGRESS"),
        events(name=NAME),
        look("CREATE_COMPLETE"),
        *change_set(UPDATE, "UPDATE", "FAILED", StatusReason="didn't contain changes"),
        ("delete_change_set", None, {}),
        look("CREATE_COMPLETE"),
    ]
    assert "somebody else changes it" in ensured(*calls)[1]


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"])
def test_a_failure_names_the_first_resource_that_failed_of_itself(ensured: Ensured, status: str) -> None:
    calls = [look("CREATE_COMPLETE"), *change_set(UPDATE, "UPDATE"), executed(UPDATE), look(status), FAILED]
    with pytest.raises(StackError, match=rf"failed \({status}\)\. The first thing that went wrong: {CAUSE}"):
        ensured(*calls)


def test_a_denied_call_is_no_state(ensured: Ensured) -> None:
    with pytest.raises(Exception, match="may not"):
        ensured(("describe_stacks", None, ("AccessDenied", "You may not", 403)))


# --- deletion --------------------------------------------------------------------------------------------------------


def test_a_stack_that_cannot_be_deleted_says_why() -> None:
    calls = [look("CREATE_COMPLETE", ID), ("delete_stack", {"StackName": ID}, {}), look("DELETE_FAILED", ID), FAILED]
    with (
        stubbed("cloudformation", *calls) as client,
        pytest.raises(StackError, match=rf"cannot be deleted \(DELETE_FAILED\): {CAUSE}.*run this again"),
    ):
        Stacks(client, pause=0).delete(ID, Told())


def test_a_stack_that_is_gone_is_deleted() -> None:
    with stubbed("cloudformation", ("describe_stacks", None, ABSENT)) as client:
        Stacks(client, pause=0).delete(NAME, Told())


def test_a_deletion_waits_for_the_update_before_it() -> None:
    calls = [
        look("UPDATE_IN_PROGRESS"),
        events(name=NAME),
        look("UPDATE_COMPLETE"),
        ("delete_stack", {"StackName": ID}, {}),
        ("describe_stacks", {"StackName": ID}, described("DELETE_COMPLETE")),
    ]
    with stubbed("cloudformation", *calls) as client:
        Stacks(client, pause=0).delete(NAME, Told())


# --- previews --------------------------------------------------------------------------------------------------------

PLACE = {"StackName": NAME, "ChangeSetName": "preview"}
MODIFIED = {
    "ResourceChange": {
        "Action": "Modify",
        "LogicalResourceId": "Key",
        "ResourceType": "AWS::KMS::Key",
        "Replacement": "True",
    }
}
THERE: Call = ("describe_change_set", PLACE, {"Status": "CREATE_COMPLETE", "Changes": [MODIFIED]})
MISSING: Call = ("describe_change_set", PLACE, ("ChangeSetNotFound", "does not exist", 404))
REMOVED: Call = ("delete_change_set", PLACE, {})
TEMPLATES: tuple[Call, ...] = (
    ("get_template", {"StackName": NAME, "TemplateStage": "Original"}, {"TemplateBody": "old"}),
    ("get_template", {**PLACE, "TemplateStage": "Original"}, {"TemplateBody": "new"}),
)


def with_values(call: Call) -> Call:
    """The same call, which asks for the values of properties too."""
    return call[0], {**PLACE, "IncludePropertyValues": True}, call[2]


def test_a_preview_is_deleted_and_one_of_a_killed_run_before_it() -> None:
    made: Call = ("create_change_set", None, {})
    calls: tuple[Call, ...] = (THERE, REMOVED, made, THERE, with_values(THERE), *TEMPLATES, THERE, REMOVED)
    with stubbed("cloudformation", *calls) as client:
        found = Stacks(client, pause=0).preview(NAME, "preview", "https://x", {})
    assert (found.template_before, found.template_after) == ("old", "new")
    assert [(one.action, one.logical_id, one.replacement) for one in found.resources] == [("Modify", "Key", "True")]
    assert not found.is_empty


def test_a_preview_that_is_refused_is_deleted_too() -> None:
    refused: Call = (
        "describe_change_set",
        PLACE,
        {"Status": "FAILED", "StatusReason": "Parameters: [B] must have values"},
    )
    calls: tuple[Call, ...] = (MISSING, ("create_change_set", None, {}), refused, refused, REMOVED)
    with stubbed("cloudformation", *calls) as client, pytest.raises(StackError, match=r"\[B\] must have values"):
        Stacks(client, pause=0).preview(NAME, "preview", "https://x", {})


def test_an_update_without_a_changed_resource_may_still_have_something_to_do() -> None:
    done: Call = ("describe_change_set", PLACE, {"Status": "CREATE_COMPLETE", "Changes": []})
    nothing: Call = ("describe_change_set", PLACE, {"Status": "FAILED", "StatusReason": "didn't contain changes"})
    for answer, is_empty in ((done, False), (nothing, True)):
        made: Call = ("create_change_set", None, {})
        calls: tuple[Call, ...] = (MISSING, made, answer, with_values(answer), *TEMPLATES, answer, REMOVED)
        with stubbed("cloudformation", *calls) as client:
            assert Stacks(client, pause=0).preview(NAME, "preview", "https://x", {}).is_empty is is_empty
