"""Bars without text: the words beside them are HTML, so that they stay readable on a telephone."""

from xml.etree.ElementTree import Element

from rehearsal.report.charts.svg import add, picture

HEIGHT = 6


def span(start: float, length: float, whole: float, title: str, kind: str) -> Element:
    """A bar that shows where a part lies within the whole."""
    svg = _stretched(title)
    add(svg, "rect", x=0, y=2.5, width=100, height=1, class_="track")
    scale = 100 / whole if whole else 0
    x, width = start * scale, max(length * scale, 0.4)
    add(svg, "rect", x=min(x, 100 - width), y=0, width=width, height=HEIGHT, rx=0.3, class_=kind)
    return svg


def parts(amounts: list[tuple[float, str]], whole: float, title: str) -> Element:
    """Amounts one after another, each in its colour."""
    svg = _stretched(title)
    add(svg, "rect", x=0, y=2.5, width=100, height=1, class_="track")
    x = 0.0
    for amount, kind in amounts:
        width = 100 * amount / whole if whole else 0
        add(svg, "rect", x=x, y=0, width=width, height=HEIGHT, class_=kind)
        x += width
    return svg


def _stretched(title: str) -> Element:
    svg = picture(100, HEIGHT, title, "bar")
    svg.set("preserveAspectRatio", "none")
    return svg
