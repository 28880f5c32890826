"""verify against a real server on loopback: it passes a good one and fails each bad one at the right check."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from kit.tests.deploy.conftest import EXPECTED, NOON, SAMPLE, SCHEMA, Register
from kit.tests.deploy.server import Behaviour, serving
from sagemaker_project_kit.deploy import capture, contract, report
from sagemaker_project_kit.deploy.config import Budget
from sagemaker_project_kit.deploy.contract import Contract
from sagemaker_project_kit.deploy.errors import EndpointError, VerifyError
from sagemaker_project_kit.deploy.load import Request, Tally, run
from sagemaker_project_kit.deploy.report import Report, Result
from sagemaker_project_kit.deploy.store import FolderStore, Object
from sagemaker_project_kit.deploy.target import Answer, ServerTarget
from sagemaker_project_kit.deploy.verify import Captured, Site, Verification

BUDGET = Budget(seconds=0.25, requests_per_second=200, concurrency=4, p99_milliseconds=200, timeout_seconds=2)
Verify = Callable[..., Report]


@pytest.fixture
def verify(store: FolderStore, register: Register) -> Verify:
    """Verify a server that behaves in this way; `captured` says where its traffic should appear."""
    package = register(1)

    def run_checks(
        behaviour: Behaviour | None = None, budget: Budget = BUDGET, captured: Captured | None = None, **changes: Any
    ) -> Report:
        with serving(behaviour or Behaviour()) as url:
            target = ServerTarget(url, budget.timeout_seconds)
            verification = Verification(
                stage="staging",
                subject=str(package),
                budget=budget,
                check_package=lambda: "Approved",
                open_site=lambda: Site(target, url, captured),
                read_contract=lambda: contract.load(store, package.contract_uri),
            )
            return replace(verification, **changes).run()

    return run_checks


def outcomes(found: Report) -> dict[str, str]:
    return {result.name: result.outcome for result in found.results}


def failure(found: Report) -> Result:
    """The only check that failed."""
    (result,) = found.failed
    return result


# --- a good server ---------------------------------------------------------------------------------------------------


def test_a_good_server_passes_every_check(verify: Verify) -> None:
    behaviour = Behaviour()
    found = verify(behaviour)
    assert found.failed == []
    assert {name for name, outcome in outcomes(found).items() if outcome == "skipped"} == {
        "captured traffic arrives",
        "its API answers as it does",
    }
    assert found.facts["load"]["sent"] == found.facts["load"]["planned"] == 50
    assert found.verdict == "staging: churn-p-1/1 passed 14 checks, 2 were skipped"


def test_who_asks_for_no_format_gets_the_one_of_the_request(verify: Verify) -> None:
    """AWS's toolkit answers JSON when the registered environment says nothing."""
    found = failure(verify(Behaviour(default_accept="application/json")))
    assert found.name == "a request without Accept is answered as it was sent"
    assert "found 'application/json'" in found.detail and "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT" in found.detail


def test_a_model_that_promises_no_format_is_not_held_to_one(verify: Verify) -> None:
    """Registered by an earlier kit: a rollback to it stays possible."""
    older = Contract({key: value for key, value in SCHEMA.items() if key != "default_accept"}, SAMPLE, EXPECTED)
    found = verify(Behaviour(default_accept="application/json"), read_contract=lambda: older)
    assert found.failed == []
    assert outcomes(found)["a request without Accept is answered as it was sent"] == "skipped"


def test_connections_are_kept_alive(verify: Verify) -> None:
    behaviour = Behaviour()
    verify(behaviour)
    assert behaviour.requests == 50 + 2 * 3 + 3
    assert len(behaviour.connections) <= BUDGET.concurrency + 1


def test_all_three_formats_are_compared_with_the_registered_predictions(verify: Verify) -> None:
    golden = [result for result in verify().results if result.name.endswith("gives the registered predictions")]
    assert [result.detail for result in golden] == ["3 rows equal to 0.0001"] * 3


# --- bad servers -----------------------------------------------------------------------------------------------------


def test_a_wrong_prediction_fails(verify: Verify) -> None:
    def drift(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "probability": row["probability"] + 0.01} for row in rows]

    found = verify(Behaviour(change=drift))
    assert [result.name for result in found.failed] == [
        f"{kind} gives the registered predictions" for kind in ("text/csv", "application/json", "application/jsonlines")
    ]
    assert found.failed[0].detail == "row 1, probability: expected 0.9; found 0.91 (and 2 more)"


def test_a_difference_within_the_tolerance_passes(verify: Verify) -> None:
    def noise(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "probability": row["probability"] + 5e-5} for row in rows]

    assert verify(Behaviour(change=noise)).failed == []


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda rows: rows[:-1], "3 rows were sent and 2 answered"),
        (
            lambda rows: [{**row, "probability": 1.5} for row in rows],
            "row 1, probability: must be from 0 to 1; found 1.5 (and 2 more)",
        ),
        (
            lambda rows: [{**row, "prediction": "Maybe"} for row in rows],
            "row 1, prediction: must be one of No, Yes; found 'Maybe' (and 2 more)",
        ),
        (
            lambda rows: [{**row, "score": 1} for row in rows],
            "row 1 has the field 'score', which the schema does not have",
        ),
    ],
)
def test_an_answer_outside_the_schema_fails(verify: Verify, change: Any, detail: str) -> None:
    found = {result.name: result.detail for result in verify(Behaviour(change=change)).failed}
    assert found["application/json is answered as the schema says"].startswith(detail)


def test_an_answer_of_another_content_type_fails(verify: Verify) -> None:
    found = verify(Behaviour(content_type="text/html"))
    assert found.failed[0].detail == "text/csv was asked for; found the content type 'text/html'"


def test_accepting_a_row_without_a_required_column_fails(verify: Verify) -> None:
    result = failure(verify(Behaviour(accepts_missing_columns=True)))
    assert result.name == "a row without a required column is refused"
    assert result.detail.startswith(
        "a row without 'tenure' must be refused with a status from 400 to 499; found HTTP 200"
    )


def test_accepting_any_content_type_fails(verify: Verify) -> None:
    assert failure(verify(Behaviour(accepts_any_type=True))).name == "an unknown content type is refused"


def test_a_slow_server_fails_the_latency_budget_and_is_left_early(verify: Verify) -> None:
    behaviour = Behaviour(seconds=0.03)
    found = verify(behaviour, replace(BUDGET, p99_milliseconds=20, seconds=5))
    result = failure(found)
    assert result.name == "it answers within the latency budget"
    assert "allowed is a p99 of 20 ms" in result.detail
    assert "(stopped after" in result.detail
    assert found.facts["load"]["attempts"] == 3
    assert behaviour.requests < 300


def test_a_stall_is_measured_again_and_told(verify: Verify) -> None:
    behaviour = Behaviour(seconds=0.3, slow_requests=12)
    found = verify(behaviour)
    assert found.failed == []
    assert found.facts["load"]["attempts"] == 2
    (result,) = [result for result in found.results if result.name == "it answers within the latency budget"]
    assert re.search(r"requests/s, after a p99 of \d+ ms", result.detail)


def test_errors_are_not_measured_again(verify: Verify) -> None:
    found = verify(Behaviour(every_fails=5), replace(BUDGET, error_share=0.02))
    assert found.facts["load"]["attempts"] == 1


def test_a_server_that_cannot_keep_the_rate_fails(verify: Verify) -> None:
    budget = replace(BUDGET, seconds=0.5, requests_per_second=200, concurrency=1, p99_milliseconds=2000, attempts=1)
    result = failure(verify(Behaviour(seconds=0.12), budget))
    assert "requests could be sent: 1 at a time are too few" in result.detail


def test_a_share_of_server_errors_fails_and_ends_the_load(verify: Verify) -> None:
    behaviour = Behaviour(every_fails=10)
    found = verify(behaviour, replace(BUDGET, seconds=5, error_share=0.02, requests_per_second=200))
    (result,) = [result for result in found.failed if result.group == "load"]
    assert result.name == "it answers within the error budget"
    assert "allowed are 2.00%; the first: HTTP 503: no" in result.detail
    assert behaviour.requests < 500
    assert outcomes(found)["captured traffic arrives"] == "skipped"


def test_errors_within_the_budget_pass(verify: Verify) -> None:
    found = verify(Behaviour(every_fails=41), replace(BUDGET, error_share=0.05))
    assert found.failed == []
    assert found.facts["load"]["failed"] == 1


def test_a_server_that_hangs_up_fails(verify: Verify) -> None:
    found = verify(Behaviour(hangs_up=True))
    assert "the sample was not answered: no answer: RemoteDisconnected" in found.failed[0].detail


def test_a_server_that_is_not_there_fails() -> None:
    answer = ServerTarget("http://127.0.0.1:9", 1).invoke(b"", "text/csv", "text/csv")
    assert (answer.status, answer.excerpt.split(":")[0]) == (0, "ConnectionRefusedError")


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://example.com:80", "http://127.0.0.1", "127.0.0.1:8080"])
def test_only_servers_of_this_machine_are_targets(url: str) -> None:
    with pytest.raises(VerifyError, match="the target must be a server on this machine"):
        ServerTarget(url, 1)


# --- what must hold before any request -------------------------------------------------------------------------------


def refuse() -> Any:
    raise EndpointError("endpoint churn-p-1-staging runs something else: FailureReason: alarm 5xx went off")


@pytest.mark.parametrize("vital", ["check_package", "read_contract", "open_site"])
def test_after_a_vital_failure_nothing_is_sent(verify: Verify, vital: str) -> None:
    behaviour = Behaviour()
    found = verify(behaviour, **{vital: refuse})
    assert failure(found).detail.endswith("FailureReason: alarm 5xx went off")
    assert behaviour.requests == 0
    assert found.results[-1].detail.startswith("not run, because this failed before: ")
    assert len(found.results) == 16


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("schema.json", "{", "cannot be read"),
        ("schema.json", json.dumps({**SCHEMA, "version": 2}), "schema.json has version 2, known is 1"),
        ("sample.jsonl", '{"tenure": 1, "plan": "x"}\n', "sample.jsonl has 1 rows and expected.jsonl 3"),
        ("sample.jsonl", '{"tenure": 1}\n' * 3, "row 1 of sample.jsonl has no 'plan'"),
        ("expected.jsonl", '{"prediction": "?"}\n' * 3, "row 1, prediction: must be one of No, Yes"),
    ],
)
def test_a_contract_that_contradicts_itself_is_told(
    store: FolderStore, register: Register, name: str, text: str, sentence: str
) -> None:
    uri = register(1).contract_uri
    store.write(f"{uri}/{name}", text)
    with pytest.raises(VerifyError) as caught:
        contract.load(store, uri)
    assert sentence in str(caught.value)


def test_several_classes_and_regression_are_read_in_every_format() -> None:
    several = Contract(
        {
            "input": [],
            "output": [
                {"name": "prediction", "type": "string", "classes": ["a", "b"]},
                {"name": "probability", "type": "number"},
                {"name": "probabilities", "type": "object", "classes": ["a", "b"]},
            ],
        },
        [],
        [{"prediction": "a", "probability": 0.7, "probabilities": {"a": 0.7, "b": 0.3}}],
    )
    in_csv = contract.read(several, b"a,0.7\n", "text/csv")
    in_json = contract.read(several, json.dumps({"predictions": several.expected}).encode(), "application/json")
    for rows in (in_csv, in_json):
        assert not list(contract.answer_problems(several, rows))
        assert not list(contract.golden_problems(rows, several.expected, 1e-6))
    wrong = [{"prediction": "a", "probabilities": {"a": 1.0}}]
    assert "must have a number for each of a, b" in next(contract.answer_problems(several, wrong))
    assert list(contract.golden_problems(wrong, several.expected, 1e-6))


def test_a_large_regression_value_is_compared_relatively() -> None:
    assert not list(contract.golden_problems([{"prediction": 100_001.0}], [{"prediction": 100_000.0}], 1e-4))
    assert list(contract.golden_problems([{"prediction": 100_011.0}], [{"prediction": 100_000.0}], 1e-4))


# --- capture ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def captured(tmp_path: Path) -> Captured:
    (tmp_path / "capture").mkdir()
    return Captured(FolderStore(tmp_path), lambda: iter(["s3://capture"]), 100)


def test_captured_traffic_is_waited_for(verify: Verify, captured: Captured, tmp_path: Path) -> None:
    naps: list[float] = []

    def arrive(seconds: float) -> None:
        naps.append(seconds)
        (tmp_path / "capture" / "12-00-a.jsonl").write_text("{}\n", encoding="utf-8")

    found = verify(captured=captured, sleep=arrive)
    assert found.results[-1].outcome == "passed"
    assert found.results[-1].detail == "1 new objects, the first s3://capture/12-00-a.jsonl"
    assert len(naps) == 1


def test_captured_traffic_that_never_arrives_fails(verify: Verify, captured: Captured, tmp_path: Path) -> None:
    old = tmp_path / "capture" / "old.jsonl"
    old.write_text("{}\n", encoding="utf-8")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).timestamp()
    os.utime(old, (yesterday, yesterday))
    result = failure(verify(captured=captured, budget=replace(BUDGET, capture_wait_seconds=0.1)))
    assert result.detail == "nothing was captured below s3://capture within 0.1 s"


@pytest.mark.parametrize(
    ("changes", "percent", "reason"),
    [
        ({"capture_wait_seconds": 0}, 100, "Verify.capture_wait_seconds is 0"),
        ({}, 1, "at 1 % of so few requests it would be chance"),
    ],
)
def test_capture_is_skipped_where_it_proves_nothing(
    verify: Verify, captured: Captured, changes: dict[str, Any], percent: float, reason: str
) -> None:
    result = verify(captured=replace(captured, percent=percent), budget=replace(BUDGET, **changes)).results[-1]
    assert (result.outcome, result.detail) == ("skipped", reason)


def test_only_the_hours_since_the_start_are_looked_through() -> None:
    start = datetime(2026, 11, 20, 23, 58, tzinfo=UTC)
    found = capture.hours("s3://b/datacapture/prod/", "e", "AllTraffic", start, start + timedelta(minutes=5))
    assert list(found) == [
        "s3://b/datacapture/prod/e/AllTraffic/2026/11/20/23",
        "s3://b/datacapture/prod/e/AllTraffic/2026/11/21/00",
    ]


def test_an_object_of_the_same_second_counts() -> None:
    class Store:
        def list(self, prefix: str) -> Iterator[Object]:
            yield Object(f"{prefix}/a", NOON)

    found = capture.await_arrival(Store(), lambda: iter(["s3://b/h"]), NOON.replace(microsecond=900_000), 0)  # type: ignore[arg-type]
    assert [entry.uri for entry in found] == ["s3://b/h/a"]


# --- load ------------------------------------------------------------------------------------------------------------


def test_quantiles_are_nearest_ranks() -> None:
    tally = Tally(100, BUDGET)
    for value in range(1, 101):
        tally.add(Answer(200, b"", "", value / 1000))
    assert [round(tally.quantile(share)) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert Tally(1, BUDGET).quantile(0.99) == 0


def test_the_rate_is_kept_and_watched() -> None:
    behaviour = Behaviour()
    seen: list[Tally] = []
    with serving(behaviour) as url:
        requests = [Request(contract.write(Contract(SCHEMA, SAMPLE, EXPECTED), SAMPLE[:1], "text/csv"), "text/csv")]
        started = time.monotonic()
        tally = run(
            ServerTarget(url, 1), requests, replace(BUDGET, seconds=1, requests_per_second=40), seen.append, 0.1
        )
        elapsed = time.monotonic() - started
    assert (tally.done, tally.failures) == (40, [])
    assert elapsed > 0.9
    assert len(seen) > 1


# --- reports ---------------------------------------------------------------------------------------------------------


def test_reports_tell_the_same(verify: Verify, tmp_path: Path) -> None:
    found = verify(Behaviour(every_fails=2))
    report.write(found, tmp_path / "out")
    suite = ElementTree.fromstring((tmp_path / "out" / "junit.xml").read_bytes())[0]  # noqa: S314 - our own file
    assert (suite.get("name"), suite.get("tests")) == ("verify staging", "16")
    assert suite.get("failures") == str(len(found.failed))
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    case = cases["staging.load", "it answers within the error budget"].find("failure")
    assert case is not None
    assert "no�t now" in str(case.get("message"))  # a byte that XML cannot hold
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["passed"], summary["stage"], len(summary["checks"])) == (False, "staging", 16)
    text = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8")
    assert text.startswith("# staging: failed")
    assert "| ✗ | load: it answers within the error budget |" in text


def test_a_table_row_stays_one_row() -> None:
    found = Report("prod", "m/1", NOON, [Result("a", "b", "failed", 0.1, "x | y\nz")])
    assert "x \\| y z" in report.markdown(found)
    assert found.verdict == "prod: m/1 failed 1 of 1 checks; b: x | y\nz"
