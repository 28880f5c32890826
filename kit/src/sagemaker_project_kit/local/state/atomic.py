"""Files that are either whole or not there. Nothing here ever leaves a half-written file under its final name."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def token() -> str:
    """Eight hexadecimal digits that no other process on this machine will pick at the same time."""
    return secrets.token_hex(4)


def now() -> str:
    """The present moment in ISO 8601, in UTC, to the microsecond (so that text order is time order)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_json(value: Any) -> str:
    """Readable JSON with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def sync_folder(folder: Path) -> None:
    """Make a rename or link within `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def temporary_sibling(path: Path) -> Iterator[Path]:
    """A hidden name beside `path`; whatever is still under it afterwards is removed."""
    sibling = path.with_name(f".{path.name}.{token()}.tmp")
    try:
        yield sibling
    finally:
        sibling.unlink(missing_ok=True)


def write_durably(path: Path, text: str) -> None:
    """Write `path` and wait until the disk has it. The name need not be final: see `registry`."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Put `text` at `path` in one move: a reader sees the old file or the new one, never a part."""
    with temporary_sibling(path) as sibling:
        if durable:
            write_durably(sibling, text)
        else:
            sibling.write_text(text, encoding="utf-8")
        sibling.replace(path)
    if durable:
        sync_folder(path.parent)


def replace_link(link: Path, target: Path) -> None:
    """Point the symbolic link `link` to `target`, relative to its own folder, in one move."""
    link.parent.mkdir(parents=True, exist_ok=True)
    with temporary_sibling(link) as sibling:
        sibling.symlink_to(os.path.relpath(target, link.parent))
        sibling.replace(link)
