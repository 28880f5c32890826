"""Proves that a stage's endpoint runs the released model, keeps its contract and its budget, and captures traffic.

Each check says in one sentence what was found. It sends requests and reads; it changes nothing, and it believes neither
the pipeline nor CloudFormation about what was deployed.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from sagemaker_project_kit.deploy import capture, contract, load
from sagemaker_project_kit.deploy.capture import ENOUGH
from sagemaker_project_kit.deploy.config import Budget
from sagemaker_project_kit.deploy.contract import Contract, Row
from sagemaker_project_kit.deploy.errors import DeployError, VerifyError
from sagemaker_project_kit.deploy.load import Request, Tally
from sagemaker_project_kit.deploy.report import Outcome, Report, Result
from sagemaker_project_kit.deploy.store import Store
from sagemaker_project_kit.deploy.target import Answer, Target

_API_ATTEMPTS, _API_PAUSE_SECONDS = 12, 5.0


class SkippedError(Exception):
    """A check that does not apply; the message says why."""


@dataclass(frozen=True)
class Captured:
    """Where captured traffic should appear: `folders` are looked through anew each time."""

    store: Store
    folders: Callable[[], Iterator[str]]
    percent: float


@dataclass(frozen=True)
class Site:
    """What is ready to be tested: where to send requests, and where what they were is kept (None: nowhere)."""

    target: Target
    description: str
    captured: Captured | None = None
    is_async: bool = False
    capture_reason: str = "data capture is off for this stage"
    api: Target | None = None
    api_takes_tokens: bool = False
    api_reason: str = "there is no API in front of it"


class Check(NamedTuple):
    """`run` returns what was found; it raises DeployError if the check fails. `is_vital`: nothing can follow it."""

    group: str
    name: str
    run: Callable[[], str]
    is_vital: bool = False


@dataclass
class Verification:
    """The checks of one stage. `open_site` waits for the endpoint and refuses one that runs something else."""

    stage: str
    subject: str
    budget: Budget
    check_package: Callable[[], str]
    open_site: Callable[[], Site]
    read_contract: Callable[[], Contract]
    watch: Callable[[Tally], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    facts: dict[str, Any] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, tell: Callable[[Result], None] = lambda _: None) -> Report:
        """Run every check; after a vital one has failed the others are skipped."""
        results: list[Result] = []
        lost = ""
        for check in self._checks():
            result = _skipped(check, f"not run, because {lost}") if lost else _run(check)
            if check.is_vital and result.outcome == "failed":
                lost = f"this failed before: {check.name}"
            results.append(result)
            tell(result)
        return Report(self.stage, self.subject, self.started, results, self.facts)

    def _checks(self) -> Iterator[Check]:
        """Later checks use what earlier ones found, so they are made one at a time."""
        yield Check("release", "the model package is still approved", self.check_package, is_vital=True)
        yield Check("release", "the contract can be read", self._open_contract, is_vital=True)
        yield Check("endpoint", "it runs the released model", self._open, is_vital=True)
        for kind in self._kinds():
            yield Check("contract", f"{kind} is answered as the schema says", partial(self._conforms, kind))
            yield Check("contract", f"{kind} gives the registered predictions", partial(self._golden, kind))
        yield Check("contract", "a request without Accept is answered as it was sent", self._answers_as_sent)
        yield Check("contract", "a row without a required column is refused", self._refuses_missing_column)
        yield Check("contract", "an unknown content type is refused", self._refuses_content_type)
        yield Check("contract", "its API answers as it does", self._api_answers)
        yield Check("load", "it answers within the error budget", self._keeps_error_budget, is_vital=True)
        yield Check("load", "it answers within the latency budget", self._keeps_latency_budget)
        yield Check("capture", "captured traffic arrives", self._captures)

    # --- release, endpoint

    def _open_contract(self) -> str:
        self._contract = self.read_contract()
        return f"{len(self._contract.columns)} columns, {len(self._contract.sample)} sample rows"

    def _open(self) -> str:
        self._site = self.open_site()
        return self._site.description

    # --- contract

    def _kinds(self) -> list[str]:
        """The content types to try; before the contract is read, those it should have."""
        found: Contract | None = getattr(self, "_contract", None)
        return found.content_types if found else [contract.CSV, contract.JSON, contract.JSONLINES]

    def _ask(self, rows: Sequence[Row], kind: str) -> Answer:
        return self._site.target.invoke(contract.write(self._contract, rows, kind), kind, kind)

    def _predictions(self, kind: str) -> list[Row]:
        answer = self._ask(self._contract.sample, kind)
        if answer.status != 200:
            raise VerifyError(f"the sample was not answered: {_status(answer)}")
        if answer.kind != kind:
            raise VerifyError(f"{kind} was asked for; found the content type {answer.content_type!r}")
        return contract.read(self._contract, answer.body, kind)

    def _conforms(self, kind: str) -> str:
        rows = self._predictions(kind)
        _raise_first(contract.answer_problems(self._contract, rows))
        if len(rows) != len(self._contract.sample):
            raise VerifyError(f"{len(self._contract.sample)} rows were sent and {len(rows)} answered")
        return f"{len(rows)} rows"

    def _golden(self, kind: str) -> str:
        rows = self._predictions(kind)
        _raise_first(contract.golden_problems(rows, self._contract.expected, self.budget.tolerance))
        return f"{len(rows)} rows equal to {self.budget.tolerance:g}"

    def _answers_as_sent(self) -> str:
        """Many callers, curl among them, ask for none; AWS's toolkit answers these in JSON unless told otherwise."""
        if not self._contract.answers_as_sent:
            raise SkippedError("this model was registered before that was promised")
        if self._site.is_async:
            raise SkippedError("an asynchronous endpoint does not tell the format of an answer")
        kind = next((kind for kind in self._kinds() if kind != contract.JSON), contract.JSON)
        answer = self._site.target.invoke(contract.write(self._contract, self._contract.sample, kind), kind, "")
        if answer.status != 200 or answer.kind != kind:
            found = f"found {answer.content_type!r}" if answer.status == 200 else f"found {_status(answer)}"
            raise VerifyError(
                f"{kind} without an Accept header must be answered in {kind}; {found}: does the registered model still "
                "have SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT in its environment?"
            )
        return kind

    def _refuses_missing_column(self) -> str:
        if not self._contract.required:
            raise SkippedError("no column is required")
        name = self._contract.required[0]
        row = {key: value for key, value in self._contract.sample[0].items() if key != name}
        return self._refused(self._ask([row], self._kinds()[-1]), f"a row without {name!r}")

    def _refuses_content_type(self) -> str:
        answer = self._site.target.invoke(b"<row/>", "application/xml", contract.JSON)
        return self._refused(answer, "application/xml")

    def _refused(self, answer: Answer, what: str) -> str:
        if self._site.is_async and answer.status != 200:
            return f"refused: {answer.excerpt}"  # the queue does not tell the container's status
        if not 400 <= answer.status < 500:
            raise VerifyError(f"{what} must be refused with a status from 400 to 499; found {_status(answer)}")
        return f"HTTP {answer.status}: {answer.excerpt}"

    def _api_answers(self) -> str:
        """As an application asks: a right, a role and a template more stand between it and the model."""
        if self._site.api is None:
            raise SkippedError(self._site.api_reason)
        if contract.JSON not in self._kinds():
            raise SkippedError("the API passes on JSON only, which this model does not take")
        answer = self._ask_api(self._site.api, 401 if self._site.api_takes_tokens else 200)
        if self._site.api_takes_tokens:
            return "it refuses who has no token; there is none here to ask it with"
        rows = contract.read(self._contract, answer.body, contract.JSON)
        _raise_first(contract.golden_problems(rows, self._predictions(contract.JSON), self.budget.tolerance))
        return f"{len(rows)} rows, as the endpoint's own"

    def _ask_api(self, api: Target, wanted: int) -> Answer:
        """Again for a minute: new roles and deployments do not reach all of AWS at once."""
        body = contract.write(self._contract, self._contract.sample, contract.JSON)
        for attempt in range(_API_ATTEMPTS):
            self.sleep(_API_PAUSE_SECONDS if attempt else 0)
            answer = api.invoke(body, contract.JSON, contract.JSON)
            if answer.status == wanted:
                return answer
        raise VerifyError(f"the sample must be answered with {wanted}; found {_status(answer)}")

    # --- load

    def _load(self) -> Tally:
        if self._site.is_async:
            raise SkippedError("an asynchronous endpoint answers from a queue")
        if not hasattr(self, "_tallies"):
            self._tallies = list(self._loads())
            self.facts["load"] = _figures(self._tallies[-1]) | {"attempts": len(self._tallies)}
        return self._tallies[-1]

    def _loads(self) -> Iterator[Tally]:
        """The load, again if only its latency was missed, as often as the budget says."""
        kind = contract.JSON if contract.JSON in self._kinds() else self._kinds()[0]
        requests = [Request(contract.write(self._contract, [row], kind), kind) for row in self._contract.sample]
        for _ in range(self.budget.attempts):
            tally = load.run(self._site.target, requests, self.budget, self.watch)
            yield tally
            if tally.is_failing or not tally.is_slow:
                return

    def _keeps_error_budget(self) -> str:
        tally, budget = self._load(), self.budget
        found = f"{len(tally.failures)} of {tally.done} requests failed ({tally.error_share:.2%})"
        if tally.is_failing:
            raise VerifyError(f"{found}, allowed are {budget.error_share:.2%}; the first: {tally.failures[0]}")
        return found

    def _keeps_latency_budget(self) -> str:
        tally, budget = self._load(), self.budget
        p50, p99 = tally.quantile(0.5), tally.quantile(load.P99)
        found = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms at {budget.requests_per_second:g} requests/s"
        if len(self._tallies) > 1:
            before = " and ".join(f"{each.quantile(load.P99):.0f}" for each in self._tallies[:-1])
            found += f", after a p99 of {before} ms"
        if p99 > budget.p99_milliseconds or tally.slow > (1 - load.P99) * tally.planned:
            stopped = f" (stopped after {tally.done} of {tally.planned})" if tally.done < tally.planned else ""
            raise VerifyError(f"{found}{stopped}; allowed is a p99 of {budget.p99_milliseconds:g} ms")
        if tally.done < tally.planned:
            raise VerifyError(
                f"only {tally.done} of {tally.planned} requests could be sent: {budget.concurrency} at a time are too "
                "few, or its answers too slow, for this rate"
            )
        return found

    # --- capture

    def _captures(self) -> str:
        captured = self._site.captured
        if captured is None:
            raise SkippedError(self._site.capture_reason)
        if self.budget.capture_wait_seconds == 0:
            raise SkippedError("Verify.capture_wait_seconds is 0")
        sent = sum(tally.done for tally in getattr(self, "_tallies", []))
        expected = sent * captured.percent / 100
        if expected < ENOUGH:
            raise SkippedError(f"at {captured.percent:g} % of so few requests it would be chance")
        found = capture.await_arrival(
            captured.store, captured.folders, self.started, self.budget.capture_wait_seconds, self.sleep
        )
        return f"{len(found)} new objects, the first {found[0].uri}"


def _run(check: Check) -> Result:
    started = time.perf_counter()
    outcome: Outcome = "passed"
    try:
        detail = check.run()
    except SkippedError as reason:
        outcome, detail = "skipped", str(reason)
    except (DeployError, ClientError, BotoCoreError) as error:
        outcome, detail = "failed", str(error)
    return Result(check.group, check.name, outcome, time.perf_counter() - started, detail)


def _skipped(check: Check, reason: str) -> Result:
    return Result(check.group, check.name, "skipped", 0.0, reason)


def _raise_first(problems: Iterator[str]) -> None:
    found = list(problems)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise VerifyError(found[0] + more)


def _status(answer: Answer) -> str:
    return f"HTTP {answer.status}: {answer.excerpt}" if answer.status else f"no answer: {answer.excerpt}"


def _figures(tally: Tally) -> dict[str, Any]:
    quantiles = {f"p{share * 100:g}": round(tally.quantile(share), 1) for share in (0.5, 0.9, 0.99, 1.0)}
    budget = tally.budget
    allowed = {"p99_milliseconds": budget.p99_milliseconds, "error_share": budget.error_share}
    return {
        "planned": tally.planned,
        "sent": tally.done,
        "failed": len(tally.failures),
        "requests_per_second": budget.requests_per_second,
        "milliseconds": quantiles,
        "allowed": {key: value for key, value in allowed.items() if math.isfinite(value)},
    }
