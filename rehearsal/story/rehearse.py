"""One rehearsal from beginning to end: a folder of its own, the emulator, the story, the report.

Whatever ends it, the report is written and no process is left. It refuses to overwrite an earlier rehearsal.
"""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from rehearsal.host import ROOT, Emulator, emulator
from rehearsal.report import facts as recorded
from rehearsal.report.facts import Facts
from rehearsal.report.gather import gather
from rehearsal.report.page import render
from rehearsal.story import faults, people
from rehearsal.story.errors import StoryError
from rehearsal.story.play import facts_of, play
from rehearsal.story.show import shown
from rehearsal.story.step import Step
from rehearsal.story.world import Options, World

KEPT = ROOT / "build" / "rehearsal"
PACE = 200  # waits of traffic shifts and periods of metrics pass so many times as fast as on AWS


def rehearse(steps: list[Step], options: Options, console: Console, kept: Path = KEPT) -> Path:
    """Play `steps` and return the folder of this rehearsal, with the report in it. Raises StoryError."""
    folder = new_folder(kept)
    os.environ["REHEARSAL_PACE"] = str(PACE)
    facts = Facts(
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        size=options.size,
        provider=options.provider,
        region=options.region,
        permissions_enforced=options.enforce,
        pace=PACE,
        faults=list(options.faults),
        accounts=options.accounts,
        steps=facts_of(steps),
    )
    with _reported(facts, folder, console), emulator(folder / "emulator", enforce=options.enforce) as running:
        _play(steps, options, facts, folder, running, console)
        if options.keep:
            wait_for_person(running, facts, console)
    return folder


def _play(steps: list[Step], options: Options, facts: Facts, folder: Path, running: Emulator, console: Console) -> None:
    with shown(console, facts.steps) as show:
        world = World(options, folder, running, facts, show)
        try:
            people.prepare(world)
            faults.switch_on(world)
            play(steps, world)
            facts.outcome = "played"
        finally:
            facts.seconds = time.monotonic() - world.began
            facts.peak_memory_mb = _memory(running)
            gather(facts, running, world.project)


def new_folder(kept: Path) -> Path:
    """A new folder named after this moment, and `latest` beside it that leads to it."""
    folder = kept / f"{datetime.now():%Y-%m-%dT%H-%M-%S}"
    number = 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{folder.name[:19]}-{number}")
    folder.mkdir(parents=True)
    link = kept / "latest"
    with suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(folder.name)
    return folder


@contextmanager
def _reported(facts: Facts, folder: Path, console: Console) -> Iterator[None]:
    """Write facts and report whatever happens in the block, and tell where they are."""
    try:
        yield
    except StoryError:
        facts.outcome = "failed"
        raise
    except (KeyboardInterrupt, SystemExit):
        facts.outcome = facts.outcome if facts.outcome == "played" else "interrupted"
        raise
    except BaseException:
        facts.outcome = "failed"
        raise
    finally:
        recorded.write(facts, folder / "facts.json")
        (folder / "report.html").write_text(render(facts), encoding="utf-8")
        console.print(Text(f"report  {_short(folder / 'report.html')}"), soft_wrap=True)


def wait_for_person(running: Emulator, facts: Facts, console: Console) -> None:
    """Print where everything is, and wait for Ctrl-C without using the processor."""
    console.print(Panel(kept_words(running, facts), title="Still running", expand=False))
    with suppress(KeyboardInterrupt):
        while running.process.poll() is None:
            time.sleep(3600)


def kept_words(running: Emulator, facts: Facts) -> str:
    """The addresses of what was kept running, and how to talk to it."""
    account = facts.accounts["tooling"]
    lines = [
        f"AWS        {running.address}   (AWS_ENDPOINT_URL; an account's 12 digits are its root's access key)",
        f"log        {_short(running.state / 'log')}",
        f"accounts   {', '.join(f'{purpose} {number}' for purpose, number in facts.accounts.items())}",
        *(f"git        {running.address}/v1/repos/{name}" for name in _repositories(running, account, facts.region)),
        *_endpoints(running, facts),
        "",
        "Ctrl-C ends all of it.",
    ]
    return "\n".join(lines)


def _repositories(running: Emulator, account: str, region: str) -> list[str]:
    listed = running.client("codecommit", account, region).list_repositories()["repositories"]
    return [repository["repositoryName"] for repository in listed]


def _endpoints(running: Emulator, facts: Facts) -> Iterator[str]:
    for account in sorted(set(facts.accounts.values())):
        for endpoint in running.client("sagemaker", account, facts.region).list_endpoints()["Endpoints"]:
            yield f"endpoint   {running.address}/endpoints/{endpoint['EndpointName']}/invocations   (account {account})"


def _memory(running: Emulator) -> float:
    """The largest resident size of the emulator and of our children so far, in MB."""
    own = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    scale = 1024 * 1024 if platform.system() == "Darwin" else 1024
    status = Path(f"/proc/{running.process.pid}/status")
    peak = 0
    with suppress(OSError, ValueError, StopIteration):
        lines = status.read_text().splitlines()
        peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return max(own / scale, peak / 1024)


def _short(path: Path) -> str:
    """Relative to where the person is, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
