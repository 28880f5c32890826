"""A bounded load: so many requests a second for so long, by a few threads, and what its answers say about a budget.

Each thread sends at fixed times and never more than planned; it stops as soon as the budget cannot be kept any more.
Latency counts from sending to the last byte of the answer.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sagemaker_project_kit.deploy.config import Budget
from sagemaker_project_kit.deploy.target import Answer, Target

P99 = 0.99


@dataclass(frozen=True)
class Request:
    """One body to send."""

    body: bytes
    content_type: str


@dataclass
class Tally:
    """What has been answered so far. Safe to use from several threads."""

    planned: int
    budget: Budget
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    slow: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, answer: Answer) -> None:
        with self._lock:
            self.seconds.append(answer.seconds)
            self.slow += answer.seconds * 1000 > self.budget.p99_milliseconds
            if answer.status != 200:
                self.failures.append(f"HTTP {answer.status}: {answer.excerpt}" if answer.status else answer.excerpt)

    @property
    def done(self) -> int:
        return len(self.seconds)

    @property
    def error_share(self) -> float:
        return len(self.failures) / self.done if self.done else 0.0

    def quantile(self, share: float) -> float:
        """Latency in milliseconds that `share` of the requests keep (nearest rank); 0 without any."""
        with self._lock:
            ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000 if ordered else 0.0

    @property
    def is_slow(self) -> bool:
        """Whether the latency of the budget is missed, by those that were answered or by what could not be sent."""
        late = self.slow > (1 - P99) * self.planned or self.quantile(P99) > self.budget.p99_milliseconds
        return late or self.done < self.planned

    @property
    def is_failing(self) -> bool:
        """Whether more requests failed than the budget allows."""
        allowed = self.budget.error_share
        return self.error_share > allowed or len(self.failures) > allowed * self.planned

    @property
    def is_lost(self) -> bool:
        """Whether the budget is broken whatever the rest of the planned requests do."""
        return len(self.failures) > self.budget.error_share * self.planned or self.slow > (1 - P99) * self.planned


def run(
    target: Target,
    requests: Sequence[Request],
    budget: Budget,
    watch: Callable[[Tally], None] = lambda _: None,
    every: float = 0.5,
) -> Tally:
    """Send the requests in turn at the budget's rate. `watch` is called now and then, from this thread only."""
    tally = Tally(budget.requests, budget)
    stop = threading.Event()
    started = time.perf_counter()
    threads = [
        threading.Thread(target=_send, args=(target, requests, tally, stop, started, number), daemon=True)
        for number in range(min(budget.concurrency, budget.requests))
    ]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            threads[0].join(every) if threads[0].is_alive() else time.sleep(min(every, 0.05))
            watch(tally)
    finally:
        stop.set()
    for thread in threads:
        thread.join()
    return tally


def _send(
    target: Target, requests: Sequence[Request], tally: Tally, stop: threading.Event, started: float, number: int
) -> None:
    """The share of one thread: every n-th request, each at its time or at once if that has passed."""
    budget = tally.budget
    width = min(budget.concurrency, budget.requests)
    for position in range(number, budget.requests, width):
        due = started + position / budget.requests_per_second
        if stop.wait(max(0.0, due - time.perf_counter())) or time.perf_counter() > started + 2 * budget.seconds + 1:
            return
        request = requests[position % len(requests)]
        tally.add(target.invoke(request.body, request.content_type, request.content_type))
        if tally.is_lost:
            stop.set()
