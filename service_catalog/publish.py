"""publish: this repository's project as a product that Studio offers, in one or several accounts and regions.

Order: the account's stacks, then the objects, then product, version, portfolio and launch role, and the visibility tag
at last. Everything is read and checked before anything is written, in every place. Killed at any moment, the next run
takes up what is there; two at once make the same.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from rich.console import Console

from scripts.kit import VENDOR
from service_catalog import foundations, joiner, lending, names, plan, regions, seed
from service_catalog.answers import Question
from service_catalog.aws.account import Account
from service_catalog.aws.packages import PACKAGE, Index
from service_catalog.aws.stacks import PAUSE_SECONDS, Stacks
from service_catalog.commands import command
from service_catalog.errors import InputError, SourceError
from service_catalog.foundations import Made
from service_catalog.kept import Kept
from service_catalog.lending import Borrower
from service_catalog.offering import Offering, Words
from service_catalog.plan import Change
from service_catalog.progress import Progress, Watch
from service_catalog.release import Place, Release, Source

CATALOG, S3 = "catalog", "s3"
# The word for "in no organization any more": not to name one keeps the one of the newest version.
NO_ORGANIZATION = "none"
# As CodeArtifact's API takes them.
_INDEX = re.compile(r"[a-z][a-z0-9-]{0,48}[a-z0-9]/[A-Za-z0-9][A-Za-z0-9._-]{1,99}")


@dataclass(frozen=True)
class Wish:
    """What somebody wants to have published."""

    words: Words
    channels: tuple[str, ...] = (CATALOG,)
    version: str = ""
    retired: tuple[str, ...] = ()
    organization: str = ""
    # Stages elsewhere: where we have credentials, and where only the account's number is known.
    stage_accounts: Mapping[str, Account] = field(default_factory=dict)
    stage_ids: Mapping[str, str] = field(default_factory=dict)
    # Stack ("portfolio", "stage" or a stage's name) to parameters.
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pause: float = PAUSE_SECONDS
    # A repository of CodeArtifact that shall have the kit too: DOMAIN/REPOSITORY, and whose the domain is.
    index: str = ""
    index_owner: str = ""
    # Part (names.PARTS) to account, for what is kept apart; the tooling account's own brings it back.
    parts: Mapping[str, str] = field(default_factory=dict)

    def stage_id(self, stage: str) -> str:
        """The account of a stage, empty if it is the tooling account."""
        return self.stage_accounts[stage].id if stage in self.stage_accounts else self.stage_ids.get(stage, "")

    @property
    def organization_id(self) -> str:
        """The organization; empty if there is none."""
        return "" if self.organization == NO_ORGANIZATION else self.organization

    def with_kept(self, kept: Kept) -> "Wish":
        """The same, and what the newest published version says about the rest."""
        ids = {**kept.stage_ids, **self.stage_ids}
        parts = {**kept.parts, **self.parts}
        return replace(self, stage_ids=ids, organization=self.organization or kept.organization, parts=parts)

    def parts_apart(self, tooling: str) -> dict[str, str]:
        """Each part that is in another account than the tooling's."""
        return {part: account for part, account in self.parts.items() if account not in ("", tooling)}


def require_committed(allowed: bool) -> str:
    """A note if the repository has changes that no commit holds. Raises SourceError unless that is allowed."""
    changed = seed.uncommitted()
    if changed and not allowed:
        shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        raise SourceError(f"No commit holds {shown}: commit first, or publish them all the same with --uncommitted.")
    return f"{len(changed)} changes that no commit holds are part of this." if changed else ""


def changes(accounts: Sequence[Account], source: Source, wish: Wish) -> list[Change]:
    """Everything that publishing takes, in order. Raises CatalogError."""
    _require_values(source, wish)
    _require_sense(accounts, wish)
    made = Made()
    return [change for account in accounts for change in _changes_in(account, source, wish, made)]


def _changes_in(account: Account, source: Source, given: Wish, made: Made) -> Iterator[Change]:
    region = regions.Region.look(account, source.templates)
    source = region.source(source)
    kept = find_kept(account, given)
    wish = given.with_kept(kept)
    _require_sense([account], wish)
    yield from region.changes()
    yield from kept.lines(account)
    stacks = Stacks(account.client("cloudformation"), wish.pause)
    release = release_for(account, source, wish)
    offering = Offering(account, stacks, release, wish.words, wish.retired)
    foundations.require_free(stacks, offering.bucket)
    values = _portfolio_values(account, source, wish)
    yield foundations.portfolio(account, stacks, source.portfolio, values, made).change()
    yield from _stages(account, source, wish, made)
    yield from _index(account, wish)
    yield from lending.notes(Borrower.of(account, map(wish.stage_id, names.STAGES)), wish.parts, ["BUCKET"])
    yield from offering.objects()
    yield from offering.product() if CATALOG in wish.channels else ()
    yield from offering.studio() if S3 in wish.channels else ()


def _index(account: Account, wish: Wish) -> Iterator[Change]:
    """The kit's wheel in the company's index, if one is named. Raises InputError, SourceError."""
    if not wish.index:
        return
    domain, _, repository = wish.index.partition("/")
    index = Index(account.client("codeartifact"), domain, repository, wish.index_owner)
    (wheel,) = VENDOR.glob("*.whl")
    detail = f"in CodeArtifact {index.name}: {wheel.name}"
    if index.holds(wheel):
        yield Change("keep", "package", PACKAGE, detail, place=account.place)
        return

    def upload(_: Watch) -> None:
        index.upload(wheel)

    yield Change("create", "package", PACKAGE, detail, upload, place=account.place)


def find_kept(account: Account, wish: Wish) -> Kept:
    """What the newest published version says about stages, and nobody says now. Raises ProductError."""
    unsaid = tuple(stage for stage in names.STAGES if stage not in {**wish.stage_accounts, **wish.stage_ids})
    parts = tuple(part for part in names.PARTS if part not in wish.parts)
    return Kept.find(account, wish.words.name, unsaid, not wish.organization, parts)


def release_for(account: Account, source: Source, wish: Wish) -> Release:
    """The product for one account and region, as the region can have it. Raises AccessError."""
    source = regions.Region.look(account, source.templates).source(source)
    return source.release(Place.of(account), defaults(account, wish), wish.version)


def defaults(account: Account, wish: Wish) -> dict[str, str]:
    """What the form shows filled in: accounts and organization, if the stages are elsewhere."""
    elsewhere = any(wish.stage_id(stage) not in ("", account.id) for stage in names.STAGES)
    ids = {f"{stage} account": (wish.stage_id(stage) or account.id) if elsewhere else "" for stage in names.STAGES}
    parts = {f"{part} account": wish.parts_apart(account.id).get(part, "") for part in names.PARTS}
    return {**ids, **parts, "organization": wish.organization_id}


def _portfolio_values(account: Account, source: Source, wish: Wish) -> dict[str, str]:
    values = {"TemplateVersion": source.version_of(source.portfolio), **wish.values.get("portfolio", {})}
    if S3 in wish.channels:
        values["S3Channel"] = "on"
    others = sorted({wish.stage_id(stage) for stage in names.STAGES} - {"", account.id})
    if others:
        values["StageAccountIds"] = ",".join(others)
    if data := wish.parts_apart(account.id).get("data"):
        values.setdefault("DataAccountIds", data)
    return values


# --- stages ----------------------------------------------------------------------------------------------------------


def _stages(tooling: Account, source: Source, wish: Wish, made: Made) -> Iterator[Change]:
    for stage in names.STAGES:
        account = _account_of(stage, tooling, wish)
        if account is None:
            yield _by_somebody_else(stage, tooling, source, wish)
            continue
        stacks = Stacks(account.client("cloudformation"), wish.pause)
        values = _stage_values(stage, tooling, source, wish)
        yield foundations.stage(account, stacks, source.stage, values, made).change()


def _account_of(stage: str, tooling: Account, wish: Wish) -> Account | None:
    """The account of a stage; None if we have no credentials there."""
    if stage in wish.stage_accounts:
        return wish.stage_accounts[stage].in_region(tooling.region)
    return tooling if wish.stage_ids.get(stage, tooling.id) == tooling.id else None


def _stage_values(stage: str, tooling: Account, source: Source, wish: Wish) -> dict[str, str]:
    given = {**wish.values.get("stage", {}), **wish.values.get(stage, {})}
    version = source.version_of(source.stage)
    fixed = {"StageName": stage, "ToolingAccountId": tooling.id, "TemplateVersion": version}
    organization = {"OrganizationId": wish.organization_id} if wish.organization else {}
    parts = {names.PART_PARAMETERS[part]: id_ for part, id_ in wish.parts_apart(tooling.id).items() if part != "data"}
    known = {**fixed, **organization, **parts}
    return {key: value for key, value in known.items() if key in source.stage.parameters} | given


def _by_somebody_else(stage: str, tooling: Account, source: Source, wish: Wish) -> Change:
    """A line with the command for an administrator of the stage's account."""
    values = _stage_values(stage, tooling, source, wish)
    overrides = shlex.join(f"{key}={value}" for key, value in sorted(values.items()))
    typed = (
        f"# with {joiner.BUILT / source.stage.name}, which `make templates` writes, in the folder where that file is:\n"
        f"aws cloudformation deploy --stack-name {names.stage_stack(stage)} --template-file {source.stage.name} "
        f"--capabilities CAPABILITY_NAMED_IAM --region {tooling.region} --parameter-overrides {overrides}"
    )
    detail = f"an administrator of {wish.stage_id(stage)} makes it with this command"
    return Change("note", "stack", names.stage_stack(stage), detail, place=wish.stage_id(stage), command=typed)


def _require_values(source: Source, wish: Wish) -> None:
    """Raises InputError for every value that CloudFormation would refuse."""
    problems = []
    for stack, values in wish.values.items():
        template = source.portfolio if stack == "portfolio" else source.stage
        problems += list(foundations.problems(template, values, f"--set {stack}."))
    if wish.index and not _INDEX.fullmatch(wish.index):
        problems.append(f"--codeartifact {wish.index!r} must be DOMAIN/REPOSITORY, such as example/python")
    if wish.index_owner and not (wish.index and re.fullmatch(r"\d{12}", wish.index_owner)):
        problems.append(f"--codeartifact-owner {wish.index_owner!r} must be the 12 digits of the account of the domain")
    problems += [
        f"--{part}-account {account!r} must be 12 digits"
        for part, account in wish.parts.items()
        if not re.fullmatch(r"\d{12}", account)
    ]
    if wish.organization_id:
        question = Question.from_template("--organization", source.stage.parameters["OrganizationId"])
        problems += filter(None, [question.problem(wish.organization_id)])
    if problems:
        raise InputError(problems)


def _require_sense(accounts: Sequence[Account], wish: Wish) -> None:
    """Raises InputError for accounts that cannot go together."""
    ids = {stage: wish.stage_id(stage) for stage in names.STAGES}
    tooling = {account.id for account in accounts}
    elsewhere = [stage for stage, id_ in ids.items() if id_ and id_ not in tooling]
    problems = [
        f"the account of {stage} is {id_!r}, and must be 12 digits"
        for stage, id_ in ids.items()
        if id_ and not (id_.isdecimal() and len(id_) == 12)
    ]
    partitions = {account.partition for account in (*accounts, *wish.stage_accounts.values())}
    if len(partitions) > 1:
        problems.append(
            f"the profiles are of different partitions ({', '.join(sorted(partitions))}): no role reaches across"
        )
    if elsewhere and len(tooling) > 1:
        problems.append(
            "stages in other accounts belong to one tooling account: publish each with a --profile of its own"
        )
    problems += [
        f"{one} and {other} are both {ids[one]}: give each an account of its own, or keep both here"
        for one, other in combinations(elsewhere, 2)
        if ids[one] == ids[other]
    ]
    if problems:
        raise InputError(problems)


# --- the verb --------------------------------------------------------------------------------------------------------


def publish(
    accounts: Sequence[Account], source: Source, wish: Wish, console: Console, only_plan: bool = False
) -> list[Change]:
    """Show what it takes, and unless it is only a plan, do it. Raises CatalogError."""
    with Progress(console).step("read what is there"):
        found = changes(accounts, source, wish)
    plan.show(found, console)
    if not only_plan:
        plan.carry_out(found, Progress(console))
    return found


def next_words(accounts: Sequence[Account], source: Source, wish: Wish) -> str:
    """What was published, and what to do with it."""
    lines = []
    for account in accounts:
        release = release_for(account, source, wish.with_kept(find_kept(account, wish)))
        lines.append(f"{wish.words.name}, version {release.version}, in {account.place}")
        if S3 in wish.channels:
            lines.append(f"  launch role for the S3 channel: {names.launch_role_arn(account.partition, account.id)}")
            lines.append(f"  attach to Studio's roles:       {names.studio_policy_arn(account.partition, account.id)}")
    lines += ["Create a project from it:"]
    lines += ["  in Studio: Deployments, Projects, Create project, Organization templates"]
    return "\n".join([*lines, *(f"  here:      {command('create', account, name='NAME')}" for account in accounts)])
