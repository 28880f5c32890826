"""A folder for what is under way in one run, on the disk of the state folder so that results can be moved out of it.

It is removed when the run ends. A run that was killed cannot tidy up: the next one finds that nobody holds the lock of
its folder any more and removes it. A folder in use is never touched.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def workspace(state: Path, name: str) -> Iterator[Path]:
    """A new folder <state>/work/<name>, held by a lock while the block runs."""
    folder = state / "work" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent)
    held = _create_lock(folder.with_suffix(".lock"))
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".lock").unlink(missing_ok=True)
        os.close(held)


def remove_abandoned(parent: Path) -> None:
    """Remove the folders below `parent` whose run is no longer alive."""
    for path in parent.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):  # removed meanwhile; in use
            _remove_if_free(path)


def _remove_if_free(lock: Path) -> None:
    handle = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
        lock.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _create_lock(path: Path) -> int:
    """A handle that holds the lock of the new file `path`; the file is locked before anyone can see it."""
    hidden = path.with_suffix(".new")
    handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    hidden.rename(path)
    return handle
