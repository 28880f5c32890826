"""What an upgrade's change set means to a person: what is lost first, then each property, then what merely follows.

A property changes by itself when its text in the template does, or when CloudFormation says so and names no other
cause (API reference, ResourceChangeDetail: beside a reference a DirectModification is Dynamic, and only restates it).
All that follows from an answer or from another resource is told in one line for each cause. Refuses to guess: what
CloudFormation leaves open (Conditional) is said to be open.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import Console
from rich.text import Text

from service_catalog import layout
from service_catalog.aws.stacks import Detail, Preview, ResourceChange
from service_catalog.template import read

# Longer values, and more properties of one resource, hide what matters.
_LENGTH, _EDITS, _NAMES = 60, 8, 6
# What CloudFormation writes for a value that it knows only afterwards.
_UNKNOWN = "{{changeSet:KNOWN_AFTER_APPLY}}"
_ABSENT = object()


@dataclass(frozen=True)
class Edit:
    """One property, from what to what; both empty if only its name is known."""

    path: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        if self.before and self.after:
            return f"{self.path}: {self.before} → {self.after}"
        if self.before or self.after:
            return f"{self.path}: " + (f"new, {self.after}" if self.after else f"gone, was {self.before}")
        return self.path


@dataclass(frozen=True)
class Meaning:
    """A preview, and the answers before and after."""

    preview: Preview
    before: Mapping[str, str]
    after: Mapping[str, str]

    @cached_property
    def _documents(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        texts = self.preview.template_before, self.preview.template_after
        old, new = ((read(text).get("Resources") or {}) if all(texts) else {} for text in texts)
        return old, new

    # --- what is lost ------------------------------------------------------------------------------------------------

    @property
    def lost(self) -> list[ResourceChange]:
        """What is removed, or made anew for certain."""
        return [item for item in self.preview.resources if item.action == "Remove" or item.replacement == "True"]

    @property
    def perhaps_lost(self) -> list[ResourceChange]:
        """What CloudFormation makes anew only if something else turns out so."""
        return [item for item in self.preview.resources if item.replacement == "Conditional"]

    # --- what changes by itself --------------------------------------------------------------------------------------

    def edits(self, item: ResourceChange) -> list[Edit]:
        """Each property that changes by itself, from what to what as far as that is known."""
        if item.action != "Modify":
            return []
        if not item.details:
            return list(_differences("", *self._declared(item)))
        names = dict.fromkeys(
            (detail.attribute, detail.name) for detail in item.details if self._is_direct(item, detail)
        )
        return [edit for attribute, name in names for edit in self._told(item, attribute, name)]

    def _is_direct(self, item: ResourceChange, detail: Detail) -> bool:
        if any(self._documents):
            old, new = (_value(declared, detail) for declared in self._declared(item))
            return old is not new and old != new
        beside = [one for one in item.details if (one.attribute, one.name) == (detail.attribute, detail.name)]
        return detail.is_direct and (detail.evaluation == "Static" or all(one.is_direct for one in beside))

    def _declared(self, item: ResourceChange) -> tuple[Any, Any]:
        """The resource in the template before and after; its properties stand beside its other attributes."""
        return tuple(_flat(document.get(item.logical_id) or {}) for document in self._documents)  # type: ignore[return-value]

    def _told(self, item: ResourceChange, attribute: str, name: str) -> Iterator[Edit]:
        """By CloudFormation, whose values are those that count, else by the templates."""
        details = [one for one in item.details if (one.attribute, one.name) == (attribute, name)]
        told = {one.path: one for one in details if one.has_values}
        if told:
            for path, one in told.items():
                yield from _differences(_dotted(path), _parsed(one.before), _parsed(one.after))
            return
        old, new = (_value(declared, details[0]) for declared in self._declared(item))
        found = list(_differences(name or attribute, old, new)) if any(self._documents) else []
        yield from found or [Edit(name or attribute)]

    # --- what follows ------------------------------------------------------------------------------------------------

    def followers(self) -> dict[str, dict[str, list[str]]]:
        """Answer that changed, to property, to the resources in which that property follows from it."""
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for item in self.preview.resources:
            for detail in item.details:
                ids = (
                    found[detail.entity][detail.name or detail.attribute]
                    if detail.source == "ParameterReference"
                    else []
                )
                if item.logical_id not in ids:
                    ids.append(item.logical_id)
        return found

    @property
    def only_following(self) -> list[ResourceChange]:
        """What changes for no reason of its own and by no answer: it refers to what changes."""
        modified = (item for item in self.preview.resources if item.action == "Modify" and item.details)
        return [item for item in modified if not (item in self.lost or _has_answer(item) or self.edits(item))]


def _has_answer(item: ResourceChange) -> bool:
    return any(detail.source == "ParameterReference" for detail in item.details)


# --- values ----------------------------------------------------------------------------------------------------------


def _flat(resource: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in resource.items() if key not in ("Properties", "Type", "Metadata")}
    return {**rest, **(resource.get("Properties") or {})}


def _value(declared: Mapping[str, Any], detail: Detail) -> Any:
    return declared.get(detail.name or detail.attribute, _ABSENT)


def _dotted(path: str) -> str:
    """/Properties/Environment/Variables as people write it."""
    return ".".join(part for part in path.split("/") if part not in ("", "Properties"))


def _parsed(text: str) -> Any:
    """A value of a change set, which is text or, for lists and objects, JSON."""
    try:
        found = json.loads(text) if text[:1] in ("{", "[") else text
    except ValueError:
        found = text
    return found if text else _ABSENT


def _differences(path: str, before: Any, after: Any) -> Iterator[Edit]:
    """The leaves in which two values differ."""
    before, after = _named(before), _named(after)
    if isinstance(before, dict) and isinstance(after, dict) and not (_is_function(before) or _is_function(after)):
        for key in sorted({**before, **after}):
            inner = f"{path}.{key}".lstrip(".")
            yield from _differences(inner, before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _differences_of_lists(path, before, after)
    elif before is not after and before != after:
        yield Edit(path, _shown(before), _shown(after))


def _differences_of_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[Edit]:
    gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
    if len(gone) == len(new):
        for old, other in zip(gone, new, strict=True):
            yield from _differences(f"{path}.{after.index(other)}", old, other)
        return
    yield from (Edit(path, before=_shown(one)) for one in gone)
    yield from (Edit(path, after=_shown(one)) for one in new)


def _named(value: Any) -> Any:
    """Tags and the like by their names: their order means nothing."""
    if not (isinstance(value, list) and value and all(isinstance(one, dict) for one in value)):
        return value
    for name in ("Key", "Name", "Sid"):
        if all(isinstance(one.get(name), str) for one in value):
            return {one[name]: one["Value"] if set(one) == {name, "Value"} else one for one in value}
    return value


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref", "Condition"))


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return ""
    if value == _UNKNOWN:
        return "what AWS will know when it is done"
    if isinstance(value, dict) and _is_function(value):
        ((name, argument),) = value.items()
        return f"!{name.removeprefix('Fn::')} {_shown(argument)}"
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= _LENGTH else text[: _LENGTH - 1] + "…"


# --- shown -----------------------------------------------------------------------------------------------------------


def show(meaning: Meaning, console: Console) -> None:
    """What is lost, loud and first; what may be; what changes; what is new; what follows."""
    following = {item.logical_id for item in meaning.only_following}
    shown = [item for item in meaning.preview.resources if item.logical_id not in following]
    lost = [item for item in shown if item in meaning.lost]
    own = [item for item in shown if item not in lost and (item.action != "Modify" or meaning.edits(item))]
    if lost:
        console.print(Text(f"REMOVED OR MADE ANEW: {len(lost)}", "bold white on red"))
    for item in [*lost, *sorted(own, key=lambda item: (item.replacement != "Conditional", item.action != "Modify"))]:
        _show_resource(item, meaning.edits(item), console)
    for sentence in _sentences(meaning, own):
        layout.hang(sentence, console, 2, head=Text("~", "yellow"))
    if meaning.preview.is_compared:
        layout.hang(_COMPARED, console, 2, head=Text("!", "magenta"))


_COMPARED = (
    "You may not make a change set (cloudformation:CreateChangeSet), so only the two templates were compared: what "
    "follows from an answer, and what would be made anew, is not known here."
)


def _show_resource(item: ResourceChange, edits: Sequence[Edit], console: Console) -> None:
    mark, style, words = _words(item)
    head = Text.assemble((mark, style), " ", (item.logical_id, "bold"), "  ", (item.type, "dim"))
    console.print(head, soft_wrap=True)
    if words:
        layout.hang(words, console, 4, head=Text("    ", style))
    for edit in edits[:_EDITS]:
        layout.hang(str(edit), console, 6, head=Text("    ·"))
    if len(edits) > _EDITS:
        layout.hang(f"and {len(edits) - _EDITS} more", console, 6)


def _words(item: ResourceChange) -> tuple[str, str, str]:
    """Mark, color and what happens."""
    if item.action == "Remove":
        kept = {"Retain": "leaves the stack; AWS keeps it", "Snapshot": "is removed; AWS keeps a snapshot of it"}
        return "-", "bold red", kept.get(item.policy, "IS REMOVED with what it holds")
    if item.replacement == "True":
        after = {"ReplaceAndRetain": "the old one stays, outside the stack", "ReplaceAndSnapshot": "a snapshot stays"}
        words = f"IS MADE ANEW, EMPTY: {after.get(item.policy, 'what it holds is lost')}{_because(item)}"
        return "±", "bold red", words
    if item.replacement == "Conditional":
        return "~", "yellow", "changes; CloudFormation cannot say beforehand whether it is made anew"
    return ("+", "green", "") if item.action == "Add" else ("~", "yellow", "")


def _because(item: ResourceChange) -> str:
    """The properties that cannot change otherwise, with what they follow from."""
    causes = [one for one in item.details if one.recreation == "Always"]
    words = [one.name + (f", which follows {one.entity}," if one.entity else "") for one in causes]
    return f" ({' and '.join(dict.fromkeys(words))} cannot change otherwise)" if words else ""


def _sentences(meaning: Meaning, own: Sequence[ResourceChange]) -> Iterator[str]:
    """What merely follows, a line for each cause."""
    for name, by_property in meaning.followers().items():
        parts = (f"{property_} of {_ids(ids)}" for property_, ids in by_property.items())
        yield f"{name}, {_answer(meaning, name)}, changes {'; '.join(parts)}"
    if following := meaning.only_following:
        ids = _ids([item.logical_id for item in following])
        yield f"set again, because they refer to what changes: {ids}"
    open_ = [item.logical_id for item in meaning.perhaps_lost if item not in own]
    if open_:
        yield f"of these, CloudFormation cannot say beforehand whether they are made anew: {_ids(open_)}"


def _answer(meaning: Meaning, name: str) -> str:
    before, after = meaning.before.get(name), meaning.after.get(name)
    return f"{before!r} → {after!r}" if before is not None else f"new, {after!r}"


def _ids(ids: Sequence[str]) -> str:
    count = f"{len(ids)} resources: " if len(ids) > _NAMES else ""
    return count + layout.listed(ids, _NAMES)
