"""What a month of what was made would cost, from prices.json: list prices with their date, and an assumed month.

An estimate: no free tier, no traffic, no taxes, no savings plan, no spot. What has no price in the table is listed as
unknown rather than left out.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.report.facts import Facts, PipelineFact, ResourceFact

TABLE = Path(__file__).with_name("prices.json")
FREE_ACTIONS = ("Manual",)


@dataclass(frozen=True)
class Line:
    """One line of the bill; without a price it is unknown."""

    what: str
    quantity: float
    unit: str
    price: float | None
    as_of: str = ""
    source: str = ""

    @property
    def amount(self) -> float | None:
        """What it comes to in a month."""
        return None if self.price is None else self.price * self.quantity


@dataclass(frozen=True)
class Bill:
    """All lines, dearest first."""

    lines: list[Line]
    region: str
    note: str
    month: dict[str, Any]

    @property
    def total(self) -> float:
        """Of what has a price."""
        return sum(line.amount or 0.0 for line in self.lines)

    @property
    def unknown(self) -> list[str]:
        """What has none."""
        return [line.what for line in self.lines if line.price is None]


def bill(facts: Facts, table: Path = TABLE) -> Bill:
    """The bill of a month for what is among the facts."""
    data = json.loads(table.read_text(encoding="utf-8"))
    prices = {entry["key"]: entry for entry in data["prices"]}
    lines = [_line(prices, *wanted) for wanted in _wanted(facts, data["month"])]
    ordered = sorted(lines, key=lambda line: -(line.amount or 0.0))
    return Bill(ordered, data["region"], data["note"], data["month"])


def _line(prices: dict[str, Any], key: str, what: str, quantity: float) -> Line:
    entry = prices.get(key)
    if entry is None:
        return Line(what, quantity, "", None)
    return Line(what, quantity, entry["unit"], entry["price"], entry["as_of"], entry["source"])


def _wanted(facts: Facts, month: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Price key, words, quantity."""
    yield from _endpoints(facts.resources, month["hours"])
    yield from _counted(facts.resources)
    yield from _builds(facts.resources, month)
    yield from _pipelines(facts.pipelines, month)
    if any(resource.type == "AWS::SageMaker::ModelPackageGroup" for resource in facts.resources):
        for instance, hours in month["job_hours_of_a_training"].items():
            yield f"job {instance}", f"jobs of {month['trainings']} trainings on {instance}", month["trainings"] * hours
    if any(resource.type == "AWS::S3::Bucket" for resource in facts.resources):
        yield "storage", "data, models and captured traffic in S3", month["storage_gb"]


def _endpoints(resources: list[ResourceFact], hours: float) -> Iterator[tuple[str, str, float]]:
    for resource in resources:
        if resource.type == "AWS::SageMaker::Endpoint" and (kind := resource.properties.get("InstanceType")):
            count = float(resource.properties.get("InstanceCount", "1"))
            yield f"hosting {kind}", f"endpoint {resource.physical_id}: {count:g} of {kind}, always on", count * hours


def _counted(resources: list[ResourceFact]) -> Iterator[tuple[str, str, float]]:
    counts = Counter(resource.type for resource in resources)
    metrics = sum(
        int(each.properties.get("Metrics", "1")) for each in resources if each.type == "AWS::CloudWatch::Alarm"
    )
    for key, words, quantity in (
        ("key", "encryption keys", counts["AWS::KMS::Key"]),
        ("alarm", "metrics of alarms", metrics),
        ("composite alarm", "composite alarms", counts["AWS::CloudWatch::CompositeAlarm"]),
    ):
        if quantity:
            yield key, words, quantity


def _builds(resources: list[ResourceFact], month: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    for resource in resources:
        if resource.type != "AWS::CodeBuild::Project" or resource.physical_id.endswith("-seed"):
            continue
        is_training = resource.physical_id.endswith("-train")
        times = month["trainings" if is_training else "releases"]
        minutes = month["minutes_of_a_training_build" if is_training else "minutes_of_a_release_build"]
        kind = resource.properties.get("ComputeType", "of unknown size")
        yield f"build {kind}", f"builds of {resource.physical_id}: {times} of {minutes} minutes", times * minutes


def _pipelines(pipelines: list[PipelineFact], month: dict[str, Any]) -> Iterator[tuple[str, str, float]]:
    for pipeline in pipelines:
        is_training = pipeline.name.endswith("-build")
        times = month["trainings" if is_training else "releases"]
        minutes = month["minutes_of_a_training_build" if is_training else "minutes_of_a_release_build"]
        actions = [action for stage in pipeline.stages for action in stage.actions if action.kind not in FREE_ACTIONS]
        total = sum(minutes if action.kind == "CodeBuild" else 2 for action in actions)
        yield "pipeline action", f"actions of {pipeline.name}: {times} executions", times * total
