"""Requests to an endpoint while it changes: answers of each fleet piled up, errors on top, moments marked."""

from itertools import accumulate
from xml.etree.ElementTree import Element

from rehearsal.report.charts.axes import Plot, ticks
from rehearsal.report.charts.svg import add, label, line, note, path, picture
from rehearsal.report.facts import Sample, ShiftFact

WIDTH, HEIGHT = 760, 320


def fleets(shift: ShiftFact) -> list[str]:
    """Those that answered, in the order in which they were first seen."""
    seen: dict[str, None] = {}
    for sample in shift.samples:
        seen.update(dict.fromkeys(name for name, count in sample.answers.items() if count))
    return list(seen)


def colour(name: str, names: list[str]) -> int:
    """The number of a fleet's colour: that of its version in every picture, or else of its place."""
    number = name.rpartition(" ")[2]
    return (int(number) - 1 if number.isdecimal() else names.index(name)) % 6


def width(shift: ShiftFact) -> float:
    """How many seconds a sample covers."""
    return shift.samples[1].second - shift.samples[0].second if len(shift.samples) > 1 else 1.0


def traffic(shift: ShiftFact) -> Element:
    """The picture of a deployment."""
    svg = picture(WIDTH, HEIGHT, f"{shift.title}: answers of each fleet over time", "traffic")
    names, samples = fleets(shift), shift.samples
    last = max((sample.second for sample in samples), default=1.0)
    most = max((sum(sample.answers.values()) + sample.errors for sample in samples), default=1) or 1
    plot = Plot(44, 66, WIDTH - 60, HEIGHT - 110, (0, last), (0, most * 1.05))
    plot.draw(svg, "seconds", "", ticks(last, 12), ticks(most))
    _areas(svg, plot, samples, names)
    _errors(svg, plot, samples)
    _marks(svg, plot, shift)
    return svg


def _areas(svg: Element, plot: Plot, samples: list[Sample], names: list[str]) -> None:
    piles = [list(accumulate([sample.answers.get(name, 0) for name in names], initial=0)) for sample in samples]
    for number, name in enumerate(names):
        below = [(plot.x(sample.second), plot.y(pile[number])) for sample, pile in zip(samples, piles, strict=True)]
        above = [(plot.x(sample.second), plot.y(pile[number + 1])) for sample, pile in zip(samples, piles, strict=True)]
        note(path(svg, above + below[::-1], f"area s{colour(name, names)}", closed=True), name)


def _errors(svg: Element, plot: Plot, samples: list[Sample]) -> None:
    for sample in samples:
        if sample.errors:
            answers = sum(sample.answers.values())
            x, top = plot.x(sample.second), plot.y(answers + sample.errors)
            bar = add(svg, "rect", x=x - 1.5, y=top, width=3, height=plot.y(answers) - top, class_="error")
            note(bar, f"{sample.errors} errors at {sample.second:.0f} s")


def _marks(svg: Element, plot: Plot, shift: ShiftFact) -> None:
    """Their words stand on three lines in turn, so that neighbours do not overlap."""
    for number, (name, second) in enumerate(sorted(shift.marks.items(), key=lambda mark: mark[1])):
        x, y = plot.x(second), 12 + 13 * (number % 3)
        line(svg, x, y + 4, x, plot.top + plot.height, "moment")
        near_end = x > plot.left + plot.width * 0.8
        label(svg, x + (-4 if near_end else 4), y + 4, name, "small", "end" if near_end else "start")
