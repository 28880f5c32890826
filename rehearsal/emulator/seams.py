"""Where the rehearsal reaches into what ministack and moto keep private; test_seams.py checks each place.

Nothing else in the rehearsal imports either of them, but for evaluator.py and patterns.py, which need no running
emulator. Both are untyped: what leaves this file has types. It is imported once server.py has set the environment,
which ministack reads only then.
"""

import asyncio
import contextlib
import contextvars
import copy
import functools
import json
import os
import pickle
import re
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import IO, Any, Literal, cast

import ministack.app as app  # type: ignore[import-not-found]
import yaml
from ministack.core import iam_actions, iam_evaluator, persistence, responses, router  # type: ignore[import-not-found]
from ministack.services import apigateway_v1, cloudwatch, eventbridge, s3, scheduler, sts  # type: ignore[import-not-found]
from ministack.services.cloudformation import (  # type: ignore[import-not-found]
    _stacks,
    changesets,
    engine,
    handlers,
    helpers,
    provisioners,
    stacks,
)

from . import delays, evaluator, senders
from .evaluator import Guard, Request
from .reference import UNSCOPED

Document = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, list[str]]], Response]
Asgi = Callable[[Document, Callable[[], Awaitable[Document]], Callable[[Document], Awaitable[None]]], Awaitable[None]]

application = cast(Asgi, app.app)


# The call being served


def account() -> str:
    """The account of the call being served."""
    return cast(str, responses.get_account_id())


def region() -> str:
    """The region of the call being served."""
    return cast(str, responses.get_region())


@contextlib.contextmanager
def scope(account_id: str, region_name: str) -> Iterator[None]:
    """Act for an account and region in this block, as ministack does for the call that it serves."""
    with responses.request_scope(account_id, region_name):
        yield


def enforced() -> bool:
    """Whether this emulator checks permissions."""
    return cast(bool, app.AUTH)


def access_key(headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> str:
    """The access key that a request is signed with, empty for an anonymous one."""
    return cast(str, router.extract_access_key_id(headers, query)) or ""


caller_key: contextvars.ContextVar[str] = contextvars.ContextVar("rehearsal_caller_key", default="")


def session(key: str) -> Document | None:
    """The temporary credentials behind an access key: Arn, SecretAccessKey, SessionToken. None for a root's key."""
    return cast("Document | None", sts._sessions.get(key))


def register_session(key: str, record: Document) -> None:
    """Make temporary credentials known, so that calls signed with them are this principal's."""
    sts.register_session(key, record)


# Services


_expected_content_type = responses.expected_success_content_type


def _kept_content_type(service: str, emitted: str) -> str | None:
    """Ours answer with the right one: a model behind SageMaker's InvokeEndpoint with the one that it chose."""
    return None if service in _ours else _expected_content_type(service, emitted)


_ours: set[str] = set()
responses.expected_success_content_type = _kept_content_type


def register_service(names: Sequence[str], target: str, handler: Handler) -> None:
    """Send what botocore signs for these names, or targets, to a blocking handler on a thread of its own."""
    _ours.update(names)

    async def serve(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        return await asyncio.to_thread(handler, method, path, headers, body, query)

    for name in names:
        app.SERVICE_HANDLERS[name] = serve
        iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = names[0]
        known = router.SERVICE_PATTERNS.get(name, {})
        router.SERVICE_PATTERNS[name] = {**known, "target_prefixes": [target] if name == names[0] else []}


@functools.cache
def _moto(service: str) -> Any:
    from moto.moto_server.werkzeug_app import create_backend_app

    return create_backend_app(cast(Any, service))


def moto(service: str, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
    """What moto answers, in process, for the account and region of the call being served."""
    sent = {name: value for name, value in headers.items() if name.lower() not in ("content-length", "host")}
    sent["x-moto-account-id"] = account()
    host = f"http://{service}.{region()}.amazonaws.com"
    answer = _moto(service).test_client().open(path, method=method, headers=sent, data=body, base_url=host)
    return answer.status_code, {"Content-Type": answer.headers.get("Content-Type", "application/json")}, answer.data


def reset_moto() -> None:
    """Forget what moto keeps."""
    from moto.core.model_instances import reset_model_data

    reset_model_data()
    if not _moto.cache_info().currsize:
        return
    from moto import backends

    for service in ("sagemaker",):
        backends.get_backend(service).reset()


Tagged = Callable[[], Iterator[tuple[str, Mapping[str, str]]]]


def list_tagged(service: str, function: Tagged) -> None:
    """Let function() give ARN and tags of a service's resources, for the Resource Groups Tagging API."""
    from ministack.services import tagging

    def collect() -> Iterator[tuple[str, list[Document]]]:
        for arn, tags in function():
            yield arn, [{"Key": key, "Value": value} for key, value in tags.items()]

    tagging._COLLECTORS[service] = collect


# Events


def put_events(entries: Sequence[Document]) -> None:
    """Put events on the buses of the account and region of this call; `aws.` sources are allowed, as AWS's own are."""
    eventbridge._put_events({"Entries": list(entries)}, allow_aws_source=True)


# Rules and schedules are looked at each second instead of every ten.
scheduler._SCHEDULE_TICK_INTERVAL = eventbridge._SCHEDULER_TICK_INTERVAL = 1
EventTarget = Callable[[Document, Document, Document], None]
_event_targets: dict[str, EventTarget] = {}
_invoke_target = eventbridge._invoke_target


def on_event_target(service: str, function: EventTarget) -> None:
    """Deliver events for targets whose ARN is this service's: function(target, event, rule)."""
    _event_targets[service] = function


def _invoke(target: Document, event: Document, rule: Document, view: Any = None) -> Any:
    ours = _event_targets.get(str(target.get("Arn", "")).split(":")[2:3][0] if ":" in str(target.get("Arn")) else "")
    if ours is None:
        return _invoke_target(target, event, rule, view)
    return ours(target, event, rule)


eventbridge._invoke_target = _invoke


def deliver_here(target: Document, event: Document, rule: Document) -> None:
    """Let ministack itself deliver an event, to a target that it knows."""
    _invoke_target(target, event, rule, None)


def put_on_bus(bus: str, event: Document) -> None:
    """Put an event on a bus, its own account and region kept."""
    _, _, _, place, owner, resource = bus.split(":")
    with scope(owner, place):
        eventbridge._dispatch_event({**event, "EventBusName": resource.partition("/")[2]})


def _bus_policy(arn: str) -> tuple[Document, str] | None:
    """The policy of a bus and its owner; None for a rule or a bus without one, which ministack asks of no caller."""
    fields = arn.split(":")
    bus = fields[5].removeprefix("event-bus/") if len(fields) > 5 and fields[5].startswith("event-bus/") else ""
    return (eventbridge._event_bus_policies.get(bus) or {}, fields[4]) if bus else None


EventNote = Callable[[Document, Document], None]
_event_notes: list[EventNote] = []
_dispatch_event = eventbridge._dispatch_event


def on_event(function: EventNote) -> None:
    """Call function(event, rules) for every event on a bus; rules: ARN → pattern of each rule that looks at it."""
    _event_notes.append(function)


def _dispatch(event: Document, view: Any = None) -> None:
    bus = event.get("EventBusName", "default")
    rules = {
        rule["Arn"]: rule["EventPattern"]
        for rule in eventbridge._rules.values()
        if rule.get("EventBusName", "default") == bus and rule.get("State") == "ENABLED" and rule.get("EventPattern")
    }
    for note in _event_notes:
        note(event, rules)
    _dispatch_event(event, view)


eventbridge._dispatch_event = _dispatch
_put_permission = eventbridge._put_permission


def _put_whole_permission(request: Document) -> Any:
    """ministack leaves out the form of the call that gives the whole policy of a bus, and whose a number is."""
    if "Policy" not in request:
        principal = str(request.get("Principal", "*"))
        named = {"AWS": f"arn:aws:iam::{principal}:root"} if principal.isdecimal() else principal
        return _put_permission({**request, "Principal": named})
    eventbridge._event_bus_policies[request.get("EventBusName", "default")] = json.loads(request["Policy"])
    return responses.json_response({})


eventbridge._put_permission = _put_whole_permission


def event_payload(target: Document, event: Document, rule: Document) -> str:
    """What a target gets of an event: the event itself, or what Input, InputPath or InputTransformer make of it."""
    view = eventbridge._pattern_event_view(event)
    if target.get("InputTransformer"):
        return cast(str, eventbridge._apply_input_transformer(target["InputTransformer"], rule, view))
    if target.get("Input"):
        return cast(str, target["Input"])
    content: Any = view.event_with_detail()
    for part in (target.get("InputPath") or "").strip("$.").split("."):
        content = content[part] if part else content
    return json.dumps(content)


def policy_lets_service(document: str | Document, service: str, action: str, resource: str, keys: Document) -> bool:
    """Whether a resource's policy lets an AWS service, `events.amazonaws.com` say, do something with the resource."""
    return _settle(_of_service("service", document, service, action, resource, keys)).allowed


def _of_service(
    way: Literal["trust", "service"],
    document: str | Document | None,
    service: str,
    action: str,
    resource: str,
    keys: Document,
) -> Request:
    return Request(
        principal=service,
        kind="Service",
        account=account(),
        action=action,
        resource=resource,
        region=region(),
        keys={name.lower(): value for name, value in keys.items()},
        guard=Guard(evaluator.document(document), None),
        way=way,
    )


AlarmChange = Callable[[Document, str, str, str], None]
_alarm_changes: list[AlarmChange] = []
_dispatch_alarm_actions = cloudwatch._dispatch_alarm_actions


def on_alarm(function: AlarmChange) -> None:
    """Call function(alarm, old state, new state, reason) whenever an alarm changes its state."""
    _alarm_changes.append(function)


def _dispatch_alarm(alarm: Document, old: str, new: str, reason: str) -> None:
    _dispatch_alarm_actions(alarm, old, new, reason)
    for function in _alarm_changes:
        function(alarm, old, new, reason)


cloudwatch._dispatch_alarm_actions = _dispatch_alarm


def record_metric(namespace: str, name: str, value: float, unit: str, dimensions: Mapping[str, str]) -> None:
    """Publish a value of an AWS service's metric, in the account and region being served."""
    cloudwatch.record_metric(namespace, name, value, unit, dict(dimensions))


def metric_points(namespace: str, name: str, dimensions: Mapping[str, str], since: float) -> list[Document]:
    """The points of a metric with exactly these dimensions, in the account and region being served."""
    points = cloudwatch._metrics.get((namespace, name, cloudwatch._dims_key(dict(dimensions))), [])
    found: list[Document] = []
    for index in range(len(points) - 1, -1, -1):
        point = points[index]
        if point["Timestamp"] < since - METRIC_DISORDER:
            break
        if point["Timestamp"] >= since:
            found.append(point)
    return found


# Points lie in the order in which they were published; one may tell of a time so many seconds earlier.
METRIC_DISORDER = 10.0


def metric_value(points: Sequence[Document], statistic: str) -> float | None:
    """A statistic of points: Average, Sum, p99 …"""
    return cast("float | None", cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points))


def metric_alarms() -> list[tuple[str, str, Document]]:
    """Account, region and record of every metric alarm."""
    return [(key[0], key[1], alarm) for key, alarm in list(cloudwatch._alarms._data.items())]


def set_alarm(alarm: Document, state: str, reason: str) -> None:
    """Change an alarm's state, with everything that follows: history, actions, events, composite alarms."""
    before = alarm["StateValue"]
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def evaluate_alarms_with(function: Callable[[Document], None]) -> None:
    """Let function(alarm) judge alarms instead of ministack, which knows neither dimensions nor missing data."""
    cloudwatch._evaluate_alarm = function


_alarm_record = provisioners._cw_metric_alarm_record


def _alarm_with_math(name: str, properties: Document) -> Document:
    """ministack refuses metric math in templates: an alarm of it is kept with the queries under `Metrics`."""
    queries = properties.get("Metrics")
    if not queries:
        return cast(Document, _alarm_record(name, properties))
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    record = _alarm_record(name, {**plain, "MetricName": "-", "Namespace": "-"})
    return cast(Document, {**record, "Metrics": json.loads(json.dumps(queries)), "MetricName": None, "Namespace": None})


provisioners._cw_metric_alarm_record = _alarm_with_math


# CloudFormation


@dataclass(frozen=True)
class ResourceCall:
    """One operation of CloudFormation on one resource of a stack of the account and region being served."""

    operation: str  # create, update or delete
    type: str
    logical_id: str
    stack_name: str
    properties: Document
    old: Document
    physical_id: str


Around = Callable[[ResourceCall], contextlib.AbstractContextManager["Document | None"]]
_around: list[Around] = []
_our_types: set[str] = set()


def around_resources(function: Around) -> None:
    """Enter function(call) around each operation on a resource; it may yield the properties to use."""
    _around.append(function)


def register_type(
    name: str, handler: Mapping[str, Callable[..., Any]], *, tags: bool, create_only: Sequence[str]
) -> None:
    """Let CloudFormation make a type of ours, off the event loop; with `tags`, stack tags are added to its Tags."""
    provisioners._RESOURCE_HANDLERS[name] = {"update_with_logical_id": True, "delete_with_logical_id": True, **handler}
    provisioners._REPLACING_PROPERTIES[name] = tuple(create_only)
    if tags:
        provisioners._STACK_TAG_PROPERTY[name] = ("Tags", "list")
    _our_types.add(name)


def resource_types() -> set[str]:
    """Every resource type that a template may use here."""
    return set(provisioners._RESOURCE_HANDLERS)


def replacing_properties() -> dict[str, list[str]]:
    """By type of ours, the properties whose change makes CloudFormation replace the resource."""
    ours = {name: provisioners._RESOURCE_HANDLERS[name] for name in sorted(_our_types - _completions.keys())}
    return {name: list(provisioners._REPLACING_PROPERTIES[name]) for name in ours}


def stack(name: str) -> Document | None:
    """CloudFormation's record of a stack, by its name or id."""
    return cast("Document | None", handlers._resolve_stack(name))


def all_stacks() -> list[Document]:
    """The records of all stacks of the account and region being served."""
    return list(_stacks.values())


def end_interrupted_stacks() -> None:
    """After a restart nobody works on a stack that was in progress: it has failed, with what it has by then."""
    for stack_record in _stacks._data.values():
        status = stack_record["StackStatus"]
        if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            ended = "UPDATE_ROLLBACK_FAILED" if status.startswith("UPDATE") else f"{status.split('_')[0]}_FAILED"
            stack_record.update(StackStatus=ended, StackStatusReason="Interrupted: the emulator was restarted.")


_runs_on_worker_thread = stacks._runs_on_worker_thread
# A provisioner that calls back over HTTP from the event loop would wait for itself.
stacks._runs_on_worker_thread = lambda name: name in _our_types or _runs_on_worker_thread(name)


def _inside(call: ResourceCall, function: Callable[[Document], Any]) -> Any:
    with contextlib.ExitStack() as entered:
        properties: Document = call.properties
        for around in _around:
            given = entered.enter_context(around(call))
            properties = properties if given is None else given
        return function(properties)


_provision, _update, _delete = (
    provisioners._provision_resource,
    provisioners._update_resource,
    provisioners._delete_resource,
)


Completion = Callable[[str, Document, Document], None]
_completions: dict[str, Completion] = {}


def complete_type(name: str, function: Completion) -> None:
    """Call function(physical id, properties, old properties) after ministack made or changed a resource of a type."""
    _completions[name] = function
    _our_types.add(name)


def _complete(kind: str, result: Any, properties: Document, old: Document) -> Any:
    if kind in _completions:
        _completions[kind](result[0], properties, old)
    return result


def _create_completely(kind: str, logical_id: str, properties: Document, stack_name: str) -> Any:
    result = _provision(kind, logical_id, properties, stack_name)
    try:
        return _complete(kind, result, properties, {})
    except Exception:
        _delete(kind, result[0], properties, stack_name, logical_id)
        raise


def _provision_resource(kind: str, logical_id: str, properties: Document, stack_name: str) -> Any:
    call = ResourceCall("create", kind, logical_id, stack_name, properties, {}, "")
    return _inside(call, lambda given: _create_completely(kind, logical_id, given, stack_name))


UpdateCheck = Callable[[str, Document, Document], "str | None"]
_update_checks: list[UpdateCheck] = []


def before_update(function: UpdateCheck) -> None:
    """Let function(type, old properties, new ones) say why CloudFormation does not update a resource so."""
    _update_checks.append(function)


def _update_resource(
    kind: str,
    physical_id: str,
    old: Document,
    new: Document,
    stack_name: str,
    logical_id: str = "",
    attributes: Document | None = None,
) -> Any:
    if old == new:
        return _update(kind, physical_id, old, new, stack_name, logical_id, attributes)
    if refusal := next((words for function in _update_checks if (words := function(kind, old, new))), None):
        raise ValueError(refusal)
    call = ResourceCall("update", kind, logical_id, stack_name, new, old, physical_id)

    def update(given: Document) -> Any:
        result = _update(kind, physical_id, old, given, stack_name, logical_id, attributes)
        return _complete(kind, result, given, old)

    return _inside(call, update)


def _delete_resource(
    kind: str, physical_id: str, properties: Document, stack_name: str = "", logical_id: str = ""
) -> Any:
    call = ResourceCall("delete", kind, logical_id, stack_name, properties, properties, physical_id)
    return _inside(call, lambda given: _delete(kind, physical_id, given, stack_name, logical_id))


for _module in (provisioners, stacks):
    _module._provision_resource = _provision_resource
    _module._update_resource = _update_resource
    _module._delete_resource = _delete_resource


StackStatus = Callable[[str, str, str, str], None]
_stack_statuses: list[StackStatus] = []
_add_event = stacks._add_event


def on_stack_status(function: StackStatus) -> None:
    """Call function(stack id, stack name, status, reason) whenever a stack changes its status."""
    _stack_statuses.append(function)


def _note_event(
    stack_id: str, stack_name: str, logical_id: str, kind: str, status: str, reason: str = "", *more: Any, **named: Any
) -> None:
    _add_event(stack_id, stack_name, logical_id, kind, status, reason, *more, **named)
    if logical_id == stack_name and kind == "AWS::CloudFormation::Stack":
        for function in _stack_statuses:
            function(stack_id, stack_name, status, reason)


for _module in (stacks, handlers, changesets):
    _module._add_event = _note_event


# Buckets of other accounts: app.py has asked role and bucket policy already, but S3 asks again, for the caller's root


_foreign_bucket_allows = s3._foreign_bucket_allows


def _let_callers_in(
    owner: str, bucket: str, key: str, method: str, query: Document, caller: str, headers: Document | None = None
) -> bool:
    return bool(caller) or bool(_foreign_bucket_allows(owner, bucket, key, method, query, caller, headers))


s3._foreign_bucket_allows = _let_callers_in
_apply_bucket_scope = s3._apply_bucket_scope


def _scope_of_owner(method: str, bucket: str, key: str, headers: Document, *rest: Any, **named: Any) -> Any:
    """S3 refuses whoever expects another owner ("Verifying bucket ownership", S3 user guide); ministack does not."""
    expected = headers.get("x-amz-expected-bucket-owner")
    owner = s3._bucket_owner_account(bucket) if expected and bucket else None
    if owner and owner != expected:
        return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket}")
    return _apply_bucket_scope(method, bucket, key, headers, *rest, **named)


s3._apply_bucket_scope = _scope_of_owner


# Templates: ministack reads those behind a URL itself, path-style only and without asking whose they are


TemplateUrl = Callable[[str], "str | None"]
_template_urls: list[TemplateUrl] = []
_resolve_document = helpers._resolve_document
S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?")


TemplateReader = Callable[[str, str], "str | None"]
_may_read: list[TemplateReader] = []


def before_template(function: TemplateReader) -> None:
    """Let function(url, bucket and key) say why the caller of CloudFormation may not read a template; None: it may."""
    _may_read.append(function)


def on_template_url(function: TemplateUrl) -> None:
    """Let function(url) give the template behind a URL that is not S3's; None for one it does not know."""
    _template_urls.append(function)


def s3_place(url: str) -> tuple[str, str] | None:
    """Bucket and key of an object's https URL, path-style or virtual-hosted; None for any other URL."""
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.unquote(parts.path.lstrip("/"))
    host = S3_HOST.fullmatch(parts.netloc)
    if host and host["bucket"]:
        return host["bucket"], path
    bucket, _, key = path.partition("/")
    ours = parts.netloc in (f"127.0.0.1:{os.environ['GATEWAY_PORT']}", f"localhost:{os.environ['GATEWAY_PORT']}")
    return (bucket, key) if key and (host or (ours and not bucket.startswith("_"))) else None


def _document(parameters: Document, body_key: str, url_key: str, label: str) -> Any:
    given = parameters.get(url_key, "")
    url = given[0] if isinstance(given, list) else given
    place = s3_place(url) if url else None
    for may_read in _may_read if url else ():
        refusal = may_read(url, "/".join(place) if place else "")
        if refusal:
            return None, helpers._error("AccessDenied", refusal, 403)
    for function in _template_urls if url else ():
        template = function(url)
        if template is not None:
            return template, None
    if place:
        parameters = {**parameters, url_key: [f"https://s3.amazonaws.com/{place[0]}/{place[1]}"]}
    return _resolve_document(parameters, body_key, url_key, label)


helpers._resolve_document = _document


# Short forms that ministack's YAML reader lacks; CloudFormation takes them (cfn-lint issue 979, CDK's bootstrap).
RULE_FUNCTIONS = ("Contains", "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf", "ValueOfAll")
for _name in RULE_FUNCTIONS:
    engine.CfnLoader.add_constructor(f"!{_name}", engine._construct_cfn_tag(f"Fn::{_name}"))
# libyaml reads the product's template three times as fast as the reader in Python that ministack takes.
engine.CfnLoader = type("CfnLoader", (yaml.CSafeLoader,), {"yaml_constructors": engine.CfnLoader.yaml_constructors})
_evaluate_conditions = engine._evaluate_conditions


def _spelled(value: Any, parameters: Document) -> Any:
    """A part of a condition with its Joins and Splits done, which ministack leaves as they are."""
    if isinstance(value, list):
        return [_spelled(each, parameters) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Split" in value:
        separator, text = value["Fn::Split"]
        return str(_spelled_text(text, parameters)).split(separator)
    if "Fn::Join" in value:
        return _spelled_text(value, parameters)
    return {key: _spelled(each, parameters) for key, each in value.items()}


def _spelled_text(value: Any, parameters: Document) -> Any:
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        found = _spelled_text(parts, parameters)
        items = found if isinstance(found, list) else str(found).split(",")
        return separator.join(str(_spelled_text(each, parameters)) for each in items)
    if isinstance(value, dict) and value.get("Ref") in parameters:
        return parameters[value["Ref"]]["Value"]
    return value


def _conditions(template: Document, parameters: Document) -> Any:
    spelled = _spelled(template.get("Conditions") or {}, parameters)
    return _evaluate_conditions({**template, "Conditions": spelled}, parameters)


for _module in (engine, changesets, handlers, stacks):
    _module._evaluate_conditions = _conditions

_parse_template = engine._parse_template


@functools.lru_cache(maxsize=64)
def _parsed(text: str) -> bytes:
    return pickle.dumps(_parse_template(text))


def _template(text: str) -> Document:
    """A template is read a dozen times on its way into a stack; whoever reads it may change what they get."""
    return cast(Document, pickle.loads(_parsed(text)))  # noqa: S301 - what was dumped two lines above


for _module in (engine, handlers, changesets):
    _module._parse_template = _template


def template_problem(text: str) -> str | None:
    """Why CloudFormation would refuse a template whatever its parameters; types that are not emulated are no reason."""
    return _unreadable(text) or _misread(_template(text))


def _unreadable(text: str) -> str | None:
    try:
        template = _template(text)
        if not template.get("Resources"):
            return "Template format error: At least one Resources member must be defined."
        engine._validate_template_limits(template)
        engine._validate_template_statics(template)
    except Exception as error:  # Its YAML and JSON readers raise whatever they like.
        return str(error)
    return None


TemplateCheck = Callable[[Document], "str | None"]
_template_checks: list[TemplateCheck] = []


def before_reading(function: TemplateCheck) -> None:
    """Let function(template) say what is wrong with a template, whatever its parameters and conditions."""
    _template_checks.append(function)


def _misread(template: Document) -> str | None:
    return next((words for function in _template_checks if (words := function(template))), None)


def template_parameters(text: str) -> dict[str, Document]:
    """The parameters that a template declares, in its order."""
    return dict(_template(text).get("Parameters") or {})


def template_outputs(text: str) -> dict[str, Document]:
    """The outputs that a template declares, in its order."""
    return dict(_template(text).get("Outputs") or {})


TemplateUse = Callable[[Document, str], "str | None"]
_may_use: list[TemplateUse] = []


def before_stack(function: TemplateUse) -> None:
    """Let function(template, the service role's ARN or nothing) say why no stack may be made of a template."""
    _may_use.append(function)


def _template_refused(parameters: Document) -> Response | None:
    """What CreateStack, UpdateStack and CreateChangeSet answer instead of looking at a template any further."""
    given = {name: value[0] if isinstance(value, list) else value for name, value in parameters.items()}
    body, _ = helpers._resolve_document(parameters, "TemplateBody", "TemplateURL", "Template")
    if not body or _unreadable(body):
        return None  # They say themselves what is wrong with it, or that there is none.
    template, role = _template(body), str(given.get("RoleARN") or "")
    if problem := _misread(template):
        return cast(Response, helpers._error("ValidationError", problem))
    refusal = next((words for function in _may_use if (words := function(template, role))), None)
    return cast(Response, helpers._error("AccessDenied", refusal, 403)) if refusal else None


StackCall = Callable[[str, Mapping[str, str]], None]
_stack_calls: list[StackCall] = []


def on_stack_call(function: StackCall) -> None:
    """Call function(operation, parameters) after each CloudFormation call that was accepted; see provisioning.py."""
    _stack_calls.append(function)


def _watched(operation: str, handler: Callable[[Document], Response]) -> Callable[[Document], Response]:
    def watched(parameters: Document) -> Response:
        reads = operation in ("CreateStack", "UpdateStack", "CreateChangeSet", "ValidateTemplate")
        answer = (_template_refused(parameters) if reads else None) or handler(parameters)
        if answer[0] < 300:
            plain = {name: value[0] if isinstance(value, list) else value for name, value in parameters.items()}
            for function in _stack_calls:
                function(operation, plain)
        return answer

    return watched


for _operation in (
    "CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet", "ValidateTemplate"
):  # fmt: skip
    handlers._ACTION_HANDLERS[_operation] = _watched(_operation, handlers._ACTION_HANDLERS[_operation])


def describe_types_with(found: Callable[[str], "dict[str, str] | None"]) -> None:
    """Let found(name) answer DescribeType for a resource type; None: there is none of that name."""

    def describe(parameters: Document) -> Response:
        given = parameters.get("TypeName", "")
        name = str(given[0] if isinstance(given, list) else given)
        members = found(name)
        if members is None:
            return cast(Response, helpers._error("TypeNotFoundException", f"The type '{name}' cannot be found.", 404))
        inner = "".join(f"<{member}>{value}</{member}>" for member, value in members.items())
        inner = f"<DescribeTypeResult>{inner}</DescribeTypeResult>"
        return cast(Response, helpers._xml(200, "DescribeTypeResponse", inner))

    handlers._ACTION_HANDLERS["DescribeType"] = describe


# APIs: ministack serves them at host names of its own, and knows no integration with SageMaker


API_HOST = re.compile(r"(?P<api>\w+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")
Integration = Callable[[Document, str, Mapping[str, str]], "tuple[int, str]"]
_integrations: dict[str, Integration] = {}
_execute_api_url, _invoke_custom = app._parse_execute_api_url, apigateway_v1._invoke_lambda_custom_v1


class ApiConfigurationError(Exception):
    """API Gateway cannot make the call of an integration; its caller is told nothing but 500."""


def on_integration(service: str, function: Integration) -> None:
    """Let function(integration, request after its template, headers of the integration) give status and answer of an
    AWS integration with a service, `runtime.sagemaker` say."""
    _integrations[service] = function


def _api_of_host(host: str, path: str) -> "tuple[str, str, str] | None":
    match = API_HOST.fullmatch(host.partition(":")[0])
    if not match:
        return cast("tuple[str, str, str] | None", _execute_api_url(host, path))
    stage, _, rest = path.lstrip("/").partition("/")
    return match["api"], stage, f"/{rest}"


async def _integrated(integration: Document, *place: Any, **named: Any) -> Response:
    _, service, verb, _ = apigateway_v1._parse_service_integration_uri(integration.get("uri", "")) or ("",) * 4
    if verb != "path" or service not in _integrations:
        return cast(Response, await _invoke_custom(integration, *place, **named))
    headers, body = place[6], place[7].decode("utf-8", "replace")
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    template = (integration.get("requestTemplates") or {}).get(kind)
    if template is not None:
        body = apigateway_v1._render_request_template_v1(template, body, {}, {})
    prefix, parameters = "integration.request.header.", integration.get("requestParameters") or {}
    given = {name.removeprefix(prefix).lower(): value.strip("'") for name, value in parameters.items()}
    try:
        status, answer = await asyncio.to_thread(_integrations[service], integration, body, given)
    except ApiConfigurationError:
        return 500, {"Content-Type": "application/json"}, b'{"message": "Internal server error"}'
    accept = headers.get("accept", "application/json")
    return cast(Response, apigateway_v1._service_integration_response(integration, status, answer, accept, {}, {}))


_execute_api = app._handle_execute_api_request


async def _execute_for_owner(host: str, path: str, *request: Any, **named: Any) -> Any:
    """An API belongs to one account, whoever calls it and whether the call is signed; ministack asks the caller's."""
    match = API_HOST.fullmatch(host.partition(":")[0])
    apis = [place for place, _ in apigateway_v1._rest_apis.all_items() if match and place[2] == match["api"]]
    with scope(*apis[0][:2]) if apis else contextlib.nullcontext():
        return await _execute_api(host, path, *request, **named)


app._parse_execute_api_url, apigateway_v1._invoke_lambda_custom_v1 = _api_of_host, _integrated
app._handle_execute_api_request = _execute_for_owner


# Permissions


def role_arn(account_id: str, name: str) -> str | None:
    """The ARN of a role, with its path; None when the account has no such role."""
    from ministack.services import iam

    found = iam._roles.get_scoped(account_id, None, name)
    return cast(str, found["Arn"]) if found else None


def all_roles() -> list[str]:
    """The ARNs of the roles of every account."""
    from ministack.services import iam

    return [cast(str, found["Arn"]) for found in list(iam._roles._data.values())]


_resolve_condition_key = iam_evaluator._resolve_condition_key


def _resolve_key(key: str, context: Any) -> Any:
    """aws:PrincipalArn of a session is its role's ARN, with the path (IAM user guide, global condition keys)."""
    value = _resolve_condition_key(key, context)
    if key.lower() == "aws:principalarn" and ":assumed-role/" in str(value):
        return role_arn(value.split(":")[4], value.split("/")[1]) or value
    return value


iam_evaluator._resolve_condition_key = _resolve_key


def trusts_service(role_arn: str, document: str | Document, service: str, source: str = "") -> bool:
    """Whether a role's trust policy lets an AWS service, `codebuild.amazonaws.com` say, assume the role.

    The service tells for whom it acts, if it is known to: aws:SourceAccount is the account being served, aws:SourceArn
    the resource, where the caller of this names it ("The confused deputy problem", IAM user guide).
    """
    keys = senders.sent(service, "roles", {"aws:SourceAccount": account(), "aws:SourceArn": source})
    return _settle(_of_service("trust", document, service, "sts:AssumeRole", role_arn, keys)).allowed


def role(arn: str) -> Document | None:
    """IAM's record of a role, in the account that its ARN names."""
    from ministack.services import iam

    name = arn.rsplit("/", 1)[-1]
    found = cast("Document | None", iam._roles.get_scoped(arn.split(":")[4], None, name))
    return found if found and found["Arn"] == arn else None


@dataclass(frozen=True)
class ApiCall:
    """A call whose permission is asked for: the service as ministack names it, the action and what was sent."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """Whether a principal may do an action on a resource, and why not."""

    principal: str
    action: str
    resource: str
    allowed: bool
    reason: str = ""
    request: Request | None = None


Actions = Callable[[ApiCall], "str | None"]
Resources = Callable[[ApiCall, str, str], "str | None"]
Keys = Callable[[ApiCall, str, str], Document]
Further = Callable[[ApiCall, str], Sequence[tuple[str, str, Document]]]
Notes = Callable[[Decision], None]
_call: contextvars.ContextVar[ApiCall | None] = contextvars.ContextVar("rehearsal_call", default=None)
_refused: contextvars.ContextVar[tuple[str, str] | None] = contextvars.ContextVar("rehearsal_refused", default=None)
_notes: list[Notes] = []
_extract_action, _extract_resource = iam_actions.extract_iam_action, iam_actions.extract_resource_arn
_evaluate_trust_policy = iam_evaluator.evaluate_trust_policy
_enforce, _denied_response = iam_evaluator.enforce, iam_actions.access_denied_response


@dataclass(frozen=True)
class Authorizer:
    """Which action a call is, on which resource, with which condition keys, and what else it needs.

    `further` gives (action, resource, condition keys) that must be allowed too, iam:PassRole say; `note` gets every
    decision.
    """

    actions: Actions
    resources: Resources
    keys: Keys
    further: Further
    note: Notes

    def action_of(
        self, service: str, method: str, path: str, headers: Document, body: bytes, query: Document
    ) -> str | None:
        """In the place of ministack's extract_iam_action."""
        call = ApiCall(service, method, path, headers, body, query)
        _call.set(call)
        return self.actions(call) or _extract_action(service, method, path, headers, body, query)

    def resource_of(self, service: str, *request: Any) -> str:
        """In the place of ministack's extract_resource_arn."""
        *sent, place, owner = request
        return self.resources(ApiCall(service, *sent), place, owner) or cast(str, _extract_resource(service, *request))

    def enforce(
        self, key: str, action: str, service: str, place: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        """In the place of ministack's enforce: None when a call is allowed."""
        call = _call.get()
        resource_arn = "*" if action in UNSCOPED else resource_arn
        context = {**(service_context or {}), **(self.keys(call, action, resource_arn) if call else {})}
        denied = _enforce_noted(key, action, service, place, resource_arn, context)
        return denied if denied or not call else self._enforce_further(key, call, action, place)

    def _enforce_further(self, key: str, call: ApiCall, action: str, place: str) -> Any:
        for more, resource, context in self.further(call, action):
            denied = _enforce_noted(key, more, more.split(":")[0], place, resource, context)
            if denied:
                _refused.set((more, resource))
                return denied
        return None

    def trusted(self, document: Any, caller: str, context: Any = None) -> bool:
        """In the place of ministack's evaluate_trust_policy."""
        if context is None:
            return cast(bool, _evaluate_trust_policy(document, caller, context))
        asked = evaluator.request_of(context, [], [])
        keys = {**asked.principal_keys, **_role_key(asked.principal)}
        guard = Guard(evaluator.document(document), None)
        return _settle(replace(asked, principal_keys=keys, guard=guard, way="trust")).allowed


def _name_what_was_refused(service: str, action: str, principal: str, request: str, **named: Any) -> Any:
    refused = _refused.get()
    if refused:
        action, named["resource_arn"] = refused
    return _denied_response(service, action, principal, request, **named)


def authorize_with(authorizer: Authorizer) -> None:
    """Let ours take part in every decision about a call."""
    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = authorizer.action_of, authorizer.resource_of
    iam_evaluator.enforce, iam_evaluator.evaluate_trust_policy = authorizer.enforce, authorizer.trusted
    iam_actions.access_denied_response = _name_what_was_refused
    _notes.append(authorizer.note)


def _enforce_noted(key: str, action: str, service: str, place: str, resource: str, context: Document) -> Any:
    """Ask ministack, and tell everybody who wants to know what it decided about whom."""
    denied, request = evaluator.watched(
        _enforce, key, action, service, place, resource_arn=resource, service_context=context
    )
    known = session(key)
    if denied is None and delays.on():
        _written_by(action, resource)
    if known:
        reason = "" if denied is None else getattr(denied, "reason", "") or getattr(denied, "message", "")
        _tell(Decision(str(known["Arn"]), action, resource, denied is None, reason, request))
    return denied


def _written_by(action: str, resource: str) -> None:
    """A call that is allowed is about to change what permissions are decided by."""
    verb = action.partition(":")[2]
    if action in ("kms:TagResource", "kms:UntagResource", "sqs:TagQueue", "sqs:UntagQueue"):
        delays.write("tags", action.partition(":")[0], resource, _tags_of(resource))
    if not action.startswith("iam:") or ":role/" not in resource:
        return
    record = role(resource)
    if verb in ("CreateRole", "UpdateAssumeRolePolicy"):
        delays.write("roles", "*", resource, record and record["AssumeRolePolicyDocument"])
    if verb in ("PutRolePolicy", "AttachRolePolicy", "DetachRolePolicy", "DeleteRolePolicy"):
        place = f"{resource.split(':')[4]} {resource.rpartition('/')[2]}"
        delays.write("policies", "*", place, _gather_role_policies(*reversed(place.split())))


def _settle(request: Request) -> Decision:
    """Decide a request of ours as ministack decides its own, and tell of it."""
    found = evaluator.judge(request)
    decision = Decision(request.principal, request.action, request.resource, found.allowed, "", request)
    _tell(decision)
    return decision


def _tell(decision: Decision) -> None:
    for note in _notes if enforced() else ():
        note(decision)


_gather_role_policies = iam_evaluator._gather_role_policies


def _policies_in_force(name: str, account_id: str) -> Any:
    return delays.in_force("policies", "*", f"{account_id} {name}", _gather_role_policies(name, account_id))


iam_evaluator._gather_role_policies = _policies_in_force


def _tags_of(resource: str) -> Document:
    from ministack.services import tagging

    return cast(Document, tagging.resource_tags(resource) or {})


def _tag_keys(resource: str) -> Document:
    return {f"aws:resourcetag/{name}".lower(): value for name, value in _tags_of(resource).items()}


def decide(key: str, action: str, resource: str, keys: Document, guard: Guard | None = None) -> Decision:
    """Whether the principal of an access key may do an action: its policies, boundary and the resource's own policy.

    `guard` is the policy that a resource is being made with. Tags that do not count yet are left out of the keys.
    """
    principal = iam_evaluator.resolve_principal(key, account())
    if isinstance(principal, iam_evaluator.AuthError):
        return Decision(key, action, resource, False, principal.message)
    if principal.policies is None:
        return Decision(principal.arn, action, resource, True)
    resource = "*" if action in UNSCOPED else resource
    request = Request(
        principal=principal.arn,
        kind=principal.type,
        account=principal.account,
        action=action,
        resource=resource,
        region=region(),
        keys={"aws:tagkeys": None, "aws:securetransport": "true"}
        | _tag_keys(resource)
        | {name.lower(): value for name, value in keys.items()},
        principal_keys=principal.keys,
        policies=principal.policies,
        limits=principal.limits,
        guard=guard or _guard(action.partition(":")[0], resource),
    )
    return _settle(request)


def _guard(service: str, resource: str) -> Guard | None:
    if service == "kms" and ":alias/" in resource:
        return None  # An alias has no policy: the caller's alone decides ("Controlling access to aliases", KMS guide)
    found = _policy_of(service, resource)
    return found and Guard(evaluator.document(found[0]), found[1], service in iam_evaluator._POLICY_REQUIRED)


_find_resource_policy = iam_evaluator._resource_policy


def _policy_of(service: str, resource: str) -> tuple[str | Document, str] | None:
    """The policy of a resource and its owner, of whichever account; ministack looks into the caller's account only."""
    owner = owner_of_bucket(resource) if service == "s3" else None
    fields = resource.split(":")
    owner = owner or (fields[4] if len(fields) > 5 else "")
    find = _find_resource_policy if service != "events" else lambda _, arn: _bus_policy(arn)
    if not owner or owner == account():
        return cast("tuple[str | Document, str] | None", find(service, resource))
    with scope(owner, fields[3] or region()):
        return cast("tuple[str | Document, str] | None", find(service, resource))


iam_evaluator._resource_policy = _policy_of


def policy_allows(document: str | None, principal: str, action: str, resource: str) -> bool:
    """Whether a resource's own policy, of another account, lets a principal do an action."""
    keys = _role_key(principal)
    request = Request(
        principal=principal,
        kind="AssumedRole" if keys else "Root",
        account=principal.split(":")[4],
        action=action,
        resource=resource,
        region=region(),
        keys={"aws:securetransport": "true"},
        principal_keys=keys,
        guard=Guard(evaluator.document(document), resource.split(":")[4]),
        way="service",
    )
    return _settle(request).allowed


_principal_keys = iam_evaluator._principal_keys


def _keys_with_role(credential: Any) -> Document:
    return cast(Document, _principal_keys(credential)) | _role_key(credential.principal_arn)


def _role_key(principal: str) -> Document:
    """aws:PrincipalArn of a session is its role's ARN; evaluator.py takes it from here."""
    if ":assumed-role/" not in principal:
        return {}
    return {evaluator.ROLE_KEY: role_arn(principal.split(":")[4], principal.split("/")[1]) or principal}


iam_evaluator._principal_keys = _keys_with_role


def _caller_arn(headers: Mapping[str, str], query: Mapping[str, Sequence[str]] | None = None) -> str:
    """As ministack's own, which gathers the caller's policies besides and throws them away, for every call."""
    key = access_key(headers, query or {})
    found = iam_evaluator.resolve_credential(key, (session(key) or {}).get("AccountId")) if key else None
    return getattr(found, "principal_arn", "") or f"arn:aws:iam::{account()}:root"


iam_evaluator.request_caller_arn = _caller_arn


def role_policies(arn: str) -> list[Document]:
    """The policy documents of a role, inline and attached; its boundary is not among them."""
    found = role(arn)
    if found is None:
        return []
    owner = arn.split(":")[4]
    attached = [iam_evaluator._resolve_managed_policy_document(item, owner) for item in found["AttachedPolicies"]]
    documents = [*found["InlinePolicies"].values(), *(item for item in attached if item)]
    return [json.loads(item) if isinstance(item, str) else item for item in documents]


def owner_of_bucket(resource: str) -> str | None:
    """The account that owns the bucket of an ARN of S3; None for a bucket that there is not."""
    return cast("str | None", s3._bucket_owner_account(resource.partition(":::")[2].partition("/")[0]))


KMS_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def encryption_of(bucket: str, name: str, *, written: bool) -> tuple[str, bool] | None:
    """The ARN of the key that an object has, or gets by its bucket's default, and whether it is a bucket key."""
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        return None
    with scope(owner, region()):
        held = s3._buckets[bucket]["objects"].get(name)
        default = s3._bucket_default_sse_headers(bucket)
        headers = default if written else s3._stored_sse_headers(held) if held else {}
        found = headers.get(KMS_HEADER)
        shared = "<BucketKeyEnabled>true" in (s3._bucket_encryption.get(bucket) or "")
    if not found:
        return None
    return (found if found.startswith("arn:") else f"arn:aws:kms:{region()}:{owner}:key/{found}"), shared


def key_aliases(arn: str) -> list[str]:
    """The names of the aliases of a key; none for what is no ARN."""
    from ministack.services import kms

    if not arn.startswith("arn:"):
        return []
    _, _, _, place, owner, resource = arn.split(":")
    with scope(owner, place):
        found = [alias for alias, key in kms._aliases.items() if key == resource.rpartition("/")[2]]
    return [alias.rpartition(":")[2] for alias in found if delays.in_force("aliases", "kms", alias, now=True)]


def on_resource_tags(function: Callable[[str], "dict[str, str] | None"]) -> None:
    """Let function(ARN) give the tags of resources that ministack does not know, for aws:ResourceTag conditions."""
    from ministack.services import tagging

    known = tagging.resource_tags

    def tags_in_force(arn: str) -> "dict[str, str] | None":
        found = function(arn) or known(arn)
        return cast("dict[str, str] | None", delays.in_force("tags", arn.split(":")[2], arn, found) if found else found)

    tagging.resource_tags = tags_in_force


def _note_new(store: Any, what: delays.What, name: Callable[[str, Any], str], before: Any) -> None:
    """Let delays.py know of what is new in a store of ministack, whoever makes it."""
    kind: Any = type(store)

    class Noting(kind):  # type: ignore[misc]
        __slots__ = ()

        def __setitem__(self, key: str, value: Any) -> None:
            if key not in self:
                delays.write(what, name(key, value).split(":")[2], name(key, value), before)
            super().__setitem__(key, value)

    store.__class__ = Noting


def _note_writings() -> None:
    from ministack.services import kms, sqs

    _note_new(kms._keys, "tags", lambda _, key: str(key["Arn"]), {})
    _note_new(kms._aliases, "aliases", lambda alias, _: alias, before=False)
    _note_new(sqs._queues, "tags", lambda _, queue: str(queue["attributes"]["QueueArn"]), {})


if delays.on():
    _note_writings()


# State


def persisted() -> bool:
    """Whether ministack keeps its state in files."""
    return cast(bool, persistence.PERSIST_STATE)


def save() -> int:
    """Start a process that writes the state of every service of ministack as it is at this moment; returns its id.

    Writing it here would stop everything meanwhile, at the end of a story for half a second. Call it on the event loop,
    where nothing changes; what other threads hold locked at this moment, the process may wait for in vain, so end it
    when it takes too long.
    """
    process = os.fork()
    if process:
        return process
    try:
        copy.deepcopy = _as_it_is  # type: ignore[assignment]  # services copy what they give; all of this is a copy
        persistence.save_all(app._build_persistence_save_dict())
    finally:
        os._exit(0)


def _as_it_is(value: Any) -> Any:
    return value


def _write_at_once(document: object, file: IO[str], **how: Any) -> None:
    """As json.dump, but with the encoder in C, which json takes for whole texts only."""
    file.write(json.dumps(document, **how))


persistence.json = SimpleNamespace(**{**vars(json), "dump": _write_at_once})


def reset_ministack() -> None:
    """Forget what ministack keeps, in its files too."""
    app._reset_all_state()


def event_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that serves the requests."""
    return cast("asyncio.AbstractEventLoop | None", app._MAIN_LOOP)
