"""upgrade: a project's infrastructure to a newer version of its product, after showing each resource that would change.

The preview is a change set on the project's stack that is deleted again: it locks nothing, where a plan of Service
Catalog (CreateProvisionedProductPlan) would block the project until it is executed or deleted. Without the right to
make one, the two templates are compared. Answers stay as they are unless named. An empty preview ends there, since an
update without changes leaves a provisioned product TAINTED (awslabs/aws-service-catalog-puppet, pull request 64). The
code of the project follows as a pull request (code.py), which its team merges or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError
from rich.console import Console

from service_catalog import answers, code, errors, names, plan, preview
from service_catalog.answers import FILLED_IN
from service_catalog.aws.buckets import Bucket, key_of
from service_catalog.aws.repositories import Repository
from service_catalog.aws.stacks import Preview, ResourceChange, Stack
from service_catalog.aws.studio import Project
from service_catalog.commands import aws, command
from service_catalog.create import Origin, origin_of
from service_catalog.create import Wish as CreateWish
from service_catalog.errors import DeclinedError, InputError, ProjectError
from service_catalog.plan import Change
from service_catalog.preview import Meaning
from service_catalog.progress import Progress, Watch
from service_catalog.publish import CATALOG, S3
from service_catalog.template import difference, read
from service_catalog.waiting import Site

CHANGE_SET = "upgrade-preview"


@dataclass(frozen=True)
class Wish:
    """The project, the version it shall have, and answers that shall change."""

    name: str
    product: str = names.PRODUCT
    version: str = ""
    answers: Mapping[str, str] | None = None
    clone: Path | None = None


@dataclass(frozen=True)
class Upgrade:
    """What was found out: where the project is, where it shall be, and what that changes."""

    project: Project
    stack: Stack
    origin: Origin
    values: Mapping[str, str]
    preview: Preview

    @property
    def meaning(self) -> Meaning:
        defaults = {one.name: one.default for one in self.origin.form.questions if one.default is not None}
        return Meaning(self.preview, self.stack.parameters, {**defaults, **self.values})


def look(site: Site, wish: Wish, watch: Watch) -> Upgrade:
    """Find out what the upgrade would change. Raises CatalogError."""
    project = _ready(site, wish.name, watch)
    stack = site.stack(project)
    if stack is None:
        raise ProjectError(
            f"The stack of project {wish.name} was deleted by hand. Remove the rest: "
            f"{command('delete', site.account, name=wish.name)}"
        )
    if not stack.is_settled:
        raise ProjectError(site.stacks.trouble(stack))
    channel = S3 if project.template else CATALOG
    origin = origin_of(site, CreateWish(wish.name, wish.product, wish.version, channel=channel))
    _require_same_product(project, origin)
    values = settled(origin, stack, wish.answers or {})
    _require_free_repository(site, project, stack, values)
    return Upgrade(project, stack, origin, values, _preview(site, stack, origin, values))


def _require_free_repository(site: Site, project: Project, stack: Stack, values: Mapping[str, str]) -> None:
    """Raises InputError where CodeCommit still has the repository that the stack let go of when it went elsewhere.

    CloudFormation would try to make another one of that name, and roll the upgrade back.
    """
    provider = stack.parameters.get("RepositoryProvider", "CodeCommit")
    if values.get("RepositoryProvider") != "CodeCommit" or provider == "CodeCommit":
        return
    kept = Repository(site.account.client("codecommit"), names.Project(project.name, project.id).repository)
    if kept.exists():
        remove = aws(site.account, "codecommit", "delete-repository", "--repository-name", kept.name)
        raise InputError(
            f"RepositoryProvider=CodeCommit: the repository {kept.name} of before is still there, and CloudFormation "
            f"makes none under a name that is taken. Keep a clone of what it holds, remove it with `{remove}`, and run "
            f"this again; or stay with Connection."
        )


def _ready(site: Site, name: str, watch: Watch) -> Project:
    """The project, once nothing else is under way. Raises ProjectError."""
    found = site.settled(name, watch)
    if found is None:
        known = list(site.studio.projects())
        raise ProjectError(f"There is no project {name}{errors.nearest(name, known)}")
    if found.status == "CreateFailed" or found.status.startswith("Delete"):
        raise ProjectError(
            f"Project {name} is in {found.status} ({site.failure(found)}): delete it and create it again. To delete "
            f"it: {command('delete', site.account, name=name)}"
        )
    return found


def _require_same_product(project: Project, origin: Origin) -> None:
    if origin.product and project.product != origin.product.id:
        raise ProjectError(
            f"Project {project.name} was made from product {project.product}, not from {origin.product.name!r} "
            f"({origin.product.id}): name its product with --product."
        )


def settled(origin: Origin, stack: Stack, given: Mapping[str, str]) -> dict[str, str]:
    """Every answer: the given one, else the one the project has, else the new version's default. Raises InputError.

    All are sent, because CloudFormation would set those that are not back to the template's defaults.
    """
    questions = {question.name for question in origin.form.questions} - set(FILLED_IN)
    kept = {key: value for key, value in stack.parameters.items() if key in questions}
    answers.check(origin.form, {**kept, **given})
    return {**kept, **given}


def _preview(site: Site, stack: Stack, origin: Origin, values: Mapping[str, str]) -> Preview:
    filled = {key: value for key, value in stack.parameters.items() if key in FILLED_IN}
    try:
        return site.stacks.preview(stack.name, CHANGE_SET, origin.address, {**values, **filled})
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        return _compared(site, stack, origin.address)


def _compared(site: Site, stack: Stack, address: str) -> Preview:
    """The preview of somebody who may not make a change set: what differs between the two templates."""
    bucket = Bucket.of(site.account)
    before, after = site.stacks.template(stack.name), bucket.read(key_of(address, bucket.name)).decode("utf-8")
    old, new = read(before), read(after)
    found = difference({"Resources": old["Resources"]}, {"Resources": new["Resources"]})
    kinds = {**old["Resources"], **new["Resources"]}
    words = (("Add", found.added), ("Modify", found.changed), ("Remove", found.removed))
    changed = tuple(ResourceChange(action, name, kinds[name]["Type"]) for action, ids in words for name in ids)
    return Preview(changed, is_empty=old == new, template_before=before, template_after=after, is_compared=True)


# --- doing it --------------------------------------------------------------------------------------------------------


def change(site: Site, wish: Wish, found: Upgrade) -> Change:
    """The one line of the plan."""
    title = found.origin.words
    if found.preview.is_empty:
        return Change("keep", "project", wish.name, f"nothing differs from {title}")

    def update(watch: Watch) -> None:
        if found.origin.version:
            site.studio.update_from_product(wish.name, found.origin.version.id, found.values)
        else:
            site.studio.update_from_template(wish.name, names.STUDIO_TEMPLATE, found.origin.address, found.values)
        _require_updated(site, wish.name, watch)

    count = len(found.preview.resources)
    detail = f"to {title}: {plan.counted(count, 'resource')} {'changes' if count == 1 else 'change'}"
    return Change("update", "project", wish.name, detail, update)


def _require_updated(site: Site, name: str, watch: Watch) -> None:
    after = site.settled(name, watch)
    stack = site.stack(after) if after else None
    if after is None or after.status == "UpdateFailed" or stack is None or "ROLLBACK" in stack.status:
        cause = site.failure(after) if after else "it was deleted meanwhile"
        where = f" Its stack is in {stack.status}." if stack else ""
        raise ProjectError(f"The upgrade of {name} failed and was rolled back.{where} What went wrong first: {cause}")


def upgrade(site: Site, wish: Wish, console: Console, ask: plan.Ask, only_plan: bool = False) -> list[Change]:
    """Show what would change; unless it is only a plan, and if `ask` says yes, do it. Raises CatalogError."""
    with Progress(console).step("preview the change") as watch:
        found = look(site, wish, watch)
        of_code = code.changes(site, found.project, found.stack, found.origin, wish.clone)
    if found.preview.resources:
        preview.show(found.meaning, console)
    lines = [change(site, wish, found), *of_code]
    plan.show(lines, console)
    if only_plan or not plan.pending(lines):
        return lines
    if not ask(_question(found)):
        raise DeclinedError("Nothing was changed.")
    plan.carry_out(lines, Progress(console))
    return lines


def _question(found: Upgrade) -> str:
    lost = ", ".join(item.logical_id for item in found.meaning.lost)
    return f"Upgrade {found.project.name}? " + (f"These are removed or made anew: {lost}. " if lost else "")
