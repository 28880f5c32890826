"""CloudWatch's judgement of alarms: missing data, M out of N periods, dimensions, math, and the events of it."""

from collections.abc import Iterator
from typing import Any

import pytest

from kit.tests.waiting import until
from rehearsal import host
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """An emulator where a minute of AWS passes in 0.6 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", "100")
        with host.emulator(tmp_path_factory.mktemp("alarms")) as running:
            yield running


class Watched:
    """An account with alarms on a metric of its own."""

    def __init__(self, account: Account) -> None:
        self.account, self.api = account, account.client("cloudwatch")

    def alarm(self, name: str, stage: str = "prod", **more: Any) -> None:
        """An alarm on more than 5 errors on average in each of two minutes."""
        rule = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 5, "Period": 60, "EvaluationPeriods": 2}
        metric = {"Namespace": "Own", "MetricName": "Errors", "Dimensions": [{"Name": "Stage", "Value": stage}]}
        self.api.put_metric_alarm(AlarmName=name, Statistic="Average", **metric, **{**rule, **more})

    def state(self, name: str) -> str:
        """An alarm's state."""
        return str(self.api.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])

    def until(self, **states: str) -> None:
        """Publish errors of prod until the alarms have these states."""

        def reached() -> bool:
            datum = {"MetricName": "Errors", "Dimensions": [{"Name": "Stage", "Value": "prod"}], "Value": 9}
            self.api.put_metric_data(Namespace="Own", MetricData=[datum])
            return all(self.state(name) == state for name, state in states.items())

        until(reached)


@pytest.fixture
def watched(quick: host.Emulator) -> Watched:
    """An account of this test's own."""
    return Watched(Account(quick, next_account()))


def test_missing_data_is_treated_as_the_alarm_says(watched: Watched) -> None:
    expected = {
        "missing": "INSUFFICIENT_DATA",
        "notBreaching": "OK",
        "breaching": "ALARM",
        "ignore": "INSUFFICIENT_DATA",
    }
    for treatment in expected:
        watched.alarm(treatment, TreatMissingData=treatment)
    assert {name: watched.state(name) for name in expected} == expected


def test_an_alarm_sees_its_own_dimensions_only(watched: Watched) -> None:
    watched.alarm("mine", TreatMissingData="notBreaching")
    watched.alarm("other", stage="staging", TreatMissingData="notBreaching")
    watched.until(mine="ALARM", other="OK")


def test_an_alarm_goes_when_the_errors_stop(watched: Watched) -> None:
    inbox = Inbox(watched.account, {"detail-type": ["CloudWatch Alarm State Change"]})
    watched.alarm("passing", TreatMissingData="notBreaching")
    watched.until(passing="ALARM")
    until(lambda: watched.state("passing") == "OK")
    changes = [(event["previousState"]["value"], event["state"]["value"]) for event in inbox.details()]
    assert changes == [("INSUFFICIENT_DATA", "OK"), ("OK", "ALARM"), ("ALARM", "OK")]


def test_one_of_many_periods_is_enough_where_the_alarm_says_so(watched: Watched) -> None:
    watched.alarm("quick", EvaluationPeriods=10, DatapointsToAlarm=1, TreatMissingData="notBreaching")
    watched.alarm("slow", EvaluationPeriods=10, TreatMissingData="notBreaching")
    watched.until(quick="ALARM", slow="OK")


def test_a_composite_alarm_follows(watched: Watched) -> None:
    watched.alarm("child", TreatMissingData="notBreaching")
    watched.api.put_composite_alarm(AlarmName="parent", AlarmRule='ALARM("child")')
    watched.until(child="ALARM")
    found = watched.api.describe_alarms(AlarmNames=["parent"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"][0]
    assert found["StateValue"] == "ALARM"
