"""The stacks that an account needs once: the portfolio's, and one for each stage. Planned by reading what is there.

Parameters that nobody names keep the value they have. Roles are made once per account, though a stack belongs to one
region: where another region's stack made them, this one is told so.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from service_catalog import names
from service_catalog.answers import Question
from service_catalog.aws import roles
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import Bucket
from service_catalog.aws.stacks import Stack, Stacks, Wanted
from service_catalog.errors import BucketError, StackError, nearest
from service_catalog.plan import Change
from service_catalog.progress import Watch
from service_catalog.template import Template, difference, read

_REPAIRED = {
    "ROLLBACK_COMPLETE": "its creation failed, so it holds nothing and is made anew",
    "CREATE_FAILED": "its creation failed; what is left is deleted and it is made anew",
    "UPDATE_ROLLBACK_FAILED": "the rollback of its last update failed; it is continued, then the stack is updated",
}


@dataclass(frozen=True)
class Foundation:
    """A stack to have in an account: its name, its template, and the values it shall have."""

    account: Account
    stacks: Stacks
    name: str
    template: Template
    values: Mapping[str, str]

    def change(self) -> Change:
        """What it takes. Raises StackError for a state that only a person can end."""
        present = self.stacks.find(self.name)
        if present is None:
            return self._doing("create", f"from {self.template.name}", present)
        if present.status in _REPAIRED:
            return self._doing("repair", _REPAIRED[present.status], present)
        if present.is_in_progress:
            return self._doing("update", f"after {present.status}, which somebody else started", present)
        if not present.is_settled:
            raise StackError(self.stacks.trouble(present))
        if reason := self._difference(present):
            return self._doing("update", reason, present)
        return Change("keep", "stack", self.name, f"{present.status.lower()}, as published", place=self.account.place)

    def _doing(self, action: str, reason: str, present: Stack | None) -> Change:
        apply = self._ensure(present)
        return Change(action, "stack", self.name, reason, apply, self.account.place)  # type: ignore[arg-type]

    def _ensure(self, present: Stack | None) -> Callable[[Watch], None]:
        wanted = Wanted(self.name, self.template.text, self.settled(present))

        def apply(watch: Watch) -> None:
            self.stacks.ensure(wanted, watch)

        return apply

    def settled(self, present: Stack | None) -> dict[str, str]:
        """The values: those that are given, else those that the stack has, else the template's defaults."""
        kept = {
            key: value
            for key, value in (present.parameters if present else {}).items()
            if key in self.template.parameters
        }
        return {**kept, **self.values}

    def _difference(self, present: Stack) -> str:
        """What an update would change, in a few words; empty for nothing."""
        parts = []
        old, new = self.stacks.template(self.name), self.template
        if old != new.text and (found := difference(read(old), new.document)):
            parts.append(str(found))
        wanted = self.settled(present)
        parts += [
            f"{key} {present.parameters.get(key, '')!r} → {value!r}"
            for key, value in sorted(wanted.items())
            if present.parameters.get(key) != value
        ]
        return ", ".join(parts)


def problems(template: Template, values: Mapping[str, str], option: str) -> Iterator[str]:
    """Why CloudFormation would refuse these values of a template, in the words of the option that gave them."""
    known = template.parameters
    for key, value in values.items():
        if key not in known:
            yield f"{option}{key}: {template.name} has no parameter {key!r}{nearest(key, known)}"
            continue
        question = Question.from_template(f"{option}{key}", known[key])
        parts = value.split(",") if known[key].get("Type") == "CommaDelimitedList" else [value]
        yield from filter(None, map(question.problem, parts))


@dataclass
class Made:
    """Roles and policies of an account that stacks earlier in the plan will make: nobody makes them twice."""

    things: set[str] = field(default_factory=set)

    def role(self, account: Account, name: str) -> bool:
        """Whether the role is there, or will be."""
        known = f"{account.id} {name}"
        return known in self.things or roles.role(account.client("iam"), name) is not None

    def boundary(self, account: Account) -> bool:
        """Whether the permissions boundary is there, or will be."""
        arn = names.boundary_arn(account.partition, account.id)
        return f"{account.id} {arn}" in self.things or roles.has_policy(account.client("iam"), arn)

    def note(self, account: Account, *things: str) -> None:
        """Remember what a stack of the plan makes."""
        self.things |= {f"{account.id} {thing}" for thing in things}


def require_free(stacks: Stacks, bucket: Bucket) -> None:
    """Raises BucketError for a bucket that stands in the way of the portfolio's stack, ours or somebody else's.

    CloudFormation takes in again only what has a fixed name in the template (user guide, "Import AWS resources into a
    CloudFormation stack automatically"), and the bucket's follows from account and region.
    """
    present = stacks.find(names.PORTFOLIO_STACK)
    if bucket.exists() and (present is None or present.holds_nothing):
        raise BucketError(
            f"Bucket {bucket.name} is left over from a portfolio stack that is gone, and a new one cannot take it in. "
            f"All it holds can be published again: empty it (console: S3, Empty), remove it with "
            f"`{bucket.typed('s3', 'rb', f's3://{bucket.name}')}`, and run this again."
        )


def portfolio(
    account: Account, stacks: Stacks, template: Template, values: Mapping[str, str], made: Made
) -> Foundation:
    """The stack with portfolio, launch role, boundary and bucket."""
    if stacks.find(names.PORTFOLIO_STACK) is None:
        has_roles = made.role(account, names.LAUNCH_ROLE)
        values = {"AccountRoles": "existing" if has_roles else "create", **values}
    made.note(account, names.LAUNCH_ROLE, names.boundary_arn(account.partition, account.id))
    return Foundation(account, stacks, names.PORTFOLIO_STACK, template, values)


def stage(account: Account, stacks: Stacks, template: Template, values: Mapping[str, str], made: Made) -> Foundation:
    """The stack with a stage's roles. The portfolio's stack has made boundary and logging of the tooling account."""
    name, role = names.stage_stack(values["StageName"]), names.stage_role(values["StageName"], "deploy")
    if stacks.find(name) is None:
        has_boundary = made.boundary(account)
        found = {
            "StageRoles": "existing" if made.role(account, role) else "create",
            "PermissionsBoundary": "existing" if has_boundary else "create",
            "ApiGatewayLogging": "off" if has_boundary else "on",
        }
        values = {**found, **values}
    made.note(account, role, names.boundary_arn(account.partition, account.id))
    return Foundation(account, stacks, name, template, values)
