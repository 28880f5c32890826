"""A step of the story: a function that acts as a user would and checks what came of it.

Its name is what --until takes, the first line of its docstring is its title.
"""

from collections.abc import Callable
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


def until(steps: list[Step], name: str | None) -> list[Step]:
    """The steps up to and with `name`; all of them without one. Raises KeyError for a name that no step has."""
    if name is None:
        return steps
    names = [each.name for each in steps]
    if name not in names:
        raise KeyError(f"there is no step {name!r}; the story has {', '.join(names)}")
    return steps[: names.index(name) + 1]
