"""Decides requests as IAM would, with ministack's evaluator. In: documents and requests. Out: decisions. Both as JSON.

Runs in the emulator's environment. It knows nothing of our templates: each request brings its documents along. What is
ours here is how the parts are put together (IAM user guide, "Policy evaluation logic"): the caller's policies within
its boundary, then the resource's own policy, which another account needs as well, and a KMS key its own account too.
"""

import json
import sys
from typing import Any

from ministack.core import iam_evaluator as iam  # type: ignore[import-not-found]

from rehearsal.emulator import variables  # noqa: F401 - the evaluator takes them from here on

Request = dict[str, Any]
# The ARN of a bucket names no account: a request says whose it is, where ministack would take the caller's.
_OWNER_KEYS = ("aws:resourceaccount", "s3:resourceaccount")
_resolve = iam._resolve_condition_key


def _resolve_key(key: str, context: Any) -> Any:
    owner = context.service_context.get(key.lower()) if key.lower() in _OWNER_KEYS else None
    return owner or _resolve(key, context)


iam._resolve_condition_key = _resolve_key
Documents = list[dict[str, Any]]


def decide(request: Request, documents: Documents) -> str:
    """Allow, Deny (by a statement) or ImplicitDeny. A request names documents by their position."""
    context = _context(request)
    position = request["resource_policy"]
    policy = None if position is None else documents[position]
    if request["service"]:
        return str(iam.evaluate_resource_policy(policy, context, service=request["service"]).decision)
    identity = [iam.parse_policy_document(documents[each]) for each in request["policies"]]
    limits = [[iam.parse_policy_document(documents[each])] for each in request["limits"]]
    found = iam.evaluate(context, identity, *limits)
    if not request["has_resource_policy"]:
        return str(found.decision)
    required, owner = request["required"], request["owner"]
    both = iam.combine_resource_policy(found, context, policy, owner, required=required, limits=tuple(limits))
    return str(both.decision)


def _context(request: Request) -> Any:
    return iam.EvalContext(
        principal_arn=request["principal"],
        principal_type="AssumedRole",
        principal_account=request["account"],
        action=request["action"],
        resource_arn=request["resource"],
        region=request["region"],
        secure_transport=True,
        service_context={key.lower(): value for key, value in request["context"].items()},
    )


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump([decide(request, asked["documents"]) for request in asked["requests"]], sys.stdout)
