"""Why a role may be granted what no call of a story needed: the reviewed reasons of unused.toml, and a few lines for a
terminal. It judges nothing: what has no reason there is told as such.
"""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from rehearsal.report.facts import Facts, RoleFact

TABLE = Path(__file__).with_name("unused.toml")
OURS = "role/sagemaker-projects"  # how the ARN of every role of our templates goes on after the account


@dataclass(frozen=True)
class Reason:
    """When actions of a statement are needed; `role` is a pattern of what roles are for: `*-cloudformation`.

    `size` is that of the only company that does not use them; empty where none does.
    """

    role: str
    statement: str
    actions: tuple[str, ...]
    text: str
    size: str = ""


@cache
def reasons() -> list[Reason]:
    """Everything in the table."""
    found = tomllib.loads(TABLE.read_text(encoding="utf-8"))["unused"]
    return [
        Reason(role, statement, tuple(actions), each["reason"], each.get("size", ""))
        for each in found
        for role in each["roles"]
        for statement, actions in each["grants"].items()
    ]


def kind(role: str) -> str:
    """What a role of ours is for, without the id of its project: `train`, `staging-deploy`; empty for other roles."""
    if OURS not in role:
        return ""
    name = role.rpartition("/")[2].removeprefix("sagemaker-").removeprefix("projects-")
    return re.sub(r"^p-[a-z0-9]+-", "", name)


def reason(role: str, statement: str, action: str) -> str:
    """When the unused action of a role's statement is needed; empty when the table does not say."""
    found = (each for each in reasons() if each.statement == statement and action in each.actions)
    return next((each.text for each in found if fnmatchcase(kind(role), each.role)), "")


def lines(facts: Facts) -> Iterator[str]:
    """For a terminal: by role of ours, how many actions it used and how many it was granted in vain."""
    ours = [role for role in facts.roles if kind(role.arn)]
    if not ours or not facts.permissions_enforced or facts.outcome != "played":
        return
    denied = sum(len(role.denied) for role in facts.roles)
    if not is_whole(facts):  # what a part of the story did not use says nothing
        yield f"{denied} calls denied"
        return
    yield f"{denied} calls denied; of what its roles are granted, the story used and did not use:"
    for role in ours:
        counts = f"{len(role.used):>4} used {len(role.unused):>4} unused"
        yield f"  {_named(role, facts):<34}{counts}{_open(role)}"


def _named(role: RoleFact, facts: Facts) -> str:
    account = role.arn.split(":")[4]
    purposes = [purpose for purpose, number in facts.accounts.items() if number == account]
    return kind(role.arn) if len(purposes) == len(facts.accounts) else f"{kind(role.arn)} ({', '.join(purposes)})"


def _open(role: RoleFact) -> str:
    """How many of the unused nobody has a reason for."""
    unknown = sum(not grant.reason for grant in role.unused)
    return f", {unknown} without a known reason" if unknown else ""


def is_whole(facts: Facts) -> bool:
    """Whether every step of the longest story was played: what is unused then is unused for good."""
    return facts.outcome == "played" and any((step.name, step.state) == ("delete", "done") for step in facts.steps)
