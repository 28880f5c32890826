"""A step of the story: a function that acts as a user would and checks what came of it.

Its name is what --until takes, the first line of its docstring is its title.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rehearsal.story.world import World

Act = Callable[[World], None]


@dataclass(frozen=True)
class Step:
    """A function as a step; `act` raises StoryError when something is not as it should be."""

    name: str
    title: str
    act: Act


def step(act: Act) -> Step:
    """The step that a function plays. Refuses one without a docstring."""
    if not act.__doc__:
        raise ValueError(f"{act.__name__} has no docstring, which would be its title")
    return Step(act.__name__.replace("_", "-"), act.__doc__.splitlines()[0].rstrip("."), act)


class UnknownStepError(Exception):
    """No step has that name; the message tells those that come near it."""


def until(steps: Sequence[Step], name: str | None) -> list[Step]:
    """The steps up to and with `name`; all of them without one. Raises UnknownStepError."""
    if name is None:
        return list(steps)
    names = [each.name for each in steps]
    if name not in names:
        raise UnknownStepError(f"there is no step {name!r}.{meant(name, names)} All of them: make demo ARGS=--help")
    return list(steps[: names.index(name) + 1])


def meant(name: str, names: Iterable[str]) -> str:
    """` Did you mean one, another?`: the names with that word in them, or else the nearest; empty where none is."""
    known = list(names)
    found = [each for each in known if name and name in each] or difflib.get_close_matches(name, known)
    return f" Did you mean {', '.join(found[:3])}?" if found else ""
