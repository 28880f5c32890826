"""CloudWatch's judgement of metric alarms: dimensions, metric math, M out of N periods, missing data.

Periods last REHEARSAL_PACE times shorter than their alarms say, so that waits and alarms keep their proportion. Whole
periods are judged, aligned as CloudWatch aligns them; of math, numbers and + - * / over metrics.
"""

import ast
import operator
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.clock import pace
from rehearsal.emulator.service import emit, log

Document = dict[str, Any]
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST_WAIT, _SHORTEST_WAIT = 15.0, 0.1
_judge_lock = threading.RLock()
_watching = threading.Event()


def judge(alarm: Document) -> None:
    """Look at an alarm's last periods and change its state if they say so."""
    _watch()
    with _judge_lock:
        values = _values(alarm)
        state = _state(alarm, values)
        if state and state != alarm["StateValue"]:
            shown = ", ".join("no data" if value is None else f"{value:g}" for value in values)
            reason = f"Threshold Crossed: {shown} {alarm['ComparisonOperator']} {alarm['Threshold']:g}"
            seams.set_alarm(alarm, state, reason if state == "ALARM" else f"{state}: {shown}")


def _state(alarm: Document, values: list[float | None]) -> str | None:
    """The state that the values of the last periods mean; None to leave it as it is."""
    missing = alarm.get("TreatMissingData") or "missing"
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
    bad = sum(compare(value, alarm["Threshold"]) for value in values if value is not None)
    gone = values.count(None)
    if gone == len(values) and missing in ("missing", "ignore"):
        return "INSUFFICIENT_DATA" if missing == "missing" else None
    if missing == "ignore" and gone and bad < needed:
        return None
    return "ALARM" if bad + (gone if missing == "breaching" else 0) >= needed else "OK"


def _values(alarm: Document) -> list[float | None]:
    """The alarm's value of each period that it looks at; None for one without data."""
    period = _period(alarm) / pace()
    last = int(time.time() / period)
    count = int(alarm["EvaluationPeriods"])
    return [_value(alarm, number * period, (number + 1) * period) for number in range(last - count, last)]


def _period(alarm: Document) -> float:
    periods = [float(query["MetricStat"]["Period"]) for query in alarm.get("Metrics") or [] if "MetricStat" in query]
    return max(periods) if periods else float(alarm.get("Period") or 60)


def _value(alarm: Document, start: float, end: float) -> float | None:
    if not alarm.get("Metrics"):
        statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
        return _measured(alarm, statistic, start, end)
    values: dict[str, float | None] = {}
    for query in alarm["Metrics"]:
        if "MetricStat" in query:
            values[query["Id"]] = _measured(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"], start, end)
    (shown,) = [query for query in alarm["Metrics"] if str(query.get("ReturnData", True)).lower() == "true"]
    return values[shown["Id"]] if "MetricStat" in shown else calculate(shown["Expression"], values)


def _measured(metric: Document, statistic: str, start: float, end: float) -> float | None:
    dimensions = {entry["Name"]: entry["Value"] for entry in metric.get("Dimensions") or []}
    points = seams.metric_points(str(metric["Namespace"]), str(metric["MetricName"]), dimensions, start)
    inside = [point for point in points if point["Timestamp"] < end]
    return seams.metric_value(inside, statistic) if inside else None


def calculate(expression: str, values: dict[str, float | None]) -> float | None:
    """The value of an expression; None when a metric in it has none. Raises ValueError for other math than + - * /."""

    def visit(node: ast.AST) -> float | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return float(node.value)
        if isinstance(node, ast.Name):
            return values[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            left, right = visit(node.left), visit(node.right)
            return None if left is None or right is None else _ARITHMETIC[type(node.op)](left, right)
        raise ValueError(f"the metric math {expression!r} is not part of the rehearsal: only numbers and + - * / are")

    return visit(ast.parse(expression, mode="eval").body)


# Judging by the clock: a metric that stays away changes an alarm too


def _watch() -> None:
    if not _watching.is_set():
        _watching.set()
        threading.Thread(target=_judge_for_ever, daemon=True, name="alarms").start()


def _judge_for_ever() -> None:
    waiting = threading.Event()
    judged: dict[tuple[str, str, str], int] = {}
    while not waiting.wait(min(_LONGEST_WAIT, max(_SHORTEST_WAIT, 60 / pace() / 4))):
        for account, region, alarm in seams.metric_alarms():
            place, number = (account, region, alarm["AlarmName"]), int(time.time() * pace() / _period(alarm))
            if judged.get(place) != number:  # once for each period: only whole ones are looked at
                judged[place] = number
                with seams.scope(account, region):
                    _judge_one(alarm)


def judge_now(names: Sequence[str]) -> None:
    """Look at these alarms of the account and region being served, whatever the clock says."""
    own = (seams.account(), seams.region())
    for account, region, alarm in seams.metric_alarms():
        if (account, region) == own and alarm["AlarmName"] in names:
            judge(alarm)


def _judge_one(alarm: Document) -> None:
    try:
        judge(alarm)
    except Exception:
        log.exception("alarm=%s", alarm.get("AlarmName"))


def _announce(alarm: Document, old: str, new: str, reason: str) -> None:
    """Shape: "Alarm events and EventBridge" in the CloudWatch user guide."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
    detail = {
        "alarmName": alarm["AlarmName"],
        "state": {"value": new, "reason": reason, "timestamp": moment},
        "previousState": {"value": old},
        "configuration": {"description": alarm.get("AlarmDescription") or ""},
    }
    emit("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm["AlarmArn"]])


seams.evaluate_alarms_with(judge)
seams.on_alarm(_announce)
