"""The commands that messages tell people to type, complete with region and profile, so that they can be pasted.

Only text is made here; nothing is run.
"""

import shlex

from service_catalog.aws.account import Account


def command(verb: str, account: Account, *arguments: str, name: str = "") -> str:
    """One of our verbs, such as `make create NAME=churn ARGS="--region eu-west-1"`."""
    words = ["make", verb, *([f"NAME={_typed(name)}"] if name else [])]
    return " ".join([*words, f'ARGS="{_in_make(shlex.join([*arguments, *_place(account)]))}"'])


def aws(account: Account, *words: str) -> str:
    """A command of the AWS CLI, such as `aws s3 ls --region eu-west-1 --profile tooling`."""
    return " ".join(["aws", *(_typed(word) for word in words), *(_typed(word) for word in _place(account))])


def _place(account: Account) -> list[str]:
    return ["--region", account.region, *(["--profile", account.profile] if account.profile else [])]


def _typed(word: str) -> str:
    """A word for the shell; the ellipsis that stands for what only the reader knows stays as it is."""
    return word if word == "…" else shlex.quote(word)


def _in_make(text: str) -> str:
    """Between double quotes of the shell, then in a variable of make, which reads a $ itself."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`")
    return escaped.replace("$", "\\$\\$")
