"""What every call needs, who was denied what, and which grants were used.

ministack evaluates identity policies, boundaries, session and resource policies. This adds: the services of ours, with
their resources and condition keys; iam:PassRole wherever a service takes a role; CloudFormation, which acts as the role
of the stack (needs.py says what each type needs of it). Service-side checks of aws:SourceAccount and aws:SourceArn in
trust policies are not made.
"""

import contextlib
import fnmatch
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import seams
from .clients import assume, role_of
from .needs import needs_of
from .passing import passed_roles
from .provisioning import CLOUDFORMATION, current
from .resources import condition_keys, key_actions, resource_of, tagging_actions
from .seams import ApiCall, Authorizer, Decision
from .service import account, admin, camel, region, services, tag_finders
from .store import Store

_used: Store[dict[str, "Use"]] = Store("used")
_denials: Store[dict[str, Any]] = Store("denials")
_lock = threading.Lock()
RESOURCES_KEPT = 20


@dataclass
class Use:
    """How often a role used an action, and the first resources that it used it on."""

    times: int = 0
    resources: list[str] = field(default_factory=list)


class PermissionMissingError(Exception):
    """CloudFormation's role may not do what a resource needs."""


def note(decision: Decision) -> None:
    """Remember a decision about a role: what it used, or what it was denied and the statement that would allow it."""
    role = role_of(decision.principal)
    if role is None:
        return
    with _lock:
        if decision.allowed:
            use = _used.setdefault(role, {}).setdefault(decision.action, Use())
            use.times += 1
            if decision.resource not in use.resources and len(use.resources) < RESOURCES_KEPT:
                use.resources.append(decision.resource)
        else:
            _note_denial(role, decision)


def _note_denial(role: str, decision: Decision) -> None:
    resource = current()
    denial = _denials.setdefault(
        f"{role} {decision.action} {decision.resource}",
        {
            "role": role,
            "action": decision.action,
            "resource": decision.resource,
            "reason": decision.reason,
            "made": f"{resource.stack_name} {resource.logical_id}" if resource else "",
            "statement": {"Effect": "Allow", "Action": decision.action, "Resource": decision.resource},
            "times": 0,
        },
    )
    denial["times"] += 1


def require(role: str, action: str, resource: str, keys: Mapping[str, Any], principal: str | None = None) -> None:
    """Raise PermissionMissingError unless a role may do an action; a service that acts as the role calls this."""
    key, _, _ = assume(role, principal)
    decision = seams.decide(key, action, resource, dict(keys))
    note(decision)
    if not decision.allowed:
        raise PermissionMissingError(
            f"User: {decision.principal} is not authorized to perform: {action} on resource: {resource} "
            f"because {decision.reason[:1].lower()}{decision.reason[1:]}"
        )


@contextlib.contextmanager
def _around(call: seams.ResourceCall) -> Iterator[None]:
    context = current()
    if seams.enforced() and context and context.role:
        principal = CLOUDFORMATION if context.service_role else None
        for action, resource, keys in needs_of(call, context):
            require(context.role, action, resource, keys, principal)
    yield


def _action(call: ApiCall) -> str | None:
    """The action of a REST call to a service of ours, and where actions are not named after operations."""
    operation = call.headers.get("x-amz-target", "").rpartition(".")[2]
    if call.service == "budgets" and "Tag" not in operation:
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbudgetservice.html
        return "budgets:ViewBudget" if operation.startswith("Describe") else "budgets:ModifyBudget"
    service = services.get(call.service)
    for verb, pattern, function in service.routes if service else ():
        if verb == call.method and pattern.fullmatch(call.path):
            return f"{call.service}:{camel(function.__name__)}"
    return None


def _further(call: ApiCall, action: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What a call needs beside its own action: to pass roles that it hands on, to tag what it makes, to use a key."""
    passed = [("iam:PassRole", role, {"iam:PassedToService": service}) for role, service in passed_roles(call, action)]
    if call.service == "s3":
        return key_actions(call, action, f"arn:aws:s3:::{unquote(call.path).strip('/')}")
    return passed + tagging_actions(call, action, resource_of(call, region(), account()) or "*")


def _tags(arn: str) -> dict[str, str] | None:
    if arn.count(":") < 5:  # "*", where an action has no resource
        return None
    return next((tags for find in tag_finders if (tags := find(arn))), None)


seams.on_resource_tags(_tags)
# Service Catalog's own copies of templates carry this tag, on which AWS's launch roles are conditioned:
# https://docs.aws.amazon.com/servicecatalog/latest/adminguide/constraints-launch.html
COPY_TAG = {"s3:ExistingObjectTag/servicecatalog:provisioning": "true"}


def _may_read_template(url: str, place: str) -> str | None:
    """CloudFormation reads a template behind a URL as whoever calls it."""
    if not seams.enforced() or not seams.session(seams.caller_key.get()):
        return None
    copied = not place
    resource = f"arn:aws:s3:::servicecatalog-{region()}/{url.rpartition('/')[2]}" if copied else f"arn:aws:s3:::{place}"
    decision = seams.decide(seams.caller_key.get(), "s3:GetObject", resource, COPY_TAG if copied else {})
    note(decision)
    return None if decision.allowed else f"S3 error: Access Denied: {decision.principal} may not read {url}"


seams.before_template(_may_read_template)
seams.authorize_with(Authorizer(_action, resource_of, condition_keys, _further, note))
seams.around_resources(_around)


@admin("/_rehearsal/denials")
def denials() -> list[dict[str, Any]]:
    """Every denied call of a role: role, action, resource, why, the statement that would allow it, how often."""
    return [value for _, _, _, value in _denials.everywhere()]


@admin("/_rehearsal/used")
def used() -> dict[str, dict[str, Any]]:
    """By role: the actions that it used, how often and on which resources first, and what it was granted in vain."""
    with _lock:
        calls = {role: dict(sorted(actions.items())) for _, _, role, actions in _used.everywhere()}
    found = {}
    for role in sorted({*calls, *seams.all_roles()}):
        actions = calls.get(role, {})
        found[role] = {
            "used": {action: call.times for action, call in actions.items()},
            "resources": {action: call.resources for action, call in actions.items()},
            "unused": _unused(role, list(actions)),
        }
    return found


def _unused(role: str, actions: list[str]) -> list[str]:
    granted: set[str] = set()
    for document in seams.role_policies(role):
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                given = statement.get("Action", [])
                granted |= {given} if isinstance(given, str) else set(given)
    done = [action.lower() for action in actions]
    return sorted(grant for grant in granted if not any(fnmatch.fnmatchcase(item, grant.lower()) for item in done))
