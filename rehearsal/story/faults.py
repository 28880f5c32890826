"""Faults that a rehearsal can be given by name, with `--fault NAME`. A fault is switched on before the first step."""

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.story.world import World


@dataclass(frozen=True)
class Fault:
    """`switch_on` makes the world worse in one way; `title` says which."""

    title: str
    switch_on: Callable[[World], None]


FAULTS: dict[str, Fault] = {}


class UnknownFaultError(Exception):
    """No fault has that name; the message lists those there are."""


def switch_on(world: World) -> None:
    """Switch on what the options name."""
    for name in world.options.faults:
        FAULTS[name].switch_on(world)


def require_known(names: tuple[str, ...]) -> None:
    """Raises UnknownFaultError for a name that is none."""
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        known = ", ".join(FAULTS) or "none yet"
        raise UnknownFaultError(f"there is no fault {', '.join(unknown)}; there are: {known}")
