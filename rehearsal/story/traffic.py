"""An application that asks an endpoint all the time, and what it saw: which model answered, how many requests failed.

Which version gave an answer is told by the answer itself: each version was registered with its answers to the rows of
its contract, and no two models give the same probabilities.
"""

import csv
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.report.facts import Sample
from rehearsal.story.world import World

PER_SECOND = 30
AFTERWARDS_PER_SECOND = 2  # once the endpoint was updated: enough to notice that something fails
LOOK_SECONDS = 1.0
BUCKET_SECONDS = 0.5
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Known:
    """A version and the probabilities that it gives to rows that are being asked."""

    name: str
    probabilities: Sequence[float]

    def gave(self, probabilities: Sequence[float]) -> bool:
        """Whether these are its answers, to the sixth digit."""
        pairs = zip(self.probabilities, probabilities, strict=False)
        return len(self.probabilities) == len(probabilities) and all(abs(a - b) < 1e-6 for a, b in pairs)


@dataclass
class Heard:
    """What clients of an endpoint saw, in short slices of time; they ask until `end`, or until they need not any more.

    `versions` are those that may answer, `ended` is when they did. Safe to use from several threads.
    """

    versions: Sequence[Known] = ()
    per_second: float = PER_SECOND
    began: float = field(default_factory=time.monotonic)
    answers: dict[int, Counter[str]] = field(default_factory=dict)
    errors: Counter[int] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    ended: float = 0.0

    def end(self) -> None:
        """Let clients ask no more."""
        self.over.set()
        if self.thread:
            self.thread.join(10)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def note(self, version: str, error: str = "") -> None:
        """One request has ended."""
        with self.lock:
            number = int(self.now / BUCKET_SECONDS)
            if error:
                self.errors[number] += 1
                self.messages[error] += 1
            else:
                self.answers.setdefault(number, Counter())[version] += 1

    @property
    def totals(self) -> Counter[str]:
        """Answers by version."""
        with self.lock:
            return sum(self.answers.values(), Counter())

    @property
    def failed(self) -> int:
        """Requests without an answer."""
        with self.lock:
            return sum(self.errors.values())

    @property
    def complaints(self) -> dict[str, int]:
        """What requests failed with, and how many did."""
        with self.lock:
            return dict(self.messages)

    def samples(self) -> list[Sample]:
        """All of it, as the report draws it."""
        with self.lock:
            last = max([*self.answers, *self.errors], default=-1)
            return [self._sample(number) for number in range(last + 1)]

    def _sample(self, number: int) -> Sample:
        answers = dict(self.answers.get(number, Counter()))
        return Sample(number * BUCKET_SECONDS, answers, self.errors[number])


@contextmanager
def traffic(world: World, stage: str, rows: Sequence[Row], versions: Sequence[Known]) -> Iterator[Heard]:
    """Ask the endpoint of a stage while the block runs, `rows` in each request."""
    heard = begin(world, stage, rows, versions)
    try:
        yield heard
    finally:
        heard.end()


def begin(
    world: World,
    stage: str,
    rows: Sequence[Row],
    versions: Sequence[Known],
    is_over: Callable[[], bool] = lambda: False,
) -> Heard:
    """Ask the endpoint of a stage from now on, whatever the story does meanwhile, until `is_over` or told to end."""
    heard = Heard(versions)
    client = world.client("sagemaker-runtime", "application", stage)
    arguments = (client, world.project.endpoint(stage), json_body(rows), heard, is_over)
    heard.thread = threading.Thread(target=_ask, args=arguments, daemon=True)
    heard.thread.start()
    return heard


def _ask(client: Any, endpoint: str, body: str, heard: Heard, is_over: Callable[[], bool]) -> None:
    due, look = time.monotonic(), time.monotonic() + LOOK_SECONDS
    while not heard.over.is_set():
        try:
            heard.note(_version(invoke(client, endpoint, body), heard.versions))
            if time.monotonic() > look:
                look = time.monotonic() + LOOK_SECONDS
                if is_over():
                    break
        except (ClientError, BotoCoreError) as error:
            heard.note("", str(error)[:300])
        due = max(due + 1 / heard.per_second, time.monotonic() - 1)
        heard.over.wait(max(0.0, due - time.monotonic()))
    heard.ended = heard.now


def _version(probabilities: Sequence[float], versions: Sequence[Known]) -> str:
    return next((known.name for known in versions if known.gave(probabilities)), "an unknown model")


def invoke(client: Any, endpoint: str, body: str) -> list[float]:
    """The probabilities that an endpoint answers."""
    answer = client.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body)
    return [entry["probability"] for entry in json.loads(answer["Body"].read())["predictions"]]


def json_body(rows: Sequence[Row]) -> str:
    """Rows as a request."""
    return json.dumps({"instances": list(rows)})


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file; an empty value is a missing one."""
    return [{name: value for name, value in row.items() if value != ""} for row in csv.DictReader(io.StringIO(text))]
