"""Which package a run releases: the one an event names, the newest approval on a push, nothing for everything else."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kit.tests.deploy.conftest import GROUP, NOON, Register, arn
from kit.tests.deploy.events import APPROVAL, METADATA, event
from sagemaker_project_kit.deploy import events
from sagemaker_project_kit.deploy.choice import Choice, Chooser
from sagemaker_project_kit.deploy.errors import RegistryError, RollbackError
from sagemaker_project_kit.deploy.history import History, Release


def choose(chooser: Chooser, version: int, status: str = "Approved", minutes: int = 0, **more: object) -> Choice:
    fields = {"changed": APPROVAL, **more}
    return chooser.choose(events.parse(event(version, status, minutes, **fields)))  # type: ignore[arg-type]


def remember(history: History, version: int, minutes: int, *stages: str) -> None:
    """A version that passed verify, for an approval `minutes` after noon."""
    time = (NOON + timedelta(minutes=minutes)).isoformat()
    for stage in stages or ("staging", "prod"):
        history.remember(Release(arn(version), GROUP, version, stage, time, time, "abc", "p-1"))


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_approval_releases_exactly_the_version_it_names(chooser: Chooser, register: Register) -> None:
    register(1, minutes=1)
    register(2, minutes=9)
    choice = choose(chooser, 1, minutes=1)
    assert (choice.status, choice.package and choice.package.version) == ("release", 1)
    assert choice.reason == "churn-p-1/1 was approved"


def test_approving_an_older_version_is_a_rollback(chooser: Chooser, register: Register, history: History) -> None:
    register(2, minutes=1)
    remember(history, 2, 1)
    package = register(1, minutes=9)
    assert choose(chooser, 1, minutes=9).package == chooser.registry.describe(package.arn)


def test_an_edit_of_metadata_starts_nothing(chooser: Chooser, register: Register) -> None:
    register(1)
    choice = choose(chooser, 1, changed=METADATA)
    assert choice.status == "nothing"
    assert "the event is about CustomerMetadataProperties" in choice.reason


def test_an_event_that_does_not_say_what_changed_counts(chooser: Chooser, register: Register) -> None:
    register(1)
    assert choose(chooser, 1, changed=None).status == "release"


def test_an_event_of_another_group_starts_nothing(chooser: Chooser) -> None:
    choice = choose(chooser, 1, group="other")
    assert (choice.status, choice.package) == ("nothing", None)
    assert "the event is about the group other, this project releases churn-p-1" in choice.reason


def test_a_duplicate_starts_nothing(chooser: Chooser, register: Register, history: History) -> None:
    register(1, minutes=1)
    remember(history, 1, 1)
    choice = choose(chooser, 1, minutes=1)
    assert (choice.status, choice.reason) == (
        "nothing",
        "churn-p-1/1 is released to every stage already: a duplicate event",
    )


def test_approving_again_what_a_failed_release_replaced_is_no_duplicate(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1, minutes=1)
    remember(history, 1, 1)
    other = replace(chooser, running=lambda stage: arn(2) if stage == "staging" else arn(1))
    assert choose(other, 1, minutes=9).status == "release"
    assert choose(replace(chooser, running=lambda _: arn(1)), 1, minutes=9).status == "nothing"


def test_a_duplicate_before_production_is_reached_goes_on(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1, minutes=1)
    remember(history, 1, 1, "staging")
    assert choose(chooser, 1, minutes=1).status == "release"


@pytest.mark.parametrize("status", ["Rejected", "PendingManualApproval"])
def test_an_older_approval_of_what_is_no_longer_approved_starts_nothing(
    chooser: Chooser, register: Register, status: str
) -> None:
    register(1, status, minutes=5)
    choice = choose(chooser, 1, "Approved", minutes=1)
    assert choice.status == "nothing"
    assert "churn-p-1/1" in choice.reason


def test_of_two_approvals_out_of_order_the_later_stays(chooser: Chooser, register: Register, history: History) -> None:
    register(1, minutes=1)
    register(2, minutes=2)
    remember(history, 2, 2, "staging")
    choice = choose(chooser, 1, minutes=1)
    assert choice.status == "nothing"
    assert "churn-p-1/2 was approved later and is released already" in choice.reason


def test_the_pipelines_variable_carries_the_time_of_its_event(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1, minutes=1)
    register(2, minutes=2)
    remember(history, 2, 2)
    late = replace(chooser.settings, package_arn=arn(1), event_time=NOON.isoformat())
    assert replace(chooser, settings=late).choose().status == "nothing"
    by_hand = replace(chooser.settings, package_arn=arn(1))
    assert replace(chooser, settings=by_hand).choose().status == "release"


# --- rejection -------------------------------------------------------------------------------------------------------


def test_rejecting_what_is_released_brings_back_the_last_good_one(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1, minutes=1)
    register(2, minutes=2)
    register(3, "Rejected", minutes=9)
    remember(history, 1, 1)
    remember(history, 2, 2)
    remember(history, 3, 3)
    choice = choose(chooser, 3, "Rejected", minutes=9)
    assert (choice.status, choice.package and choice.package.version) == ("release", 2)
    assert choice.reason == "churn-p-1/3 was rejected: back to churn-p-1/2, which worked before"
    assert choice.released_for == NOON + timedelta(minutes=9)


def test_what_never_passed_verify_but_runs_can_be_rejected_too(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1)
    register(2, "Rejected")
    remember(history, 1, 1)
    running = replace(chooser, running=lambda stage: arn(2) if stage == "staging" else arn(1))
    choice = choose(running, 2, "Rejected")
    assert choice.package is not None
    assert choice.package.version == 1


def test_rejecting_another_version_starts_nothing(chooser: Chooser, register: Register, history: History) -> None:
    register(1)
    register(2, "Rejected")
    remember(history, 1, 1)
    assert choose(chooser, 2, "Rejected").status == "nothing"


def test_what_was_rejected_meanwhile_is_no_way_back(chooser: Chooser, register: Register, history: History) -> None:
    register(1)
    for version in (2, 3):
        register(version, "Rejected")
    for version in (1, 2, 3):
        remember(history, version, version)
    assert chooser.last_good(arn(3)).version == 1


def test_without_an_earlier_release_there_is_no_way_back(
    chooser: Chooser, register: Register, history: History
) -> None:
    register(1, "Rejected")
    remember(history, 1, 1)
    with pytest.raises(
        RollbackError, match="there is no earlier release to go back to: s3://artifacts/churn-p-1/releases/prod"
    ):
        choose(chooser, 1, "Rejected")


# --- push ------------------------------------------------------------------------------------------------------------


def test_a_push_takes_the_newest_by_approval_not_by_number(chooser: Chooser, register: Register) -> None:
    register(1, minutes=9)
    register(2, minutes=1)
    register(3, "PendingManualApproval", minutes=10)
    choice = chooser.choose()
    assert choice.package is not None
    assert choice.package.version == 1
    assert choice.reason == (
        "churn-p-1/1 was approved last, 2026-11-20 12:09 UTC (LastModifiedTime: SageMaker tells no other time)"
    )


@pytest.mark.parametrize("statuses", [[], ["PendingManualApproval"], ["Rejected", "PendingManualApproval"]])
def test_without_an_approved_model_it_waits(chooser: Chooser, register: Register, statuses: list[str]) -> None:
    for version, status in enumerate(statuses, 1):
        register(version, status)
    choice = chooser.choose()
    assert (choice.status, choice.package) == ("waiting", None)
    assert choice.reason == ("no version in model package group churn-p-1 is approved yet: approve one to release it")


# --- packages that must not be released ------------------------------------------------------------------------------


def test_a_deleted_package_is_refused(chooser: Chooser) -> None:
    with pytest.raises(RegistryError, match="does not exist"):
        choose(chooser, 7)


def test_a_package_of_another_group_is_refused_when_named(chooser: Chooser, register: Register) -> None:
    other = arn(1, "other")
    register(1, ModelPackageGroupName="other", ModelPackageArn=other)
    named = replace(chooser, settings=replace(chooser.settings, package_arn=other))
    with pytest.raises(RegistryError, match="is in the group 'other'; this project releases 'churn-p-1'"):
        named.choose()


def test_a_package_that_is_not_approved_is_refused_when_named(chooser: Chooser, register: Register) -> None:
    register(1, "PendingManualApproval")
    named = replace(chooser, settings=replace(chooser.settings, package_arn=arn(1)))
    with pytest.raises(RegistryError, match="churn-p-1/1 is PendingManualApproval; only Approved is released"):
        named.choose()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"ModelPackageStatus": "Failed"}, "ModelPackageStatus must be Completed; found 'Failed'"),
        ({"InferenceSpecification": {"Containers": []}}, "has no container to serve it"),
        ({"CustomerMetadataProperties": {}}, "has no contract_uri in its CustomerMetadataProperties"),
        (
            {"CustomerMetadataProperties": {"contract_uri": "s3://artifacts/gone"}},
            "the contract of model package churn-p-1/1 is incomplete: there is no s3://artifacts/gone/schema.json",
        ),
        (
            {"CustomerMetadataProperties": {"contract_uri": "contract"}},
            "'contract/schema.json' is not an address of the form s3://bucket/key",
        ),
    ],
)
def test_an_incomplete_package_is_refused(
    chooser: Chooser, register: Register, changes: dict[str, object], sentence: str
) -> None:
    register(1, **changes)
    with pytest.raises(RegistryError) as caught:
        chooser.choose()
    assert sentence in str(caught.value)


# --- reading events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "the event's detail-type must be 'SageMaker Model Package State Change'; found None"),
        ('{"detail-type": "Scheduled Event"}', "found 'Scheduled Event'"),
        ('{"detail-type": "SageMaker Model Package State Change", "detail": {}}', "has no ModelPackageArn"),
    ],
)
def test_another_kind_of_event_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "event.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError) as caught:
        events.read(path)
    assert sentence in str(caught.value)


def test_a_missing_event_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="there is no event file"):
        events.read(tmp_path / "none.json")
