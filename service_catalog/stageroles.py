"""Whether the roles of the stages are where a project's models shall run, as far as that can be seen from here.

They outlive every project, so `create` makes none. In the project's own account it looks, and refuses a project whose
pipeline could not deploy; another account cannot be seen with these credentials, and is only noted.
"""

from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from service_catalog import errors, names
from service_catalog.answers import Form
from service_catalog.aws import roles
from service_catalog.aws.account import Account
from service_catalog.commands import command
from service_catalog.errors import ProductError
from service_catalog.plan import Change


def notes(account: Account, form: Form, given: Mapping[str, str]) -> Iterator[Change]:
    """Lines about what could not be looked at. Raises ProductError for roles that are missing in this account."""
    defaults = {question.name: question.default or "" for question in form.questions}
    for stage, parameter in names.STAGE_PARAMETERS.items():
        published = defaults.get(parameter, "") or account.id
        chosen = given.get(parameter, defaults.get(parameter, "")) or account.id
        if chosen == account.id:
            yield from _here(account, stage, is_published=published == account.id)
        elif chosen != published:
            yield _elsewhere(account, stage, chosen)


def _here(account: Account, stage: str, *, is_published: bool) -> Iterator[Change]:
    client = account.client("iam")
    wanted = [names.stage_role(stage, purpose) for purpose in names.STAGE_PURPOSES]
    try:
        missing = [name for name in wanted if roles.role(client, name) is None]
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        detail = f"not looked for: you may not read roles (iam:GetRole); {command('doctor', account)} tells"
        yield Change("note", "roles", stage, detail)
        return
    if missing:
        which = [] if is_published else ["--stage-account", f"{stage}={account.id}"]
        raise ProductError(
            f"Account {account.id} lacks {', '.join(missing)}, without which no project can deploy to {stage} there. "
            f"They come with stack {names.stage_stack(stage)}: {command('publish', account, *which)}"
        )


def _elsewhere(account: Account, stage: str, chosen: str) -> Change:
    """An account that publish has not named for this stage, so that nobody was told to make its roles."""
    detail = (
        "nobody looked for them, and the product was published for another account. Without them no deployment "
        "succeeds; this shows what an administrator of that account types, and changes nothing"
    )
    shown = command("publish", account, "--plan", "--stage-account", f"{stage}={chosen}")
    return Change("note", "roles", f"{stage} in {chosen}", detail, command=shown)
