"""A fault: a function that makes something go wrong and checks what must hold afterwards.

Its name is what --fault takes, the first line of its docstring is its title. It goes wrong as it does on AWS: at the
edge of the emulator (edge.py), by what a person does or may do, by a program that is killed; never inside our code.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rehearsal.story.world import World

Play = Callable[[World], None]
State = Literal["accounts", "published", "registered", "in-production", "second-approved"]
STATES: tuple[State, ...] = get_args(State)
FAULTS: dict[str, "Fault"] = {}


class UnknownFaultError(Exception):
    """No fault has that name; the message lists those there are."""


@dataclass(frozen=True)
class Fault:
    """`play` raises StoryError when something does not hold that must; `begins` is the state that it is played in.

    After one that `leaves_no_trace`, another one may go on in the same state. Only where it `is_denied` may a role be
    denied a call.
    """

    name: str
    title: str
    begins: State
    play: Play
    leaves_no_trace: bool
    is_denied: bool


def fault(begins: State, *, leaves_no_trace: bool = False, is_denied: bool = False) -> Callable[[Play], Play]:
    """Enter a function as a fault. Refuses one without a docstring, and a name that is taken."""

    def enter(play: Play) -> Play:
        name = play.__name__.replace("_", "-")
        if not play.__doc__ or name in FAULTS:
            raise ValueError(f"{name}: its docstring is its title, and its name must be its own")
        title = play.__doc__.splitlines()[0].rstrip(".")
        FAULTS[name] = Fault(name, title, begins, play, leaves_no_trace, is_denied)
        return play

    return enter


def find(names: Sequence[str]) -> list[Fault]:
    """The faults of these names, all without any. Raises UnknownFaultError."""
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise UnknownFaultError(f"there is no fault {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    return [FAULTS[name] for name in names] or list(FAULTS.values())


def in_order(faults: Iterable[Fault]) -> list[Fault]:
    """Faults in the order that takes the least time: state by state, and first those that may share an emulator."""
    return sorted(faults, key=lambda each: (STATES.index(each.begins), not each.leaves_no_trace))
