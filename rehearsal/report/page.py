"""The report as one HTML file: words in a Jinja template, pictures as SVG from charts/, nothing fetched."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from rehearsal.report import grants
from rehearsal.report.charts import bars, curves, pipeline, traffic
from rehearsal.report.charts.svg import text_of
from rehearsal.report.cost import Bill, bill
from rehearsal.report.facts import ExecutionFact, Facts, ModelFact, ResourceFact, RoleFact, StepFact

TEMPLATE = "page.html.jinja"
VERDICTS = {
    "played": "Every step came out as it should",
    "part": "Every step that was played came out as it should",
    "failed": "A step did not come out as it should",
    "interrupted": "Interrupted before the end",
    "running": "Still running",
}
EXECUTION_KINDS = {"Succeeded": "good", "Failed": "bad", "Superseded": "idle", "Cancelled": "idle", "Stopped": "idle"}
STEP_KINDS = {"done": "good", "failed": "bad", "interrupted": "busy", "running": "busy", "waiting": "idle"}


@dataclass(frozen=True)
class Place:
    """The resources of one stack."""

    account: str
    stack: str
    resources: list[ResourceFact]

    @property
    def kinds(self) -> str:
        """How many of each service, the most frequent first."""
        counts = Counter(resource.type.split("::")[1] for resource in self.resources)
        return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def render(facts: Facts) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": moment, "seconds": seconds, "dollars": dollars, "count": count}
    return environment.get_template(TEMPLATE).render(**_values(facts))


def _values(facts: Facts) -> dict[str, Any]:
    curve = sorted({name for model in facts.models for name in model.curves})
    return {
        "facts": facts,
        "verdict": verdict(facts),
        "extent": extent(facts),
        **_timeline(facts),
        "graph": _drawing(pipeline.graph),
        "curve_names": curve,
        "curve": _drawing(lambda name: _curve(facts.models, name)),
        "by_version": _drawing(lambda: curves.by_version(facts.models, facts.primary_metric, facts.threshold)),
        "metric_names": _metric_names(facts),
        "traffic": _drawing(traffic.traffic),
        "fleets": lambda shift: [(name, traffic.colour(name, traffic.fleets(shift))) for name in traffic.fleets(shift)],
        "slice": traffic.width,
        "answers": lambda shift: sum(sum(sample.answers.values()) for sample in shift.samples),
        "errors": lambda shift: sum(sample.errors for sample in shift.samples),
        "role_bar": _drawing(lambda role: _role_bar(role, facts.roles)),
        "is_open": lambda role: grants.is_whole(facts) and grants.kind(role.arn),
        "role_name": lambda role: role.arn.rpartition("/")[2],
        "purpose": lambda account: purposes(facts, account),
        "places": places(facts.resources),
        "bill": bill(facts),
        "line_bar": _drawing(_line_bar),
    }


def _timeline(facts: Facts) -> dict[str, Any]:
    return {
        "step_bar": _drawing(lambda step: _step_bar(step, facts)),
        "step_kind": lambda step: STEP_KINDS[step.state],
        "executions": _executions(facts),
        "execution_bar": _drawing(lambda run: _execution_bar(run, facts)),
    }


def _drawing(draw: Callable[..., Element]) -> Callable[..., Markup]:
    """A picture as markup that the template takes as it is: it was built as a tree, so it is well-formed."""
    return lambda *given: Markup(text_of(draw(*given)))  # noqa: S704


def _executions(facts: Facts) -> list[tuple[str, ExecutionFact]]:
    """Every execution, oldest first, with the half of its pipeline."""
    found = [(each.name.rpartition("-")[2], run) for each in facts.pipelines for run in each.executions]
    return sorted(found, key=lambda each: (each[1].started, each[1].id))


def _execution_bar(run: ExecutionFact, facts: Facts) -> Element:
    """What is in progress lasts to the end, as far as anybody knows."""
    left = max(facts.seconds - run.started, 0.0)
    length = left if run.status == "InProgress" else min(run.seconds, left)
    title = f"execution {run.id[:8]}: from {run.started:.0f} s, {run.seconds:.0f} s, {run.status}"
    return bars.span(run.started, length, facts.seconds, title, EXECUTION_KINDS.get(run.status, "busy"))


def _step_bar(step: StepFact, facts: Facts) -> Element:
    title = f"{step.title}: from {step.started:.0f} s, {step.seconds:.1f} s"
    return bars.span(step.started, step.seconds, facts.seconds, title, STEP_KINDS[step.state])


def _curve(models: list[ModelFact], name: str) -> Element:
    x_title, y_title = ("recall", "precision") if name == "Precision and recall" else ("false positives", "recall")
    return curves.together(models, name, x_title, y_title, chance=name == "ROC")


def _metric_names(facts: Facts) -> list[str]:
    """The metric that decides first, then the others by name."""
    names = sorted({name for model in facts.models for name in model.metrics})
    return sorted(names, key=lambda name: (name != facts.primary_metric, name))


def _role_bar(role: RoleFact, roles: list[RoleFact]) -> Element:
    most = max(len(each.used) + len(each.unused) for each in roles)
    used, unused = len(role.used), len(role.unused)
    title = f"{used} actions used, {unused} granted and not used, {len(role.denied)} denied"
    return bars.parts([(used, "good"), (unused, "idle"), (len(role.denied), "bad")], most, title)


def _line_bar(amount: float, whole: Bill) -> Element:
    return bars.parts([(amount, "s0")], max(line.amount or 0.0 for line in whole.lines), dollars(amount))


def places(resources: list[ResourceFact]) -> list[Place]:
    """Resources by account and stack, in the order in which they were found."""
    found: dict[tuple[str, str], list[ResourceFact]] = {}
    for resource in resources:
        found.setdefault((resource.account, resource.stack), []).append(resource)
    return [Place(account, stack, each) for (account, stack), each in found.items()]


def purposes(facts: Facts, account: str) -> str:
    """What an account is for; nothing where one is for all."""
    if len(set(facts.accounts.values())) == 1:
        return ""
    return ", ".join(purpose for purpose, number in facts.accounts.items() if number == account) or "other"


def verdict(facts: Facts) -> str:
    """How it ended, as a heading; of a part of the story it does not say that it was every step."""
    is_part = facts.outcome == "played" and any(step.state == "waiting" for step in facts.steps)
    return VERDICTS["part" if is_part else facts.outcome]


def extent(facts: Facts) -> str:
    """How much of the story was played; empty if all of it was, or while it still is."""
    left = sum(step.state == "waiting" for step in facts.steps)
    if not left or facts.outcome == "running":
        return ""
    done, rest = sum(step.state == "done" for step in facts.steps), f"{left} were" if left > 1 else "one was"
    return f"{done} of {len(facts.steps)} steps came out as they should, {rest} not played."


def moment(text: str) -> str:
    """`21 November 2026, 21:49 UTC`, from ISO 8601."""
    found = datetime.fromisoformat(text)
    return f"{found.day} {found:%B %Y, %H:%M} {found.tzname() or ''}".strip()


def seconds(value: float) -> str:
    """`8.4 s`, `1 min 12 s`."""
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def dollars(value: float | None) -> str:
    """`$12.30`; a word for what is not known."""
    if value is None:
        return "unknown"
    return f"${value:,.2f}" if value >= 0.01 or value == 0 else "under $0.01"


def count(value: float) -> str:
    """`8`, `1.5`, `1,460`."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")
