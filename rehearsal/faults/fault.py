"""A fault: a function that makes something go wrong and checks what must hold afterwards.

Its name is what --fault takes, the first line of its docstring is its title. It goes wrong as it does on AWS: at the
edge of the emulator (edge.py), by what a person does or may do, by a program that is killed; never inside our code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rehearsal.story.step import meant
from rehearsal.story.world import World

Play = Callable[[World], None]
State = Literal["accounts", "published", "registered", "in-production", "second-approved"]
STATES: tuple[State, ...] = get_args(State)
PATIENCE = 600  # seconds: a wait ends with what it waits for, on a busy machine later
FAULTS: dict[str, "Fault"] = {}


class UnknownFaultError(Exception):
    """No fault has that name; the message tells those that come near it."""


@dataclass(frozen=True)
class Fault:
    """`play` raises StoryError when something does not hold that must; `begins` is the state that it is played in.

    Faults of one `series` are played one after another with one emulator: each bears with what those before it leave,
    by their `place` in the list, in whatever order they are asked for. Only where it `is_denied` may a role be denied
    a call. One that `is_long` is begun early.
    """

    name: str
    title: str
    begins: State
    play: Play
    series: str = ""
    is_denied: bool = False
    is_long: bool = False
    place: int = 0


def fault(begins: State, *, series: str = "", is_denied: bool = False, is_long: bool = False) -> Callable[[Play], Play]:
    """Enter a function as a fault. Refuses one without a docstring, and a name that is taken."""

    def enter(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        if not play.__doc__ or name in FAULTS:
            raise ValueError(f"{name}: its docstring is its title, and its name must be its own")
        title = play.__doc__.splitlines()[0].rstrip(".")
        FAULTS[name] = Fault(name, title, begins, play, series, is_denied, is_long, len(FAULTS))
        return play

    return enter


def find(names: Sequence[str]) -> list[Fault]:
    """The faults of these names, all without any. Raises UnknownFaultError."""
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        told = " ".join(f"there is no fault {name!r}.{meant(name, FAULTS)}" for name in unknown)
        raise UnknownFaultError(f"{told} All of them: make faults ARGS=--list")
    return [FAULTS[name] for name in names] or list(FAULTS.values())
