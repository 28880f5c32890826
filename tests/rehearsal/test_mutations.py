"""Whether a mistake in any role or event pattern would be noticed, and named.

A played story leaves every request and event behind. Each action that a role used is taken away in turn, each field of
each rule changed in turn, and what the story did is judged again. What one play cannot need is in two reviewed lists:
unplayed.toml (events) and redundant.toml (actions that two statements allow). A few mistakes are played for real.
"""

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal import host
from rehearsal.report import facts as recorded
from rehearsal.report.facts import RoleFact
from rehearsal.report.grants import kind, reasons
from rehearsal.story import building, creating, pipelines, publishing, repository
from rehearsal.story.errors import DeniedError, OverdueError
from rehearsal.story.rehearse import rehearse
from rehearsal.story.step import Step, step
from rehearsal.story.world import Options, World
from tests.rehearsal.conftest import Size

pytestmark = [pytest.mark.story, pytest.mark.xdist_group("medium")]
Document = dict[str, Any]
HERE = Path(__file__).parent


def table(name: str) -> Document:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def played(stories: Callable[[Size], Path]) -> Path:
    """The folder of the story in three accounts."""
    return stories("medium")


@pytest.fixture(scope="module")
def judged(played: Path) -> Document:
    """What mutate.py found out about the play."""
    given = {"folder": str(played / "emulator"), "further": unplayed(played)}
    done = subprocess.run(
        [str(host.PYTHON), "-m", "tests.rehearsal.mutate"],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        cwd=host.ROOT,
        env=os.environ | {"IOT_MTLS_ENABLED": "0"},
    )
    assert done.returncode == 0, done.stderr
    answer: Document = json.loads(done.stdout)
    return answer


def unplayed(played: Path) -> list[Document]:
    """The events of unplayed.toml, as the emulator keeps events, for the project that was played."""
    project = recorded.read(played / "facts.json").project
    filled = {"{id}": f"p-{project.rpartition('-p-')[2]}", "{project}": project}
    return [event(each, filled) for each in table("unplayed.toml")["event"]]


def event(known: Document, filled: dict[str, str]) -> Document:
    text = json.dumps(known)
    for name, value in filled.items():
        text = text.replace(name, value)
    found: Document = json.loads(text)
    account = found["Resources"][0].split(":")[4]
    return found | {"Detail": json.dumps(found["Detail"]), "EventId": text, "Account": account, "Region": "us-east-1"}


def test_what_was_recorded_is_decided_the_same_again(judged: Document) -> None:
    assert judged["requests"] > 500
    assert judged["changed"] == []


def test_each_used_action_is_missed_when_it_is_taken_away(judged: Document) -> None:
    known = {
        (each["role"], each["statement"], each["action"]): each["reason"] for each in table("redundant.toml")["grant"]
    }
    doubled = {
        (kind(each["role"]), each["statement"], each["action"]) for each in judged["roles"] if not each["noticed"]
    }
    assert doubled - known.keys() == set(), "allowed twice: take one of them away, or give a reason in redundant.toml"
    assert known.keys() - doubled == set(), "these are needed after all: remove them from redundant.toml"


def test_a_missing_action_is_named_with_role_resource_and_the_statement_to_add(judged: Document) -> None:
    for each in judged["roles"]:
        if each["noticed"]:
            assert_names(each["sentence"], each["role"], each["action"], each["resource"])


def assert_names(sentence: str, role: str, action: str, resource: str) -> None:
    told, _, statement = sentence.partition("would allow it:\n")
    for word in (role, action, resource, "no statement of the role allows it"):
        assert word in told
    for line in ("- Effect: Allow", f"  Action: {action}", "  Resource: "):
        assert line in statement


def test_every_role_that_the_story_needs_is_judged(judged: Document) -> None:
    kinds = {kind(each["role"]) for each in judged["roles"]}
    assert kinds >= {"launch", "pipeline", "train", "release", "verify", "jobs", "dispatcher"}
    assert kinds >= {
        f"{stage}-{name}" for stage in ("staging", "prod") for name in ("deploy", "endpoint", "cloudformation")
    }


def test_each_field_of_each_rule_is_needed_by_some_event(judged: Document) -> None:
    assert judged["patterns"]
    assert [(each["rule"], each["what"]) for each in judged["patterns"] if not each["noticed"]] == []
    for each in judged["patterns"]:
        assert f"rule {each['rule'].rpartition('rule/')[2]} " in each["sentence"]
        assert ", the pattern wants " in each["sentence"]


def test_events_that_the_story_does_not_play_reach_the_rules_that_they_should(played: Path, judged: Document) -> None:
    for known, matched in zip(unplayed(played), judged["further"], strict=True):
        wrong = f"{known['Detail']} matches {matched}"
        assert len(matched) == len(known["rules"]), wrong
        assert all(any(arn.endswith(name) for arn in matched) for name in known["rules"]), wrong


# Granted in vain


@pytest.fixture(scope="module")
def roles(played: Path) -> list[RoleFact]:
    """The roles of our templates, with what each used and was granted in vain."""
    return [role for role in recorded.read(played / "facts.json").roles if kind(role.arn)]


def test_each_unused_grant_has_a_reason(roles: list[RoleFact]) -> None:
    without = [
        (kind(role.arn), grant.statement, grant.action) for role in roles for grant in role.unused if not grant.reason
    ]
    assert without == [], "take them away, or say in rehearsal/report/unused.toml when they are needed"


def test_what_has_a_reason_to_be_unused_is_granted_and_unused(roles: list[RoleFact]) -> None:
    stale = [
        f"{reason.role} {reason.statement} {action}"
        for reason in reasons()
        for action in reason.actions
        if reason.size != "small"  # the story that was played has three accounts
        if is_stale(reason.statement, action, [role for role in roles if fnmatchcase(kind(role.arn), reason.role)])
    ]
    assert stale == [], "used after all, or no longer granted: remove them from rehearsal/report/unused.toml"


def is_stale(statement: str, action: str, roles: list[RoleFact]) -> bool:
    """Whether no role has an unused grant, or one used the action."""
    in_vain = [
        role for role in roles if any((each.statement, each.action) == (statement, action) for each in role.unused)
    ]
    return not in_vain or any(action in role.used for role in roles if role not in in_vain)


# Played for real


def play_with(monkeypatch: pytest.MonkeyPatch, folder: Path, file: str, old: str, new: str, *steps: Step) -> None:
    """Play steps with one mistake in a part of a template: `old`, which it has once, is `new`."""
    original = publishing.take_repository

    def with_mistake(place: Path) -> None:
        original(place)
        text = (place / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
        (place / file).write_text(text.replace(old, new), encoding="utf-8")
        publishing.commit(place, "A mistake")

    monkeypatch.setattr(publishing, "take_repository", with_mistake)
    with (folder / "shown").open("w") as shown:
        rehearse(list(steps), Options(size="medium"), Console(file=shown), folder)


CREATED = (step(publishing.publish), step(creating.create))
CLONED = (*CREATED, step(repository.clone))


def pushed(world: World) -> None:
    """Push something, which starts the pipeline of the build half."""
    pipelines.first(world, "build")
    repository.push(world, "model_build/README.md", "Changed.\n", "Change the model's notes")
    pipelines.started(world, "build")


def approved_by_hand(world: World) -> None:
    """Approve a version that somebody registered by hand: a deployment starts."""
    pipelines.first(world, "deploy")
    api = world.emulator.client("sagemaker", world.options.accounts["tooling"])
    made = api.create_model_package(
        ModelPackageGroupName=world.project.full_name, ModelApprovalStatus="PendingManualApproval"
    )
    name = made["ModelPackageArn"]
    world.client("sagemaker", "approver").update_model_package(ModelPackageArn=name, ModelApprovalStatus="Approved")
    pipelines.started(world, "deploy", seconds=8)


LAUNCH, BUILDS, EVENTS, DISPATCHER = (
    f"service_catalog/templates/{part}.yaml"
    for part in ("portfolio/launch-role", "product/roles-of-builds", "product/roles-of-events", "product/dispatcher")
)
LOG = "Action: [logs:CreateLogStream, logs:PutLogEvents],\n                Resource: !GetAtt TrainLog.Arn"
START = "Action: codepipeline:StartPipelineExecution\n                Resource:\n"


@pytest.mark.parametrize(
    ("file", "old", "action", "role", "steps"),
    [
        (
            LAUNCH,
            "[iam:CreateRole, iam:PutRolePolicy]",
            "iam:PutRolePolicy",
            r"sagemaker-projects/sagemaker-projects-launch",
            CREATED,
        ),
        (
            BUILDS,
            LOG,
            "logs:PutLogEvents",
            r"sagemaker-projects/sagemaker-p-\w+-train",
            (*CREATED, step(building.build)),
        ),
        (
            EVENTS,
            START,
            "codepipeline:StartPipelineExecution",
            r"sagemaker-projects/sagemaker-p-\w+-dispatcher",
            (*CLONED, step(pushed)),
        ),
    ],
    ids=["launch", "train", "dispatcher"],  # a role of the stages: rehearsal/faults/permissions.py
)
def test_a_role_that_lacks_an_action_stops_the_story(
    file: str, old: str, action: str, role: str, steps: Sequence[Step], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = old.replace(action, f"{action.partition(':')[0]}:ActionThatNobodyNeeds")
    with pytest.raises(DeniedError) as caught:
        play_with(monkeypatch, tmp_path, file, old, new, *steps)
    told = str(caught.value)
    assert re.search(rf"role/{role} may not do {action} on arn:aws:\S+: no statement of the role allows it", told)
    assert f"- Effect: Allow\n  Action: {action}\n  Resource: arn:aws:" in told
    facts = recorded.read(tmp_path / "latest" / "facts.json")
    assert (facts.steps[-1].state, facts.outcome) == ("failed", "failed")
    assert action in (tmp_path / "latest" / "report.html").read_text(encoding="utf-8")


def test_a_rule_that_misses_its_event_is_named_with_the_field_that_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "ModelApprovalStatus: [Approved, Rejected]", "ModelApprovalStatus: [Aproved, Rejected]"
    with pytest.raises(OverdueError) as caught:
        play_with(monkeypatch, tmp_path, DISPATCHER, old, new, *CREATED, step(approved_by_hand))
    told = str(caught.value)
    assert re.search(r"rule sagemaker-p-\w+-approval did not match SageMaker Model Package State Change", told)
    assert 'detail.ModelApprovalStatus is "Approved", the pattern wants "Aproved" or "Rejected"' in told
