"""create: a project from the published product, as Studio's form makes it, with progress and reasons for failures.

Everything that can be known to be wrong is said before anything is made: the name, every answer, a name that is taken.
A run that was killed, or a second one at the same time, goes on waiting for the project that the first one asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console
from rich.text import Text

from service_catalog import answers, errors, lending, names, plan, seed, sheet, stageroles
from service_catalog.answers import Form, Question
from service_catalog.aws.buckets import Bucket, key_of
from service_catalog.aws.catalog import Product, Version
from service_catalog.aws.stacks import Stack
from service_catalog.aws.studio import Project, pairs
from service_catalog.commands import command
from service_catalog.errors import BucketError, ProductError, ProjectError, nearest
from service_catalog.plan import Change
from service_catalog.progress import Progress, Watch
from service_catalog.publish import CATALOG, S3
from service_catalog.release import Place
from service_catalog.template import Template, read
from service_catalog.waiting import Site


@dataclass(frozen=True)
class Wish:
    """The project that somebody wants."""

    name: str
    product: str = names.PRODUCT
    version: str = ""
    answers: Mapping[str, str] | None = None
    description: str = ""
    folder: Path | None = None
    channel: str = CATALOG


@dataclass(frozen=True)
class Origin:
    """What the project is made from, in words and as the API takes it."""

    words: str
    form: Form
    product: Product | None = None
    version: Version | None = None
    path: str = ""
    address: str = ""
    # The template, or why it could not be read: its rules are then left to CloudFormation.
    document: Mapping[str, Any] = field(default_factory=dict)
    unread: str = ""


@dataclass(frozen=True)
class Look:
    """What was found out: what it takes, and for a new project what it is made from, with the answers that are sent."""

    changes: list[Change]
    origin: Origin | None = None
    given: Mapping[str, str] = field(default_factory=dict)


def look(site: Site, wish: Wish) -> Look:
    """Find out what it takes. Raises CatalogError for everything that would make it fail later."""
    answers.check_name(wish.name)
    present = site.studio.project(wish.name)
    if present is not None:
        return Look([_present(site, wish, present)])
    origin, bucket = origin_of(site, wish), Bucket.of(site.account)
    packed = seed.from_folder(wish.folder) if wish.folder else None
    given = dict(wish.answers or {})
    if packed:
        given |= {"SeedBucket": bucket.name, "SeedKey": names.seed_key(packed.sha256)}
    answers.check(origin.form, given)
    seeds = [_seed(bucket, packed)] if packed else []
    notes = [Change("note", "rules", "not checked", origin.unread)] if origin.unread else []
    notes += stageroles.notes(site.account, origin.form, given)
    answered = {each.name: given.get(each.name, each.default or "") for each in origin.form.questions}
    if [*lending.of_project(site.account, answered)]:
        detail = "accounts that keep something apart let a project in by policies, shown once it is made"
        notes.append(Change("note", "policies", wish.name, detail))
    return Look([*seeds, _project(site, wish, origin, given), *notes], origin, given)


def _seed(bucket: Bucket, packed: seed.Seed) -> Change:
    key, detail = names.seed_key(packed.sha256), f"{plan.counted(packed.files, 'file')} of {packed.origin}"
    if not bucket.exists():
        raise ProductError(f"There is no bucket {bucket.name} for the seed: publish first.")
    if bucket.holds(key, packed.content):
        return Change("keep", "seed", key, detail)

    def upload(_: Watch) -> None:
        bucket.put_once(key, packed.content, "application/zip")

    return Change("create", "seed", key, detail, upload)


# --- what it is made from --------------------------------------------------------------------------------------------


def origin_of(site: Site, wish: Wish) -> Origin:
    """The product's version, or the template of the S3 channel, with the questions it asks. Raises ProductError."""
    return _from_catalog(site, wish) if wish.channel == CATALOG else _from_s3(site)


def _from_catalog(site: Site, wish: Wish) -> Origin:
    product = site.catalog.offered(wish.product)
    version, path = choose(site.catalog.versions(product), wish.version, product), site.catalog.path(product)
    found = site.catalog.parameters(product, version, path)
    questions = tuple(Question.from_catalog(item) for item in found)
    address = Place.of(site.account).template_of(version) or site.catalog.address(product, version)
    document, unread = _document(Bucket.of(site.account), address)
    form = Form(questions, document.get("Rules") or {}, pseudo_parameters(site))
    words = f"{product.name}, version {version.name}"
    return Origin(words, form, product, version, path, address, document, unread)


def _from_s3(site: Site) -> Origin:
    bucket, key = Bucket.of(site.account), names.studio_key(names.STUDIO_TEMPLATE)
    try:
        template = Template(key, bucket.read(key).decode("utf-8"))
    except BucketError:
        publish = command("publish", site.account, "--channel", S3)
        raise ProductError(f"s3://{bucket.name}/{key} is not there. Somebody has to publish it: {publish}") from None
    questions = tuple(Question.from_template(name, declared) for name, declared in template.parameters.items())
    form = Form(questions, template.document.get("Rules") or {}, pseudo_parameters(site))
    address = Place.of(site.account).address(key)
    return Origin(f"s3://{bucket.name}/{key}", form, address=address, document=template.document)


def _document(bucket: Bucket, address: str) -> tuple[Mapping[str, Any], str]:
    """The template of a version, or nothing and why: CloudFormation checks its rules again.

    Nobody gets s3:GetObject on templates/ for this alone: Service Catalog reads them for whoever launches a product.
    """
    key = key_of(address, bucket.name)
    later = "CloudFormation checks which answers go together once it is asked for the project"
    if not key:
        return {}, f"this version's template is not in {bucket.name}; {later}"
    try:
        return read(bucket.read(key).decode("utf-8"), key), ""
    except BucketError as error:
        return {}, f"{error} {later}"
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        return {}, f"you may not read s3://{bucket.name}/{key} (s3:GetObject); {later}"


def pseudo_parameters(site: Site) -> dict[str, str]:
    """What CloudFormation knows by itself in this account and region."""
    account = site.account
    return {"AWS::AccountId": account.id, "AWS::Partition": account.partition, "AWS::Region": account.region}


def choose(versions: Sequence[Version], name: str, product: Product) -> Version:
    """The newest version that is offered, or the named one. Raises ProductError."""
    offered = [version for version in versions if version.is_active]
    if not name and offered:
        return offered[-1]
    named = [version for version in versions if version.name == name]
    if not named:
        known = [version.name for version in offered]
        raise ProductError(f"{product.name!r} has no version {name or 'that is offered'}{nearest(name, known)}")
    if not named[0].is_active:
        raise ProductError(f"Version {name} of {product.name!r} is retired{nearest('', [v.name for v in offered])}")
    return named[0]


# --- the project -----------------------------------------------------------------------------------------------------


def _project(site: Site, wish: Wish, origin: Origin, given: Mapping[str, str]) -> Change:
    def make(watch: Watch) -> None:
        try:
            _ask(site, wish, origin, given)
        except ClientError:
            if site.studio.project(wish.name) is None:
                raise
            watch("somebody else asked for it at the same time")
        _require_complete(site, wish, watch)

    words = ", ".join(f"{key}={value}" for key, value in sorted(given.items()))
    return Change("create", "project", wish.name, f"from {origin.words}" + (f" with {words}" if words else ""), make)


def _ask(site: Site, wish: Wish, origin: Origin, given: Mapping[str, str]) -> None:
    description = wish.description or f"Made from {origin.words}"
    if origin.product and origin.version:
        details: dict[str, Any] = {"ProductId": origin.product.id, "ProvisioningArtifactId": origin.version.id}
        details |= {"PathId": origin.path, "ProvisioningParameters": pairs(given)}
        site.studio.create_from_product(wish.name, description, details)
        return
    role = names.launch_role_arn(site.account.partition, site.account.id)
    provider = {"TemplateName": names.STUDIO_TEMPLATE, "TemplateURL": origin.address, "RoleARN": role}
    site.studio.create_from_template(wish.name, description, {**provider, "Parameters": pairs(given)})


def _require_complete(site: Site, wish: Wish, watch: Watch) -> None:
    """Wait. Raises ProjectError with the first thing that went wrong."""
    found = site.settled(wish.name, watch)
    if found is None or not found.is_complete:
        cause = site.failure(found) if found else "it was deleted meanwhile"
        again = command("create", site.account, *_options(wish), name=wish.name)
        raise ProjectError(
            f"Project {wish.name} failed. The first thing that went wrong: {cause}\nRemove that cause, then: "
            f"{command('delete', site.account, name=wish.name)} && {again}"
        )


def _options(wish: Wish) -> list[str]:
    """What was typed for this wish."""
    typed = {"--version": wish.version, "--description": wish.description, "--from": str(wish.folder or "")}
    typed["--channel"] = wish.channel if wish.channel != CATALOG else ""
    found = [*_parameters(wish.answers or {}), *_product(wish)]
    return [*found, *(word for option, value in typed.items() if value for word in (option, value))]


def _parameters(values: Mapping[str, str]) -> list[str]:
    return [word for key, value in sorted(values.items()) for word in ("--parameter", f"{key}={value}")]


def _product(wish: Wish) -> list[str]:
    return ["--product", wish.product] if wish.product != names.PRODUCT else []


# --- a project that is there already ---------------------------------------------------------------------------------


def _present(site: Site, wish: Wish, present: Project) -> Change:
    """What to do about a project that has the name already. Raises ProjectError unless it is the wanted one."""
    if present.is_in_progress and not present.status.startswith("Delete"):

        def wait(watch: Watch) -> None:
            _require_complete(site, wish, watch)

        return Change(
            "create", "project", wish.name, f"{present.status}: somebody asked for it already; wait for it", wait
        )
    if not present.is_complete:
        raise ProjectError(_trouble(site, wish, present))
    _require_same(site, wish, present)
    return Change("keep", "project", wish.name, f"is there already, with the id {present.id}; nothing was made")


def _trouble(site: Site, wish: Wish, present: Project) -> str:
    """About a project that neither works as it was wished nor is on its way there."""
    cause = "it is being deleted" if present.is_in_progress else site.failure(present)
    way_out = f"Remove it with `{command('delete', site.account, name=wish.name)}`, or choose another name."
    if present.status == "UpdateFailed":
        upgrade = command("upgrade", site.account, *_product(wish), name=wish.name)
        way_out = f"That upgrade was rolled back and the project is kept. Remove that cause, then: {upgrade}"
    return f"There is a project {wish.name} already, in {present.status}: {cause}\n{way_out}"


def _require_same(site: Site, wish: Wish, present: Project) -> None:
    """Raises ProjectError if the project has other answers, another version or another seed than the wished one."""
    stack = site.stack(present)
    parameters = stack.parameters if stack else {}
    changed = {key: value for key, value in (wish.answers or {}).items() if parameters.get(key) != value}
    words = [f"{key} is {parameters.get(key, '')!r}, not {value!r}" for key, value in sorted(changed.items())]
    arguments = _parameters(changed)
    if wish.version and (has := _version_of(site, wish, present)) != wish.version:
        words.append(f"its version is {has}, not {wish.version}")
        arguments += ["--version", wish.version]
    if wish.folder and parameters.get("SeedKey") != names.seed_key(seed.from_folder(wish.folder).sha256):
        words.append(f"its repository was not begun with what is in {wish.folder}: push that there yourself")
    if words:
        upgrade = command("upgrade", site.account, *arguments, *_product(wish), name=wish.name)
        way_out = f"\nTo change it: {upgrade}" if arguments else ""
        raise ProjectError(f"There is a project {wish.name} already: {'; '.join(words)}. Nothing was made.{way_out}")


def _version_of(site: Site, wish: Wish, present: Project) -> str:
    """The name of a project's version, or its id if this product has no such version."""
    versions = site.catalog.versions(site.catalog.offered(wish.product)) if present.product else []
    return next((version.name for version in versions if version.id == present.version), present.version or "of S3")


# --- the verb --------------------------------------------------------------------------------------------------------


def create(site: Site, wish: Wish, console: Console, only_plan: bool = False) -> list[Change]:
    """Show what it takes, and unless it is only a plan, do it and show the project's outputs. Raises CatalogError."""
    with Progress(console).step("check name and answers"):
        found = look(site, wish)
    plan.show(found.changes, console)
    if not only_plan:
        plan.carry_out(found.changes, Progress(console))
        _show_project(site, wish, console, is_new=bool(plan.pending(found.changes)))
    elif found.origin:
        sheet.show(sheet.Sheet(wish.name, found.origin.form, found.given, found.origin.document), console)
    return found.changes


def _show_project(site: Site, wish: Wish, console: Console, *, is_new: bool) -> None:
    project = site.studio.project(wish.name)
    stack = site.stack(project) if project else None
    if stack:
        show_outputs(stack, console)
        for note in lending.of_project(site.account, stack.parameters):
            console.print(Text(note.detail, style="magenta"), soft_wrap=True)
            console.print(Text(note.command), soft_wrap=True)
        console.print(Text(next_words(stack, is_new=is_new), style="bold"), soft_wrap=True)


def show_outputs(stack: Stack, console: Console) -> None:
    """A stack's outputs with what they mean; values stand on lines of their own, for copying."""
    for key, value in stack.outputs.items():
        console.print(Text.assemble((key, "bold"), "  ", (stack.descriptions.get(key, ""), "dim")), soft_wrap=True)
        console.print(Text(f"  {value}"), soft_wrap=True)


def next_words(stack: Stack, *, is_new: bool) -> str:
    """What to do with a project."""
    clone = (
        f"git clone {stack.outputs['RepositoryUrl']}" if "RepositoryUrl" in stack.outputs else "clone its repository"
    )
    return ("The first training has started by itself. " if is_new else "") + f"To work on it: {clone}"
