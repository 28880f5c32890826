"""One rehearsal from beginning to end: a folder of its own, the emulator, the story, the report.

Whatever ends it, the report is written and no process is left. It refuses to overwrite an earlier rehearsal.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from rehearsal import memory, preflight
from rehearsal.host import ROOT, emulator
from rehearsal.report import facts as recorded
from rehearsal.report import grants
from rehearsal.report.facts import Facts
from rehearsal.report.gather import gather
from rehearsal.report.page import extent, render
from rehearsal.story import people
from rehearsal.story.errors import StoryError
from rehearsal.story.kept import wait_for_person
from rehearsal.story.play import facts_of, play
from rehearsal.story.show import shown
from rehearsal.story.step import Step, until
from rehearsal.story.world import Options, World

KEPT = ROOT / "build" / "rehearsal"
PACE = 300  # waits of traffic shifts and periods of metrics pass so many times as fast as on AWS


def rehearse(story: Sequence[Step], options: Options, console: Console, kept: Path = KEPT) -> Path:
    """Play a story, or as much of it as the options ask for, and return the folder with the report in it.

    Raises StoryError, MachineError; with `keep` only once a person has looked at what runs.
    """
    steps = until(story, options.until)
    preflight.require(kept)
    folder = new_folder(kept)
    os.environ["REHEARSAL_PACE"] = str(PACE)
    facts = _facts(story, options)
    settings = {"enforce": options.enforce, "delays": options.delays}
    with _reported(facts, folder, console), emulator(folder / "emulator", **settings) as running:
        with shown(console, facts.steps[: len(steps)]) as show:
            world = World(options, folder, running, facts, show)
            failure = _play(steps, world)
        if options.keep:
            _write(facts, folder)  # so that it can be read meanwhile
            wait_for_person(world, console, failure)
        if failure:
            raise failure
    return folder


def _facts(story: Sequence[Step], options: Options) -> Facts:
    return Facts(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        size=options.size,
        provider=options.provider,
        channel=options.channel,
        region=options.region,
        permissions_enforced=options.enforce,
        pace=PACE,
        accounts=options.accounts,
        steps=facts_of(story),
    )


def _play(steps: Sequence[Step], world: World) -> StoryError | None:
    """Play the steps and gather the facts; returns what a step failed with."""
    facts = world.facts
    facts.started = datetime.now(UTC).isoformat(timespec="milliseconds")  # what the steps' seconds count from
    with memory.watched() as peak:
        try:
            people.prepare(world)
            play(steps, world)
            facts.outcome = "played"
        except StoryError as failure:
            facts.outcome = "failed"
            return failure
        finally:
            facts.seconds = time.monotonic() - world.began
            facts.peak_memory_mb, facts.peak_processes = round(peak.megabytes, 1), peak.processes
            gather(facts, world.emulator, world.project)
    return None


def new_folder(kept: Path) -> Path:
    """A new folder named after this moment, and `latest` beside it that leads to it, also if others do the same."""
    kept.mkdir(parents=True, exist_ok=True)
    moment, folder, number = f"{datetime.now():%Y-%m-%dT%H-%M-%S}", None, 1
    while folder is None:
        folder = _made(kept / (moment if number == 1 else f"{moment}-{number}"))
        number += 1
    link = kept / f".latest-{os.getpid()}"
    link.symlink_to(folder.name)
    link.replace(kept / "latest")
    return folder


def _made(folder: Path) -> Path | None:
    try:
        folder.mkdir()
    except FileExistsError:
        return None
    return folder


@contextmanager
def _reported(facts: Facts, folder: Path, console: Console) -> Iterator[None]:
    """Write facts and report whatever happens in the block, and tell where they are."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        facts.outcome = "interrupted" if facts.outcome == "running" else facts.outcome
        raise
    except BaseException:
        facts.outcome = "failed"
        raise
    finally:
        _write(facts, folder)
        for line in grants.lines(facts):
            console.print(Text(line), soft_wrap=True)
        if facts.peak_processes:
            words = f"{facts.seconds:.0f} s, {facts.peak_memory_mb:,.0f} MB at most in {facts.peak_processes} processes"
            console.print(Text(f"took    {words}"))
        if words := extent(facts):
            console.print(Text(f"played  {words}"))
        console.print(Text(f"report  {_short(folder / 'report.html')}"), soft_wrap=True)


def _write(facts: Facts, folder: Path) -> None:
    recorded.write(facts, folder / "facts.json")
    (folder / "report.html").write_text(render(facts), encoding="utf-8")


def _short(path: Path) -> str:
    """Relative to where the person is, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
