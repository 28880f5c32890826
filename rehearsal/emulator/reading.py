"""Which properties of a resource were looked at while it was made: what nobody looked at had no effect."""

import copy
from collections.abc import Iterator
from typing import Any


class Reading(dict[str, Any]):
    """A resource's properties that remember which of them were read, at every depth. Copies are plain dictionaries."""

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__({name: _watched(value) for name, value in properties.items()})
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.seen.add(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self.seen.add(name)
        return super().pop(name, *default)

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()

    def keys(self) -> Any:
        return super().keys()

    def items(self) -> Any:
        self.seen.update(self)
        return super().items()

    def values(self) -> Any:
        self.seen.update(self)
        return super().values()

    def copy(self) -> dict[str, Any]:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        self.seen.update(self)
        return {name: copy.deepcopy(value) for name, value in super().items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (self.__deepcopy__({}),)


def _watched(value: Any) -> Any:
    if isinstance(value, dict):
        return Reading(value)
    return [_watched(item) for item in value] if isinstance(value, list) else value


def unread(properties: Reading, path: str = "") -> set[str]:
    """The paths of the properties that were not read; what was passed on whole counts as read."""
    names: set[str] = set()
    for name in dict.keys(properties):
        if name not in properties.seen:
            names.add(path + name)
        else:
            names |= _unread_inside(dict.__getitem__(properties, name), f"{path}{name}")
    return names


def _unread_inside(value: Any, path: str) -> set[str]:
    if isinstance(value, Reading):
        return unread(value, f"{path}.") if value.seen else set()
    if isinstance(value, list):
        return set().union(*(_unread_inside(item, f"{path}[]") for item in value)) if value else set()
    return set()
