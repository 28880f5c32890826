"""The picture of an update: a self-contained SVG, and a page around it. Written by hand; no library draws here.

Four panels share one axis of time: the new fleet's share of the traffic, requests a second, share of errors, and p99
latency (logarithmic, so that a limit far above the values still shows where they are). Colours follow the reader's
light or dark theme; names stand in the legend, so that nothing depends on colour alone.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sagemaker_project_kit.local.deployment.alarms import Answer, p99, share
from sagemaker_project_kit.local.deployment.recording import Recording
from sagemaker_project_kit.local.state.atomic import replace_text, to_json

_WIDTH, _LEFT, _RIGHT = 900, 70, 24
_TOP, _HEIGHT, _GAP = 96, 92, 44
_BINS = 60
# Tops of axes that halve into round numbers.
_ROUND = (1.0, 1.2, 1.6, 2.0, 2.4, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_LABEL_WIDTH = 6.4  # of a letter of 12 px
Point = tuple[float, float]

_STYLE = """
svg { --paper: #fff; --ink: #1c2430; --faint: #5b6675; --grid: #dfe4ea; --old: #1f6feb; --new: #1a7f37; --bad: #c62828;
  font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --paper: #14181f; --ink: #e6eaf0; --faint: #9aa6b5; --grid: #2c3440;
  --old: #6cb0ff; --new: #56d364; --bad: #ff7b72; } }
.paper { fill: var(--paper); } text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
.faint { fill: var(--faint); }
.title { font-size: 17px; font-weight: 600; } .panel { font-weight: 600; }
.grid { stroke: var(--grid); } .limit { stroke: var(--bad); stroke-dasharray: 5 4; } .limit-text { fill: var(--bad); }
.old { stroke: var(--old); } .new { stroke: var(--new); } .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.new.line { stroke-dasharray: none; } .old.line { stroke-dasharray: 7 3; } .area { fill: var(--new); opacity: .16; }
.dot-old { fill: var(--old); } .dot-new { fill: var(--new); }
.mark { stroke: var(--faint); stroke-dasharray: 2 3; } .rollback { stroke: var(--bad); stroke-width: 2; }
.rollback-text.faint { fill: var(--bad); font-weight: 600; }
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 940px; margin: 24px auto; padding: 0 16px; font: 15px/1.5 system-ui, sans-serif;
  background: light-dark(#fff, #14181f); color: light-dark(#1c2430, #e6eaf0); }}
svg {{ width: 100%; height: auto; }} td, th {{ padding: 2px 18px 2px 0; text-align: right; }}
td:first-child, th:first-child {{ text-align: left; }} th {{ font-weight: 600; }}
</style></head><body>
<h1>Traffic shift of {stage}</h1>
<p>{lead}</p>
{svg}
<table><tr><th>fleet</th><th>requests</th><th>5xx</th><th>4xx</th><th>p99</th></tr>{rows}</table>
<p>{note}</p>
</body></html>
"""


def write(recording: Recording, folder: Path) -> Path:
    """Write <stage>-shift.svg, .html and the data behind them as .json; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = svg(recording)
    replace_text(folder / f"{recording.stage}-shift.svg", drawn)
    replace_text(folder / f"{recording.stage}-shift.json", to_json(recording.to_json()))
    path = folder / f"{recording.stage}-shift.html"
    replace_text(path, _page(recording, drawn))
    return path


def _title(recording: Recording) -> str:
    return f"{recording.stage}: {recording.old} → {recording.new}"


def _outcome(recording: Recording) -> str:
    known = {"released": "released", "rolled back": "rolled back", "interrupted": "interrupted, all traffic back"}
    return known.get(recording.end, recording.end)


def _page(recording: Recording, drawn: str) -> str:
    reason = f": {recording.reason}" if recording.reason else ""
    pace = f"{60 / recording.plan.period_seconds:g}"
    return _PAGE.format(
        title=escape(_title(recording)),
        stage=escape(recording.stage),
        lead=escape(f"{recording.plan.shifting}, {_outcome(recording)}{reason}."),
        svg=drawn,
        rows="".join(_row(recording, fleet) for fleet in (recording.old, recording.new)),
        note=f"Waits and alarm periods played {pace} times as fast as configured; a wait lasts at least five periods.",
    )


def _row(recording: Recording, fleet: str) -> str:
    found = recording.figures(fleet)
    cells = [fleet, found.requests, found.server_errors, found.refusals, f"{found.milliseconds:.1f} ms"]
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"


# --- the drawing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """Values of a panel from `low` at the bottom to `high`; `ticks` with their labels."""

    high: float
    ticks: Sequence[tuple[float, str]]
    low: float = 0.0
    is_log: bool = False

    def height(self, value: float) -> float:
        """From 0 at the bottom to 1."""
        low, high = self.low, self.high
        if self.is_log:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass(frozen=True)
class Panel:
    """One diagram. `series`: class → points in seconds and values; `limit`: a line with its label."""

    title: str
    axis: Axis
    series: dict[str, list[Point]]
    limit: tuple[float, str] | None = None
    is_filled: bool = False


@dataclass(frozen=True)
class Frame:
    """Where things are: seconds to pixels, and the panels from top to bottom."""

    seconds: float

    def x(self, time: float) -> float:
        return _LEFT + min(1.0, max(0.0, time / self.seconds)) * (_WIDTH - _LEFT - _RIGHT)

    @staticmethod
    def top(number: int) -> float:
        return _TOP + number * (_HEIGHT + _GAP)


def svg(recording: Recording) -> str:
    """The drawing as a document of its own."""
    times = [answer.time for answer in recording.answers] + [time for time, _ in recording.weights]
    frame = Frame(max([*times, 1.0]))
    panels = _panels(recording, frame.seconds)
    bottom = frame.top(len(panels) - 1) + _HEIGHT
    parts = [*_head(recording), *_marks(recording, frame, bottom)]
    for number, panel in enumerate(panels):
        parts += _draw(panel, frame, frame.top(number))
    parts += _time_axis(frame, bottom)
    label = escape(f"{_title(recording)}, {_outcome(recording)}", quote=True)
    size = f'viewBox="0 0 {_WIDTH} {bottom + 44:g}" width="{_WIDTH}" height="{bottom + 44:g}"'
    content = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}">\n<style>{_STYLE}</style>\n'
        f'<rect class="paper" width="100%" height="100%"/>\n{content}\n</svg>\n'
    )


def _head(recording: Recording) -> Iterator[str]:
    yield _text(_LEFT, 26, f"{_title(recording)}  ({_outcome(recording)})", "title")
    x = float(_LEFT)
    for kind, name in (("old", f"old fleet, {recording.old}"), ("new", f"new fleet, {recording.new}")):
        yield f'<line class="{kind} line" x1="{x:g}" x2="{x + 28:g}" y1="46" y2="46"/>'
        yield _text(x + 34, 50, name)
        x += 34 + len(name) * _LABEL_WIDTH + 30


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _marks(recording: Recording, frame: Frame, bottom: float) -> Iterator[str]:
    """A line through all panels for each phase; a label that would touch the one before is left out, no rollback's."""
    free = 0.0
    for mark in recording.marks:
        x, kind = frame.x(mark.time), "rollback" if mark.is_rollback else "mark"
        label = _label(recording, mark.text)
        width = len(label) * _LABEL_WIDTH
        is_left = x + 4 + width > _WIDTH - _RIGHT
        start = x - 4 - width if is_left else x + 4
        yield f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 20}" y2="{bottom:g}"/>'
        if start < free and not mark.is_rollback:
            continue
        y = _TOP - 24 - (14 if start < free else 0)
        yield _text(x - 4 if is_left else x + 4, y, label, f"{kind}-text faint", "end" if is_left else "start")
        free = start + width + 8


def _label(recording: Recording, phase: str) -> str:
    """A phase in few words: the legend names the fleets."""
    short = phase.replace(f" on {recording.new}", "").replace(f"{recording.old} waits for its end", "old fleet waits")
    short = short.replace(f"{recording.new} is healthy", "healthy").replace(f"starting {recording.new}", "starting")
    return short


def _draw(panel: Panel, frame: Frame, top: float) -> Iterator[str]:
    def y(value: float) -> float:
        return top + _HEIGHT * (1 - panel.axis.height(value))

    yield _text(_LEFT, top - 8, panel.title, "panel")
    for value, label in panel.axis.ticks:
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        yield _text(_LEFT - 8, y(value) + 4, label, "faint", "end")
    for kind, points in panel.series.items():
        placed = [(frame.x(time), y(value)) for time, value in points]
        if panel.is_filled and placed:
            yield _area(placed, top + _HEIGHT)
        yield from _line(kind, placed)
    if panel.limit:
        value, label = panel.limit
        yield f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        yield _text(_WIDTH - _RIGHT, top - 8, f"- - {label}", "limit-text", "end")


def _line(kind: str, placed: Sequence[Point]) -> Iterator[str]:
    if len(placed) > 1:
        yield f'<polyline class="{kind} line" points="{_points(placed)}"/>'
    elif placed:
        yield f'<circle class="dot-{kind}" cx="{placed[0][0]:.1f}" cy="{placed[0][1]:.1f}" r="3"/>'


def _area(placed: Sequence[Point], bottom: float) -> str:
    closed = [(placed[0][0], bottom), *placed, (placed[-1][0], bottom)]
    return f'<polygon class="area" points="{_points(closed)}"/>'


def _points(placed: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)


def _time_axis(frame: Frame, bottom: float) -> Iterator[str]:
    step = _nice(frame.seconds / 8)
    for number in range(int(frame.seconds / step) + 1):
        yield _text(frame.x(number * step), bottom + 18, f"{number * step:g}", "faint", "middle")
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 36, "seconds since the update began", "faint", "middle")


def _nice(value: float, factors: Sequence[float] = (1.0, 2.0, 5.0, 10.0)) -> float:
    """The next round number: one of the factors times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in factors if factor * power >= value * 0.999)


# --- the panels ------------------------------------------------------------------------------------------------------


def _panels(recording: Recording, seconds: float) -> list[Panel]:
    limits, width = recording.plan.limits, seconds / _BINS
    panels = [_traffic(recording), _rate(recording, width)]
    panels.append(_errors(recording, "server errors (5xx)", share(500, 599), limits.server_errors, "Max5xxShare"))
    if any(400 <= answer.status < 500 for answer in recording.answers):
        panels.append(_errors(recording, "refused (4xx)", share(400, 499), limits.refusals, "Max4xxShare"))
    panels.append(_latency(recording))
    return panels


def _traffic(recording: Recording) -> Panel:
    """The share that the proxy gives the new fleet, in steps."""
    points: list[Point] = []
    for time, weight in recording.weights:
        if points and points[-1][1] != weight:
            points.append((time, points[-1][1]))
        points.append((time, float(weight)))
    ticks = [(0.0, "0 %"), (50.0, "50 %"), (100.0, "100 %")]
    return Panel("Share of the traffic on the new fleet", Axis(100, ticks), {"new": points}, is_filled=True)


def _rate(recording: Recording, width: float) -> Panel:
    series = {
        kind: _binned(recording, fleet, width, lambda found: len(found) / width, 0.0)
        for kind, fleet in _fleets(recording)
    }
    high = _nice(max([value for points in series.values() for _, value in points] + [1.0]), _ROUND)
    return Panel("Requests a second", Axis(high, [(0, "0"), (high / 2, f"{high / 2:g}"), (high, f"{high:g}")]), series)


def _errors(recording: Recording, name: str, measure: "Measure", limit: float, parameter: str) -> Panel:
    series = {
        kind: _binned(recording, fleet, recording.plan.period_seconds, measure) for kind, fleet in _fleets(recording)
    }
    highest = max([value for points in series.values() for _, value in points] + [limit * 2, 0.02])
    high = min(1.0, _nice(highest, _ROUND))
    ticks = [(0.0, "0 %"), (high / 2, f"{high * 50:g} %"), (high, f"{high * 100:g} %")]
    return Panel(f"Share of {name}", Axis(high, ticks), series, (limit, f"limit {limit * 100:g} % ({parameter})"))


def _latency(recording: Recording) -> Panel:
    series = {kind: _binned(recording, fleet, recording.plan.period_seconds, p99) for kind, fleet in _fleets(recording)}
    limit = recording.plan.limits.milliseconds
    values = [max(value, 0.01) for points in series.values() for _, value in points] + [limit]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values) * 1.2))
    ticks = [(10.0**power, f"{10.0**power:g} ms") for power in range(first, last + 1)]
    low, high = 10.0**first, 10.0**last
    axis = Axis(high, ticks, low, is_log=True)
    return Panel("p99 latency of the model", axis, series, (limit, f"limit {limit:g} ms (MaxModelLatencyMs)"))


Measure = Callable[[Sequence[Answer]], float]


def _fleets(recording: Recording) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("old", recording.old), ("new", recording.new)


def _binned(
    recording: Recording, fleet: str, width: float, measure: Measure, empty: float | None = None
) -> list[Point]:
    """(time, value) of each bin with answers; `empty`: the value of the others between the first and last answer."""
    bins: dict[int, list[Answer]] = {}
    for answer in recording.answers:
        bins.setdefault(int(answer.time // width), [])
        if answer.fleet == fleet:
            bins[int(answer.time // width)].append(answer)
    if empty is not None:
        every = [(number, bins.get(number)) for number in range(max(bins, default=-1) + 1)]
        return [((number + 0.5) * width, measure(found) if found else empty) for number, found in every]
    return [(_mean_time(found), measure(found)) for _, found in sorted(bins.items()) if found]


def _mean_time(answers: Sequence[Answer]) -> float:
    return sum(answer.time for answer in answers) / len(answers)
