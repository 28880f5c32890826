"""matrix.toml as requests: every actor, action and resource of every case, in one account and in three."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service_catalog import names
from service_catalog.release import Place
from tests.service_catalog.roles.accounts import LAYOUTS, ORGANIZATION, OTHER, PROJECT, REGION, TOOLING, Layout, layout
from tests.service_catalog.roles.evaluator import Request

EVERYTHING: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
_EVERYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
_OPEN = {"Version": "2012-10-17", "Statement": [{**EVERYTHING["Statement"][0], "Principal": {"AWS": "*"}}]}
# Actions of the left are about resources of the right.
_SAME = {"sts": "iam", "codestar-connections": "codeconnections"}
# Person: the policy that they have, and their role. A person in Studio has an execution role as Studio makes it.
PEOPLE = {
    "approver": ("Approver", "people/approver"),
    "studio": ("Studio", "service-role/AmazonSageMaker-ExecutionRole-20260105T090000"),
}
# What `create --channel s3` sends: a policy and the code that is to pass it are asked together.
TEMPLATE = Place(names.account_bucket(TOOLING, REGION), REGION, "aws").address(names.studio_key(names.STUDIO_TEMPLATE))


@dataclass(frozen=True)
class Asked:
    """One request of a case. `role` is whose policies decide; empty for services and strangers."""

    title: str
    layout: str
    role: str
    may: bool
    request: Request

    def __str__(self) -> str:
        request = self.request
        verdict = "must be allowed" if self.may else "must be denied"
        context = {key: value for key, value in request.context.items() if not key.startswith("aws:Principal")}
        what = f"{request.principal} {request.action} on {request.resource} with {context}"
        return f"{self.title} ({self.layout}): {what} {verdict}"


CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["case"]


def asked(case: Mapping[str, Any]) -> Iterator[Asked]:
    """Every request of a case. An action is asked only of resources of its service, or of everything."""
    for name in case.get("layouts", LAYOUTS):
        where = layout(name)
        words = _words(where)
        for who in _list(case["who"]):
            for resource in (each.format_map(words) for each in _list(case["on"])):
                for action in (each for each in case["does"] if _fits(each, resource)):
                    for keys in _contexts(case):
                        yield _asked(case, where, who.format_map(words), action, resource, keys)


def _contexts(case: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The condition keys of a case; each address in `at` is one template."""
    keys = dict(case.get("with", {}))
    addresses = case.get("at")
    yield from ({**keys, "cloudformation:TemplateUrl": each} for each in addresses) if addresses else [keys]


def _asked(
    case: Mapping[str, Any], where: Layout, who: str, action: str, resource: str, keys: Mapping[str, Any]
) -> Asked:
    words = _words(where)
    context = {key: _filled(value, words) for key, value in keys.items()}
    principal, policies, limits, tags = _actor(case, where, who)
    organization = {} if _account(principal) not in where.accounts.values() else {"aws:PrincipalOrgID": ORGANIZATION}
    owner = case.get("owner", "").format_map(words) or _owner(resource, principal)
    if action.startswith("s3:"):
        context = {"s3:ResourceAccount": owner, **context}
    own_policy = _OPEN if case.get("lets_in") == "everybody" else where.resource_policy(resource)
    if action == "sts:AssumeRole":
        own_policy = _EVERYBODY if case.get("trusts") == "everybody" else _trust(where, resource)
    request = Request(
        principal,
        action,
        resource,
        {**organization, **tags, **context},
        policies,
        limits,
        own_policy,
        has_resource_policy=own_policy is not None or owner != _account(principal) or action == "sts:AssumeRole",
        owner=owner,
        required=action == "sts:AssumeRole" or resource == where.key,
        service=who if who.endswith(".amazonaws.com") else "",
    )
    return Asked(case["title"], where.name, who if who in where.roles else "", case["may"], request)


_Actor = tuple[str, tuple[Any, ...], tuple[Any, ...], dict[str, str]]


def _actor(case: Mapping[str, Any], where: Layout, who: str) -> _Actor:
    """ARN, policies, limits and tags of whoever asks. Strangers and administrators may do everything by themselves."""
    if who.endswith(".amazonaws.com"):
        return who, (), (), {}
    if who.startswith("arn:"):
        return who, (EVERYTHING,), (), {}
    if who in PEOPLE:
        policy, role_name = PEOPLE[who]
        document = where.portfolio.resources[policy]["Properties"]["PolicyDocument"]
        return f"arn:aws:iam::{TOOLING}:role/{role_name}", (document,), (), {}
    role = where.roles[who]
    policies = (EVERYTHING,) if case.get("given") == "everything" else role.policies
    return role.arn, policies, (role.boundary,), {f"aws:PrincipalTag/{key}": value for key, value in role.tags.items()}


def _trust(where: Layout, arn: str) -> Mapping[str, Any] | None:
    return next((role.trust for role in where.roles.values() if role.arn == arn), None)


def _words(where: Layout) -> dict[str, str]:
    bucket, key = where.product.arn("Bucket").rpartition(":")[2], where.key
    own = {"I": PROJECT.id, "NI": PROJECT.unique, "region": REGION, "bucket": bucket, "key": key, "other": OTHER.unique}
    return {**where.accounts, **own, "template": TEMPLATE}


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    return [each.format_map(words) for each in value] if isinstance(value, list) else str(value).format_map(words)


def _fits(action: str, resource: str) -> bool:
    service = _SAME.get(action.partition(":")[0], action.partition(":")[0])
    return resource == "*" or resource.split(":")[2] == service


def _owner(resource: str, principal: str) -> str:
    account = "" if resource == "*" else resource.split(":")[4]
    return account or (TOOLING if resource.startswith("arn:aws:s3:::") else _account(principal))


def _account(principal: str) -> str:
    parts = principal.split(":")
    return parts[4] if len(parts) > 4 else ""


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
