"""A rectangle with two axes, and where a value lies in it."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rehearsal.report.charts.svg import label, line


@dataclass(frozen=True)
class Plot:
    """Pixels of the rectangle and the values of its edges. y grows upwards, as in mathematics."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        """The pixel of an x value."""
        low, high = self.x_range
        return self.left + self.width * (value - low) / ((high - low) or 1)

    def y(self, value: float) -> float:
        """The pixel of a y value."""
        low, high = self.y_range
        return self.top + self.height * (1 - (value - low) / ((high - low) or 1))

    def draw(self, svg: Element, x_title: str, y_title: str, x_ticks: list[float], y_ticks: list[float]) -> None:
        """Grid, numbers and titles."""
        bottom, right = self.top + self.height, self.left + self.width
        for value in x_ticks:
            line(svg, self.x(value), self.top, self.x(value), bottom, "grid")
            label(svg, self.x(value), bottom + 15, f"{value:g}", "small", "middle")
        for value in y_ticks:
            line(svg, self.left, self.y(value), right, self.y(value), "grid")
            label(svg, self.left - 6, self.y(value) + 4, f"{value:g}", "small", "end")
        label(svg, self.left + self.width / 2, bottom + 32, x_title, "small", "middle")
        label(svg, self.left, self.top - 9, y_title, "small", "start")


def ticks(high: float, most: int = 6) -> list[float]:
    """Round numbers from 0 up to `high`, at most `most` of them."""
    for exponent in range(-3, 7):
        for step in (1, 2, 5):
            size = step * 10.0**exponent
            if high / size <= most - 1:
                return [round(size * number, 6) for number in range(int(high / size) + 1)]
    return [0.0]
