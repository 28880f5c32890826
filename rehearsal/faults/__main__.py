"""`python -m rehearsal.faults`: what may go wrong, played and checked; `--list` tells it all."""

import argparse
import os
import signal
import sys

# Before anything is imported that Windows lacks: there, a sentence instead of a traceback.
if os.name == "nt":
    sys.exit("The rehearsal needs Linux or macOS. On Windows, run it inside WSL (https://aka.ms/wsl).")

from collections.abc import Sequence
from types import FrameType

from rich.console import Console
from rich.text import Text

from rehearsal.faults import ELSEWHERE, FAULTS, bench
from rehearsal.faults.fault import STATES, UnknownFaultError, in_order


def main(words: Sequence[str] | None = None) -> int:
    """Play faults; the exit code is 0 only if everything held that must."""
    parser = argparse.ArgumentParser(prog="python -m rehearsal.faults", description=__doc__)
    parser.add_argument("--fault", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--list", action="store_true", help="tell all faults, and play none")
    options = parser.parse_args(words)
    console = Console(highlight=False)
    if options.list:
        tell(console)
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return bench.play(options.fault, console)
    except UnknownFaultError as error:
        parser.error(str(error))


def tell(console: Console) -> None:
    """Every fault by the state that it begins from, and what cannot be played here."""
    for state in STATES:
        console.print(Text(f"\n{state}", "bold"))
        for fault in in_order(FAULTS.values()):
            if fault.begins == state:
                console.print(Text(f"  {fault.name:<32} {fault.title}"), soft_wrap=True)
    console.print(Text("\nnot played", "bold"))
    for title, reason in ELSEWHERE.items():
        console.print(Text(f"  {title}: {reason}"), soft_wrap=True)


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
