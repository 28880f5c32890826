"""State of our services: per account and region, forgotten on reset, kept over a restart of the emulator."""

import contextlib
import logging
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from .seams import account, region

T = TypeVar("T")
log = logging.getLogger("rehearsal")
_stores: dict[str, "Store[object]"] = {}
_restored: list[Callable[[], None]] = []


class Store(Generic[T]):
    """A dictionary of names to values that shows each account and region its own.

    Its name among the saved files is that of its module and its place there, unless given. Values must be picklable: no
    locks, threads or processes in them. A value changed in place is saved as well.
    """

    def __init__(self, name: str = "") -> None:
        module = sys._getframe(1).f_globals["__name__"]
        number = sum(1 for known in _stores if known.startswith(f"{module}:"))
        self.name = f"{module}:{name or number}"
        self.lock = threading.RLock()
        self._values: dict[tuple[str, str], dict[str, T]] = {}
        _stores[self.name] = self  # type: ignore[assignment]

    def _own(self) -> dict[str, T]:
        with self.lock:
            return self._values.setdefault((account(), region()), {})

    def __getitem__(self, name: str) -> T:
        return self._own()[name]

    def __setitem__(self, name: str, value: T) -> None:
        with self.lock:
            self._own()[name] = value

    def __delitem__(self, name: str) -> None:
        with self.lock:
            del self._own()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._own()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._own()))

    def __len__(self) -> int:
        return len(self._own())

    def get(self, name: str) -> T | None:
        """The value of a name, None when there is none."""
        return self._own().get(name)

    def pop(self, name: str) -> T | None:
        """Remove a name; its value, None when there was none."""
        with self.lock:
            return self._own().pop(name, None)

    def setdefault(self, name: str, value: T) -> T:
        """The value of a name, which becomes the one given when there is none: of two at once, one wins."""
        with self.lock:
            return self._own().setdefault(name, value)

    def items(self) -> list[tuple[str, T]]:
        """Names and values, in the order they were made."""
        with self.lock:
            return list(self._own().items())

    def values(self) -> list[T]:
        """Values, in the order they were made."""
        return [value for _, value in self.items()]

    def everywhere(self) -> list[tuple[str, str, str, T]]:
        """Account, region, name and value of everything in every account and region."""
        with self.lock:
            return [(*place, name, value) for place, own in self._values.items() for name, value in own.items()]

    def clear(self) -> None:
        """Forget everything, in every account."""
        with self.lock:
            self._values.clear()

    def dump(self) -> bytes:
        """Everything, as bytes."""
        with self.lock:
            return pickle.dumps(self._values)

    def load(self, saved: bytes) -> None:
        """Take over what dump gave."""
        with self.lock:
            self._values = pickle.loads(saved)  # noqa: S301 - our own file, in the folder of this emulator


def on_restore(function: Callable[[], None]) -> Callable[[], None]:
    """Call a function once after a restart, when everything has its state again: to end what was under way, say."""
    _restored.append(function)
    return function


def reset() -> None:
    """Forget everything in every store."""
    for store in _stores.values():
        store.clear()


def save(folder: Path) -> None:
    """Write every store that has something; each file appears whole or not at all. Stores that cannot be are logged."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, store in _stores.items():
        try:
            content = store.dump()
        except Exception:
            log.exception("store=%s cannot be saved", name)
            continue
        _write(folder / f"{name.replace(':', '-')}.pickle", content)


def _write(path: Path, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    partial.replace(path)


def restore(folder: Path) -> bool:
    """Read what save wrote; whether there was anything."""
    found = False
    for name, store in _stores.items():
        path = folder / f"{name.replace(':', '-')}.pickle"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        store.load(content)
        found = True
    return found


def go_on() -> None:
    """Call the functions of on_restore, once everything else has its state again too."""
    for function in _restored:
        function()
