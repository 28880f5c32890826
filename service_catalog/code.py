"""The code of a project that Studio made: a later seed as a branch and a pull request, which the team merges or not.

Such a project began with a seed and has no cruft file; which seed it followed last stands in its repository
(FOLLOWED), or in its stack if it never did. In CodeCommit the person who upgrades writes the branch, by her own rights.
On a Git host behind a connection AWS has no call for that: the branch goes into a clone that she names and pushes.
Nothing is ever written to the project's own branch.
"""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from service_catalog import errors, names, plan, threeway
from service_catalog.aws.buckets import Bucket
from service_catalog.aws.repositories import DESCRIPTION, Repository
from service_catalog.aws.stacks import Stack
from service_catalog.aws.studio import Project
from service_catalog.clones import Clone
from service_catalog.commands import command
from service_catalog.create import Origin
from service_catalog.errors import CatalogError, InputError
from service_catalog.plan import Change
from service_catalog.progress import Watch
from service_catalog.threeway import File, Update
from service_catalog.waiting import Site

FOLLOWED = ".seed.json"
_MOST_LISTED = 40


@dataclass(frozen=True)
class Code:
    """A project's repository, the seed that it shall follow, and what that takes."""

    place: Repository | Clone
    onto: str
    head: str
    words: str
    key: str
    update: Update

    @property
    def branch(self) -> str:
        """Named by the seed: the same update has the same branch."""
        return f"template-{Path(self.key).stem}"

    @property
    def title(self) -> str:
        return f"Follow the template: {self.words}"

    @property
    def description(self) -> str:
        """What a person reads who decides whether to merge."""
        found = self.update
        taken = [path for path in found.files if path not in found.merged and not path.endswith(".rej")]
        parts = [
            f"The code of {self.words}. Before merging: make check test run.",
            *_listed("Left to you; for a text, what the template changed is beside it as .rej", _conflicts(found)),
            *_listed("Holds your changes and the template's", found.merged),
            *_listed("Taken from the template", [path for path in taken if found.files[path] is not None]),
            *_listed("Removed, as the template has dropped it", [path for path in taken if found.files[path] is None]),
        ]
        return "\n".join(parts)[:DESCRIPTION]


def _conflicts(found: Update) -> list[str]:
    return [f"{path}: {why}" for path, why in found.conflicts.items()]


def _listed(heading: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"\n{heading}:"
        yield from (f"- {line}" for line in lines[:_MOST_LISTED])
        if len(lines) > _MOST_LISTED:
            yield f"- and {len(lines) - _MOST_LISTED} more"


def changes(site: Site, project: Project, stack: Stack, origin: Origin, clone: Path | None) -> list[Change]:
    """The lines of the plan that are about code. Whatever hinders the code's update is a note: the stack's goes on."""
    if stack.parameters.get("RepositoryProvider") == "Connection" and clone is None:
        url = stack.outputs.get("RepositoryUrl") or stack.parameters.get("RepositoryId", "")
        return [_by_hand(site, project, f"git clone {url} FOLDER", "AWS has no call that writes to its Git host")]
    try:
        code = _look(site, project, stack, origin, clone)
        return [_change(site, project, code), *_notes(code)] if code else [_nothing(project, origin)]
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        reason = f"you may not call {error.operation_name} on its repository"
    except InputError:
        raise
    except CatalogError as error:
        reason = str(error)
    return [_by_hand(site, project, "# in a clone of its repository, FOLDER", reason)]


def _nothing(project: Project, origin: Origin) -> Change:
    return Change("keep", "code", project.name, f"follows {origin.words} already")


def _by_hand(site: Site, project: Project, first: str, reason: str) -> Change:
    typed = f"{first}\n{command('upgrade', site.account, '--clone', 'FOLDER', name=project.name)}"
    return Change("note", "code", project.name, f"{reason}: name a clone", command=typed)


def _look(site: Site, project: Project, stack: Stack, origin: Origin, clone: Path | None) -> Code | None:
    """What the code's update takes; None if the repository follows this seed already. Raises CatalogError."""
    unique = names.Project(project.name, project.id)
    place = Clone(clone) if clone else Repository(site.account.client("codecommit"), unique.repository)
    onto = stack.parameters.get("BranchName") or "main"
    head = place.head(onto)
    if not head:
        raise InputError(
            f"The repository of {project.name} has no branch {onto}: push one, or fetch it into the clone."
        )
    defaults = {question.name: question.default or "" for question in origin.form.questions}
    followed = place.read(FOLLOWED, head)
    before = _followed_seed(followed.content, onto) if followed else stack.parameters
    after = {key: defaults[key] for key in ("SeedBucket", "SeedKey")}
    if before["SeedKey"] == after["SeedKey"]:
        return None
    base, theirs = (
        threeway.tree_of(Bucket(site.account.client("s3"), seed["SeedBucket"], site.account.id).read(seed["SeedKey"]))
        for seed in (before, after)
    )
    found = threeway.update(base, theirs, lambda path: place.read(path, head))
    mark = json.dumps({**after, "version": origin.words}, indent=1, ensure_ascii=False)
    found.files[FOLLOWED] = File(f"{mark}\n".encode())
    return Code(place, onto, head, origin.words, after["SeedKey"], found)


def _followed_seed(content: bytes, branch: str) -> dict[str, str]:
    """The seed that a project's code came from or was brought to last. Raises CatalogError if that cannot be read."""
    try:
        seed = json.loads(content)
        return {key: str(seed[key]) for key in ("SeedBucket", "SeedKey")}
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogError(
            f"{FOLLOWED} on branch {branch} does not say which seed it follows ({error}): restore it from its history."
        ) from None


def _change(site: Site, project: Project, code: Code) -> Change:
    counts = plan.counted(len(code.update.files) - 1, "file")
    if code.update.conflicts:
        counts += f", {plan.counted(len(code.update.conflicts), 'conflict')} left to you"
    if isinstance(code.place, Clone):
        detail = f"{code.branch} in {code.place.folder}: {counts}"
        return Change(
            "create", "branch", project.name, detail, _write(code, code.place), command=_push(code, code.place)
        )
    if opened := code.place.request(code.branch):
        return Change("keep", "code", project.name, f"pull request {opened} brings {code.words}: merge or close it")
    detail = f"pull request from {code.branch} to {code.onto}: {counts}"
    return Change("create", "pull request", project.name, detail, _open(code, code.place, site.account.region))


def _notes(code: Code) -> list[Change]:
    return [Change("note", "conflict", path, why) for path, why in code.update.conflicts.items()]


def _write(code: Code, place: Clone) -> Callable[[Watch], None]:
    def write(_: Watch) -> None:
        place.commit(code.branch, code.head, code.update.files, f"{code.title}\n\n{code.description}\n")

    return write


def _push(code: Code, place: Clone) -> str:
    """What the person types afterwards; the pull request is opened where the Git host says after the push."""
    git = shlex.join(["git", "-C", str(place.folder)])
    return f"{git} push --set-upstream origin {code.branch}\n{git} log -1 {code.branch}"


def _open(code: Code, place: Repository, region: str) -> Callable[[Watch], None]:
    def open_(watch: Watch) -> None:
        place.commit(code.branch, code.head, code.update.files, code.title)
        number = place.open(code.branch, code.onto, code.title, code.description)
        watch(
            f"pull request {number}: https://{region}.console.aws.amazon.com/codesuite/codecommit/repositories/"
            f"{place.name}/pull-requests/{number}/details?region={region}"
        )

    return open_
