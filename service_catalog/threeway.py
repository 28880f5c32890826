"""A later seed brought into a repository that began with an earlier one: three trees in, the files to write out.

Base is the seed that the repository last followed, theirs the new one, ours the repository's head. A file that only the
template changed is taken; lines that both changed in different places of a file are merged (git merge-file); everything
else is a conflict, which is left as the team has it, with the template's change beside it as NAME.rej. Nothing here
knows where the trees are.
"""

import difflib
import io
import stat
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A file's content and mode."""

    content: bytes
    executable: bool = False


Tree = Mapping[str, File]
Read = Callable[[str], File | None]


@dataclass(frozen=True)
class Update:
    """What an update writes (None: removes), which of these files hold changes of both, and what is left, with why."""

    files: dict[str, File | None] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)


def tree_of(archive: bytes) -> dict[str, File]:
    """The files of a seed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as seed:
        entries = [entry for entry in seed.infolist() if not entry.is_dir()]
        return {
            entry.filename: File(seed.read(entry), bool(entry.external_attr >> 16 & stat.S_IXUSR)) for entry in entries
        }


def update(base: Tree, theirs: Tree, ours: Read) -> Update:
    """What brings `ours` from `base` to `theirs`; it is asked only for files that the template changed."""
    found = Update()
    for path in sorted({*base, *theirs}):
        before, after = base.get(path), theirs.get(path)
        if before == after or (mine := ours(path)) == after:
            continue
        if mine == before:
            found.files[path] = after
        elif before and after and mine and (both := _merged(before.content, mine.content, after.content)) is not None:
            found.files[path] = File(both, after.executable)
            found.merged.append(path)
        else:
            found.conflicts[path] = _why(before, after, mine)
            if after and (rejected := _difference(path, before, after)):
                found.files[f"{path}.rej"] = File(rejected)
    return found


def _why(before: File | None, after: File | None, mine: File | None) -> str:
    if after is None:
        return "you changed it, the template has dropped it"
    if mine is None:
        return "you deleted it, the template changed it"
    if not before:
        return "both have added it"
    is_text = b"\0" not in before.content + after.content + mine.content
    return "both changed the same lines" if is_text else "both changed it, and it is no text"


def _merged(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Both changes in one text; None where they meet, or where it is no text."""
    if b"\0" in base + ours + theirs:
        return None
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder) / name) for name in ("ours", "base", "theirs")]
        for name, content in zip(names, (ours, base, theirs), strict=True):
            Path(name).write_bytes(content)
        command = ["git", "merge-file", "-p", "--quiet", *names]
        done = subprocess.run(command, capture_output=True)
        return done.stdout if done.returncode == 0 else None


def _difference(path: str, before: File | None, after: File) -> bytes:
    """What the template changed, as a person reads it; empty where it is no text."""
    old, new = before.content if before else b"", after.content
    if b"\0" in old + new:
        return b""
    lines = [content.decode("utf-8", "replace").splitlines(keepends=True) for content in (old, new)]
    return "".join(difflib.unified_diff(lines[0], lines[1], path, path)).encode("utf-8")
