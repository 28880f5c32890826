"""Why a request was denied, in words, and the statement that would allow it, ready to be pasted into a template."""

from typing import Any

import yaml

from . import evaluator
from .evaluator import Request, Verdict

Statement = dict[str, Any]
# Condition keys that a statement for the request should ask for, since the action without them gives far more.
TELLING = (
    "iam:PassedToService",
    "iam:PermissionsBoundary",
    "iam:PolicyARN",
    "kms:ViaService",
    "sagemaker:ModelApprovalStatus",
    "codeconnections:FullRepositoryId",
    "aws:SourceAccount",
    "aws:SourceArn",
)
WHERE = {
    "role": "a policy of the role",
    "boundary": "the permissions boundary of the role",
    "session": "the session's policy",
    "resource": "the policy of the resource",
    "trust": "the role's trust policy",
}
NEAREST = 3  # so many statements that nearly allow it are named


def reason(request: Request, verdict: Verdict) -> str:
    """What denied a request: a Deny, a boundary, the resource's policy, or that nothing allows it."""
    named = f"statement {verdict.sid or '(without a Sid)'}"
    if verdict.explicit:
        return f"{named} in {WHERE[verdict.place]} denies it explicitly"
    if verdict.place == "role":
        return f"no statement of the role allows it{_nearest(request, request.policies)}"
    if verdict.place in ("boundary", "session"):
        layer = request.limits[("boundary", "session").index(verdict.place)]
        return f"a policy of the role allows it, but {WHERE[verdict.place]} does not{_nearest(request, layer)}"
    if verdict.place == "trust":
        return f"{WHERE['trust']} does not let {request.role or request.principal} assume it{_unmet(request)}"
    owner = request.guard.owner if request.guard else None
    whose = f", which account {owner} owns," if owner and owner != request.account else ""
    asks = "the role may, but " if request.way == "call" else ""
    return f"{asks}the policy of the resource{whose} does not allow it{_unmet(request)}"


def _nearest(request: Request, layer: list[Any]) -> str:
    found = [
        f"; {statement.sid or 'a statement without a Sid'} allows it, but {', and '.join(differing)}"
        for statement, differing in evaluator.nearly(request, layer)
    ]
    return "".join(found[:NEAREST])


def _unmet(request: Request) -> str:
    """What differs in the statements of the resource's policy that allow the action."""
    policy = request.guard.policy if request.guard else None
    return _nearest(request, [evaluator.statements(policy)]) if policy else "; it has none"


def statement(request: Request, verdict: Verdict) -> Statement | None:
    """What would allow a request where it is lacking; None while an explicit Deny stands."""
    if verdict.explicit:
        return None
    found: Statement = {"Effect": "Allow"}
    if verdict.place in ("resource", "trust"):
        found["Principal"] = {"Service": request.principal} if request.kind == "Service" else {"AWS": request.role}
    found["Action"] = request.action
    if verdict.place != "trust":
        found["Resource"] = request.resource
    conditions = {key: request.keys[key.lower()] for key in TELLING if request.keys.get(key.lower())}
    return found | ({"Condition": {"StringEquals": conditions}} if conditions else {})


def sentence(request: Request, verdict: Verdict) -> str:
    """Who may not do what on what and why, and on lines of its own what to add where."""
    who = request.role or request.principal
    told = f"{who} may not do {request.action} on {request.resource}: {reason(request, verdict)}"
    wanted = statement(request, verdict)
    if wanted is None:
        return f"{told}\nNothing can allow it while that statement stands: narrow it, or do not make this call."
    text = yaml.safe_dump([wanted], sort_keys=False, width=1000)
    return f"{told}\nThis statement in {WHERE[verdict.place]} would allow it:\n{text.rstrip()}"
