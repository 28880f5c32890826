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
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from rehearsal.faults import ELSEWHERE, FAULTS, bench
from rehearsal.faults.fault import STATES, UnknownFaultError
from rehearsal.faults.states import MEANING


def main(words: Sequence[str] | None = None) -> int:
    """Play faults; the exit code is 0 only if everything held that must."""
    parser = argparse.ArgumentParser(
        prog="make faults",
        usage='make faults ARGS="[--fault NAME]… [--list]"',
        description="What may go wrong, played and checked. The same is: python -m rehearsal.faults",
    )
    parser.add_argument("--fault", metavar="NAME", action="append", default=[], help="only this one; repeatable")
    parser.add_argument("--list", action="store_true", help="tell all faults, and play none")
    options = parser.parse_args(words)
    console = Console(highlight=False)
    if options.list:
        tell(console)
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup: the person wants it to go on
            signal.signal(number, _terminate)
    try:
        return bench.play(options.fault, console)
    except UnknownFaultError as error:
        parser.error(str(error))


def tell(console: Console) -> None:
    """Every fault by the state that it begins from, and what cannot be played here."""
    for state in STATES:
        console.print(Text.assemble((f"\n{state}", "bold"), f": {MEANING[state]}"))
        table = Table.grid(Column(no_wrap=True), Column())
        for fault in FAULTS.values():
            if fault.begins == state:
                table.add_row(fault.name.ljust(max(map(len, FAULTS)) + 2), fault.title)
        console.print(Padding(table, (0, 0, 0, 2)))
    console.print(Text.assemble(("\nnot played", "bold"), ": with the reason"))
    for title, reason in ELSEWHERE.items():
        console.print(Padding(Text(f"{title}: {reason}"), (0, 0, 0, 2)))


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
