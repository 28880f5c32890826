"""House rules on what a project is made of: tags, sizes of policies, the bucket, the key, builds and functions."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.infrastructure.cloudformation import Stack

# Tag → the parameter that fills it.
TAGS = {
    "sagemaker:project-name": "SageMakerProjectName",
    "sagemaker:project-id": "SageMakerProjectId",
    "owner": "Owner",
    "cost-center": "CostCenter",
}
# "IAM and STS quotas" in the IAM user guide; white space does not count.
INLINE, MANAGED, TRUST = 10_240, 6_144, 2_048
# AWS::Lambda::Function Code in CloudFormation's template reference.
INLINE_CODE = 4_096


def everything_is_tagged(stack: Stack) -> Iterator[str]:
    """Every resource that can carry tags names the project, who owns it and who pays. A stage's come from its stack."""
    if "Owner" not in stack.values:
        return
    wanted = {tag: stack.values[name] for tag, name in TAGS.items() if name in stack.values}
    for name, body in stack.resources.items():
        key = _tag_property(body["Type"])
        if key and _tags(body["Properties"].get(key, [])) != wanted:
            yield f"{name}: {key} must be {wanted}"


@cache
def _tag_property(kind: str) -> str:
    """The property that carries tags, from the registry's schema; empty if there is none."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    declared = schema.get("tagging", {}).get("tagProperty", "").removeprefix("/properties/")
    known = declared or ("Tags" if "Tags" in schema["properties"] else "")
    return known if schema.get("tagging", {}).get("taggable", True) else ""


def _tags(tags: Any) -> dict[str, str]:
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def policies_fit(stack: Stack) -> Iterator[str]:
    """At the longest names; placeholders for ARNs are shorter than ARNs, so a fifth is kept free."""
    for name, role in stack.of_type("AWS::IAM::Role"):
        inline = sum(_size(policy["PolicyDocument"]) for policy in role.get("Policies", []))
        for what, size, most in (
            ("inline policies", inline, INLINE),
            ("trust", _size(role["AssumeRolePolicyDocument"]), TRUST),
        ):
            if size > most * 0.8:
                yield f"{name}: {what} of {size} characters, {most} are allowed"
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy"):
        if _size(policy["PolicyDocument"]) > MANAGED * 0.8:
            yield f"{name}: {_size(policy['PolicyDocument'])} characters, {MANAGED} are allowed"


def _size(document: Any) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def buckets_guard_what_they_hold(stack: Stack) -> Iterator[str]:
    """Encrypted with the project's key, versioned, private, and cleaned up."""
    for name, bucket in stack.of_type("AWS::S3::Bucket"):
        if "SageMakerProjectId" not in stack.values:
            continue  # an account's own bucket holds templates, which are no secret
        rules = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        used = [rule["ServerSideEncryptionByDefault"] for rule in rules]
        if not used or any(each.get("KMSMasterKeyID") != "<Key.Arn>" for each in used):
            yield f"{name}: is not encrypted with the key"
        if bucket.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name}: keeps no versions, which CodePipeline and a rollback need"
        if list(bucket.get("PublicAccessBlockConfiguration", {}).values()) != [True] * 4:
            yield f"{name}: could be made public"
        if bucket.get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            yield f"{name}: objects that another account writes would belong to it"
        lifecycle = json.dumps(bucket.get("LifecycleConfiguration", {}))
        if "AbortIncompleteMultipartUpload" not in lifecycle or "NoncurrentVersionExpiration" not in lifecycle:
            yield f"{name}: unfinished uploads and old versions would be paid for for ever"
        yield from _deletes_what_matters(name, bucket)


def _deletes_what_matters(name: str, bucket: dict[str, Any]) -> Iterator[str]:
    for rule in bucket.get("LifecycleConfiguration", {}).get("Rules", []):
        if {"ExpirationInDays", "ExpirationDate"} & rule.keys():
            yield f"{name}: the rule {rule.get('Id')} deletes data that a model may need"


def keys_turn_and_wait(stack: Stack) -> Iterator[str]:
    """Rotated every year, and deleted a month after somebody asked for it."""
    for name, key in stack.of_type("AWS::KMS::Key"):
        if key.get("EnableKeyRotation") is not True or key.get("PendingWindowInDays") != 30:
            yield f"{name}: must rotate and wait 30 days before it is deleted"


def builds_are_contained(stack: Stack) -> Iterator[str]:
    """No privileges, a log that is kept and encrypted, the team's network, a limited time."""
    network = {
        "VpcId": stack.values.get("VpcId"),
        "Subnets": str(stack.values.get("SubnetIds")).split(","),
        "SecurityGroupIds": str(stack.values.get("SecurityGroupIds")).split(","),
    }
    logs = {f"<{name}>": body.get("LogGroupName") for name, body in stack.of_type("AWS::Logs::LogGroup")}
    for name, build in stack.of_type("AWS::CodeBuild::Project"):
        if build["Environment"].get("PrivilegedMode"):
            yield f"{name}: runs with the privileges of its host"
        group = build.get("LogsConfig", {}).get("CloudWatchLogs", {}).get("GroupName")
        if logs.get(str(group)) != f"/aws/codebuild/{build['Name']}":
            yield f"{name}: its log is not the template's own"
        if build.get("VpcConfig") != (network if stack.values.get("VpcId") else None):
            yield f"{name}: VpcConfig does not follow VpcId, SubnetIds and SecurityGroupIds"
        if not 5 <= int(build.get("TimeoutInMinutes", 0)) <= 480:
            yield f"{name}: TimeoutInMinutes must be from 5 to 480"


def builds_wait_for_their_policies(stack: Stack) -> Iterator[str]:
    """A role is named in its managed policies, not the other way round, so nothing else orders them."""
    for name, build in stack.of_type("AWS::CodeBuild::Project"):
        role = str(build["ServiceRole"]).replace(".Arn", "")
        waits = stack.resources[name].get("DependsOn", [])
        yield from (
            f"{name}: may be made before {policy}, which its role needs"
            for policy, body in stack.of_type("AWS::IAM::ManagedPolicy")
            if role in body.get("Roles", []) and policy not in waits
        )


def functions_are_small_and_lose_nothing(stack: Stack) -> Iterator[str]:
    """Code that parses and fits into the template, tries again, and a queue for what failed."""
    kept = {str(each["FunctionName"]).strip("<>"): each for _, each in stack.of_type("AWS::Lambda::EventInvokeConfig")}
    for name, function in stack.of_type("AWS::Lambda::Function"):
        code = function["Code"].get("ZipFile", "")
        if not code or len(code.encode()) > INLINE_CODE or not _parses(code):
            yield f"{name}: code of {len(code.encode())} bytes; it must parse and have at most {INLINE_CODE}"
        retries = kept.get(name, {})
        if not retries.get("MaximumRetryAttempts") or "OnFailure" not in retries.get("DestinationConfig", {}):
            yield f"{name}: an event that it fails at would be lost"
        if not str(function.get("LoggingConfig", {}).get("LogGroup", "")).startswith("<"):
            yield f"{name}: its log is not the template's own"


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def only_its_rules_invoke_a_function(stack: Stack) -> Iterator[str]:
    """Each rule with a function as target has a permission of its own, and nobody else has one."""
    allowed = {str(each["SourceArn"]): each for _, each in stack.of_type("AWS::Lambda::Permission")}
    needed = {
        f"<{name}.Arn>"
        for name, rule in stack.of_type("AWS::Events::Rule")
        for target in rule["Targets"]
        if re.fullmatch(r"<\w*Dispatcher\.Arn>", str(target["Arn"]))
    }
    yield from (f"{source} may not invoke the function it is meant to" for source in needed - allowed.keys())
    yield from (f"{source} may invoke a function and has no reason to" for source in allowed.keys() - needed)
    for source, permission in allowed.items():
        if permission.get("SourceAccount") != stack.values["AWS::AccountId"]:
            yield f"{source}: SourceAccount must be this account"


RULES = (
    everything_is_tagged,
    policies_fit,
    buckets_guard_what_they_hold,
    keys_turn_and_wait,
    builds_are_contained,
    builds_wait_for_their_policies,
    functions_are_small_and_lose_nothing,
    only_its_rules_invoke_a_function,
)
