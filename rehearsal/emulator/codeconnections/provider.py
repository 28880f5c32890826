"""The local git host that stands for the provider, and the way to it through a connection.

People reach a repository at /provider/<owner>/<name>.git; PUT there makes an empty one. Builds reach it at
/git-http/<account>/<region>/<connection>/<owner>/<name>.git with an access key as user name, and their role needs
UseConnection for this repository.
"""

import threading
from collections.abc import Callable

from rehearsal.emulator import seams
from rehearsal.emulator.codecommit.git import Repository
from rehearsal.emulator.codeconnections.operations import AVAILABLE, Connection, find
from rehearsal.emulator.githttp import Answer, RefusedError, Request, application, call_git, is_push
from rehearsal.emulator.permissions import PermissionMissingError, require
from rehearsal.emulator.service import AwsError, mount, role_of, state_folder

HOST, THROUGH = "/provider/", "/git-http/"
# Pushes of one moment are told one after another: what they set off compares what was there before and after.
_pushing = threading.Lock()
Push = Callable[[str, str, str, str], None]  # repository, reference, commit before, commit after ("" for none)
_listeners: list[Push] = []


def on_push(function: Push) -> None:
    """Call function(repository, reference, before, after) for each reference that a push moves."""
    _listeners.append(function)


def repository(full_name: str) -> Repository:
    """The repository <owner>/<name>. Raises RefusedError if there is none."""
    owner, _, name = full_name.partition("/")
    if not owner or not name or "/" in name or ".." in full_name:
        raise RefusedError(404, f"{full_name!r} is not the name of a repository: <owner>/<name>")
    found = Repository(state_folder("provider") / owner / f"{name}.git")
    if not found.path.is_dir():
        raise RefusedError(404, f"there is no repository {full_name}")
    return found


def create(full_name: str) -> None:
    """Make an empty repository, unless there is one."""
    owner, _, name = full_name.partition("/")
    path = state_folder("provider") / owner / f"{name}.git"
    if not path.exists():
        Repository(path).create()


def _of_people(request: Request) -> Answer:
    full_name, rest = _split(request.path.removeprefix(HOST))
    if request.method == "PUT" and not rest:
        create(full_name)
        return Answer(201, [("content-type", "text/plain")], f"{full_name} is there\n".encode())
    return _serve(full_name, rest, request)


def _of_builds(request: Request) -> Answer:
    account, region, connection, place = request.path.removeprefix(THROUGH).split("/", 3)
    full_name, rest = _split(place)
    with seams.scope(account, region):
        _check(_available(connection), full_name, request, is_push(rest, request))
    return _serve(full_name, rest, request)


def _split(place: str) -> tuple[str, str]:
    """owner/name.git/what/git/asks → (owner/name, what/git/asks)"""
    parts = place.split("/", 2)
    return "/".join(parts[:2]).removesuffix(".git"), parts[2] if len(parts) > 2 else ""


def _available(identifier: str) -> Connection:
    try:
        connection = find(identifier)
    except AwsError as error:
        raise RefusedError(404, error.message) from None
    if connection.status != AVAILABLE:
        raise RefusedError(403, f"Connection {connection.arn} is {connection.status}")
    return connection


def _check(connection: Connection, full_name: str, request: Request, pushes: bool) -> None:
    """Raise RefusedError unless whoever calls may use the connection for this repository."""
    session = seams.session(request.user)
    if session is None and not request.user.isdecimal():
        raise RefusedError(401, "a connection is used with an access key as the user name")
    role = role_of(str(session["Arn"])) if session else None
    if role and seams.enforced():
        try:
            require(role, *use(connection.arn, full_name, "GitPush" if pushes else "GitPull"))
        except PermissionMissingError as error:
            raise RefusedError(403, str(error)) from None


def use(arn: str, full_name: str, action: str) -> tuple[str, str, dict[str, str]]:
    """The permission to use a connection: action, resource and condition keys.

    "Actions, resources, and condition keys for AWS CodeConnections", Service Authorization Reference.
    """
    service = arn.split(":")[2]
    owner, _, name = full_name.partition("/")
    keys = {"FullRepositoryId": full_name, "OwnerId": owner, "RepositoryName": name, "ProviderAction": action}
    return f"{service}:UseConnection", arn, {f"{service}:{key}": value for key, value in keys.items()}


def _serve(full_name: str, rest: str, request: Request) -> Answer:
    git = repository(full_name)
    if rest != "git-receive-pack":
        return call_git(git, rest, request)
    with _pushing:
        before = git.refs()
        answer = call_git(git, rest, request)
        after = git.refs()
        for reference in sorted({*before, *after}):
            old, new = before.get(reference, ""), after.get(reference, "")
            if old != new:
                for function in _listeners:
                    function(full_name, reference, old, new)
    return answer


mount(HOST, application(_of_people))
mount(THROUGH, application(_of_builds))
