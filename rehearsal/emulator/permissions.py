"""What every call needs, who was denied what, and which grants were used.

ministack evaluates identity policies, boundaries, session and resource policies. This adds: the services of ours, with
their resources and condition keys; iam:PassRole wherever a service takes a role; CloudFormation, which acts as the role
of the stack (needs.py says what each type needs of it); what was decided, for the report and for record.py.
"""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from . import denial as words
from . import evaluator, grants, record, seams
from .clients import assume, role_of
from .needs import needs_of
from .passing import passed_connections, passed_roles
from .provisioning import CLOUDFORMATION, current
from .resources import condition_keys, key_actions, resource_of, second_resources, tagging_actions
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
    request = decision.request
    role = role_of(decision.principal)
    if request:
        new = record.note_request(request, decision.allowed)
        if role and new and decision.allowed and request.way == "call":
            grants.note_used(role, request)
    if not decision.allowed:
        with _lock:
            _note_denial(role or _role_behind(decision), decision)
    elif role and (request is None or request.way == "call"):
        with _lock:
            _note_use(role, decision)


def _note_use(role: str, decision: Decision) -> None:
    use = _used.setdefault(role, {}).setdefault(decision.action, Use())
    use.times += 1
    if decision.resource not in use.resources and len(use.resources) < RESOURCES_KEPT:
        use.resources.append(decision.resource)


def _role_behind(decision: Decision) -> str:
    """The role that a service may not assume; else whoever calls, as it is."""
    trust = decision.request and decision.request.way == "trust"
    return decision.resource if trust else decision.principal


def _note_denial(role: str, decision: Decision) -> None:
    resource, request = current(), decision.request
    verdict = evaluator.judge(request) if request else None
    denial = _denials.setdefault(
        f"{role} {decision.action} {decision.resource}",
        {
            "role": role,
            "action": decision.action,
            "resource": decision.resource,
            "reason": words.reason(request, verdict) if request and verdict else decision.reason,
            "made": f"{resource.stack_name} {resource.logical_id}" if resource else "",
            "statement": words.statement(request, verdict) if request and verdict else None,
            "sentence": words.sentence(request, verdict) if request and verdict else "",
            "times": 0,
        },
    )
    denial["times"] += 1


def require(
    role: str,
    action: str,
    resource: str,
    keys: Mapping[str, Any],
    principal: str | None = None,
    source: str = "",
    guard: evaluator.Guard | None = None,
) -> None:
    """Raise PermissionMissingError unless a role may do an action; a service that acts as the role calls this."""
    key, _, _ = assume(role, principal, source)
    decision = seams.decide(key, action, resource, dict(keys), guard)
    if not decision.allowed:
        why = words.reason(decision.request, evaluator.judge(decision.request)) if decision.request else decision.reason
        raise PermissionMissingError(
            f"User: {decision.principal} is not authorized to perform: {action} on resource: {resource} because {why}"
        )


@contextlib.contextmanager
def _around(call: seams.ResourceCall) -> Iterator[None]:
    context = current()
    if call.operation == "delete" and call.type.startswith("AWS::IAM::"):
        grants.remember()
    if seams.enforced() and context and context.role:
        principal = CLOUDFORMATION if context.service_role else None
        for action, resource, keys in needs_of(call, context):
            require(context.role, action, resource, keys, principal, guard=_new_guard(call, action))
    yield


def _new_guard(call: seams.ResourceCall, action: str) -> evaluator.Guard | None:
    """The policy of a key that is being made: what follows CreateKey acts on the key, which has it from then on."""
    if call.type != "AWS::KMS::Key" or call.operation != "create" or action in ("kms:CreateKey", "kms:TagResource"):
        return None
    policy = call.properties.get("KeyPolicy")
    return evaluator.Guard(evaluator.document(policy), account(), required=True) if policy else None


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
    resource = resource_of(call, region(), account()) or "*"
    return [
        *passed,
        *passed_connections(call, action),
        *tagging_actions(call, action, resource),
        *second_resources(call, action, f"{region()}:{account()}"),
    ]


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
    grants.remember()
    with _lock:
        calls = {role: dict(sorted(actions.items())) for _, _, role, actions in _used.everywhere()}
    found = {}
    for role in sorted({*calls, *grants.roles()}):
        actions = calls.get(role, {})
        found[role] = {
            "used": {action: call.times for action, call in actions.items()},
            "resources": {action: call.resources for action, call in actions.items()},
            "unused": grants.unused(role),
        }
    return found
