"""A pipeline as a graph: a column for each stage, an arrow from each run order to the next, parallel ones together."""

from itertools import groupby
from xml.etree.ElementTree import Element

from rehearsal.report.charts.svg import add, label, line, note, picture
from rehearsal.report.facts import ActionFact, PipelineFact, StageFact

COLUMN, GAP, BOX, SPACE, HEAD, EDGE = 176, 30, 34, 12, 34, 8
MARKS = {"Succeeded": ("✓", "good"), "Failed": ("✗", "bad"), "InProgress": ("…", "busy"), "Stopped": ("■", "busy")}


def graph(pipeline: PipelineFact) -> Element:
    """The picture; what has not run is grey."""
    heights = [_height(stage) for stage in pipeline.stages]
    width = len(heights) * (COLUMN + GAP) - GAP + 2 * EDGE
    stages = ", ".join(stage.name for stage in pipeline.stages)
    svg = picture(width, max(heights, default=0) + 2 * EDGE, f"Pipeline {pipeline.name}: {stages}", "graph")
    svg.set("style", f"min-width: {width * 0.8:.0f}px; max-width: {width * 1.15:.0f}px")
    for number, stage in enumerate(pipeline.stages):
        x = EDGE + number * (COLUMN + GAP)
        _stage(svg, stage, x, heights[number])
        if number:
            _arrow(svg, x - GAP, EDGE + HEAD / 2, x)
    return svg


def _height(stage: StageFact) -> float:
    groups = len({action.run_order for action in stage.actions})
    return HEAD + len(stage.actions) * (BOX + 4) + (groups - 1) * (SPACE - 4) + 6


def _stage(svg: Element, stage: StageFact, x: float, height: float) -> None:
    add(svg, "rect", x=x, y=EDGE, width=COLUMN, height=height, rx=8, class_="stage")
    label(svg, x + COLUMN / 2, EDGE + 22, stage.name, "strong", "middle")
    y: float = EDGE + HEAD
    ordered = sorted(stage.actions, key=lambda action: action.run_order)
    for number, (_, group) in enumerate(groupby(ordered, key=lambda action: action.run_order)):
        if number:
            middle = x + COLUMN / 2
            line(svg, middle, y - 4, middle, y + SPACE - 4, "edge")
            y += SPACE - 4
        together = list(group)
        if len(together) > 1:
            frame = len(together) * (BOX + 4) - 4
            note(
                add(svg, "rect", x=x + 4, y=y - 3, width=COLUMN - 8, height=frame + 6, rx=7, class_="parallel"),
                "at once",
            )
        for action in together:
            _action(svg, action, x + 8, y)
            y += BOX + 4


def _action(svg: Element, action: ActionFact, x: float, y: float) -> None:
    mark, kind = MARKS.get(action.status, ("·", "idle"))
    group = add(svg, "g", class_=f"action {kind}")
    note(group, f"{action.name}: {action.status or 'not run'}. {action.summary}".strip())
    add(group, "rect", x=x, y=y, width=COLUMN - 16, height=BOX, rx=5)
    label(group, x + 9, y + 21, mark, "mark")
    label(group, x + 24, y + 15, _short(action.name, 20))
    detail = " · ".join(filter(None, [action.kind, _duration(action.seconds)]))
    label(group, x + 24, y + 28, _short(detail, 26), "small")


def _arrow(svg: Element, x1: float, y: float, x2: float) -> None:
    line(svg, x1 + 3, y, x2 - 5, y, "edge")
    add(svg, "path", d=f"M{x2 - 9:g} {y - 4:g} L{x2 - 2:g} {y:g} L{x2 - 9:g} {y + 4:g} Z", class_="head")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else ""
