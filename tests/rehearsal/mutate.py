"""Judges what a play wrote down again: as it was, and with each used action, each field of a pattern, changed in turn.

In: the emulator's folder of a play and further events. Out: what came of it. Both as JSON. It runs in the emulator's
environment and asks the emulator's own evaluator and matcher; nothing of IAM or EventBridge is written here.
"""

import copy
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rehearsal.emulator import denial, evaluator, patterns, record
from rehearsal.emulator.evaluator import Request

OURS = "role/sagemaker-projects"  # the path, or the beginning of the name, of every role of our templates
Document = dict[str, Any]
Rule = tuple[str, str]  # ARN and pattern


# Roles


def changed_decisions(requests: list[tuple[Request, bool]]) -> list[str]:
    """Requests that are decided otherwise than in the play; there should be none."""
    return [
        f"{request.principal} {request.action} {request.resource}: {'allowed' if allowed else 'denied'} in the play"
        for request, allowed in requests
        if evaluator.judge(request).allowed != allowed
    ]


def without_actions(requests: list[tuple[Request, bool]]) -> list[Document]:
    """For each role, statement and used action: what becomes of the role's requests when it is not there."""
    used: dict[tuple[str, str, str], list[Request]] = defaultdict(list)
    for request, allowed in requests:
        if allowed and request.way == "call" and OURS in request.role:
            for statement, _ in evaluator.allowing(request):
                used[request.role, _name(statement), request.action].append(request)
    return [_without(*key, found) for key, found in sorted(used.items())]


def _without(role: str, statement: str, action: str, requests: list[Request]) -> Document:
    """The first request that is denied then, and what is said of it; who else allows them if none is."""
    found: Document = {"role": role, "statement": statement, "action": action, "noticed": False}
    for request in requests:
        mutant = replace(request, policies=_removed(request.policies, statement, action))
        verdict = evaluator.judge(mutant)
        if not verdict.allowed:
            text = denial.sentence(mutant, verdict)
            return found | {"noticed": True, "resource": request.resource, "sentence": text}
        also = {_name(each) for each, _ in evaluator.allowing(mutant)} or {"the policy of the resource"}
        found["also"] = sorted({*found.get("also", []), *also})
    return found


def _removed(policies: list[Any], name: str, action: str) -> list[Any]:
    return [[_less(each, action) if _name(each) == name else each for each in group] for group in policies]


def _less(statement: Any, action: str) -> Any:
    """A statement without the patterns that an action matches; one without any is no statement any more."""
    left = [each for each in statement.actions if not evaluator.stands_for(each, action)]
    return replace(statement, actions=left, effect=statement.effect if left else "None")


def _name(statement: Any) -> str:
    return statement.sid or " ".join(statement.resources)


# Patterns


def mutated_patterns(events: list[tuple[Document, dict[str, str], list[str]]]) -> list[Document]:
    """For each rule of a project and each field of its pattern, changed in turn: which event notices it, and how."""
    seen: dict[Rule, list[Document]] = defaultdict(list)
    for event, rules, _ in events:
        for rule in rules.items():
            seen[rule].append(event)
    return [
        _noticed(arn, pattern, what, mutant, seen[arn, pattern])
        for arn, pattern in sorted(seen)
        for what, mutant in _mutants(pattern)
    ]


def _mutants(pattern: str) -> Iterator[tuple[str, str]]:
    for place, values in patterns.leaves(json.loads(pattern)):
        name = ".".join(place)
        for number, value in enumerate(values):
            yield f"{name}: {json.dumps(value)} misspelt", _with(pattern, place, _misspelt(values, number))
        yield f"{name} renamed", _with(pattern, (*place[:-1], f"{place[-1]}x"), values, gone=place)
        if place[0] == "detail":  # a source says no more than the type of an event already does
            yield f"{name} left out", _with(pattern, place, [{"exists": True}, {"exists": False}])


def _misspelt(values: list[Any], number: int) -> list[Any]:
    changed = copy.deepcopy(values)
    value = changed[number]
    if isinstance(value, dict):
        [(operator, wanted)] = value.items()
        changed[number] = {operator: f"x{wanted}"}
    else:
        changed[number] = f"x{value}"
    return changed


def _with(pattern: str, place: tuple[str, ...], values: list[Any], gone: tuple[str, ...] = ()) -> str:
    document = json.loads(pattern)
    if gone:
        del _parent(document, gone)[gone[-1]]
    _parent(document, place)[place[-1]] = values
    return json.dumps(document)


def _parent(document: Document, place: tuple[str, ...]) -> Document:
    for name in place[:-1]:
        document = document[name]
    return document


def _noticed(arn: str, pattern: str, what: str, mutant: str, events: list[Document]) -> Document:
    found: Document = {"rule": arn, "what": what, "noticed": False}
    for event in events:
        before, after = patterns.matches(pattern, event), patterns.matches(mutant, event)
        if before and not after:
            return found | {"noticed": True, "sentence": patterns.sentence(arn, mutant, event)}
        if after and not before:
            return found | {"noticed": True, "sentence": patterns.sentence(arn, pattern, event)}
    return found


def main(folder: Path, further: list[Document]) -> Document:
    """Everything of one play."""
    requests = list(record.read_requests(folder / record.EVALUATIONS))
    events = list(record.read_events(folder / record.EVENTS))
    rules = {arn: pattern for _, known, _ in events for arn, pattern in known.items()}
    return {
        "requests": len(requests),
        "changed": changed_decisions(requests),
        "roles": without_actions(requests),
        "further": [sorted(arn for arn in rules if patterns.matches(rules[arn], event)) for event in further],
        "patterns": mutated_patterns([*events, *((event, rules, []) for event in further)]),
    }


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(main(Path(asked["folder"]), asked["further"]), sys.stdout)
