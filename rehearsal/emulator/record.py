"""What a play leaves behind to be judged again: every distinct request that was evaluated, every event and its rules.

Both are files of JSON lines in the folder of the emulator. A line is written once; policies, which thousands of
requests share, stand on lines of their own. Nothing is written unless permissions are enforced.
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import evaluator
from .evaluator import Request

Document = dict[str, Any]
EVALUATIONS, EVENTS = "evaluations.jsonl", "events.jsonl"


_writing = threading.Lock()


class Lines:
    """A file of JSON lines in the emulator's folder that is only ever added to."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[Any, str] = {}

    def add(self, key: Any, line: Callable[[str], Document]) -> tuple[str, bool]:
        """The number of a key, and whether it is new; line(number) is written for a new one."""
        with _writing:
            if key in self._known:
                return self._known[key], False
            number = self._known[key] = str(len(self._known))
            with (Path(os.environ["REHEARSAL_STATE"]) / self._name).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line(number), default=str) + "\n")
            return number, True


_policies, _requests = Lines(EVALUATIONS), Lines(EVALUATIONS)
# Policies and their number, by their identity: evaluator.py gives the same objects for the same texts. They stay here
# so that no others get their identity.
_numbered: dict[tuple[int, ...], tuple[Any, str]] = {}


def note_request(request: Request, allowed: bool) -> bool:
    """Write down a request with its decision; whether it is new."""
    shared = [_shared(request.policies), *map(_shared, request.limits)]
    guard = request.guard
    if guard:
        shared.append(_shared(guard.policy))
    keys = json.dumps(dict(request.keys), sort_keys=True, default=str)
    caller = request.role or request.principal
    key = (caller, request.action, request.resource, keys, request.way, allowed, *shared)
    return _requests.add(key, lambda _: {"allowed": allowed, "shared": shared, "request": _bare(request)})[1]


def _shared(policies: Any) -> str:
    if isinstance(policies, dict | None):
        return _number(policies)
    identity = tuple(map(id, policies))
    if identity not in _numbered:
        _numbered[identity] = policies, _number(policies)
    return _numbered[identity][1]


def _number(policies: Any) -> str:
    return _policies.add(repr(policies), lambda number: {"policies": number, "content": _plain(policies)})[0]


def _plain(policies: Any) -> Any:
    return policies if isinstance(policies, dict | None) else [[vars(each) for each in group] for group in policies]


def _bare(request: Request) -> Document:
    """A request without what stands on lines of its own."""
    bare = {name: value for name, value in vars(request).items() if name not in ("policies", "limits", "guard")}
    return bare | {"guard": request.guard and {"owner": request.guard.owner, "required": request.guard.required}}


def read_requests(path: Path) -> Iterator[tuple[Request, bool]]:
    """The requests that a play wrote down, each with its decision."""
    policies: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if "policies" in found:
            policies[found["policies"]] = found["content"]
            continue
        data, shared = found["request"], [policies[number] for number in found["shared"]]
        if data["guard"]:
            data["guard"]["policy"] = shared.pop()
        yield evaluator.from_data({**data, "policies": shared[0], "limits": shared[1:]}), found["allowed"]


_rules, _events = Lines(EVENTS), Lines(EVENTS)


def note_event(event: Document, rules: Mapping[str, str], matched: list[str]) -> None:
    """Write down an event and the rules of its bus, with those that matched."""
    shown = [_rule(arn, pattern) for arn, pattern in rules.items()]
    _events.add(event["EventId"], lambda _: {"event": event, "shown": shown, "matched": matched})


def _rule(arn: str, pattern: str) -> str:
    return _rules.add((arn, pattern), lambda number: {"rule": number, "arn": arn, "pattern": pattern})[0]


def read_events(path: Path) -> Iterator[tuple[Document, dict[str, str], list[str]]]:
    """The events that a play wrote down: each with ARN and pattern of the rules of its bus, and which matched."""
    rules: dict[str, tuple[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if "rule" in found:
            rules[found["rule"]] = (found["arn"], found["pattern"])
        else:
            yield found["event"], dict(rules[number] for number in found["shown"]), found["matched"]
