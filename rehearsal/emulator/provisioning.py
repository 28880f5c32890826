"""How CloudFormation types of ours are written, and what happens around every resource: whose role, which properties.

    @provisioner("AWS::SageMaker::ModelPackageGroup", create_only=("ModelPackageGroupName",), tags=True)
    class ModelPackageGroup:
        def create(self, properties, context): return ref, attributes
        def update(self, ref, old, new, context): return attributes
        def delete(self, ref, properties, context): ...

`create` returns what Ref gives and what Fn::GetAtt gives by name; `update` is called for changes that replace nothing.
A property that no line reads while a resource is made is reported as ignored at /_rehearsal/ignored.
"""

import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import seams
from .clients import caller, client, role_of
from .reading import Reading, unread
from .service import admin
from .store import Store

log = logging.getLogger("rehearsal")
Properties = dict[str, Any]
CLOUDFORMATION = "cloudformation.amazonaws.com"


@dataclass(frozen=True)
class Context:
    """The resource that CloudFormation is at: its logical id and stack, the stack's tags, the role that it acts as.

    `role` is the stack's service role or, without one, the role that called CloudFormation; None for an account's root.
    """

    logical_id: str
    stack_name: str
    stack_id: str
    stack_tags: Mapping[str, str]
    role: str | None
    service_role: bool

    def client(self, service: str) -> Any:
        """A boto3 client that acts as CloudFormation does for this stack."""
        return client(service, role=self.role, principal=CLOUDFORMATION if self.service_role else None)


class Provisioner(Protocol):
    """What a class behind @provisioner has."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]: ...

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties: ...

    def delete(self, ref: str, properties: Properties, context: Context) -> None: ...


Completion = Callable[[str, Properties, Context], None]
_context: contextvars.ContextVar[Context] = contextvars.ContextVar("rehearsal_resource")
ignored: Store[set[str]] = Store("ignored")
_roles: Store[str] = Store("roles")


def provisioner(
    name: str, *, create_only: Sequence[str] = (), tags: bool = False
) -> Callable[[type[Provisioner]], type[Provisioner]]:
    """Let a class make a CloudFormation type. `create_only` properties replace the resource when they change; with
    `tags`, its Tags get the stack's as well."""

    def register(made: type[Provisioner]) -> type[Provisioner]:
        ours = made()
        seams.register_type(name, _handler(ours), tags=tags, create_only=create_only)
        return made

    return register


def completes(name: str) -> Callable[[Completion], Completion]:
    """Let function(ref, properties, context) do what ministack leaves out when it makes or changes a type."""

    def register(function: Completion) -> Completion:
        def complete(ref: str, properties: Properties, old: Properties) -> None:
            function(ref, properties, _context.get())

        seams.complete_type(name, complete)
        return function

    return register


def _handler(ours: Provisioner) -> dict[str, Callable[..., Any]]:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Any:
        return ours.create(properties, _context.get())

    def update(ref: str, old: Properties, new: Properties, stack_name: str, logical_id: str) -> Any:
        return ref, ours.update(ref, old, new, _context.get())

    def delete(ref: str, properties: Properties, logical_id: str) -> None:
        ours.delete(ref, properties, _context.get())

    return {"create": create, "update": update, "delete": delete}


@contextlib.contextmanager
def _around(call: seams.ResourceCall) -> Iterator[Properties]:
    reading = Reading(call.properties)
    token = _context.set(_context_of(call))
    try:
        yield reading
    finally:
        _context.reset(token)
    if call.operation == "create":
        _note_unread(call.type, reading)


def _note_unread(type_name: str, reading: Reading) -> None:
    names = unread(reading)
    if names:
        ignored[type_name] = (ignored.get(type_name) or set()) | names


def _context_of(call: seams.ResourceCall) -> Context:
    stack = seams.stack(call.stack_name) or {}
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags") or []}
    service_role = stack.get("RoleARN")
    role = service_role or role_of(stack.get("CallerArn", ""))
    return Context(call.logical_id, call.stack_name, stack.get("StackId", ""), tags, role, bool(service_role))


@admin("/_rehearsal/ignored")
def ignored_properties() -> dict[str, list[str]]:
    """By resource type, the properties that templates set and nothing here acted on, in any account."""
    found: dict[str, set[str]] = {}
    for _, _, name, names in ignored.everywhere():
        found.setdefault(name, set()).update(names)
    return {name: sorted(names) for name, names in sorted(found.items())}


@admin("/_rehearsal/types")
def types() -> dict[str, list[str]]:
    """Every type of ours with the properties whose change replaces the resource."""
    return seams.replacing_properties()


def own_tags(properties: Properties, member: str = "Tags") -> list[Properties]:
    """The tags of a resource as its API takes them: those that CloudFormation alone may set, aws:…, are left out."""
    given = properties.get(member) or []
    tags = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in given]
    return [tag for tag in tags if not tag["Key"].startswith("aws:")]


def tag_changes(old: Properties, new: Properties) -> tuple[list[Properties], list[str]]:
    """What an update adds to the tags, and the keys that it removes."""
    before = {tag["Key"]: tag["Value"] for tag in own_tags(old)}
    after = {tag["Key"]: tag["Value"] for tag in own_tags(new)}
    added = [{"Key": key, "Value": value} for key, value in after.items() if before.get(key) != value]
    return added, sorted(before.keys() - after.keys())


def current() -> Context | None:
    """The resource that CloudFormation is at in this thread; None outside of one."""
    return _context.get(None)


def _remember_role(operation: str, parameters: Mapping[str, str]) -> None:
    """CloudFormation keeps a stack's service role for later operations; without one it acts as whoever calls."""
    stack = seams.stack(parameters.get("StackName", ""))
    change_set = parameters.get("ChangeSetName", "")
    if operation == "CreateChangeSet":
        _roles[f"{parameters['StackName']} {change_set}"] = parameters.get("RoleARN", "")
        return
    if stack is None:
        return
    role = parameters.get("RoleARN") or _roles.get(f"{stack['StackName']} {change_set}")
    stack["CallerArn"] = caller()
    if role:
        stack["RoleARN"] = role


seams.around_resources(_around)
seams.on_stack_call(_remember_role)
