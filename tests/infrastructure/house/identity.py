"""House rules on roles and policies. They see what no scanner sees: trust without a source, PassRole to anybody."""

import re
from collections.abc import Iterator
from typing import Any

from tests.infrastructure.cloudformation import Stack

_SOURCES = {"aws:sourceaccount", "aws:sourcearn"}
_BINDING = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}

# Allow statements of resource policies that cannot name their source → why.
UNCONDITIONAL = {
    "TheFailureRulePublishes": "EventBridge gives SNS no condition context (EventBridge user guide)",
}
# Statements whose resource is "*" → why. The list is meant to stay short.
EVERY_RESOURCE: dict[str, str] = {}

_POLICY_PROPERTIES = ("PolicyDocument", "KeyPolicy", "ResourcePolicy", "Policy", "RepositoryPolicyText")


def trust_names_its_source(stack: Stack) -> Iterator[str]:
    """Every service that may assume a role is bound to an account or a resource."""
    for name, role in stack.of_type("AWS::IAM::Role"):
        for statement in statements(role["AssumeRolePolicyDocument"]):
            if _anybody(statement):
                yield f"{name}: anybody may assume the role"
            elif _services(statement) and not _sources(statement):
                yield f"{name}: the trust in {_services(statement)} has neither aws:SourceAccount nor aws:SourceArn"


def resource_policies_name_their_source(stack: Stack) -> Iterator[str]:
    """Services and strangers get into queues, topics, buckets and keys only from where they belong."""
    for name, statement in _resource_statements(stack):
        if statement["Effect"] != "Allow" or statement.get("Sid") in UNCONDITIONAL:
            continue
        if (_anybody(statement) or _services(statement)) and not _sources(statement):
            yield f"{name}: the statement {statement.get('Sid')} has neither aws:SourceAccount nor aws:SourceArn"


def queues_and_topics_refuse_plain_http(stack: Stack) -> Iterator[str]:
    """Each has a policy with a Deny for connections without TLS."""
    denied = {str(target) for _, policy in _policies(stack) for target in _denied_without_tls(policy)}
    for name, _ in stack.of_type("AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::S3::Bucket"):
        if not {f"<{name}>", f"<{name}.Arn>"} & denied:
            yield f"{name}: no policy denies connections without TLS"


def pass_role_names_the_service(stack: Stack) -> Iterator[str]:
    """Whoever passes a role passes it to one service."""
    for name, statement in _identity_statements(stack):
        if any(action in ("iam:PassRole", "iam:*", "*") for action in _list(statement.get("Action"))):
            conditions = statement.get("Condition", {}).values()
            if not any("iam:PassedToService" in keys for keys in conditions):
                yield f"{name}: {statement.get('Sid')} passes a role to any service"


def roles_are_bounded(stack: Stack) -> Iterator[str]:
    """Every role has a permissions boundary and stands under the path that the boundary is about."""
    for name, role in stack.of_type("AWS::IAM::Role", "AWS::IAM::User"):
        if ":policy/" not in str(role.get("PermissionsBoundary")):
            yield f"{name}: no permissions boundary"
        if not str(role.get("Path")).startswith("/sagemaker-projects/"):
            yield f"{name}: not under the path /sagemaker-projects/"
        if role.get("ManagedPolicyArns"):
            yield f"{name}: managed policies of AWS allow more than this role needs"


def statements_say_why(stack: Stack) -> Iterator[str]:
    """Every statement has a Sid; none allows every action of a service or, unlisted, every resource."""
    for name, statement in [*_identity_statements(stack), *_resource_statements(stack)]:
        sid = statement.get("Sid")
        if not sid:
            yield f"{name}: a statement without a Sid"
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement or "NotResource" in statement:
            yield f"{name}: {sid} allows everything but something"
        if any(str(action).endswith("*") for action in _list(statement.get("Action"))):
            yield f"{name}: {sid} allows every action {statement['Action']}"
        if sid not in EVERY_RESOURCE and any(_is_everything(str(resource)) for resource in _resources(statement)):
            yield f"{name}: {sid} is about every resource"


def approval_stays_with_people(stack: Stack) -> Iterator[str]:
    """No role of a stage changes model packages."""
    for name, statement in _identity_statements(stack):
        if any("ModelPackage" in str(action) and "Update" in str(action) for action in _list(statement.get("Action"))):
            yield f"{name}: {statement.get('Sid')} may approve models"


RULES = (
    trust_names_its_source,
    resource_policies_name_their_source,
    queues_and_topics_refuse_plain_http,
    pass_role_names_the_service,
    roles_are_bounded,
    statements_say_why,
    approval_stays_with_people,
)


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    return [statement for statement in _list(document["Statement"]) if isinstance(statement, dict)]


def _identity_statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in stack.of_type("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
        for policy in role.get("Policies", []):
            yield from ((name, statement) for statement in statements(policy["PolicyDocument"]))
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        yield from ((name, statement) for statement in statements(policy["PolicyDocument"]))


def _policies(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, body in stack.resources.items():
        if body["Type"].startswith("AWS::IAM::"):
            continue
        for key in _POLICY_PROPERTIES:
            document = body.get("Properties", {}).get(key)
            if isinstance(document, dict) and "Statement" in document:
                yield name, document


def _resource_statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in _policies(stack):
        yield from ((name, statement) for statement in statements(document))


def _denied_without_tls(document: dict[str, Any]) -> Iterator[Any]:
    for statement in statements(document):
        secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if statement["Effect"] == "Deny" and _anybody(statement) and str(secure).lower() == "false":
            yield from _resources(statement)


def _is_everything(resource: str) -> bool:
    """*, arn:…:*, or every resource of a type."""
    return bool(re.fullmatch(r"\*|([^:]*:){5}([\w-]+[/:])?\*", resource))


def _sources(statement: dict[str, Any]) -> set[str]:
    conditions = statement.get("Condition", {})
    keys = {key.lower() for operator in _BINDING & conditions.keys() for key in conditions[operator]}
    open_values = {"*"} & {
        str(value) for operator in _BINDING & conditions.keys() for value in conditions[operator].values()
    }
    return set() if open_values else keys & _SOURCES


def _services(statement: dict[str, Any]) -> list[Any]:
    principal = statement.get("Principal", {})
    return _list(principal.get("Service")) if isinstance(principal, dict) else []


def _anybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS")))


def _resources(statement: dict[str, Any]) -> list[Any]:
    return _list(statement.get("Resource"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
