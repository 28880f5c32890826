"""Builds SVG as a tree, so that nothing of what is drawn can break out of the markup."""

from xml.etree.ElementTree import Element, SubElement, tostring


def picture(width: float, height: float, title: str, kind: str = "") -> Element:
    """An empty picture; the title is what a screen reader says of it."""
    svg = Element("svg", {"viewBox": f"0 0 {width:g} {height:g}", "role": "img", "aria-label": title})
    if kind:
        svg.set("class", kind)
    SubElement(svg, "title").text = title
    return svg


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """A new element; `class_` stands for class and an underscore for a dash; numbers are written short."""
    named = {name.rstrip("_").replace("_", "-"): _text(value) for name, value in attributes.items()}
    element = SubElement(parent, tag, named)
    if text:
        element.text = text
    return element


def label(parent: Element, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> Element:
    """A line of text."""
    return add(parent, "text", text, x=x, y=y, class_=f"label {kind}".strip(), text_anchor=anchor)


def line(parent: Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    """A straight line."""
    return add(parent, "line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def path(parent: Element, points: list[tuple[float, float]], kind: str, closed: bool = False) -> Element:
    """A line through points, or the area that they enclose."""
    steps = " ".join(f"{'L' if number else 'M'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(points))
    return add(parent, "path", d=steps + (" Z" if closed else ""), class_=kind)


def note(element: Element, text: str) -> None:
    """What appears when a person points at an element."""
    SubElement(element, "title").text = text


def text_of(svg: Element) -> str:
    """The picture as markup."""
    return tostring(svg, encoding="unicode")


def _text(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
