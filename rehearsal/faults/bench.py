"""Plays faults one after another and tells, while it does, how each of them came out."""

import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.status import Status
from rich.text import Text

from rehearsal import preflight
from rehearsal.faults import ELSEWHERE, states
from rehearsal.faults.fault import Fault, find, in_order
from rehearsal.faults.stage import Stage, stage
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
    """Prints a line for each fault that was played; at a terminal, also what the running one is at."""

    console: Console
    status: Status = field(init=False)

    def __post_init__(self) -> None:
        self.status = self.console.status("")

    def changed(self, fact: StepFact) -> None:
        """What is being played has said something, or has ended."""
        last = f": {fact.lines[-1]}" if fact.lines else ""
        self.status.update(Text(f"{fact.title}{last}", overflow="ellipsis", no_wrap=True))

    @contextmanager
    def playing(self, title: str) -> Iterator[StepFact]:
        """Tell how what is played in the block came out. Raises nothing that this tells."""
        fact, began = StepFact(title, title), time.monotonic()
        self.changed(fact)
        try:
            yield fact
            fact.state = "done"
        except StoryError as error:
            fact.state, fact.problem = "failed", error.sentence
        except Exception as error:  # one that nobody thought of must not keep the others from being played
            log.exception("fault=%s", title)
            fact.state, fact.problem = "failed", f"expected  no {type(error).__name__}\nfound     {error}"
        fact.seconds = time.monotonic() - began
        self._print(fact)

    def _print(self, fact: StepFact) -> None:
        mark, style = ("✓", "green") if fact.state == "done" else ("✗", "red")
        line = Text.assemble((mark, style), f" {fact.title}  ", (f"{fact.seconds:.1f} s", "dim"))
        self.console.print(line, soft_wrap=True)
        for told in fact.problem.splitlines() or fact.lines[-1:]:
            self.console.print(Text(f"    {told}", "" if fact.problem else "dim"), soft_wrap=True)


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
    """Play faults, those of a state together; the names of those that did not hold."""
    teller, failed = Teller(console), list[str]()
    began = time.monotonic()
    with teller.status, stage(kept, teller) as where:
        for fault in in_order(faults):
            if not _prepared(where, kept, fault, teller) or not _holds(where, fault, teller):
                failed.append(fault.name)
    _sum_up(len(faults), failed, time.monotonic() - began, console)
    if failed:
        console.print(Text(f"what they wrote is in {kept.failed}, not in {kept.place.folder}"), soft_wrap=True)
    return failed


def _prepared(where: Stage, kept: Kept, fault: Fault, teller: Teller) -> bool:
    if kept.has(fault.begins):
        return True
    with teller.playing(f"(the story as far as {fault.begins})") as fact:
        where.make(fault.begins)
    return fact.state == "done"


def _holds(where: Stage, fault: Fault, teller: Teller) -> bool:
    with teller.playing(f"{fault.name}: {fault.title}") as fact:
        where.play(fault, fact)
    return fact.state == "done"


def _sum_up(played: int, failed: Sequence[str], seconds: float, console: Console) -> None:
    words = f"{played - len(failed)} of {played} faults came out as they must, {seconds:.0f} s"
    console.print(Text(words, "red" if failed else "green"))
    if failed:
        console.print(Text(f'again: make faults ARGS="{" ".join(f"--fault {name}" for name in failed)}"'))
