"""What this machine must have before a rehearsal starts: one sentence for what is missing, and nothing started yet."""

import os
import shutil
from pathlib import Path

FREE_GB = 2.0
_TOOLS = {"git": "every project is a git repository", "make": "builds call the project's verbs with it"}


class MachineError(Exception):
    """Something that a rehearsal needs is not here; the message says what to do."""


def require(kept: Path) -> None:
    """Raises MachineError unless there are the tools, and room to write below `kept`."""
    if os.name == "nt":
        raise MachineError("The rehearsal needs Linux or macOS. On Windows, run it inside WSL (https://aka.ms/wsl).")
    _require_tools()
    _require_room(kept)


def _require_tools() -> None:
    missing = [f"{tool} ({reason})" for tool, reason in _TOOLS.items() if not shutil.which(tool)]
    if missing:
        raise MachineError(
            f"The rehearsal needs {' and '.join(missing)}: not found on the PATH. Install and try again."
        )


def _require_room(kept: Path) -> None:
    try:
        kept.mkdir(parents=True, exist_ok=True)
        trial = kept / f".trial-{os.getpid()}"
        trial.touch()
        trial.unlink()
        free = shutil.disk_usage(kept).free / 1e9
    except OSError as error:
        raise MachineError(
            f"The rehearsal writes below {kept} and cannot: {error.strerror}. Make that folder writable, or free space."
        ) from None
    if free < FREE_GB:
        raise MachineError(
            f"The rehearsal needs {FREE_GB:g} GB below {kept}; {free:.1f} GB are free. Earlier rehearsals there may go."
        )
