"""Curves of several versions of a model in one picture, and one number of each beside a threshold."""

from xml.etree.ElementTree import Element

from rehearsal.report.charts.axes import Plot
from rehearsal.report.charts.svg import add, label, line, note, path, picture
from rehearsal.report.facts import Curve, ModelFact

SQUARE = Plot(44, 24, 296, 240)
QUARTERS = [0.0, 0.25, 0.5, 0.75, 1.0]


def together(models: list[ModelFact], name: str, x_title: str, y_title: str, chance: bool = False) -> Element:
    """The curve `name` of every version that has one; `chance` draws what guessing would give."""
    svg = picture(360, 312, f"{name}, {len(models)} versions", "plot")
    SQUARE.draw(svg, x_title, y_title, QUARTERS, QUARTERS)
    if chance:
        line(svg, SQUARE.x(0), SQUARE.y(0), SQUARE.x(1), SQUARE.y(1), "chance")
    for number, model in enumerate(models):
        if curve := model.curves.get(name):
            drawn = path(svg, _points(curve), f"series s{number % 6}")
            note(drawn, f"version {model.version}")
    return svg


def _points(curve: Curve) -> list[tuple[float, float]]:
    return [(SQUARE.x(x), SQUARE.y(y)) for x, y in zip(curve.x, curve.y, strict=True)]


def by_version(models: list[ModelFact], metric: str, threshold: float | None) -> Element:
    """The metric that decides, version by version."""
    values = [model.metrics[metric] for model in models if metric in model.metrics]
    low, high = _range([*values, *([threshold] if threshold is not None else [])])
    plot = Plot(44, 24, 296, 240, (0.5, max(len(models), 1) + 0.5), (low, high))
    svg = picture(360, 312, f"{metric} by version", "plot")
    plot.draw(svg, "version", metric, [float(model.version) for model in models], _between(low, high))
    if threshold is not None:
        line(svg, plot.left, plot.y(threshold), plot.left + plot.width, plot.y(threshold), "threshold")
        label(svg, plot.left + plot.width, plot.y(threshold) - 5, f"must reach {threshold:g}", "small", "end")
    for number, model in enumerate(models):
        if metric in model.metrics:
            x, y = plot.x(model.version), plot.y(model.metrics[metric])
            dot = add(svg, "circle", cx=x, cy=y, r=6, class_=f"dot s{number % 6}")
            note(dot, f"version {model.version}: {model.metrics[metric]:.4f}, {model.status}")
            label(svg, x, y - 12, f"{model.metrics[metric]:.3f}", "small", "middle")
    return svg


def _range(values: list[float]) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    room = max((max(values) - min(values)) * 0.35, 0.01)
    return min(values) - room, max(values) + room


def _between(low: float, high: float) -> list[float]:
    return [round(low + (high - low) * share, 3) for share in QUARTERS]
