"""`python -m rehearsal`: the whole life of a project on this machine, played and checked."""

import argparse
import errno
import os
import re
import signal
import sys
from types import FrameType

# Before anything is imported that Windows lacks: there, a sentence instead of a traceback.
if os.name == "nt":
    sys.exit("The rehearsal needs Linux or macOS. On Windows, run it inside WSL (https://aka.ms/wsl).")

from rich.console import Console
from rich.text import Text

from rehearsal.faults import bench
from rehearsal.faults.fault import UnknownFaultError, find
from rehearsal.host import EmulatorError
from rehearsal.preflight import MachineError
from rehearsal.story import STORY
from rehearsal.story.errors import StoryError
from rehearsal.story.rehearse import KEPT, rehearse
from rehearsal.story.step import UnknownStepError, until
from rehearsal.story.world import Options

PROVIDERS = ("codecommit", "connection")
CHANNELS = ("catalog", "s3")


def parse(words: list[str]) -> Options:
    """The options of the command line."""
    parser = _parser()
    found = parser.parse_args(words)
    try:
        until(STORY, found.until)
        find(found.fault)
    except (UnknownStepError, UnknownFaultError) as error:
        parser.error(str(error))
    return Options(
        size=found.size,
        provider=found.provider,
        channel=found.channel,
        name=found.name,
        until=found.until,
        keep=found.keep,
        faults=tuple(found.fault),
        enforce=not found.no_permissions,
        delays=found.delays,
    )


def _parser() -> argparse.ArgumentParser:
    """Speaks of `make demo`, as that is what people type; python -m rehearsal takes the same options."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        usage='make demo ARGS="[--size small] [--until STEP] [--keep] …"',
        description="The whole life of a project on this machine, played and checked.\n"
        "ARGS takes the options below; the same is: python -m rehearsal [options]",
        epilog="\n".join(["steps:", *(f"  {each.name:<20} {each.title}" for each in STORY)]) + "\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--size", choices=("small", "medium"), default="medium", help="one account, or three (default)")
    add("--provider", choices=PROVIDERS, default=Options.provider, help="CodeCommit (default), or GitHub")
    add("--channel", choices=CHANNELS, default=Options.channel, help="Service Catalog (default), or a template in S3")
    add("--name", type=_name, default=Options.name, help=f"of the project; {Options.name} by default")
    add("--until", metavar="STEP", help="stop after it; they are listed below")
    add("--keep", action="store_true", help="leave all running afterwards, also after a failure, and say where it is")
    add("--fault", metavar="NAME", action="append", default=[], help="this instead; all: make faults ARGS=--list")
    add("--no-permissions", action="store_true", help="allow every call, to look for another mistake")
    add("--delays", action="store_true", help="tags, new roles and new policies count as late as on AWS")
    return parser


def _name(text: str) -> str:
    """A project's name as SageMaker takes it (API reference, CreateProject). Raises ArgumentTypeError."""
    if len(text) > 32 or not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not 1 to 32 letters, digits and inner dashes")
    return text


def main() -> int:
    """Rehearse; the exit code is 0 only if every step came out as it should."""
    options = parse(sys.argv[1:])
    console = Console(highlight=False)
    signal.signal(signal.SIGTERM, _terminate)
    if options.faults:
        return bench.play(options.faults, console)
    try:
        rehearse(STORY, options, console)
    except (StoryError, EmulatorError, MachineError) as failure:
        _tell(failure, options, console)
        return 1
    except OSError as failure:
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        console.print(Text(f"{failure.filename or KEPT}: {failure.strerror}. Nothing is left running.", "red"))
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; nothing is left running")
        return 130
    return 0


def _tell(failure: Exception, options: Options, console: Console) -> None:
    """Say what went wrong, and how to look at it; of a story that was kept, that was said before the wait."""
    if options.keep and isinstance(failure, StoryError):
        return
    console.print(Text(str(failure), "red"), soft_wrap=True)
    if isinstance(failure, StoryError) and failure.before:
        console.print(Text(advice(options, failure.before)), soft_wrap=True)


def advice(options: Options, before: str) -> str:
    """How to look at a failed step by hand; `before` is the last step that came out as it should."""
    given = {name: getattr(options, name) for name in ("size", "provider", "channel", "name")}
    words = [f"--{key} {value}" for key, value in given.items() if value != getattr(Options, key)]
    words += ["--delays"] if options.delays else []
    return f'to do     try it by hand: make demo ARGS="{" ".join([*words, "--until", before, "--keep"])}"'


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
