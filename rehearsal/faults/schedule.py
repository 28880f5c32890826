"""Which fault is played when: states are made one after another, and meanwhile faults that begin from those there are.

Several lanes ask for turns at a time. A turn is what one emulator does: make a state, or play a series of faults in it,
or a single fault. Those of later states, which take longer, come first: so no lane waits long for the last one.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rehearsal.faults.fault import STATES, Fault, State


@dataclass(frozen=True)
class Turn:
    """Faults that begin from a state, played with one emulator; without any, the state is to be made."""

    state: State
    faults: tuple[Fault, ...] = ()


@dataclass
class Schedule:
    """The turns of some faults; `there` are the states that need not be made."""

    faults: Sequence[Fault]
    there: Sequence[State] = ()
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)

    def __post_init__(self) -> None:
        self._there, self._lost = set(self.there), set[State]()
        needed = max((STATES.index(fault.begins) for fault in self.faults), default=-1)
        missing = [state for state in STATES[: needed + 1] if state not in self._there]
        self._making, self._turns = deque(Turn(state) for state in missing), list(turns(self.faults))

    def next(self) -> Turn | None:
        """The next turn, as soon as there is one that can be played; None when nothing is left."""
        with self._changed:
            while self._making or self._turns:
                if turn := self._take():
                    return turn
                self._changed.wait()
            return None

    def _take(self) -> Turn | None:
        if self._making and self._can_be_made(self._making[0].state):
            return self._making.popleft()
        found = next((turn for turn in self._turns if turn.state in self._there), None)
        if found:
            self._turns.remove(found)
        return found

    def _can_be_made(self, state: State) -> bool:
        number = STATES.index(state)
        return number == 0 or STATES[number - 1] in self._there

    def made(self, state: State) -> None:
        """A state is there now."""
        with self._changed:
            self._there.add(state)
            self._changed.notify_all()

    def lost(self, state: State) -> list[Fault]:
        """A state could not be made: the faults that are not played for that, as none that comes after it can be."""
        with self._changed:
            self._making.clear()
            gone = STATES[STATES.index(state) :]
            left = [turn for turn in self._turns if turn.state in gone and turn.state not in self._there]
            self._turns = [turn for turn in self._turns if turn not in left]
            self._changed.notify_all()
            return [fault for turn in left for fault in turn.faults]

    def end(self) -> None:
        """Nothing more is to be played."""
        with self._changed:
            self._making.clear()
            self._turns.clear()
            self._changed.notify_all()


def turns(faults: Iterable[Fault]) -> Iterator[Turn]:
    """Faults as turns, those that are to begin early first; the order of the faults is nothing to them."""
    found: dict[tuple[State, str], list[Fault]] = {}
    for fault in sorted(faults, key=lambda each: each.place):
        found.setdefault((fault.begins, fault.series or f"only {fault.name}"), []).append(fault)
    for several in sorted(found.values(), key=lambda each: (-STATES.index(each[0].begins), not each[0].is_long)):
        yield Turn(several[0].begins, tuple(several))
