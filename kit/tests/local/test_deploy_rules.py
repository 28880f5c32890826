"""The rules behind `deploy` without processes: plans, alarms, shares of traffic, and pictures of odd recordings."""

import json
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from kit.tests.places import PROJECT
from sagemaker_project_kit.local.deployment import picture, plan
from sagemaker_project_kit.local.deployment.alarms import Answer, Watch, alarms
from sagemaker_project_kit.local.deployment.plan import Limits, Plan, Step
from sagemaker_project_kit.local.deployment.proxy import Backend, Proxy
from sagemaker_project_kit.local.deployment.recording import Recording
from sagemaker_project_kit.local.errors import DeployError

LIMITS = Limits(0.01, 0.1, 500)
PLAN = Plan("CANARY", (Step(10, 3), Step(100, 3)), 1, 0.5, LIMITS)


def written(folder: Path, **changes: str) -> Path:
    """build/release/<stage>/endpoint.json with the parameters of config/prod.json."""
    parameters = json.loads((PROJECT / "model_deploy/config/prod.json").read_text())["Parameters"] | changes
    path = folder / "endpoint.json"
    path.write_text(json.dumps({"Parameters": parameters, "Tags": {}}))
    return path


@pytest.mark.parametrize(
    ("shifting", "percent", "steps"),
    [
        ("ALL_AT_ONCE", "50", [100]),
        ("CANARY", "10", [10, 100]),
        ("LINEAR", "50", [50, 100]),
        ("LINEAR", "30", [30, 60, 90, 100]),
    ],
)
def test_steps_and_waits_are_those_of_the_configuration(
    tmp_path: Path, shifting: str, percent: str, steps: list[int]
) -> None:
    found, _ = plan.read(written(tmp_path, TrafficShifting=shifting, ShiftPercent=percent), 100)
    assert [step.percent for step in found.steps] == steps
    assert {step.seconds for step in found.steps} == {6.0} and found.termination_seconds == 6.0
    assert found.period_seconds == 0.6 and found.limits == Limits(0.01, 0.05, 200)
    assert Plan.of_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_wait_lasts_as_long_as_an_alarm_needs(tmp_path: Path) -> None:
    found, _ = plan.read(written(tmp_path, ShiftWaitSeconds="60", TerminationWaitSeconds="0"), 100)
    assert found.steps[0].seconds == 3.0 and found.termination_seconds == 0


def test_a_file_that_release_did_not_write(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="run `make release`"):
        plan.read(tmp_path / "endpoint.json", 100)


def test_what_is_not_played_is_told(tmp_path: Path) -> None:
    _, parameters = plan.read(written(tmp_path, EndpointType="asynchronous", CandidateUse="shadow"), 100)
    assert len(list(plan.not_played(parameters))) == 2


def watch(*periods: list[tuple[int, float]]) -> str:
    """What the alarms say after these periods of (status, milliseconds)."""
    watched = Watch(alarms(LIMITS), 0.5)
    for number, answers in enumerate(periods):
        watched.add(Answer(number * 0.5 + 0.1, "churn/2", status, milliseconds) for status, milliseconds in answers)
    return str(watched.judge(len(periods) * 0.5) or "")


GOOD, BAD, REFUSED, SLOW = (200, 5.0), (500, 5.0), (400, 5.0), (200, 501.0)


def test_alarms_need_their_periods_in_a_row() -> None:
    assert watch([BAD, GOOD]) == ""
    assert watch([BAD, GOOD], [GOOD]) == ""
    assert watch([BAD, GOOD], [], [BAD]) == "", "a period without requests is not breaching"
    assert watch([BAD] + [GOOD] * 99, [BAD] + [GOOD] * 99) == "", "the limit itself is allowed"
    assert "the alarm new-5xx went off: Invocation5XXErrors of the new fleet was 25 %" in watch(
        [BAD], [BAD] + [GOOD] * 3
    )
    assert "new-4xx" in watch([REFUSED], [REFUSED])
    assert watch([SLOW], [SLOW]) == "" and "was 501 ms, the limit is 500 ms" in watch([SLOW], [SLOW], [SLOW])
    assert watch(*[[SLOW] + [GOOD] * 99] * 3) == "", "one in a hundred may be slow"


def test_the_present_period_is_not_judged_yet() -> None:
    watched = Watch(alarms(LIMITS), 0.5)
    watched.add([Answer(0.1, "churn/2", 500, 1), Answer(0.6, "churn/2", 500, 1)])
    assert watched.judge(0.9) is None and watched.judge(1.0) is not None


def test_traffic_is_shared_out_evenly() -> None:
    proxy = Proxy(lambda *_: None)
    assert proxy.pick() is None
    proxy.backends += [Backend("old", 1), Backend("new", 2)]
    proxy.route({"old": 90, "new": 10})
    names = [chosen.name for _ in range(100) if (chosen := proxy.pick())]
    assert Counter(names) == {"old": 90, "new": 10}
    assert all(names[start : start + 10].count("new") == 1 for start in range(0, 100, 10))
    proxy.route({"new": 100})
    after = [proxy.pick() for _ in range(5)]
    assert after == [proxy.backends[1]] * 5


@pytest.mark.parametrize("answers", [[], [Answer(0.2, "a<b/1", 200, 3)], [Answer(0.2, "a&b/2", 404, 0.0)]])
def test_a_picture_of_little(tmp_path: Path, answers: list[Answer]) -> None:
    recording = Recording("staging", "a<b/1", "a&b/2", PLAN, answers, [(0.0, 0), (0.3, 10)])
    page = picture.write(recording, tmp_path)
    ElementTree.fromstring((tmp_path / "staging-shift.svg").read_text())  # noqa: S314 - just written by our own code
    assert "a&lt;b/1" in page.read_text()
