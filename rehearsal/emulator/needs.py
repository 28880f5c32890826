"""What CloudFormation's role needs for the types that ministack makes by itself, as calls on resources.

Types of ours are made with the API and need no entry: their calls are checked like any other. The actions are those of
each type's registry schema (handlers.create and so on) that the properties in use lead to; what a handler reads
afterwards is included where one action stands for it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import delays
from .passing import at
from .provisioning import Context
from .reference import UNSCOPED
from .seams import ResourceCall, account, region, role_arn
from .seams import role as role_record

Properties = Mapping[str, Any]
Need = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True)
class Needs:
    """The ARN of a resource, the actions of each operation, those that a property adds, the roles that it passes."""

    arn: Callable[[Properties, str], str]
    create: tuple[str, ...]
    delete: tuple[str, ...]
    update: tuple[str, ...] = ()
    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    passes: Mapping[str, str] = field(default_factory=dict)


def _own(service: str, kind: str, name: str, *, regional: bool = True) -> Callable[[Properties, str], str]:
    def arn(properties: Properties, generated: str) -> str:
        given = properties.get(name) or generated
        if isinstance(given, str) and given.startswith("arn:"):
            return given
        return f"arn:aws:{service}:{region() if regional else ''}:{account()}:{kind}{given}"

    return arn


def _iam(kind: str, name: str) -> Callable[[Properties, str], str]:
    def arn(properties: Properties, generated: str) -> str:
        return f"arn:aws:iam::{account()}:{kind}{properties.get('Path', '/')}{properties.get(name) or generated}"

    return arn


def _bucket(properties: Properties, generated: str) -> str:
    return f"arn:aws:s3:::{properties.get('BucketName') or properties.get('Bucket') or generated.lower()}"


def _rest_api(path: str) -> Callable[[Properties, str], str]:
    def arn(properties: Properties, generated: str) -> str:
        if path == "restapis" and not generated.endswith("-GENERATED"):
            return f"arn:aws:apigateway:{region()}::/restapis/{generated}"
        return f"arn:aws:apigateway:{region()}::/{path.replace('*', str(properties.get('RestApiId', '*')))}"

    return arn


def _queue(properties: Properties, generated: str) -> str:
    first = (properties.get("Queues") or [generated])[0]
    return f"arn:aws:sqs:{region()}:{account()}:{str(first).rpartition('/')[2]}"


def _topic(properties: Properties, generated: str) -> str:
    return str((properties.get("Topics") or [generated])[0])


def _schedule(properties: Properties, generated: str) -> str:
    group = properties.get("GroupName") or "default"
    return f"arn:aws:scheduler:{region()}:{account()}:schedule/{group}/{properties.get('Name') or generated}"


def _log_group(properties: Properties, generated: str) -> str:
    name = properties.get("LogGroupName") or generated
    return f"arn:aws:logs:{region()}:{account()}:log-group:{name}:log-stream:"


def _parameter(properties: Properties, generated: str) -> str:
    return f"arn:aws:ssm:{region()}:{account()}:parameter/{(properties.get('Name') or generated).lstrip('/')}"


def _api(path: str, create: str = "POST") -> Needs:
    return Needs(_rest_api(path), (f"apigateway:{create}",), ("apigateway:DELETE",), ("apigateway:PATCH",))


ROLE = Needs(
    _iam("role", "RoleName"),
    ("iam:CreateRole", "iam:GetRole"),
    ("iam:DeleteRole",),
    properties={
        "Policies": ("iam:PutRolePolicy", "iam:DeleteRolePolicy"),
        "ManagedPolicyArns": ("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
        "Tags": ("iam:TagRole", ""),
        "AssumeRolePolicyDocument": ("", ""),
        "PermissionsBoundary": ("", ""),
    },
)
ALARM = _own("cloudwatch", "alarm:", "AlarmName")
FUNCTION = _own("lambda", "function:", "FunctionName")
RULE = _own("events", "rule/", "Name")
TABLE: dict[str, Needs] = {
    "AWS::S3::Bucket": Needs(
        _bucket,
        ("s3:CreateBucket",),
        ("s3:DeleteBucket",),
        properties={
            "BucketEncryption": ("s3:PutEncryptionConfiguration", ""),
            "LifecycleConfiguration": ("s3:PutLifecycleConfiguration", ""),
            "NotificationConfiguration": ("s3:PutBucketNotification", ""),
            "OwnershipControls": ("s3:PutBucketOwnershipControls", ""),
            "PublicAccessBlockConfiguration": ("s3:PutBucketPublicAccessBlock", ""),
            "Tags": ("s3:PutBucketTagging", ""),
            "VersioningConfiguration": ("s3:PutBucketVersioning", ""),
            "CorsConfiguration": ("s3:PutBucketCORS", ""),
            "LoggingConfiguration": ("s3:PutBucketLogging", ""),
        },
    ),
    "AWS::S3::BucketPolicy": Needs(
        _bucket, ("s3:PutBucketPolicy",), ("s3:DeleteBucketPolicy",), ("s3:PutBucketPolicy",)
    ),
    "AWS::KMS::Key": Needs(
        _own("kms", "key/", "KeyId"),
        ("kms:CreateKey",),
        ("kms:ScheduleKeyDeletion",),
        ("kms:DescribeKey",),
        properties={"EnableKeyRotation": ("kms:EnableKeyRotation", ""), "Tags": ("kms:TagResource", "")},
    ),
    "AWS::CodeCommit::Repository": Needs(
        _own("codecommit", "", "RepositoryName"),
        ("codecommit:CreateRepository",),
        ("codecommit:DeleteRepository",),
        properties={
            "Code": ("codecommit:CreateCommit", ""),
            "RepositoryDescription": ("", ""),
            "Tags": ("codecommit:TagResource", ""),
        },
    ),
    "AWS::KMS::Alias": Needs(_own("kms", "", "AliasName"), ("kms:CreateAlias",), ("kms:DeleteAlias",)),
    "AWS::IAM::Role": ROLE,
    "AWS::IAM::ManagedPolicy": Needs(
        _iam("policy", "ManagedPolicyName"),
        ("iam:CreatePolicy", "iam:GetPolicy"),
        ("iam:DeletePolicy",),
        ("iam:CreatePolicyVersion",),
    ),
    "AWS::Lambda::Function": Needs(
        FUNCTION,
        ("lambda:CreateFunction", "lambda:GetFunction"),
        ("lambda:DeleteFunction",),
        ("lambda:UpdateFunctionConfiguration",),
        properties={
            "ReservedConcurrentExecutions": ("lambda:PutFunctionConcurrency", ""),
            "Tags": ("lambda:TagResource", ""),
        },
        passes={"Role": "lambda.amazonaws.com"},
    ),
    "AWS::Lambda::Permission": Needs(FUNCTION, ("lambda:AddPermission",), ("lambda:RemovePermission",)),
    "AWS::Lambda::EventInvokeConfig": Needs(
        FUNCTION,
        ("lambda:PutFunctionEventInvokeConfig",),
        ("lambda:DeleteFunctionEventInvokeConfig",),
        ("lambda:UpdateFunctionEventInvokeConfig",),
    ),
    "AWS::Logs::LogGroup": Needs(
        _log_group,
        ("logs:CreateLogGroup",),
        ("logs:DeleteLogGroup",),
        properties={
            "KmsKeyId": ("logs:AssociateKmsKey", ""),
            "RetentionInDays": ("logs:PutRetentionPolicy", ""),
            "Tags": ("logs:TagResource", ""),
        },
    ),
    "AWS::SNS::Topic": Needs(
        _own("sns", "", "TopicName"),
        ("sns:CreateTopic", "sns:GetTopicAttributes"),
        ("sns:DeleteTopic",),
        ("sns:SetTopicAttributes",),
        properties={"Subscription": ("sns:Subscribe", ""), "Tags": ("sns:TagResource", "")},
    ),
    "AWS::SNS::TopicPolicy": Needs(_topic, ("sns:SetTopicAttributes",), ("sns:SetTopicAttributes",)),
    "AWS::SQS::Queue": Needs(
        _own("sqs", "", "QueueName"),
        ("sqs:CreateQueue", "sqs:GetQueueAttributes"),
        ("sqs:DeleteQueue",),
        ("sqs:SetQueueAttributes",),
        properties={"Tags": ("sqs:TagQueue", "")},
    ),
    "AWS::SQS::QueuePolicy": Needs(_queue, ("sqs:SetQueueAttributes",), ("sqs:SetQueueAttributes",)),
    "AWS::SSM::Parameter": Needs(
        _parameter,
        ("ssm:PutParameter", "ssm:GetParameters"),
        ("ssm:DeleteParameter",),
        ("ssm:PutParameter",),
        properties={"Tags": ("ssm:AddTagsToResource", "")},
    ),
    "AWS::Events::Rule": Needs(
        RULE,
        ("events:PutRule", "events:DescribeRule"),
        ("events:DeleteRule", "events:RemoveTargets"),
        ("events:PutRule",),
        properties={"Targets": ("events:PutTargets", ""), "Tags": ("events:TagResource", "")},
        passes={"Targets.RoleArn": "events.amazonaws.com"},
    ),
    "AWS::Scheduler::Schedule": Needs(
        _schedule,
        ("scheduler:CreateSchedule", "scheduler:GetSchedule"),
        ("scheduler:DeleteSchedule",),
        ("scheduler:UpdateSchedule",),
        passes={"Target.RoleArn": "scheduler.amazonaws.com"},
    ),
    "AWS::Scheduler::ScheduleGroup": Needs(
        _own("scheduler", "schedule-group/", "Name"),
        ("scheduler:CreateScheduleGroup", "scheduler:GetScheduleGroup"),
        ("scheduler:DeleteScheduleGroup",),
        properties={"Tags": ("scheduler:TagResource", "")},
    ),
    "AWS::CloudWatch::Alarm": Needs(
        ALARM,
        ("cloudwatch:PutMetricAlarm",),
        ("cloudwatch:DeleteAlarms",),
        ("cloudwatch:PutMetricAlarm",),
        properties={"Tags": ("cloudwatch:TagResource", "")},
    ),
    "AWS::CloudWatch::Dashboard": Needs(
        _own("cloudwatch", "dashboard/", "DashboardName", regional=False),
        ("cloudwatch:PutDashboard",),
        ("cloudwatch:DeleteDashboards",),
        ("cloudwatch:PutDashboard",),
    ),
    "AWS::ApiGateway::Account": _api("account", "PATCH"),
    "AWS::ApiGateway::RestApi": _api("restapis"),
    "AWS::ApiGateway::Authorizer": _api("restapis/*/authorizers"),
    "AWS::ApiGateway::Deployment": _api("restapis/*/deployments"),
    "AWS::ApiGateway::GatewayResponse": _api("restapis/*/gatewayresponses/x", "PUT"),
    "AWS::ApiGateway::Method": _api("restapis/*/resources/x/methods/x", "PUT"),
    "AWS::ApiGateway::Model": _api("restapis/*/models"),
    "AWS::ApiGateway::RequestValidator": _api("restapis/*/requestvalidators"),
    "AWS::ApiGateway::Resource": _api("restapis/*/resources/x"),
    "AWS::ApiGateway::Stage": _api("restapis/*/stages"),
}
TAGGED = ("Create", "Tag", "PutRule", "PutMetricAlarm", "PutParameter", "AddTags", "POST")


def needs_of(call: ResourceCall, context: Context) -> Iterator[Need]:
    """What an operation on a resource needs: (action, resource, condition keys). Nothing for unknown types."""
    needs = TABLE.get(call.type)
    if needs is None:
        return
    generated = call.physical_id or f"{call.stack_name}-{call.logical_id}-GENERATED"
    resource = needs.arn(call.properties, generated)
    for action in _actions(needs, call):
        keys = _keys(call, context, action)
        yield action, "*" if action in UNSCOPED else resource, keys
    if call.operation != "delete":
        yield from _passed(needs, call)
    yield from _attachments(call, resource)
    if call.type == "AWS::KMS::Alias":
        yield _on_key(call)


def _actions(needs: Needs, call: ResourceCall) -> list[str]:
    position = 1 if call.operation == "delete" else 0
    actions = list({"create": needs.create, "update": needs.update, "delete": needs.delete}[call.operation])
    for name, pair in needs.properties.items():
        changed = call.operation != "update" or call.properties.get(name) != call.old.get(name)
        if pair[position] and call.properties.get(name) and changed and pair[position] != "iam:AttachRolePolicy":
            actions.append(pair[position])
    if call.type == "AWS::IAM::Role" and call.operation == "update":
        actions += _role_update(call)
    if call.type == "AWS::SNS::Topic" and _without(call.old, call.properties) and call.operation == "update":
        actions.append("sns:Unsubscribe")
    return actions


def _without(old: Properties, new: Properties) -> list[Any]:
    """The subscriptions of a topic that an update takes away."""
    return [each for each in old.get("Subscription") or [] if each not in (new.get("Subscription") or [])]


def _role_update(call: ResourceCall) -> list[str]:
    changes = {
        "AssumeRolePolicyDocument": "iam:UpdateAssumeRolePolicy",
        "PermissionsBoundary": "iam:PutRolePermissionsBoundary",
        "Description": "iam:UpdateRole",
        "MaxSessionDuration": "iam:UpdateRole",
    }
    return sorted({action for name, action in changes.items() if call.properties.get(name) != call.old.get(name)})


def _keys(call: ResourceCall, context: Context, action: str) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if action.startswith("iam:") and call.properties.get("PermissionsBoundary"):
        keys["iam:PermissionsBoundary"] = call.properties["PermissionsBoundary"]
    tags = {tag["Key"]: tag["Value"] for tag in _tags(call.properties)} | _old_tags(call, action)
    if any(action.partition(":")[2].startswith(verb) for verb in TAGGED):
        keys |= {f"aws:RequestTag/{key}": value for key, value in (dict(context.stack_tags) | tags).items()}
        keys["aws:TagKeys"] = sorted(dict(context.stack_tags) | tags) or None
    making = call.operation == "create"
    made = making and (action == TABLE[call.type].create[0] or _tags_it(action))
    if not made and not (making and delays.seconds("tags", action.partition(":")[0])):
        # What follows the creation acts on a resource that has its tags already; giving them is part of it.
        keys |= {f"aws:ResourceTag/{key}": value for key, value in (dict(context.stack_tags) | tags).items()}
    return keys


def _tags_it(action: str) -> bool:
    return action.partition(":")[2].startswith(("Tag", "AddTags"))


def _tags(properties: Properties) -> list[Mapping[str, str]]:
    given = properties.get("Tags") or []
    if isinstance(given, dict):
        return [{"Key": key, "Value": value} for key, value in given.items()]
    return [tag for tag in given if not tag["Key"].startswith("aws:")]


def _old_tags(call: ResourceCall, action: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in _tags(call.old)} if call.operation == "delete" else {}


def _passed(needs: Needs, call: ResourceCall) -> Iterator[Need]:
    for path, service in needs.passes.items():
        for role in filter(None, at(call.properties, path.split("."))):
            yield "iam:PassRole", role, {"iam:PassedToService": service}


def _attachments(call: ResourceCall, resource: str) -> Iterator[Need]:
    """A policy is attached once for each role, with its ARN as a condition key; roles of a managed policy likewise."""
    if call.type == "AWS::IAM::ManagedPolicy":
        yield from _roles_of_policy(call, resource)
    if call.type == "AWS::IAM::Role" and call.operation != "delete":
        boundary = call.properties.get("PermissionsBoundary")
        keys = {"iam:PermissionsBoundary": boundary} if boundary else {}
        for policy in call.properties.get("ManagedPolicyArns") or []:
            if policy not in (call.old.get("ManagedPolicyArns") or []):
                yield "iam:AttachRolePolicy", resource, keys | {"iam:PolicyARN": policy}


def _roles_of_policy(call: ResourceCall, policy: str) -> Iterator[Need]:
    """The roles that a managed policy names: it is attached to those that are new, and detached when it goes."""
    before = call.old.get("Roles") or []
    names = call.properties.get("Roles") or [] if call.operation == "delete" else _new(call, before)
    for name in names:
        role = role_arn(account(), name) or f"arn:aws:iam::{account()}:role/{name}"
        verb = "Detach" if call.operation == "delete" else "Attach"
        yield f"iam:{verb}RolePolicy", role, {"iam:PolicyARN": policy, **_boundary_of(role)}


def _new(call: ResourceCall, before: list[str]) -> list[str]:
    return [name for name in call.properties.get("Roles") or [] if name not in before]


def _boundary_of(role: str) -> dict[str, str]:
    boundary = (role_record(role) or {}).get("PermissionsBoundary")
    return {"iam:PermissionsBoundary": boundary} if boundary else {}


def _on_key(call: ResourceCall) -> Need:
    """An alias needs its action on the key as well: "Controlling access to aliases", KMS developer guide."""
    verb = {"create": "Create", "update": "Update", "delete": "Delete"}[call.operation]
    key = str(call.properties.get("TargetKeyId", ""))
    arn = key if key.startswith("arn:") else f"arn:aws:kms:{region()}:{account()}:key/{key}"
    return f"kms:{verb}Alias", arn, {}
