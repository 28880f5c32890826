"""CloudFormation: what a stack is, and change sets that bring it to what it should be.

Every state has its answer. In progress: wait for whoever works on it. First creation failed: the stack holds nothing,
so it is deleted and made anew. A rollback that failed: continued, without skipping a resource. Anything else that is
not complete is a StackError that says what failed first and what to do. No failure passes without a word.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.aws.account import pages, untagged
from service_catalog.errors import StackError
from service_catalog.progress import Watch

CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
PATIENCE_SECONDS = 3600
PAUSE_SECONDS = 2.0
_QUICK = 8  # how many times as short the first pause is
_NOTHING = ("didn't contain changes", "No updates are to be performed")
_ROUNDS = 100
# How a value begins in a change set that CloudFormation has cut ("Large values can be truncated", API reference).
_CUT = "(Truncated"


@dataclass(frozen=True)
class Stack:
    """A stack as it is."""

    name: str
    id: str
    status: str
    reason: str = ""
    updated: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_in_progress(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def exists(self) -> bool:
        """Whether it has, or had, resources; a change set alone makes a stack that has none."""
        return self.status not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")

    @property
    def holds_nothing(self) -> bool:
        """Its creation failed, so that it can only be deleted."""
        return self.status in ("ROLLBACK_COMPLETE", "CREATE_FAILED")

    @property
    def is_settled(self) -> bool:
        """Complete, so that an update can start from it."""
        return self.status.endswith("_COMPLETE") and self.status not in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE")


@dataclass(frozen=True)
class Wanted:
    """A stack as it should be."""

    name: str
    body: str
    parameters: Mapping[str, str]

    def change_set(self, present: Stack | None) -> str:
        """The same for the same wish and stack, so that a run after a kill, or beside this one, takes up this one's.

        An executed change set keeps its name, so the name follows from the state that it starts from.
        """
        state = [present.id, present.updated] if present else []
        wish = json.dumps([self.body, sorted(self.parameters.items()), state])
        return f"publish-{hashlib.sha256(wish.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Detail:
    """Why one property of a resource changes; the values are empty where CloudFormation does not tell them."""

    attribute: str
    name: str = ""
    path: str = ""
    before: str = ""
    after: str = ""
    recreation: str = ""
    evaluation: str = ""
    source: str = ""
    entity: str = ""

    @property
    def is_direct(self) -> bool:
        return self.source in ("DirectModification", "")

    @property
    def has_values(self) -> bool:
        """Whether CloudFormation tells the values, uncut."""
        given = (self.before, self.after)
        return any(given) and not any(value.startswith(_CUT) for value in given)


@dataclass(frozen=True)
class ResourceChange:
    """One resource in a change set."""

    action: str
    logical_id: str
    type: str
    replacement: str = "False"
    policy: str = ""
    details: tuple[Detail, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What an update would do. An update may have something to do, such as an output, without changing a resource."""

    resources: tuple[ResourceChange, ...]
    is_empty: bool
    # Both empty where they may not be read.
    template_before: str = ""
    template_after: str = ""
    # Whether only the templates were compared, so that nobody knows what follows from what.
    is_compared: bool = False


def pauses(longest: float) -> Iterator[float]:
    """Seconds to wait between looks: short at first, as some changes take a moment only, and longer each time."""
    pause = longest / _QUICK
    while True:
        yield pause
        pause = min(longest, 1.5 * pause)


class Stacks:
    """The stacks of one account and region. `pause` is how long to wait, at most, between two looks."""

    def __init__(self, client: Any, pause: float = PAUSE_SECONDS) -> None:
        self._client = client
        self._pause = pause

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Stack | None:
        """A stack by name or id; None if there is none (or only an unexecuted change set)."""
        try:
            found = _stack(self._client.describe_stacks(StackName=name)["Stacks"][0])
        except ClientError as error:
            if "does not exist" in errors.message(error):
                return None
            raise
        return found if found.exists else None

    def all(self) -> Iterator[Stack]:
        """Every stack that was not deleted."""
        found = (_stack(item) for item in pages(self._client, "describe_stacks", "Stacks"))
        return (stack for stack in found if stack.exists)

    def template(self, name: str, **change_set: str) -> str:
        """The template as it was given, of the stack or (ChangeSetName) of a change set."""
        body = self._client.get_template(StackName=name, TemplateStage="Original", **change_set)["TemplateBody"]
        return body if isinstance(body, str) else json.dumps(body)

    def _templates(self, place: Mapping[str, str]) -> tuple[str, str]:
        """Of a stack and its change set; empty for somebody who may not read them."""
        try:
            return self.template(place["StackName"]), self.template(
                place["StackName"], ChangeSetName=place["ChangeSetName"]
            )
        except ClientError as error:
            if not errors.is_denied(error):
                raise
            return "", ""

    def resources(self, name: str) -> list[dict[str, Any]]:
        """ListStackResources: LogicalResourceId, PhysicalResourceId, ResourceType, ResourceStatus."""
        return list(pages(self._client, "list_stack_resources", "StackResourceSummaries", StackName=name))

    def events(self, name: str, since: datetime) -> list[dict[str, Any]]:
        """Events at or after `since`, oldest first."""
        found = []
        for event in pages(self._client, "describe_stack_events", "StackEvents", StackName=name):
            if event["Timestamp"] < since:
                break
            found.append(event)
        return found[::-1]

    def first_failure(self, name: str, since: datetime | None = None) -> str:
        """The first resource that failed and why: those that follow are mostly cancelled because of it."""
        try:
            found = self.events(name, since or datetime.min.replace(tzinfo=UTC))
        except ClientError:
            return ""
        for event in found:
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("FAILED") and "cancelled" not in reason.lower():
                return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason or 'no reason given'}"
        return ""

    # --- making ------------------------------------------------------------------------------------------------------

    def ensure(self, wanted: Wanted, watch: Watch) -> Stack:
        """Create or update the stack, and return it as it is then. Raises StackError."""
        for _ in range(_ROUNDS):
            present = self.settle(wanted.name, watch)
            try:
                place = {"StackName": wanted.name, "ChangeSetName": wanted.change_set(present)}
                if self._make_change_set(wanted, place, "UPDATE" if present else "CREATE"):
                    self._execute(place, watch)
                else:
                    watch("nothing to change")
            except ClientError as error:
                if not _is_taken(error):
                    raise
                watch("somebody else changes it; looking again")
                time.sleep(self._pause)
                continue
            found = self.find(wanted.name)
            if found is not None and found.is_settled:
                return found
        raise StackError(
            f"Stack {wanted.name} is changed by somebody else again and again: run this when they are done."
        )

    def settle(self, name: str, watch: Watch) -> Stack | None:
        """The stack in a state from which it can be updated, or None if it must be created. Raises StackError."""
        present = self.wait(name, watch)
        if present is None:
            return None
        if present.holds_nothing:
            watch(f"its creation failed ({self.first_failure(present.id) or present.reason}); deleting what is left")
            self.delete(present.id, watch)
            return None
        if present.status == "UPDATE_ROLLBACK_FAILED":
            watch("its rollback failed; continuing it")
            self._client.continue_update_rollback(StackName=name)
            present = self.wait(name, watch)
        if present is None or present.is_settled:
            return present
        raise StackError(self.trouble(present))

    def trouble(self, stack: Stack) -> str:
        """Why a stack cannot be worked with, and what to do."""
        cause = self.first_failure(stack.id) or stack.reason or "no reason given"
        command = {
            "UPDATE_ROLLBACK_FAILED": f"aws cloudformation continue-update-rollback --stack-name {stack.name}",
            "ROLLBACK_FAILED": f"aws cloudformation delete-stack --stack-name {stack.name}",
            "DELETE_FAILED": f"aws cloudformation delete-stack --stack-name {stack.name}",
            "ROLLBACK_COMPLETE": f"aws cloudformation delete-stack --stack-name {stack.name}",
        }.get(stack.status, f"aws cloudformation describe-stack-events --stack-name {stack.name}")
        place = f"--region {self._client.meta.region_name}"
        return f"Stack {stack.name} is in {stack.status}: {cause}. Remove that cause, then: {command} {place}"

    def wait(self, name: str, watch: Watch) -> Stack | None:
        """The stack once nobody works on it; tells each event meanwhile. Raises StackError after an hour."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        teller, rests = Teller(self, name, watch), pauses(self._pause)
        while (found := self.find(name)) is not None and found.is_in_progress:
            teller.tell()
            if time.monotonic() > deadline:
                raise StackError(
                    f"Stack {name} is still in {found.status} after an hour: look at its events, then run this again."
                )
            time.sleep(next(rests))
        return found

    def delete(self, name: str, watch: Watch) -> None:
        """Delete a stack and wait until it is gone. Raises StackError if something of it cannot be deleted."""
        found = self.wait(name, watch)
        if found is None:
            return
        since = _now()
        self._client.delete_stack(StackName=found.id)
        left = self.wait(found.id, watch)
        if left is not None:
            cause = self.first_failure(left.id, since) or left.reason or "no reason given"
            raise StackError(
                f"Stack {left.name} cannot be deleted ({left.status}): {cause}. Remove that cause and run this again."
            )

    # --- change sets -------------------------------------------------------------------------------------------------

    def _make_change_set(self, wanted: Wanted, place: Mapping[str, str], kind: str) -> bool:
        """Make, or take up, the change set of this wish; False if it would change nothing."""
        if not self._has_usable(place):
            try:
                self._client.create_change_set(
                    **place,
                    ChangeSetType=kind,
                    TemplateBody=wanted.body,
                    Parameters=_parameters(wanted.parameters),
                    Capabilities=CAPABILITIES,
                )
            except ClientError as error:
                if errors.code(error) not in ("AlreadyExistsException", "AlreadyExists"):
                    raise
        return self._is_ready(place)

    def _has_usable(self, place: Mapping[str, str]) -> bool:
        """Whether an earlier run left this change set; one that can no longer be executed is deleted."""
        found = self._describe(place)
        if found and (found["Status"] == "FAILED" or found.get("ExecutionStatus") in ("OBSOLETE", "EXECUTE_FAILED")):
            self._client.delete_change_set(**place)
            return False
        return found is not None

    def _is_ready(self, place: Mapping[str, str]) -> bool:
        """Wait until the change set is computed; False, and it is deleted, if it is empty. Raises StackError."""
        found = self._computed(place)
        if found["Status"] == "CREATE_COMPLETE":
            return True
        self._client.delete_change_set(**place)
        if _is_nothing(found):
            return False
        raise StackError(
            f"CloudFormation refuses the change of stack {place['StackName']}: {found.get('StatusReason')}"
        )

    def _computed(self, place: Mapping[str, str]) -> dict[str, Any]:
        rests = pauses(min(self._pause, 1))
        while True:
            found: dict[str, Any] = self._client.describe_change_set(**place)
            if found["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"):
                return found
            time.sleep(next(rests))

    def _describe(self, place: Mapping[str, str]) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.describe_change_set(**place)
        except ClientError as error:
            if errors.code(error) in ("ChangeSetNotFound", "ChangeSetNotFoundException") or "does not exist" in str(
                error
            ):
                return None
            raise
        return found

    def _execute(self, place: Mapping[str, str], watch: Watch) -> None:
        since, name = _now(), place["StackName"]
        self._client.execute_change_set(**place)
        found = self.wait(name, watch)
        if found is None or not found.is_settled or "ROLLBACK" in found.status:
            status = found.status if found else "deleted"
            cause = self.first_failure(found.id if found else name, since) or (found.reason if found else "")
            raise StackError(f"Stack {name} failed ({status}). The first thing that went wrong: {cause}")

    def preview(self, name: str, change_set: str, address: str, values: Mapping[str, str]) -> Preview:
        """What an update to the template at `address` would do, from a change set that is deleted again.

        Raises StackError if CloudFormation refuses the template or a value.
        """
        place = {"StackName": name, "ChangeSetName": change_set}
        self._discard(place)
        request = {**place, "ChangeSetType": "UPDATE", "TemplateURL": address, "Capabilities": CAPABILITIES}
        self._client.create_change_set(**request, Parameters=_parameters(values))
        try:
            found = self._computed(place)
            is_empty = found["Status"] == "FAILED"
            if is_empty and not _is_nothing(found):
                raise StackError(f"CloudFormation refuses the update of stack {name}: {found.get('StatusReason')}")
            items = pages(self._client, "describe_change_set", "Changes", **place, IncludePropertyValues=True)
            return Preview(tuple(_change(item) for item in items), is_empty, *self._templates(place))
        finally:
            self._discard(place)

    def _discard(self, place: Mapping[str, str]) -> None:
        if self._describe(place):
            self._client.delete_change_set(**place)


class Teller:
    """Tells each event of a stack once, from now on."""

    def __init__(self, stacks: Stacks, name: str, watch: Watch) -> None:
        self._stacks, self._name, self._watch = stacks, name, watch
        self._since, self._told = _now(), set[str]()

    def tell(self) -> None:
        """What is new."""
        for event in self._stacks.events(self._name, self._since):
            if event["EventId"] not in self._told:
                self._told.add(event["EventId"])
                self._watch(f"{event['LogicalResourceId']}: {event['ResourceStatus'].replace('_', ' ').lower()}")


def _now() -> datetime:
    """A moment ago, since the clock of AWS may be behind ours."""
    return datetime.now(UTC) - timedelta(seconds=5)


def _parameters(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in sorted(values.items())]


def _is_nothing(change_set: Mapping[str, Any]) -> bool:
    """Whether a change set failed only because there is nothing to change."""
    return any(words in change_set.get("StatusReason", "") for words in _NOTHING)


def _is_taken(error: ClientError) -> bool:
    """Whether another run was faster."""
    if errors.code(error) in ("InvalidChangeSetStatus", "ChangeSetNotFound", "ChangeSetNotFoundException"):
        return True
    return "_IN_PROGRESS state" in errors.message(error) or "_COMPLETE state and can not be" in errors.message(error)


def _stack(item: Mapping[str, Any]) -> Stack:
    outputs: Sequence[Mapping[str, str]] = item.get("Outputs") or []
    return Stack(
        name=item["StackName"],
        id=item["StackId"],
        status=item["StackStatus"],
        reason=item.get("StackStatusReason", ""),
        updated=str(item.get("LastUpdatedTime") or item.get("CreationTime", "")),
        parameters={given["ParameterKey"]: given.get("ParameterValue", "") for given in item.get("Parameters") or []},
        outputs={output["OutputKey"]: output["OutputValue"] for output in outputs},
        tags=untagged(item.get("Tags")),
        descriptions={output["OutputKey"]: output.get("Description", "") for output in outputs},
    )


def _change(item: Mapping[str, Any]) -> ResourceChange:
    change = item["ResourceChange"]
    return ResourceChange(
        action=change["Action"],
        logical_id=change["LogicalResourceId"],
        type=change["ResourceType"],
        replacement=change.get("Replacement", "False"),
        policy=change.get("PolicyAction", ""),
        details=tuple(_detail(detail) for detail in change.get("Details") or []),
    )


def _detail(item: Mapping[str, Any]) -> Detail:
    target = item.get("Target") or {}
    return Detail(
        attribute=target.get("Attribute", ""),
        name=target.get("Name", ""),
        path=target.get("Path", ""),
        before=target.get("BeforeValue", ""),
        after=target.get("AfterValue", ""),
        recreation=target.get("RequiresRecreation", ""),
        evaluation=item.get("Evaluation", ""),
        source=item.get("ChangeSource", ""),
        entity=item.get("CausingEntity", ""),
    )
