"""Which actions, on which ARNs, CloudFormation takes to create, read, update and delete the resources of a template.

From the registry schemas that cfn-lint brings along (handlers.*.permissions), and a table of ours for the types whose
schema says nothing. A schema lists what any use of its type may take: what belongs to features that our templates do
not use is left out, each with its reason (needs.toml).
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.infrastructure.house import reference
from tests.service_catalog.roles.arns import Placed

# Types without handlers in the registry: CloudFormation developer guide and the services' API references.
WITHOUT_HANDLERS = {
    "AWS::CodeBuild::Project": [
        "codebuild:CreateProject", "codebuild:BatchGetProjects", "codebuild:UpdateProject", "codebuild:DeleteProject",
        "iam:PassRole",
    ],
    "AWS::CloudFormation::WaitConditionHandle": [],
}  # fmt: skip

# needs.toml: why, says who, actions, and perhaps types and the properties that none of them has.
UNUSED: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["unused"]


@dataclass(frozen=True)
class Need:
    """One action on one ARN, with the context that the request will carry, and for whose sake."""

    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


def needs(stack: Placed, tags: Mapping[str, str]) -> Iterator[Need]:
    """What a stack takes; `tags` are the stack's, which CloudFormation gives to everything in it."""
    yield from macros(stack.document, stack)
    for name, body in stack.resources.items():
        for action in actions(body["Type"], body.get("DeletionPolicy") != "Retain"):
            yield from _of_resource(stack, name, action, tags)


def macros(part: Any, stack: Placed) -> Iterator[Need]:
    """What the macros take that a template calls, those that AWS hosts as well.

    "The policy should include the arn:aws:cloudformation:<region>:aws:transform/Serverless-2016-10-31 resource-level
    permission" (CloudFormation user guide, "Control access with IAM"); so it is with AWS::LanguageExtensions
    (aws-cloudformation/aws-cloudformation-templates issue 358).
    """
    if isinstance(part, Mapping):
        called = part.get("Transform") or part.get("Fn::Transform") or []
        for macro in called if isinstance(called, list) else [called]:
            name = macro["Name"] if isinstance(macro, Mapping) else str(macro)
            owner = "aws" if name.startswith("AWS::") else stack.account
            place = f"arn:aws:cloudformation:{stack.region}:{owner}:transform/{name.removeprefix('AWS::')}"
            yield Need("cloudformation:CreateChangeSet", place, why=f"{stack.name} {name}")
    for each in part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else []:
        yield from macros(each, stack)


@cache
def actions(kind: str, goes: bool = True) -> tuple[str, ...]:
    """The actions of a type, without those of unused features; what is kept is never deleted."""
    if kind in WITHOUT_HANDLERS:
        return tuple(WITHOUT_HANDLERS[kind])
    unused = {each for group in UNUSED if kind in group.get("types", [kind]) for each in group["actions"]}
    return tuple(each for each in permissions(kind, goes) if each not in unused)


def properties(kind: str) -> set[str]:
    """The properties that a type has in the registry."""
    return set(PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema["properties"])


def permissions(kind: str, goes: bool = True) -> list[str]:
    """Everything that the schema of a type lists."""
    handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema.get("handlers", {})
    operations = ("create", "read", "update", *(["delete"] if goes else []))
    listed = [each for operation in operations for each in handlers.get(operation, {}).get("permissions", [])]
    return list(dict.fromkeys(listed))


# --- on what --------------------------------------------------------------------------------------------------------


def _of_resource(stack: Placed, name: str, action: str, tags: Mapping[str, str]) -> Iterator[Need]:
    kind, properties = stack.resources[name]["Type"], stack.resources[name]["Properties"]
    for resource, extra in _places(stack, name, action):
        for context in _contexts(action, {**tags, **_tags(properties)}, kind):
            facts = {**context, **extra, **_boundary(action, properties), **_FACTS.get(action, {})}
            yield Need(action, resource, facts, f"{stack.name} {name}")


def _places(stack: Placed, name: str, action: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """ARN and what is special about the request."""
    kind, properties = stack.resources[name]["Type"], stack.resources[name]["Properties"]
    if action in reference.unscoped() or action in _PROBED.get(kind, ()):
        yield "*", {}
    elif action in ("iam:PassRole", "iam:GetRole") and kind != "AWS::IAM::Role":
        for role, service in _passed(kind, properties):
            yield role, {"iam:PassedToService": service} if action == "iam:PassRole" else {}
    elif action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
        for role in properties.get("Roles", []):
            arn = f"arn:aws:iam::{stack.account}:role/sagemaker-projects/{role}"
            yield arn, {"iam:PolicyARN": stack.arn(name)}
    elif action in _ELSEWHERE:
        yield from ((arn, {}) for arn in _ELSEWHERE[action](properties, stack) if arn)
    else:
        yield from ((arn, _service(action)) for arn in _own(stack, name, action))
        yield from ((arn, tags) for arn, tags in _besides(stack, name, action))


def _own(stack: Placed, name: str, action: str) -> Iterator[str]:
    kind, arn = stack.resources[name]["Type"], stack.arn(name)
    if action == "apigateway:POST":
        yield arn.rpartition("/")[0]
        return
    yield arn
    if kind == "AWS::Logs::LogGroup":
        yield arn.removesuffix(":*")
    if kind in _TAGGED_APIS and action in ("apigateway:PUT", "apigateway:DELETE"):
        yield f"arn:aws:apigateway:{stack.region}::/tags/{arn.replace('/', '%2F')}"


# Application Auto Scaling tries what its caller may do before it does anything (its user guide, "Permissions validation
# for Application Auto Scaling API calls on target resources"), on no alarm that it names.
_PROBED = {"AWS::ApplicationAutoScaling::ScalableTarget": ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms")}
_TAGGED_APIS = ("AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage")


def _besides(stack: Placed, name: str, action: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What exists already, with its tags, and is asked for beside the resource itself."""
    kind, properties = stack.resources[name]["Type"], stack.resources[name]["Properties"]
    own = f"{stack.region}:{stack.account}"
    if kind == "AWS::KMS::Alias" and action != "kms:ListAliases":
        _, key = next(stack.of_type("AWS::KMS::Key"))
        yield f"arn:aws:kms:{own}:key/{properties['TargetKeyId']}", _carried(_tags(key))
    if action in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint"):
        stage = properties["EndpointName"].rpartition("-")[2]
        config = f"arn:aws:sagemaker:{own}:endpoint-config/{properties['EndpointConfigName']}"
        yield config, _carried({"sagemaker:deployment-stage": stage})
    if action == "sagemaker:CreateModel":
        yield properties["PrimaryContainer"]["ModelPackageName"], {}


def _carried(tags: Mapping[str, str]) -> dict[str, Any]:
    return {f"aws:ResourceTag/{key}": value for key, value in tags.items()}


_FACTS: dict[str, dict[str, Any]] = {
    "iam:CreateServiceLinkedRole": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"},
    "kms:DescribeKey": {"kms:ResourceAliases": ["alias/sagemaker-p-abcdefghij01234567"]},
}
_ELSEWHERE: dict[str, Callable[[Mapping[str, Any], Placed], list[str]]] = {
    "s3:GetObject": lambda properties, stack: [_seed(properties)],
    "s3:GetObjectVersion": lambda properties, stack: [_seed(properties)],
    "kms:DescribeKey": lambda properties, stack: [properties.get("KmsKeyId", "") or _own_key(properties, stack)],
    "codestar-connections:PassConnection": lambda properties, stack: list(_connections(properties)),
    "cloudwatch:DescribeAlarms": lambda properties, stack: [_all_alarms(stack)],
    "billing:GetBillingViewData": lambda properties, stack: [f"arn:aws:billing::{stack.account}:billingview/primary"],
    "iam:CreateServiceLinkedRole": lambda properties, stack: [_service_linked(stack)],
}


def _all_alarms(stack: Placed) -> str:
    """Whichever alarms a call names: so say its denials."""
    return f"arn:aws:cloudwatch:{stack.region}:{stack.account}:alarm:*"


def _seed(properties: Mapping[str, Any]) -> str:
    code = properties.get("Code", {}).get("S3")
    return f"arn:aws:s3:::{code['Bucket']}/{code['Key']}" if code else ""


def _own_key(properties: Mapping[str, Any], stack: Placed) -> str:
    return stack.arn("Key") if "KeyPolicy" in properties else ""


def _connections(properties: Mapping[str, Any]) -> Iterator[str]:
    for stage in properties["Stages"]:
        yield from (each["Configuration"].get("ConnectionArn", "") for each in stage["Actions"])


def _service_linked(stack: Placed) -> str:
    name = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    return f"arn:aws:iam::{stack.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/{name}"


def _passed(kind: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The roles that a resource is given, and the service that gets each."""
    key, service = {
        "AWS::CodeBuild::Project": ("ServiceRole", "codebuild.amazonaws.com"),
        "AWS::CodePipeline::Pipeline": ("RoleArn", "codepipeline.amazonaws.com"),
        "AWS::Lambda::Function": ("Role", "lambda.amazonaws.com"),
        "AWS::SageMaker::Model": ("ExecutionRoleArn", "sagemaker.amazonaws.com"),
    }.get(kind, ("", ""))
    if key:
        yield properties[key], service
    if kind == "AWS::Scheduler::Schedule":
        yield properties["Target"]["RoleArn"], "scheduler.amazonaws.com"
    if kind == "AWS::Events::Rule":
        yield from ((each["RoleArn"], "events.amazonaws.com") for each in properties["Targets"] if "RoleArn" in each)
    if kind == "AWS::ApiGateway::Method" and "Credentials" in properties["Integration"]:
        yield properties["Integration"]["Credentials"], "apigateway.amazonaws.com"


# --- with what ------------------------------------------------------------------------------------------------------


def _contexts(action: str, tags: Mapping[str, str], kind: str) -> Iterator[dict[str, Any]]:
    """What is made carries its tags in the request; what exists carries them itself."""
    asked: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    asked["aws:TagKeys"] = sorted(tags)
    has = _carried(tags)
    verb = action.partition(":")[2]
    if verb == "AddTags":
        yield {**asked, "sagemaker:TaggingAction": f"Create{kind.split('::')[-1]}"}
        yield asked | has
    elif verb.startswith(("Create", "Register", "PutRule", "PutMetricAlarm", "POST")):
        yield asked
    elif "Tag" in verb and not verb.startswith(("List", "Untag", "Delete", "Remove")):
        yield asked | has
    elif verb.startswith("Untag"):
        yield {**has, "aws:TagKeys": ["owner"]}
    else:
        yield has


def _service(action: str) -> dict[str, str]:
    return {"application-autoscaling:service-namespace": "sagemaker"} if action.startswith("application-") else {}


def _boundary(action: str, properties: Mapping[str, Any]) -> dict[str, str]:
    boundary = properties.get("PermissionsBoundary")
    return {"iam:PermissionsBoundary": boundary} if boundary and action.startswith("iam:") else {}


def _tags(properties: Mapping[str, Any]) -> dict[str, str]:
    tags = properties.get("Tags") or properties.get("ResourceTags") or []
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}
