"""Provisioned products: stacks named SC-<account>-<id>, made, changed and deleted as the launch role."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import botocore.exceptions

from .. import seams
from ..service import AwsError, Store, account, caller, caller_client, client, new_id, on_restore, region, spawn
from . import Request, catalog, found, once, tag_list, tag_map
from .artifacts import Artifact, artifact
from .paths import Path, path, prescribed_tags
from .products import Product, product, products

PRINCIPAL = "servicecatalog.amazonaws.com"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
KIND = "CFN_STACK"
POLL_SECONDS = 0.05
# Service Catalog adds it to what the template puts out (user guide, "View provisioned product details").
STACK_OUTPUT = {"OutputKey": "CloudformationStackARN", "Description": "The ARN of the launched Cloudformation Stack"}
GOOD = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# How a stack's status begins once what was asked for has begun.
DELETED = ("DELETE_",)
MADE = ("CREATE_", "UPDATE_", "ROLLBACK_", "DELETE_COMPLETE")


@dataclass
class Record:
    """One operation on a provisioned product."""

    id: str
    kind: str
    provisioned: str
    name: str
    product: str
    artifact: str
    path: str
    role: str | None
    status: str = "CREATED"
    errors: list[Request] = field(default_factory=list)
    outputs: list[Request] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)

    def detail(self) -> Request:
        """As AWS describes it."""
        detail: Request = {
            "RecordId": self.id,
            "ProvisionedProductName": self.name,
            "Status": self.status,
            "CreatedTime": self.created,
            "UpdatedTime": self.updated,
            "ProvisionedProductType": KIND,
            "RecordType": self.kind,
            "ProvisionedProductId": self.provisioned,
            "ProductId": self.product,
            "ProvisioningArtifactId": self.artifact,
            "PathId": self.path,
            "RecordErrors": self.errors,
            "RecordTags": [],
        }
        return detail | ({"LaunchRoleArn": self.role} if self.role else {})


@dataclass
class ProvisionedProduct:
    """A product that somebody provisioned, with the parameters and tags of its stack."""

    id: str
    name: str
    product: str
    artifact: str
    path: str
    role: str | None
    parameters: dict[str, str]
    tags: dict[str, str]
    token: str
    user: str
    status: str = "UNDER_CHANGE"
    message: str = ""
    stack_id: str = ""
    last_record: str = ""
    last_provisioning: str = ""
    last_success: str = ""
    created: float = field(default_factory=time.time)

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return f"SC-{account()}-{self.id}"


provisioned_products: Store[ProvisionedProduct] = Store("provisioned")
records: Store[Record] = Store("records")


def provisioned(request: Request, by_id: str = "ProvisionedProductId", by_name: str = "ProvisionedProductName") -> Any:
    """The provisioned product that a request names by id or by name. Raises ResourceNotFoundException."""
    if request.get(by_id):
        return found(provisioned_products, request[by_id], "Provisioned product")
    for item in provisioned_products.values():
        if item.name == request.get(by_name):
            return item
    raise AwsError("ResourceNotFoundException", f"Provisioned product {request.get(by_name)} not found.")


@catalog.operation
def provision_product(request: Request) -> Request:
    def make() -> Request:
        wanted = product(request)
        version = artifact(wanted, request)
        if not version.active:
            raise AwsError("InvalidParametersException", f"{version.id} is not active: choose another version.")
        way = path(wanted, request)
        if any(item.name == request["ProvisionedProductName"] for item in provisioned_products.values()):
            name = request["ProvisionedProductName"]
            raise AwsError("DuplicateResourceException", f"A provisioned product named {name} exists already.")
        return _start(_new(request, wanted, version, way), "PROVISION_PRODUCT", version)

    return once("ProvisionProduct", request["ProvisionToken"], request, make)


def _new(request: Request, wanted: Product, version: Artifact, way: Path) -> ProvisionedProduct:
    tags = _with_prescribed(tag_map(request.get("Tags")), prescribed_tags(way, wanted))
    parameters = {item["Key"]: item.get("Value", "") for item in request.get("ProvisioningParameters") or []}
    made = ProvisionedProduct(
        new_id("pp-"),
        request["ProvisionedProductName"],
        wanted.id,
        version.id,
        way.id,
        way.role,
        parameters,
        tags,
        request["ProvisionToken"],
        caller(),
    )
    provisioned_products[made.id] = made
    return made


def _with_prescribed(tags: dict[str, str], allowed: dict[str, list[str]]) -> dict[str, str]:
    """Tags and those that tag options prescribe: an only value is set, of several one must have been chosen."""
    for key, values in allowed.items():
        chosen = tags.setdefault(key, values[0]) if len(values) == 1 else tags.get(key)
        if chosen not in values:
            raise AwsError(
                "InvalidParametersException", f"Tag {key} must be one of {', '.join(values)}, not {chosen!r}."
            )
    return tags


def _start(changed: ProvisionedProduct, kind: str, version: Artifact, previous: Request | None = None) -> Request:
    record = Record(
        new_id("rec-"), kind, changed.id, changed.name, changed.product, version.id, changed.path, changed.role
    )
    records[record.id] = record
    changed.status, changed.last_record = "UNDER_CHANGE", record.id
    if kind != "TERMINATE_PROVISIONED_PRODUCT":
        changed.last_provisioning = record.id
    answer = {"RecordDetail": record.detail()}
    work = {"PROVISION_PRODUCT": _create, "UPDATE_PROVISIONED_PRODUCT": _update}.get(kind, _terminate)
    spawn(_work, work, changed, record, version, previous or {})
    return answer


def _work(work: Any, changed: ProvisionedProduct, record: Record, version: Artifact, previous: Request) -> None:
    record.status = "IN_PROGRESS"
    _ended(changed, record, lambda: work(changed, record, version, previous))


def _ended(changed: ProvisionedProduct, record: Record, work: Callable[[], object]) -> None:
    """Work on a provisioned product; whatever goes wrong, its record ends, with the reason."""
    try:
        work()
    except (botocore.exceptions.ClientError, AwsError) as error:
        code, message = _code_and_message(error)
        _finish(changed, record, message, code)
    except Exception as error:  # a mistake of the emulator: whoever waits for the record is told, and so is the log
        _close(changed, record, f"{type(error).__name__} in the emulator: {error}", "InternalFailure")
        raise


def _code_and_message(error: Exception) -> tuple[str, str]:
    if isinstance(error, AwsError):
        return error.code, error.message
    given: Request = getattr(error, "response", {}).get("Error", {})
    return given.get("Code", "InternalFailure"), given.get("Message", str(error))


def _cloudformation(changed: ProvisionedProduct) -> Any:
    """CloudFormation as Service Catalog calls it: as the launch role, without one as whoever called Service Catalog."""
    if changed.role is None:
        return caller_client("cloudformation")
    return client("cloudformation", role=changed.role, principal=PRINCIPAL)


def _stack_request(changed: ProvisionedProduct, version: Artifact) -> Request:
    declared = seams.template_parameters(version.template)
    unknown = sorted(set(changed.parameters) - set(declared))
    if unknown:
        raise AwsError("ValidationError", f"Parameters: {unknown} do not exist in the template")
    return {
        "StackName": changed.stack,
        "TemplateURL": version.url,
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in changed.parameters.items()],
        "Capabilities": CAPABILITIES,
        "Tags": tag_list(changed.tags),
    }


def _create(changed: ProvisionedProduct, record: Record, version: Artifact, previous: Request) -> None:
    made = _cloudformation(changed).create_stack(**_stack_request(changed, version))
    changed.stack_id = made["StackId"]
    _follow(changed, record)


def _update(changed: ProvisionedProduct, record: Record, version: Artifact, previous: Request) -> None:
    """A change set shows whether anything changes; then the stack is updated.

    AWS's guide asks for change-set rights of the launch role to update a project:
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-projects-update.html
    """
    formation = _cloudformation(changed)
    request = _stack_request(changed, version)
    name = f"SC-{record.id}"
    formation.create_change_set(ChangeSetName=name, **request)
    shown = _settled_change_set(formation, changed.stack, name)
    formation.delete_change_set(ChangeSetName=name, StackName=changed.stack)
    if shown["Status"] == "FAILED" and "didn't contain changes" in shown.get("StatusReason", ""):
        changed.artifact = version.id
        return _finish(changed, record)
    if shown["Status"] == "FAILED":
        raise AwsError("ValidationError", shown.get("StatusReason", "The change set failed."))
    formation.update_stack(**request)
    _follow(changed, record)


def _settled_change_set(formation: Any, stack: str, name: str) -> Request:
    while True:
        shown: Request = formation.describe_change_set(ChangeSetName=name, StackName=stack)
        if not shown["Status"].endswith(("PENDING", "PROGRESS")):
            return shown
        time.sleep(POLL_SECONDS)


def _terminate(changed: ProvisionedProduct, record: Record, version: Artifact, previous: Request) -> None:
    if not previous["retain"] and seams.stack(changed.stack) is not None:
        _cloudformation(changed).delete_stack(StackName=changed.stack)
        return _follow(changed, record, ignore=previous["ignore"])
    _finish(changed, record)


def _follow(changed: ProvisionedProduct, record: Record, ignore: bool = False) -> None:
    """Wait until the stack has settled; what became of it is what became of the record."""
    is_end = record.kind == "TERMINATE_PROVISIONED_PRODUCT"
    ends, good = (DELETED, ("DELETE_COMPLETE",)) if is_end else (MADE, GOOD)
    while not (status := _status(changed)).startswith(ends) or status.endswith("_IN_PROGRESS"):
        time.sleep(POLL_SECONDS)
    if status in good or ignore:
        return _finish(changed, record)
    reason = (seams.stack(changed.stack) or {}).get("StackStatusReason") or ""
    _finish(changed, record, f"Stack {changed.stack} is {status}. {reason}".strip(), status)


def _status(changed: ProvisionedProduct) -> str:
    stack = seams.stack(changed.stack_id or changed.stack)
    return str(stack["StackStatus"]) if stack else "DELETE_COMPLETE"


def _finish(changed: ProvisionedProduct, record: Record, problem: str = "", code: str = "") -> None:
    stack = seams.stack(changed.stack)
    record.outputs = [_output(item) for item in (stack or {}).get("Outputs", [])]
    if stack:
        record.outputs.insert(0, {**STACK_OUTPUT, "OutputValue": stack["StackId"]})
    _close(changed, record, problem, code)


def _close(changed: ProvisionedProduct, record: Record, problem: str, code: str) -> None:
    """What became of the record, and of the provisioned product with it."""
    record.updated = time.time()
    record.errors = [{"Code": code, "Description": problem}] if problem else []
    if problem:
        changed.status = "ERROR" if record.kind == "PROVISION_PRODUCT" or "FAILED" in code else "TAINTED"
        changed.message = problem
    elif record.kind == "TERMINATE_PROVISIONED_PRODUCT":
        provisioned_products.pop(changed.id)
    else:
        changed.status, changed.message, changed.artifact = "AVAILABLE", "", record.artifact
        changed.last_success = record.id
    record.status = "FAILED" if problem else "SUCCEEDED"


def _output(item: Request) -> Request:
    return {key: item[key] for key in ("OutputKey", "OutputValue", "Description") if item.get(key) is not None}


@catalog.operation
def update_provisioned_product(request: Request) -> Request:
    def make() -> Request:
        changed = provisioned(request)
        _require_settled(changed)
        wanted = (
            product(request) if request.get("ProductId") or request.get("ProductName") else products[changed.product]
        )
        version = _version(wanted, changed, request)
        way = path(wanted, request) if request.get("PathId") or request.get("PathName") else None
        if way:
            changed.path, changed.role = way.id, way.role
        changed.parameters = _new_parameters(changed, version, request)
        if "Tags" in request:
            changed.tags = tag_map(request["Tags"])
        return _start(changed, "UPDATE_PROVISIONED_PRODUCT", version)

    return once("UpdateProvisionedProduct", request["UpdateToken"], request, make)


def _version(wanted: Product, changed: ProvisionedProduct, request: Request) -> Artifact:
    named = request.get("ProvisioningArtifactId") or request.get("ProvisioningArtifactName")
    return artifact(wanted, request if named else {"ProvisioningArtifactId": changed.artifact})


def _new_parameters(changed: ProvisionedProduct, version: Artifact, request: Request) -> dict[str, str]:
    """The parameters of an update: those given, those whose previous value is asked for; others take their default."""
    declared = seams.template_parameters(version.template)
    given = {item["Key"]: item for item in request.get("ProvisioningParameters") or []}
    kept = {
        key: changed.parameters[key]
        for key, item in given.items()
        if item.get("UsePreviousValue") and key in changed.parameters
    }
    new = {key: item.get("Value", "") for key, item in given.items() if not item.get("UsePreviousValue")}
    own = {key: changed.parameters[key] for key in declared if key in changed.parameters and not given}
    return own | kept | new


def _require_settled(changed: ProvisionedProduct) -> None:
    if changed.status == "UNDER_CHANGE":
        raise AwsError("InvalidParametersException", f"{changed.name} is under change: wait for {changed.last_record}.")


@catalog.operation
def terminate_provisioned_product(request: Request) -> Request:
    def make() -> Request:
        doomed = provisioned(request)
        _require_settled(doomed)
        how = {"retain": bool(request.get("RetainPhysicalResources")), "ignore": bool(request.get("IgnoreErrors"))}
        version = Artifact(doomed.artifact, "", "", "")
        return _start(doomed, "TERMINATE_PROVISIONED_PRODUCT", version, how)

    return once("TerminateProvisionedProduct", request["TerminateToken"], request, make)


@on_restore
def _go_on() -> None:
    """After a restart, follow the stacks of what was under way; a stack that was never made is a failure."""
    for owner, place, _, record in records.everywhere():
        if record.status not in ("SUCCEEDED", "FAILED"):
            with seams.scope(owner, place):
                changed = provisioned_products.get(record.provisioned)
                if changed:
                    spawn(_ended, changed, record, partial(_follow, changed, record))


def arn(item: ProvisionedProduct) -> str:
    """The ARN of a provisioned product."""
    return f"arn:aws:servicecatalog:{region()}:{account()}:stack/{item.name}/{item.id}"
