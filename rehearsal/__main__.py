"""`python -m rehearsal`: the whole life of a project on this machine, played and checked."""

import argparse
import os
import signal
import sys
from types import FrameType

# Before anything is imported that Windows lacks: there, a sentence instead of a traceback.
if os.name == "nt":
    sys.exit("The rehearsal needs Linux or macOS. On Windows, run it inside WSL (https://aka.ms/wsl).")

from rich.console import Console
from rich.text import Text

from rehearsal.host import EmulatorError
from rehearsal.story import STORY, faults
from rehearsal.story.errors import StoryError
from rehearsal.story.rehearse import rehearse
from rehearsal.story.step import until
from rehearsal.story.world import Options


def parse(words: list[str]) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description=__doc__)
    parser.add_argument("--size", choices=("small", "medium"), default="medium", help="one account, or three")
    parser.add_argument("--provider", choices=("codecommit",), default="codecommit", help="where the code is")
    parser.add_argument("--until", metavar="STEP", help=f"stop after it: {', '.join(step.name for step in STORY)}")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards, and say where everything is")
    parser.add_argument("--fault", metavar="NAME", action="append", default=[], help=f"make it go wrong: {_faults()}")
    parser.add_argument("--no-permissions", action="store_true", help="allow every call, to look for another mistake")
    found = parser.parse_args(words)
    try:
        until(STORY, found.until)
        faults.require_known(tuple(found.fault))
    except (KeyError, faults.UnknownFaultError) as error:
        parser.error(str(error.args[0]))
    return Options(
        size=found.size,
        provider=found.provider,
        until=found.until,
        keep=found.keep,
        faults=tuple(found.fault),
        enforce=not found.no_permissions,
    )


def _faults() -> str:
    return ", ".join(faults.FAULTS) or "none yet"


def main() -> int:
    """Rehearse; the exit code is 0 only if every step came out as it should."""
    options = parse(sys.argv[1:])
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        rehearse(until(STORY, options.until), options, console)
    except (StoryError, EmulatorError) as failure:
        console.print(Text(str(failure), "red"), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        return 130
    return 0


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
