"""git over HTTP: /v1/repos/<name>, as CodeCommit's clone addresses end.

A user name that is an access key (12 digits stand for the root of that account) says whose call it is; a role needs
codecommit:GitPull or GitPush. It is asked for only where several accounts have a repository of one name. Before and
after a push the references are compared, and each change becomes an event.
"""

from rehearsal.emulator import seams
from rehearsal.emulator.codecommit.repositories import Record, announce, repositories
from rehearsal.emulator.githttp import Answer, RefusedError, Request, application, call_git, is_push
from rehearsal.emulator.permissions import PermissionMissingError, require
from rehearsal.emulator.service import mount, role_of

PREFIX = "/v1/repos/"


def _answer(request: Request) -> Answer:
    name, _, rest = request.path.removeprefix(PREFIX).partition("/")
    account, region, record = _find(name.removesuffix(".git"), request.user)
    with seams.scope(account, region):
        seams.caller_key.set(request.user)
        _check(record, rest, request)
        before = record.git.refs()
        answer = call_git(record.git, rest, request)
        if rest == "git-receive-pack" and answer.status == 200:
            announce(record, before, record.git.refs())
        return answer


def _find(name: str, user: str) -> tuple[str, str, Record]:
    """(account, region, repository). Raises RefusedError."""
    session = seams.session(user)
    account = user if user.isdecimal() else str(session["Arn"]).split(":")[4] if session else ""
    fitting = [entry for entry in repositories.everywhere() if entry[2] == name and account in ("", entry[0])]
    if not fitting:
        raise RefusedError(404, f"repository {name} does not exist")
    if len(fitting) > 1:
        accounts = ", ".join(sorted({entry[0] for entry in fitting}))
        raise RefusedError(401, f"repository {name} is in the accounts {accounts}: give one as the user name")
    return fitting[0][0], fitting[0][1], fitting[0][3]


def _check(record: Record, rest: str, request: Request) -> None:
    """Raise RefusedError if a role calls that may not."""
    session = seams.session(request.user)
    role = role_of(str(session["Arn"])) if session else None
    if role is None or not seams.enforced():
        return
    action = "codecommit:GitPush" if is_push(rest, request) else "codecommit:GitPull"
    try:
        require(role, action, record.arn, {})
    except PermissionMissingError as error:
        raise RefusedError(403, str(error)) from None


mount(PREFIX, application(_answer))
