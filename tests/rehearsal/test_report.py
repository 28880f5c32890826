"""The report: every section is there, the markup is well-formed, and nothing is fetched from anywhere."""

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rehearsal.report.charts import axes, bars, curves, pipeline, traffic
from rehearsal.report.charts.svg import text_of
from rehearsal.report.cost import bill
from rehearsal.report.facts import (
    ExecutionFact,
    Facts,
    ModelFact,
    PipelineFact,
    ResourceFact,
    Sample,
    ShiftFact,
    StepFact,
    read,
)
from rehearsal.report.page import extent, moment, purposes, render

SECTIONS = ("timeline", "pipelines", "models", "traffic", "permissions", "resources", "cost", "limits")
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Markup(HTMLParser):
    """Refuses an end tag that closes nothing, and collects ids, links and the text of headings."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.scripts += tag == "script"
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [given[name] or "" for name in ("href", "src", "xlink:href", "action") if name in given]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"


@pytest.fixture
def facts() -> Facts:
    """A rehearsal that failed near its end."""
    return read(Path(__file__).with_name("facts.json"))


def parsed(page: str) -> Markup:
    markup = Markup()
    markup.feed(page)
    markup.close()
    assert markup.open == []
    return markup


def test_every_section_is_there_and_nothing_is_fetched(facts: Facts) -> None:
    page = render(facts)
    markup = parsed(page)
    assert [name for name in SECTIONS if name not in markup.ids] == []
    assert [link for link in markup.links if not link.startswith("#")] == []
    assert {link[1:] for link in markup.links} <= set(markup.ids)
    assert markup.scripts == 0
    assert re.findall(r"https?://|@import|url\(", page) == []


def test_a_rehearsal_that_got_nowhere_has_a_report_too() -> None:
    parsed(render(Facts("2026-11-21T19:00:00+00:00", "small", "codecommit", "us-east-1", outcome="interrupted")))


def test_the_verdict_and_the_problem_come_first(facts: Facts) -> None:
    page = render(facts)
    problem = page.index("expected  the stack to reach UPDATE_COMPLETE")
    assert page.index("A step did not come out as it should") < problem < page.index('class="timeline"')


def test_what_comes_from_outside_cannot_break_out(facts: Facts) -> None:
    evil = '"><script>alert(1)</script>'
    facts.steps[0] = dataclasses.replace(facts.steps[0], title=evil, lines=[evil], problem=evil)
    facts.pipelines[0].stages[0].actions[0].name = evil
    facts.shifts[0].title, facts.roles[0].arn = evil, f"arn:aws:iam::1:role/{evil}"
    assert parsed(render(facts)).scripts == 0


def test_pictures_are_titled_for_those_who_cannot_see_them(facts: Facts) -> None:
    page = render(facts)
    pictures = re.findall(r"<svg[^>]*>", page)
    assert len(pictures) > len(facts.steps)
    assert [picture for picture in pictures if 'role="img"' not in picture or 'aria-label="' not in picture] == []


def test_an_action_that_failed_differs_by_more_than_its_colour(facts: Facts) -> None:
    drawn = text_of(pipeline.graph(facts.pipelines[1]))
    assert "✗" in drawn
    assert "✓" in drawn


def test_parallel_actions_share_a_run_order(facts: Facts) -> None:
    graph = pipeline.graph(facts.pipelines[1])
    staging = facts.pipelines[1].stages[2]
    orders = {action.run_order for action in staging.actions}
    arrows = [each for each in graph.iter("line") if each.get("x1") == each.get("x2")]
    others = sum(len({action.run_order for action in stage.actions}) - 1 for stage in facts.pipelines[1].stages)
    assert len(arrows) == others
    assert len(orders) < len(staging.actions)


def test_the_areas_of_the_traffic_pile_up_to_every_answer() -> None:
    samples = [Sample(0, {"old": 10}), Sample(1, {"old": 4, "new": 6}, errors=2), Sample(2, {"new": 10})]
    shift = ShiftFact("shift", "done", samples, {"canary": 1})
    assert traffic.fleets(shift) == ["old", "new"]
    drawn = traffic.traffic(shift)
    assert len([each for each in drawn.iter("path") if "area" in each.get("class", "")]) == 2
    assert len([each for each in drawn.iter("rect") if each.get("class") == "error"]) == 1


def test_a_bar_lies_where_its_part_lies() -> None:
    bar = next(each for each in bars.span(25, 50, 100, "half", "good").iter("rect") if each.get("class") == "good")
    assert (bar.get("x"), bar.get("width")) == ("25", "50")


def test_what_pipelines_did_lies_beside_the_steps(facts: Facts) -> None:
    facts.seconds = 100
    runs = [
        ExecutionFact("later000-1", "Failed", "rule", 90, 50),
        ExecutionFact("earlier0-1", "Succeeded", "", 40),
    ]
    facts.pipelines = [PipelineFact("project-build", [], [ExecutionFact("latest00-1", "InProgress", "", 0, 80), *runs])]
    page = render(facts)
    part = page[page.index("did meanwhile") : page.index('id="pipelines"')]
    assert part.index("earlier0") < part.index("later000")
    assert "started by rule" in part
    assert re.findall(r'<rect x="([0-9.]+)" y="0" width="([0-9.]+)"', part) == [("0", "40"), ("50", "50"), ("80", "20")]


def test_a_version_has_the_same_colour_in_every_picture() -> None:
    assert [traffic.colour(name, ["version 2", "version 1"]) for name in ("version 2", "version 1")] == [1, 0]
    assert traffic.colour("another", ["version 2", "another"]) == 1


def test_a_moment_is_for_people() -> None:
    assert moment("2026-11-03T09:05:59+00:00") == "3 November 2026, 09:05 UTC"


def test_an_account_for_everything_has_no_purpose_to_tell(facts: Facts) -> None:
    facts.accounts = {"tooling": "1", "staging": "2", "prod": "2"}
    assert (purposes(facts, "1"), purposes(facts, "2"), purposes(facts, "3")) == ("tooling", "staging, prod", "other")
    facts.accounts = {"tooling": "1", "staging": "1"}
    assert purposes(facts, "1") == ""


@pytest.mark.parametrize(
    ("high", "expected"), [(10, [0, 2, 4, 6, 8, 10]), (0.9, [0, 0.2, 0.4, 0.6, 0.8]), (43, [0, 10, 20, 30, 40])]
)
def test_ticks_are_round(high: float, expected: list[float]) -> None:
    assert axes.ticks(high) == expected


def test_empty_pictures_are_well_formed() -> None:
    empty = [
        pipeline.graph(PipelineFact("p", [])),
        traffic.traffic(ShiftFact("s", "o", [])),
        curves.by_version([], "auc", None),
        curves.together([ModelFact(1, "Approved")], "ROC", "x", "y"),
    ]
    for picture in empty:
        ElementTree.fromstring(text_of(picture))  # noqa: S314 - our own


def test_the_bill_counts_what_was_made(facts: Facts) -> None:
    lines = {line.what: line for line in bill(facts).lines}
    endpoint = next(line for what, line in lines.items() if what.startswith("endpoint") and "prod" in what)
    assert endpoint.amount == pytest.approx(2 * 730 * 0.115)
    assert lines["encryption keys"].amount == 1.0
    assert lines["metrics of alarms"].quantity == 8
    assert all(line.as_of and line.source for line in lines.values())


def test_what_has_no_price_is_unknown_and_not_free(facts: Facts) -> None:
    facts.resources.append(
        ResourceFact(
            "3", "s", "E", "AWS::SageMaker::Endpoint", "gpu", {"InstanceType": "ml.g5.xlarge", "InstanceCount": "1"}
        )
    )
    whole = bill(facts)
    assert len(whole.unknown) == 1
    page = render(facts)
    assert "unknown" in page
    assert "without what is unknown" in page


def test_permissions_that_were_not_checked_are_not_praised(facts: Facts) -> None:
    facts.permissions_enforced = False
    page = render(facts)
    assert "Permissions were not checked" in page
    assert "was checked against" not in page


def test_what_was_not_played_is_counted_and_not_praised(facts: Facts) -> None:
    played, left = [StepFact("a", "Alpha", "done")], [StepFact("b", "Beta"), StepFact("c", "Gamma")]
    facts.outcome, facts.steps = "played", played + left
    assert "Every step that was played came out as it should" in render(facts)
    assert extent(facts) == "1 of 3 steps came out as they should, 2 were not played."
    facts.steps = played
    assert "Every step came out as it should" in render(facts)
    assert extent(facts) == ""
    facts.outcome, facts.steps = "failed", [StepFact("z", "Zeta", "failed", problem="an egg"), left[0]]
    assert "0 of 2 steps came out as they should, one was not played." in render(facts)


def test_a_step_that_was_not_played_has_no_time(facts: Facts) -> None:
    facts.steps = [StepFact("a", "Alpha")]
    assert "not played" in render(facts)
