"""Faults played side by side: each lane is a thread with an emulator of its own, and takes one turn after another.

They mostly wait, for builds and for endpoints: three lanes keep two processors busy, and take a GB of memory each.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rehearsal import processes
from rehearsal.faults.fault import STATES, Fault
from rehearsal.faults.schedule import Schedule, Turn
from rehearsal.faults.stage import Stage, stage
from rehearsal.faults.states import Kept
from rehearsal.report.facts import StepFact
from rehearsal.story.errors import StoryError
from rehearsal.story.show import Show

LANES = 3
_LOOK_SECONDS = 0.5


class Teller(Show, Protocol):
    """Is told what is played; `playing` tells how it came out, and raises nothing but what ends the program."""

    def playing(self, name: str, title: str = "") -> AbstractContextManager[StepFact]: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class Lanes:
    """Plays faults from the states that are kept."""

    kept: Kept
    teller: Teller

    def play(self, faults: Sequence[Fault]) -> None:
        """Play them to their end. Whatever ends it, nothing is left running."""
        schedule = Schedule(faults, [state for state in STATES if self.kept.has(state)])
        names = [str(number) for number in range(1, min(LANES, len(faults)) + 1)]
        threads = [threading.Thread(target=self._lane, args=(name, schedule), daemon=True) for name in names]
        for thread in threads:
            thread.start()
        try:
            _wait_for(threads)
        except BaseException:  # Ctrl-C: a lane ends as soon as its emulator has
            schedule.end()
            self.teller.end()
            while any(thread.is_alive() for thread in threads):
                _end_programs()
                threads[0].join(_LOOK_SECONDS)
            raise

    def _lane(self, name: str, schedule: Schedule) -> None:
        with stage(self.kept, name, self.teller) as where:
            while turn := schedule.next():
                if turn.faults:
                    self._play(turn, where)
                else:
                    self._make(turn, where, schedule)

    def _play(self, turn: Turn, where: Stage) -> None:
        for fault in turn.faults:
            with self.teller.playing(fault.name, fault.title) as fact:
                where.play(fault, fact)
        where.clear()

    def _make(self, turn: Turn, where: Stage, schedule: Schedule) -> None:
        with self.teller.playing(f"(the story as far as {turn.state})") as fact:
            where.make(turn.state, fact)
        if fact.state == "done":
            schedule.made(turn.state)
            return
        for fault in schedule.lost(turn.state):
            with self.teller.playing(fault.name, fault.title):
                raise StoryError(f"the story to come as far as {fault.begins}", f"it ended before {turn.state}")


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_LOOK_SECONDS)


def _end_programs() -> None:
    """Ask everything that this process has started to end; guardians of emulators see to what these have started."""
    for pid in [each.pid for each in processes.running().values() if each.parent == os.getpid()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
