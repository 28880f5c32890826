"""delete: a project with everything that was made for it, in an order that leaves nothing that cannot be deleted later.

Pipelines are stopped and closed first, so that nothing is made behind our back; then each stage's stacks, production
before staging, under roles that belong to the account and outlive the project; then the project with its own stack.
What holds data stays, with the reason and the command that removes it. A run that was killed goes on where it was: what
is gone is not looked for again, and a project whose record is gone is found by the tags of its stacks.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import ClientError
from rich.console import Console
from rich.text import Text

from service_catalog import answers, errors, layout, leftovers, names, plan
from service_catalog.aws.account import Account
from service_catalog.aws.pipelines import Pipelines
from service_catalog.aws.stacks import Stack, Stacks, pauses
from service_catalog.aws.studio import Project
from service_catalog.errors import AccessError, CatalogError, DeclinedError, ProjectError, StackError, nearest
from service_catalog.kept import Kept
from service_catalog.leftovers import ID_TAG, NAME_TAG, Left, retained
from service_catalog.plan import Change
from service_catalog.progress import Progress, Watch
from service_catalog.waiting import Site

REASON = "the project is being deleted"
_STOPPED_FIRST = ("scaling", "monitoring", "batch", "api")


@dataclass(frozen=True)
class Wish:
    """The project to delete, and how to reach its stages."""

    name: str
    stage_accounts: Mapping[str, Account] = field(default_factory=dict)
    skipped_stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remains:
    """What there is of one project."""

    names: names.Project
    project: Project | None
    stack: Stack | None
    provisioned_product: str = ""
    kept: tuple[Left, ...] = ()


# --- finding ---------------------------------------------------------------------------------------------------------


def remains(site: Site, name: str) -> list[Remains]:
    """Every project of this name of which something is left, whether or not its record is."""
    project = site.studio.project(name)
    found = {project.id: _of(site, project)} if project else {}
    for stack in site.stacks.all():
        if stack.tags.get(NAME_TAG) == name and (id_ := stack.tags.get(ID_TAG, "")) and id_ not in found:
            found[id_] = _without_record(site, name, id_, stack)
    return list(found.values())


def _of(site: Site, project: Project) -> Remains:
    stack = site.stack(project)
    own = names.Project(project.name, project.id)
    kept = tuple(retained(site.account, site.stacks, stack, own)) if stack else ()
    return Remains(own, project, stack, project.provisioned_product, kept)


def _without_record(site: Site, name: str, id_: str, stack: Stack) -> Remains:
    """A project whose record was deleted while its stacks were not."""
    own = stack if stack.name.startswith(("SC-", "SP-")) else None
    product = stack.name.rpartition("-pp-")[2] if own and "-pp-" in stack.name else ""
    project = names.Project(name, id_)
    kept = tuple(retained(site.account, site.stacks, own, project)) if own else ()
    return Remains(project, None, own, f"pp-{product}" if product else "", kept)


# --- the plan --------------------------------------------------------------------------------------------------------


def changes(site: Site, wish: Wish, found: Sequence[Remains]) -> list[Change]:
    """Everything that goes, in order, then what stays. Raises CatalogError."""
    if not found:
        gone = Change("keep", "project", wish.name, "there is no such project, and no stack of one")
        stages = (account.in_region(site.account.region) for account in wish.stage_accounts.values())
        accounts = {account.id: account for account in (site.account, *stages)}
        left = [line for account in accounts.values() for line in leftovers.of_name(account, wish.name)]
        if not left:
            raise ProjectError(_unknown(site, wish.name))
        return [gone, *left]
    return [change for one in found for change in _changes_of(site, wish, one)]


def _unknown(site: Site, name: str) -> str:
    account = site.account
    hint = nearest(name, site.studio.projects())
    return f"There is nothing of a project {name} in account {account.id}, region {account.region}{hint}"


def _changes_of(site: Site, wish: Wish, one: Remains) -> Iterator[Change]:
    places = dict(_places(site, wish, one))
    yield from _pipelines(site, one)
    for stage in wish.skipped_stages:
        yield Change("note", "stage", stage, "skipped: its stacks stay, and go on costing money")
    for stage, place in places.items():
        yield from _stage(place, one, stage)
    yield from _training(site, one)
    yield from _own(site, wish, one, places)
    yield from leftovers.at_provider(one.stack)
    yield from leftovers.summary(_kept(one, places))
    known = _physical_ids(site, one, places) | ({one.project.arn} if one.project else set())
    accounts = {place.account.id: place.account for place in (Place(site.account, site.stacks), *places.values())}
    for account in accounts.values():
        yield from leftovers.orphans(account, one.names.id, known)


def _kept(one: Remains, places: Mapping[str, "Place"]) -> list[Left]:
    """What stays of the project's stack and of those of its stages."""
    stages = ((place, found) for stage, place in places.items() for found in place.present(one.names, stage))
    kept = (item for place, found in stages for item in retained(place.account, place.stacks, found, one.names))
    return [*one.kept, *kept]


def _physical_ids(site: Site, one: Remains, places: Mapping[str, "Place"]) -> set[str]:
    """Everything that a stack of the project knows."""
    stacks = [(site.stacks, one.stack)] if one.stack else []
    stacks += [(place.stacks, found) for stage, place in places.items() for found in place.present(one.names, stage)]
    items = (item for where, stack in stacks for item in where.resources(stack.id))
    return {item["PhysicalResourceId"] for item in items if item.get("PhysicalResourceId")} | {s.id for _, s in stacks}


def _pipelines(site: Site, one: Remains) -> Iterator[Change]:
    pipelines = Pipelines(site.account.client("codepipeline"))
    for name in one.names.pipelines:
        state = pipelines.state(name)
        if state is None:
            continue
        running = len(list(pipelines.running(name)))
        yield Change("stop", "pipeline", name, f"executions that run: {running}", _closing(pipelines, name))


def _closing(pipelines: Pipelines, name: str) -> plan.Apply:
    def close(_: Watch) -> None:
        state = pipelines.state(name)
        if state is None:
            return
        pipelines.close(name, state, REASON)
        for execution in pipelines.running(name):
            pipelines.stop(name, execution, REASON)

    return close


def _training(site: Site, one: Remains) -> Iterator[Change]:
    """SageMaker's own pipeline, which the build made and no stack knows."""
    name = one.names.training
    if not site.studio.has_pipeline(name):
        return

    def delete(_: Watch) -> None:
        for execution in site.studio.executions(name):
            site.studio.stop(execution)
        site.studio.delete_pipeline(name)

    yield Change("delete", "training", name, "SageMaker pipeline; what it trained stays in the registry", delete)


# --- stages ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a stage's stacks are."""

    account: Account
    stacks: Stacks

    def present(self, project: names.Project, stage: str) -> list[Stack]:
        """The stage's stacks that are there, in the order in which they go. Raises AccessError."""
        try:
            found = [self.stacks.find(project.stack(stage, concern)) for concern in (*_STOPPED_FIRST, "endpoint")]
        except ClientError as error:
            if errors.is_denied(error):
                raise AccessError(_unreachable(stage, self.account.id)) from None
            raise
        return [stack for stack in found if stack is not None]


def _places(site: Site, wish: Wish, one: Remains) -> Iterator[tuple[str, Place]]:
    """Each stage that is not skipped, production first."""
    for stage in reversed(names.STAGES):
        if stage not in wish.skipped_stages:
            account = _account(site, wish, one, stage)
            yield stage, Place(account, Stacks(account.client("cloudformation"), site.pause))


def _stage(place: Place, one: Remains, stage: str) -> Iterator[Change]:
    for found in place.present(one.names, stage):
        detail = f"{stage}, {found.status.lower().replace('_', ' ')}"
        yield Change("delete", "stack", found.name, detail, _deletion(place.stacks, found.id), place.account.place)


def _deletion(stacks: Stacks, name: str) -> plan.Apply:
    def delete(watch: Watch) -> None:
        stacks.delete(name, watch)

    return delete


def _account(site: Site, wish: Wish, one: Remains, stage: str) -> Account:
    """Where a stage is: with a profile, in this account, or under the stage's deploy role. Raises AccessError."""
    if stage in wish.stage_accounts:
        return wish.stage_accounts[stage].in_region(site.account.region)
    parameter = names.STAGE_PARAMETERS[stage]
    id_ = one.stack.parameters.get(parameter, "") if one.stack else ""
    if id_ in ("", site.account.id):
        return site.account
    role = names.role_arn(site.account.partition, id_, names.stage_role(stage, "deploy"))
    try:
        return site.account.assuming(role, f"delete-{one.names.id}")
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        raise AccessError(_unreachable(stage, id_)) from None


def _unreachable(stage: str, account: str) -> str:
    return (
        f"{stage} is in account {account}, which these credentials do not reach, and its stacks must go before the "
        f"project does. Nothing was changed. Give a profile of that account: --stage-profile {stage}=PROFILE. If its "
        f"stacks are to stay: --skip-stage {stage}."
    )


# --- the project itself ----------------------------------------------------------------------------------------------


def _own(site: Site, wish: Wish, one: Remains, places: Mapping[str, Place]) -> Iterator[Change]:
    if one.project is None and one.stack is None:
        return
    count = len(site.stacks.resources(one.stack.id)) - len(one.kept) if one.stack else 0
    detail = (
        f"id {one.names.id}, {plan.counted(count, 'resource')} in {one.stack.name}"
        if one.stack
        else f"id {one.names.id}, without a stack"
    )

    def delete(watch: Watch) -> None:
        for stage, place in places.items():  # what a pipeline made after the plan was made
            for stack in place.present(one.names, stage):
                place.stacks.delete(stack.id, watch)
        if one.project is not None:
            _delete_record(site, wish.name, watch)
        if one.provisioned_product:
            _terminate(site, one.provisioned_product, watch)
        if one.stack is not None:
            site.stacks.delete(one.stack.id, watch)

    yield Change("delete", "project", wish.name, detail, delete)


def _delete_record(site: Site, name: str, watch: Watch) -> None:
    """Delete the project, which terminates its provisioned product. Raises ProjectError."""
    present = site.settled(name, watch)
    if present is None:
        return
    site.studio.delete(name)
    left = site.settled(name, watch)
    if left is not None:
        raise ProjectError(
            f"Project {name} cannot be deleted ({left.status}). What went wrong first: {site.failure(left)}\n"
            f"Remove that cause and run this again."
        )


def _terminate(site: Site, product: str, watch: Watch) -> None:
    """Make sure that the provisioned product is gone. Raises StackError."""
    found = site.catalog.provisioned_product(product)
    if found is None:
        return
    watch("terminating the provisioned product")
    record, rests = site.catalog.record(site.catalog.terminate(product)), pauses(site.pause)
    while record["Status"] in ("CREATED", "IN_PROGRESS", "IN_PROGRESS_IN_ERROR"):
        time.sleep(next(rests))
        record = site.catalog.record(record["RecordId"])
    if record["Status"] == "FAILED":
        reasons = "; ".join(error["Description"] for error in record.get("RecordErrors") or []) or "no reason given"
        raise StackError(
            f"Provisioned product {product} cannot be terminated: {reasons}. Remove that cause and run this again."
        )


# --- what is left of others ------------------------------------------------------------------------------------------


def others(site: Site, stages: Mapping[str, Account], product: str) -> list[Change]:
    """What is left, in this account and those of the stages, of projects that are gone; and where nobody looked."""
    left = leftovers.of_nobody(site.account, stages.values(), site.studio.ids())
    return [*left, *_unseen(site.account, stages, product)]


def show_others(site: Site, stages: Mapping[str, Account], product: str, console: Console) -> None:
    """The same for a person, with the accounts that were looked at."""
    with Progress(console).step("look for what is left of projects that are gone"):
        found = others(site, stages, product)
    if found:
        plan.show(found, console)
    looked = dict.fromkeys([site.account.id, *(account.id for account in stages.values())])
    words = "" if any(change.kind == "left" for change in found) else "Nothing is left. "
    layout.hang(f"{words}Looked at account {', '.join(looked)} in {site.account.region}.", console, 0)


def _unseen(tooling: Account, stages: Mapping[str, Account], product: str) -> Iterator[Change]:
    """Accounts of stages, as the newest version of the product says them, for which there is no profile."""
    looked = {tooling.id, *(account.id for account in stages.values())}
    try:
        kept = Kept.find(tooling, product, tuple(stage for stage in names.STAGES if stage not in stages), False)
    except (CatalogError, ClientError) as error:
        yield Change("note", "stages", "unknown", f"nobody can tell whether stages are in other accounts: {error}")
        return
    for stage, id_ in kept.stage_ids.items():
        if id_ not in looked:
            yield Change("note", "stage", stage, f"is in {id_}, where nobody looked: --stage-profile {stage}=PROFILE")


# --- the verb --------------------------------------------------------------------------------------------------------


def delete(site: Site, wish: Wish, console: Console, ask: plan.Ask, only_plan: bool = False) -> list[Change]:
    """Show what goes and what stays; unless it is only a plan, and if `ask` says yes, do it. Raises CatalogError."""
    answers.check_name(wish.name)
    with Progress(console).step("look for everything of the project"):
        projects = remains(site, wish.name)
        found = changes(site, wish, projects)
    plan.show(found, console)
    kept = [item for one in projects for item in _kept(one, dict(_places(site, wish, one)))]  # before it goes
    if only_plan or not plan.pending(found):
        _show_removal(kept, console)
        return found
    if not ask(f"Delete {wish.name}?"):
        raise DeclinedError("Nothing was deleted.")
    plan.carry_out(found, Progress(console))
    _show_removal(kept, console)
    return found


def _show_removal(kept: Sequence[Left], console: Console) -> None:
    if words := leftovers.removal(kept):
        console.print(Text(f"To remove for good what stays, once the project is gone:\n{words}"), soft_wrap=True)
