"""Requests as IAM decides them: each with all that decides it, as data; the verdict of ministack's evaluator; and why.

Beside seams.py, patterns.py and variables.py the only file that touches what ministack keeps private. It needs no
emulator to run: what a play wrote down is judged again by the very code that judged it first. It changes neither
requests nor policies.
"""

import contextvars
import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from ministack.core import iam_evaluator  # type: ignore[import-not-found]

from . import variables  # noqa: F401 - conditions have them from here on

Document = dict[str, Any]
Statements = list[Any]  # ministack's ParsedStatement
ROLE_KEY = "aws:principalarn"
OWNER_KEYS = ("aws:resourceaccount", "s3:resourceaccount")
Place = Literal["role", "boundary", "session", "resource", "trust", ""]


@dataclass(frozen=True)
class Guard:
    """A resource's own policy, whose it is, and whether it must allow its own account's callers as well (a key's)."""

    policy: Document | None
    owner: str | None
    required: bool = False


@dataclass(frozen=True)
class Request:
    """Somebody does something on something, with everything that decides it.

    `way`: "call" is decided by the caller's policies, its limits (boundary, session policies) and the guard; "trust" by
    the trust policy of the role that is assumed; "service" by the resource's policy, since an AWS service has no other.
    """

    principal: str
    kind: str
    account: str
    action: str
    resource: str
    region: str
    keys: Mapping[str, Any]
    principal_keys: Mapping[str, Any] = field(default_factory=dict)
    policies: list[Statements] = field(default_factory=list)
    limits: list[list[Statements]] = field(default_factory=list)
    guard: Guard | None = None
    way: Literal["call", "trust", "service"] = "call"

    @property
    def role(self) -> str:
        """The ARN of the role behind the principal, empty for anything else."""
        return str(self.principal_keys.get(ROLE_KEY, ""))


@dataclass(frozen=True)
class Verdict:
    """Allowed or not; whether a Deny said so, whose policy decided, and the statement there if one did."""

    allowed: bool
    explicit: bool
    place: Place
    sid: str = ""


# What a call is decided by


_seen: contextvars.ContextVar[list[Request] | None] = contextvars.ContextVar("rehearsal_seen", default=None)
_evaluate, _combine = iam_evaluator.evaluate, iam_evaluator.combine_resource_policy
_evaluate_trust = iam_evaluator.evaluate_trust_policy
_resolve_condition_key = iam_evaluator._resolve_condition_key


def watched(function: Callable[..., Any], *arguments: Any, **named: Any) -> tuple[Any, Request | None]:
    """What a function of ministack answers, and the request that it evaluated first; None if it evaluated none."""
    token = _seen.set([])
    try:
        answer = function(*arguments, **named)
        seen = _seen.get() or []
        return answer, seen[0] if seen else None
    finally:
        _seen.reset(token)


def _evaluate_seen(context: Any, policies: list[Statements], *limits: list[Statements]) -> Any:
    seen = _seen.get()
    if seen == []:
        seen.append(request_of(context, policies, limits))
    return _evaluate(context, policies, *limits)


def _combine_seen(
    identity: Any, context: Any, policy: Any, owner: str | None, required: bool = False, limits: Any = ()
) -> Any:
    seen = _seen.get()
    if seen:
        seen[0] = dataclasses.replace(seen[0], guard=Guard(document(policy), owner, required))
    return _combine(identity, context, policy, owner, required=required, limits=limits)


iam_evaluator.evaluate, iam_evaluator.combine_resource_policy = _evaluate_seen, _combine_seen


def _resolve_key(key: str, context: Any) -> Any:
    """aws:PrincipalArn of a session is its role's ARN, with the path (IAM user guide, global condition keys).

    The ARN of a bucket names no account: whose it is comes with the request, and ministack's guess is the caller.
    """
    known = context.principal_keys.get(ROLE_KEY) if key.lower() == ROLE_KEY else None
    owner = context.service_context.get(key.lower()) if key.lower() in OWNER_KEYS else None
    return known or owner or _resolve_condition_key(key, context)


iam_evaluator._resolve_condition_key = _resolve_key


def request_of(context: Any, policies: list[Statements], limits: Any) -> Request:
    """The request behind ministack's evaluation of a call."""
    return Request(
        principal=context.principal_arn,
        kind=context.principal_type,
        account=context.principal_account,
        action=context.action,
        resource=context.resource_arn,
        region=context.region,
        keys={**context.service_context, "aws:securetransport": str(context.secure_transport).lower()},
        principal_keys=context.principal_keys,
        policies=policies,
        limits=list(limits),
    )


def document(policy: str | Document | None) -> Document | None:
    """A policy as a document; None when there is none."""
    return cast(Document, json.loads(policy)) if isinstance(policy, str) and policy else cast(Document, policy or None)


_parse = iam_evaluator.parse_policy_document
_parse_text = functools.lru_cache(maxsize=1024)(_parse)


def _parse_once(policy: str | Document) -> Statements:
    """Of the same text the same statements, which nobody changes: each call asks for those of all its policies."""
    return cast(Statements, _parse_text(policy) if isinstance(policy, str) else _parse(policy))


iam_evaluator.parse_policy_document = _parse_once


def statements(policy: str | Document | None) -> Statements:
    """The statements of a policy as the evaluator takes them."""
    return cast(Statements, iam_evaluator.parse_policy_document(policy or {}))


# Judging


def _context(request: Request) -> Any:
    return iam_evaluator.EvalContext(
        principal_arn=request.principal,
        principal_type=request.kind,
        principal_account=request.account,
        action=request.action,
        resource_arn=request.resource,
        region=request.region,
        secure_transport=request.keys.get("aws:securetransport") != "false",
        service_context=dict(request.keys),
        principal_keys=dict(request.principal_keys),
    )


def judge(request: Request) -> Verdict:
    """Whether a request is allowed, and what decided."""
    context = _context(request)
    policy = request.guard.policy if request.guard else None
    if request.way == "trust":
        return _trust_verdict(request, context, policy)
    if request.way == "service":
        found = iam_evaluator.evaluate_resource_policy(policy, context, service=request.principal)
        return Verdict(found.decision == "Allow", found.decision == "Deny", "resource", found.matched_sid)
    identity = _evaluate(context, request.policies, *request.limits)
    if request.guard is None:
        return _own_verdict(request, context, identity)
    guard = request.guard
    both = _combine(identity, context, policy, guard.owner, required=guard.required, limits=tuple(request.limits))
    if both is identity:
        return _own_verdict(request, context, identity)
    return Verdict(both.decision == "Allow", both.decision == "Deny", "resource", both.matched_sid)


def _trust_verdict(request: Request, context: Any, policy: Document | None) -> Verdict:
    if request.kind == "Service":
        found = iam_evaluator.evaluate_resource_policy(policy, context, service=request.principal)
        return Verdict(found.decision == "Allow", found.decision == "Deny", "trust", found.matched_sid)
    allowed = bool(_evaluate_trust(policy, request.principal, context))
    return Verdict(allowed, False, "trust")


def _own_verdict(request: Request, context: Any, found: Any) -> Verdict:
    if found.decision == "Allow":
        return Verdict(True, False, "role", found.matched_sid)
    places: list[Place] = ["role", "boundary", "session"]
    layers = [request.policies, *request.limits]
    if found.decision == "Deny":
        denying = (place for place, layer in zip(places, layers, strict=False) if _first(context, layer, "Deny"))
        return Verdict(False, True, next(denying, "role"), found.matched_sid)
    lacking = (place for place, layer in zip(places, layers, strict=False) if not _first(context, layer, "Allow"))
    return Verdict(False, False, next(lacking, "role"))


def _first(context: Any, layer: list[Statements], effect: str) -> Any:
    return iam_evaluator._first_match(context, [each for group in layer for each in group], effect)


def allowing(request: Request) -> Iterator[tuple[Any, list[str]]]:
    """Each statement of the caller's own that allows a request, with the patterns of actions that match."""
    context = _context(request)
    for each in (one for group in request.policies for one in group):
        if iam_evaluator._first_match(context, [each], "Allow"):
            yield each, [pattern for pattern in each.actions if stands_for(pattern, request.action)]


def stands_for(pattern: str, action: str) -> bool:
    """Whether a pattern of actions, `s3:Get*` say, includes an action."""
    return cast(bool, iam_evaluator.fnmatch_iam(action, pattern))


def nearly(request: Request, layer: list[Statements]) -> Iterator[tuple[Any, list[str]]]:
    """Each statement that allows the action, but not this request: with what differs, in words."""
    context = _context(request)
    for each in (one for group in layer for one in group):
        if each.effect == "Allow" and iam_evaluator._action_matches(request.action, each.actions, each.not_actions):
            differing = list(_differing(each, request, context))
            if differing:
                yield each, differing


def _differing(each: Any, request: Request, context: Any) -> Iterator[str]:
    if not iam_evaluator._resource_matches(request.resource, each.resources, each.not_resources):
        yield "on " + (" or ".join(each.resources) or f"anything but {' and '.join(each.not_resources)}")
    for operator, pairs in each.conditions.items():
        for key, wanted in pairs.items():
            if not iam_evaluator._conditions_met({operator: {key: wanted}}, context):
                found = iam_evaluator._resolve_condition_key(key, context)
                yield f"if {operator} {key} {json.dumps(wanted)}, which is {json.dumps(found, default=str)}"


# From data


def from_data(data: Document) -> Request:
    """A request out of the plain data that record.py keeps."""
    guard = Guard(**data["guard"]) if data["guard"] else None
    policies = [_parsed(group) for group in data["policies"]]
    limits = [[_parsed(group) for group in layer] for layer in data["limits"]]
    return Request(**{**data, "guard": guard, "policies": policies, "limits": limits})


def _parsed(group: list[Document]) -> Statements:
    return [iam_evaluator.ParsedStatement(**each) for each in group]
