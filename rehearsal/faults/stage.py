"""Where faults are played: one emulator at a time, in the state that a fault begins from."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rehearsal.faults.fault import Fault, State
from rehearsal.faults.states import Kept
from rehearsal.report.facts import StepFact
from rehearsal.story import pipelines
from rehearsal.story.play import require_no_denial
from rehearsal.story.show import Show
from rehearsal.story.world import World


class _Steps:
    """Tells what the steps of the story are at as something that one fact says."""

    def __init__(self, fact: StepFact, show: Show) -> None:
        self._fact, self._show = fact, show

    def changed(self, step: StepFact) -> None:
        """A step has said something, or has ended."""
        self._fact.lines[:] = [": ".join([step.title, *step.lines[-1:]])]
        self._show.changed(self._fact)


class Stage:
    """Goes on from a kept state; after a fault of a series, with the emulator that runs already.

    Stages of several lanes are independent of one another: each has its folder, and its emulator a port.
    """

    def __init__(self, states: Kept, lane: str, show: Show) -> None:
        self._states, self.lane, self._show = states, lane, show
        self._running = ExitStack()
        self._now: tuple[State, World] | None = None

    def play(self, fault: Fault, fact: StepFact) -> None:
        """Play a fault; `fact` gets what is said. Raises StoryError when something does not hold that must."""
        world = self._at(fault.begins)
        world.step = fact
        try:
            self._play(fault, world)
        except BaseException:
            self.clear()
            self._states.set_aside(fault.name, self.lane)
            raise
        if not fault.series:
            self.clear()

    def _play(self, fault: Fault, world: World) -> None:
        fault.play(world)
        if world.emulator.process.poll() is not None:
            return  # killed: what went on in its place was checked by the fault
        pipelines.require_known(world)
        if not fault.is_denied:
            require_no_denial(world)

    def make(self, state: State, fact: StepFact) -> None:
        """Have a state to begin from; `fact` gets what is said. Raises StoryError when the story ends before it."""
        self.clear()
        self._states.make(state, self.lane, _Steps(fact, self._show))

    def clear(self) -> None:
        """End the emulator that runs, if any."""
        self._now = None
        self._running.close()

    def _at(self, state: State) -> World:
        if self._now is None or self._now[0] != state:
            self.make(state, StepFact(state, ""))
            self._now = state, self._running.enter_context(self._states.at(state, self.lane, self._show))
        return self._now[1]


@contextmanager
def stage(states: Kept, lane: str, show: Show) -> Iterator[Stage]:
    """A stage that is empty when the block ends."""
    found = Stage(states, lane, show)
    try:
        yield found
    finally:
        found.clear()
