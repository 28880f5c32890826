"""Plays faults and tells, while it does, how each of them came out."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status
from rich.text import Text

from rehearsal import memory, preflight
from rehearsal.faults import ELSEWHERE, states
from rehearsal.faults.fault import Fault, find
from rehearsal.faults.lanes import Lanes
from rehearsal.faults.states import Kept
from rehearsal.host import EmulatorError
from rehearsal.preflight import MachineError
from rehearsal.report.facts import StepFact
from rehearsal.story.checkpoint import CheckpointError
from rehearsal.story.errors import StoryError
from rehearsal.story.rehearse import PACE

log = logging.getLogger(__name__)


@dataclass
class Teller:
    """Prints a line for each fault that was played; at a terminal, also what the running ones are at."""

    console: Console
    facts: list[StepFact] = field(default_factory=list)
    status: Status = field(init=False)
    is_over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.status = self.console.status("")

    def changed(self, fact: StepFact) -> None:
        """What is being played has said something, or has ended."""
        running = [each for each in self.facts if each.state == "running"]
        lines = [f"{each.name}: {each.lines[-1]}" if each.lines else each.name for each in running]
        self.status.update(Text("\n".join(lines), overflow="ellipsis", no_wrap=True))

    @contextmanager
    def playing(self, name: str, title: str = "") -> Iterator[StepFact]:
        """Tell how what is played in the block came out. Raises nothing that this tells."""
        fact, began = StepFact(name, title, "running"), time.monotonic()
        self.facts.append(fact)
        self.changed(fact)
        try:
            yield fact
            fact.state = "done"
        except StoryError as error:
            fact.state, fact.problem = "failed", error.sentence
        except Exception as error:  # one that nobody thought of must not keep the others from being played
            fact.state, fact.problem = "failed", f"expected  no {type(error).__name__}\nfound     {error}"
            if not self.is_over:
                log.exception("fault=%s", name)
        fact.seconds = time.monotonic() - began
        self._print(fact)
        self.changed(fact)

    def end(self) -> None:
        """Tell nothing more: what still ends was interrupted."""
        self.is_over = True

    def _print(self, fact: StepFact) -> None:
        if self.is_over:
            return
        mark, style = ("✓", "green") if fact.state == "done" else ("✗", "red")
        title = f": {fact.title}" if fact.title else ""
        told = [Text.assemble((mark, style), f" {fact.name}{title}  ", (f"{fact.seconds:.1f} s", "dim"))]
        for line in fact.problem.splitlines() or fact.lines[-1:]:
            told.append(Text(f"    {line}", "" if fact.problem else "dim"))
        with self._lock:  # what one lane tells stays together
            for each in told:
                self.console.print(each, soft_wrap=True)


def play(names: Sequence[str], console: Console) -> int:
    """Play the faults of these names, all without any; the exit code of the program. Raises UnknownFaultError."""
    faults = find(names)
    os.environ["REHEARSAL_PACE"] = str(PACE)
    try:
        preflight.require(states.KEPT)
        with states.kept() as kept:
            failed = run(faults, kept, console)
    except (EmulatorError, CheckpointError, MachineError, states.BusyError) as error:
        console.print(Text(str(error), "red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        return 130
    for title, reason in () if names else ELSEWHERE.items():
        console.print(Text(f"· {title}: {reason}", "dim"), soft_wrap=True)
    return 1 if failed else 0


def run(faults: Sequence[Fault], kept: Kept, console: Console) -> list[str]:
    """Play faults, several at a time; the names of those that did not hold."""
    teller, began = Teller(console), time.monotonic()
    with teller.status, memory.watched() as peak:
        Lanes(kept, teller).play(faults)
    names = {fault.name for fault in faults}
    failed = [fact.name for fact in teller.facts if fact.state != "done" and fact.name in names]
    words = f"{len(faults) - len(failed)} of {len(faults)} faults came out as they must"
    took = f"{time.monotonic() - began:.0f} s, {peak.megabytes:,.0f} MB at most"
    console.print(Text(f"{words}, {took}", "red" if failed else "green"))
    if failed:
        console.print(Text(f'again: make faults ARGS="{" ".join(f"--fault {name}" for name in failed)}"'))
        console.print(Text(f"what they wrote is in {kept.failed}, wherever it says that it is"), soft_wrap=True)
    return failed
