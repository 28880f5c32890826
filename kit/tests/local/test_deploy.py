"""`deploy`: releases, shifts of traffic and their verification, with real processes over real HTTP."""

import re
import signal
from pathlib import Path

import pytest

from kit.tests.local.deployments import CANARY, Machine, asking
from kit.tests.local.pipelines import alive, send
from kit.tests.waiting import until
from sagemaker_project_kit.local.state.registry import PENDING


def test_nothing_approved_says_what_it_waits_for(machine: Machine) -> None:
    machine.add(2, PENDING)
    done = machine.deploy()
    assert done.code == 0 and "no version in model package group churn is approved yet" in done.out
    assert machine.state("staging") == {}


def test_a_release_that_is_refused_touches_nothing(machine: Machine) -> None:
    machine.add(2)
    machine.configure("prod", CapturePercent="150")
    done = machine.deploy()
    assert done.code == 1 and "config/prod.json" in done.err
    assert machine.state("staging") == {}


def test_the_first_deployment_starts_and_stays(deployed: Machine) -> None:
    for stage in ("staging", "prod"):
        state = deployed.state(stage)
        assert state["package"] == "churn/1" and state["verified"] and len(state["fleets"]) == 1
        assert deployed.ask(stage, 4) == 8
    captured = list((deployed.root / ".local/s3/local-artifacts/datacapture/staging").rglob("*.jsonl"))
    assert captured and captured[0].parts[-7].endswith("-local-staging")


def test_the_same_version_again_is_nothing_to_do(deployed: Machine) -> None:
    before = deployed.state("staging"), deployed.state("prod")
    done = deployed.deploy()
    assert done.code == 0 and done.out.count("already runs churn/1, since ") == 2
    assert (deployed.state("staging"), deployed.state("prod")) == before


def test_stop_ends_every_process(deployed: Machine) -> None:
    pids = [*deployed.pids("staging"), *deployed.pids("prod")]
    control = Path(deployed.state("prod")["control"]).parent
    assert len(pids) == 4 and all(map(alive, pids))
    done = deployed.stop()
    assert done.code == 0 and "prod: churn/1 stopped." in done.out
    until(lambda: not any(map(alive, pids)))
    assert not control.exists() and deployed.state("prod") == {}
    assert "No endpoint runs on this machine." in deployed.stop().out


def test_a_canary_moves_the_traffic_without_a_failed_request(deployed: Machine) -> None:
    deployed.add(3)
    address, old = deployed.state("prod")["url"], deployed.state("prod")["fleets"][0]["pid"]
    with asking(deployed, "prod") as client:
        done = deployed.deploy()
    assert done.code == 0, done.out + done.err
    assert "prod: churn/1 → churn/2, CANARY (10 %, 100 %); waits play 200 times as fast" in done.out
    assert set(client.heard) == {2, 3}, "every answer is a prediction of one of the two models"
    assert deployed.ask("prod") == 3 and deployed.state("prod")["url"] == address
    assert not alive(old)
    failed = re.findall(r"requests were sent, (\d+) failed", done.out)
    assert failed == ["0", "0"]
    assert _share_at(deployed, 10) == pytest.approx(0.1, abs=0.02), "every tenth request, not about every tenth"
    assert _share_at(deployed, 0) == 0 and _share_at(deployed, 100) > 0.95


def _share_at(machine: Machine, weight: int) -> float:
    """The new fleet's share of the answers while it had that weight."""
    content = machine.recording("prod")
    times = [time for time, found in content["weights"] if found == weight]
    answers = [answer for answer in content["answers"] if times[0] < answer["time"] < times[-1]]
    assert len(answers) > 30
    of_new = [answer for answer in answers if answer["fleet"] == "churn/2"]
    return len(of_new) / len(answers)


def test_linear_steps(deployed: Machine) -> None:
    deployed.add(3)
    deployed.configure("staging", **{**CANARY, "TrafficShifting": "LINEAR", "ShiftPercent": "40"})
    done = deployed.deploy()
    assert done.code == 0, done.out + done.err
    assert "staging: churn/1 → churn/2, LINEAR (40 %, 80 %, 100 %)" in done.out
    assert _weights(deployed, "staging") == [0, 40, 80, 100]


def _weights(machine: Machine, stage: str) -> list[int]:
    """The new fleet's weights in the order in which it had them."""
    return list(dict.fromkeys(weight for _, weight in machine.recording(stage)["weights"]))


def test_staging_that_fails_its_test_leaves_production_alone(deployed: Machine) -> None:
    before = deployed.state("prod")
    deployed.add(3, wrong=True)
    done = deployed.deploy()
    assert done.code == 1 and "churn/2 did not pass, so production is not touched." in done.out
    assert _weights(deployed, "staging") == [0, 100], "all at once, as config/staging.json says"
    assert deployed.state("prod") == before and deployed.ask("prod") == 2
    assert deployed.state("staging")["verified"] == ""
    again = deployed.deploy()
    assert again.code == 1 and "staging: already runs churn/2" in again.out, "it is tested again, not taken as good"
    assert deployed.deploy("1").code == 0 and deployed.ask("staging") == 2, "an older version can be named"


def test_a_second_deployment_at_the_same_time_is_refused(deployed: Machine) -> None:
    deployed.add(3)
    first = deployed.start()
    until(lambda: len(deployed.state("staging")["fleets"]) == 2)
    second = deployed.deploy()
    assert second.code == 2 and "Another deployment is under way here" in second.err
    send(first, signal.SIGINT)
    assert deployed.project.finish(first).code == 130


def test_what_release_wrote_can_be_deployed_as_it_is(deployed: Machine) -> None:
    deployed.add(3)
    done = deployed.deploy("--released")
    assert done.code == 0 and done.out.count("already runs churn/1") == 2, "build/release is of churn/1 still"


def test_a_model_that_does_not_start(deployed: Machine) -> None:
    deployed.add(3)
    deployed.project.stored("s3://bucket/models/3/model.tar.gz").write_text("no archive")
    done = deployed.deploy()
    assert done.code == 1 and "churn/2 did not start: " in done.out and "is no archive" in done.out
    assert deployed.ask("staging") == 2 and len(deployed.state("staging")["fleets"]) == 1


def test_an_endpoint_whose_first_model_does_not_start_ends(machine: Machine) -> None:
    machine.add(2)
    machine.project.stored("s3://bucket/models/2/model.tar.gz").write_text("no archive")
    done = machine.deploy()
    assert done.code == 1 and "no endpoint runs" in done.out
    until(lambda: machine.state("staging") == {})
