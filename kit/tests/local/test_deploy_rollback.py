"""`deploy` when the new model, the person or the machine fails: the old fleet answers again, nothing is left over."""

import os
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.tests.local.deployments import CANARY, Machine, asking
from kit.tests.local.pipelines import alive, send
from kit.tests.waiting import until


@pytest.fixture
def canary(deployed: Machine) -> Machine:
    """churn/1 on both stages, and a canary of 20 % for staging."""
    deployed.configure("staging", **CANARY)
    return deployed


FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"fails_every": 3}, "new-5xx", "the limit is 1 % (Max5xxShare)"),
    ({"fails_every": 2, "code": 422}, "new-4xx", "the limit is 10 % (Max4xxShare)"),
    ({"seconds": 0.7}, "new-latency", "the limit is 500 ms (MaxModelLatencyMs)"),
]


@pytest.mark.parametrize(("fault", "alarm", "limit"), FAULTS, ids=["5xx", "4xx", "latency"])
def test_an_alarm_takes_all_traffic_back(canary: Machine, fault: dict[str, Any], alarm: str, limit: str) -> None:
    canary.add(3, **fault)
    before = canary.state("prod")
    with asking(canary, "staging") as client:
        done = canary.deploy()
        client.heard.clear()
        until(lambda: sum(client.heard.values()) >= 20)
        assert set(client.heard) == {2}, "the old model answers again"
    assert done.code == 1, done.out + done.err
    assert f"staging: churn/2 was rolled back: the alarm {alarm} went off" in done.out
    assert limit in done.out and "all traffic is on churn/1." in done.out
    state = canary.state("staging")
    assert state["package"] == "churn/1" and [fleet["package"] for fleet in state["fleets"]] == ["churn/1"]
    assert canary.state("prod") == before
    _has_marks(canary.root / "build/deploy/staging-shift.svg", f"rollback: {alarm}")
    page = (canary.root / "build/deploy/staging-shift.html").read_text()
    assert "<svg" in page and limit in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")


def _has_marks(file: Path, *texts: str) -> None:
    """The picture is XML with one line for the rollback, both fleets' series and these texts."""
    root = ElementTree.fromstring(file.read_text())  # noqa: S314 - the program under test has just written it
    kinds = [element.get("class") for element in root.iter()]
    assert kinds.count("rollback") == 1 and {"old line", "new line", "limit", "mark"} <= set(kinds)
    found = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"20 %", "Requests a second", "p99 latency of the model", *texts} <= found


def test_a_new_fleet_that_dies_is_rolled_back(canary: Machine) -> None:
    canary.add(3, ends=True, after=5)
    done = canary.deploy()
    assert done.code == 1 and "rolled back: its server ended by itself, exit code 7" in done.out
    assert canary.ask("staging") == 2


def started(machine: Machine) -> "subprocess.Popen[str]":
    """A deployment of churn/2 whose canary has begun to answer."""
    machine.add(3)
    process = machine.start()
    with asking(machine, "staging") as client:
        until(lambda: client.heard[3])
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_goes_back(canary: Machine, number: signal.Signals, code: int) -> None:
    process = started(canary)
    pids = canary.pids("staging")
    assert len(pids) == 3
    send(process, number)
    done = canary.project.finish(process)
    assert done.code == code and "staging: interrupted: all traffic is on churn/1, and churn/2 has ended." in done.out
    assert [canary.ask("staging") for _ in range(20)] == [2] * 20
    assert [alive(pid) for pid in pids] == [True, True, False]


def test_a_killed_deployment_goes_back_by_itself(canary: Machine) -> None:
    process = started(canary)
    pids = canary.pids("staging")
    process.kill()
    process.communicate()
    until(lambda: not alive(pids[2]))
    until(lambda: len(canary.state("staging")["fleets"]) == 1)
    assert [canary.ask("staging") for _ in range(20)] == [2] * 20
    assert canary.deploy().code == 0 and canary.ask("prod") == 3, "the next one simply works"


def _kill_endpoint(pids: list[int]) -> None:
    os.kill(pids[0], signal.SIGKILL)


def _kill_all(pids: list[int]) -> None:
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize("kill", [_kill_endpoint, _kill_all])
def test_a_killed_endpoint_leaves_nothing_and_starts_anew(deployed: Machine, kill: Callable[[list[int]], None]) -> None:
    pids, address = deployed.pids("staging"), deployed.state("staging")["url"]
    control = Path(deployed.state("staging")["control"]).parent
    kill(pids)
    until(lambda: not any(map(alive, pids)))
    done = deployed.deploy()
    assert done.code == 0 and "staging: the endpoint of before is gone" in done.out
    assert deployed.ask("staging") == 2 and deployed.state("staging")["url"] == address
    assert not control.exists()


def test_another_process_with_a_recorded_number_is_left_alone(deployed: Machine) -> None:
    pids = deployed.pids("prod")
    _kill_all(pids)
    until(lambda: not any(map(alive, pids)))
    file = deployed.root / ".local/endpoints/prod.json"
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        file.write_text(file.read_text().replace(f'"pid": {pids[0]}', f'"pid": {stranger.pid}'))
        assert "prod: churn/1 had ended; its leftovers are removed." in deployed.stop().out
        assert stranger.poll() is None and not file.exists()
        stranger.kill()
