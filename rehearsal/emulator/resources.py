"""On which resource a call to a service of ours acts, and the condition keys that its policies may ask for."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import seams
from .seams import ApiCall

# The member that names the resource, and the kind in its ARN; the first that a request has counts.
SAGEMAKER = {
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelName": "model",
    "ModelPackageName": "model-package",
    "ModelPackageGroupName": "model-package-group",
    "PipelineName": "pipeline",
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
    "TransformJobName": "transform-job",
    "HyperParameterTuningJobName": "hyper-parameter-tuning-job",
    "ProjectName": "project",
    "CodeRepositoryName": "code-repository",
    "FeatureGroupName": "feature-group",
    "DomainId": "domain",
}
# SageMaker writes these names in lower case into ARNs, whatever their case: seen for endpoints, jobs and pipelines.
LOWER_CASE = {"endpoint", "endpoint-config", "model", "processing-job", "training-job", "transform-job", "pipeline"}
# Actions that have no resource level: https://docs.aws.amazon.com/service-authorization/latest/reference/
UNSCOPED = ("List", "Search")
SCOPED_LISTS = {
    "ListModelPackages",
    "ListPipelineExecutionSteps",
    "ListPipelineExecutions",
    "ListTags",
    "ListTagsForResource",
}


def _body(call: ApiCall) -> dict[str, Any]:
    try:
        document = json.loads(call.body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _operation(call: ApiCall) -> str:
    return call.headers.get("x-amz-target", "").rpartition(".")[2]


def resource_of(call: ApiCall, region: str, account: str) -> str | None:
    """The ARN of the resource of a call to a service that ministack does not know; None for its own."""
    finder = FINDERS.get(call.service)
    return finder(call, _body(call), f"{region}:{account}") if finder else None


def _sagemaker(call: ApiCall, request: dict[str, Any], place: str) -> str:
    if call.path.startswith("/endpoints/"):
        return f"arn:aws:sagemaker:{place}:endpoint/{call.path.split('/')[2].lower()}"
    operation = _operation(call)
    if operation.startswith(UNSCOPED) and operation not in SCOPED_LISTS:
        return "*"
    if operation == "CreateModelPackage" and request.get("ModelPackageGroupName"):
        return _package(place, request["ModelPackageGroupName"])
    for member, kind in SAGEMAKER.items():
        if request.get(member):
            return _named(place, kind, str(request[member]))
    return _first_arn(request) or "*"


def _named(place: str, kind: str, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:sagemaker:{place}:{kind}/{name.lower() if kind in LOWER_CASE else name}"


def _package(place: str, group: str) -> str:
    return f"arn:aws:sagemaker:{place}:model-package/{group.rpartition('/')[2]}/1"


def _first_arn(request: dict[str, Any]) -> str | None:
    return next((str(value) for name, value in request.items() if name.endswith(("Arn", "ARN", "arn"))), None)


def _service_catalog(call: ApiCall, request: dict[str, Any], place: str) -> str:
    portfolio, product = request.get("PortfolioId"), request.get("ProductId")
    named = str(request.get("Id", ""))
    portfolio = portfolio or (named if named.startswith("port-") else None)
    product = product or (named if named.startswith("prod-") else None)
    if product:
        return f"arn:aws:catalog:{place}:product/{product}"
    return f"arn:aws:catalog:{place}:portfolio/{portfolio}" if portfolio else "*"


# Of a call that names a pull request alone, its repository: asked of who knows them.
request_finders: list[Callable[[str], str]] = []


def _codecommit(call: ApiCall, request: dict[str, Any], place: str) -> str:
    if call.path.startswith("/v1/repos/"):
        return f"arn:aws:codecommit:{place}:{call.path.split('/')[3]}"
    targets = request.get("targets") or [{}]
    name = request.get("repositoryName") or targets[0].get("repositoryName")
    if number := request.get("pullRequestId"):
        name = next(filter(None, (find(number) for find in request_finders)), None)
    return f"arn:aws:codecommit:{place}:{name}" if name else str(request.get("resourceArn") or "*")


def _codebuild(call: ApiCall, request: dict[str, Any], place: str) -> str:
    """A batch of one account is one resource here: its first."""
    builds, reports = request.get("ids"), request.get("reportGroupArns")
    if builds:
        return f"arn:aws:codebuild:{place}:project/{str(builds[0]).rpartition('/')[2].split(':')[0]}"
    if reports:
        return str(reports[0])
    if "ReportGroup" in _operation(call):
        return str(request.get("arn") or f"arn:aws:codebuild:{place}:report-group/{request.get('name', '*')}")
    name = request.get("projectName") or request.get("name") or (request.get("names") or [None])[0]
    return f"arn:aws:codebuild:{place}:project/{str(name).rpartition('/')[2]}" if name else "*"


def _codepipeline(call: ApiCall, request: dict[str, Any], place: str) -> str:
    pipeline = request.get("pipeline")
    name = request.get("name") or request.get("pipelineName") or (pipeline or {}).get("name")
    if not name:
        return str(request.get("resourceArn") or "*")
    approval = _operation(call) == "PutApprovalResult"
    action = f"/{request['stageName']}/{request['actionName']}" if approval else ""
    return f"arn:aws:codepipeline:{place}:{name}{action}"


def _connections(call: ApiCall, request: dict[str, Any], place: str) -> str:
    return str(request.get("ConnectionArn") or "*")


def _autoscaling(call: ApiCall, request: dict[str, Any], place: str) -> str:
    """Its own ARNs have an identifier that nobody knows beforehand."""
    if _operation(call).startswith("Describe"):
        return "*"
    return str(request.get("ResourceARN") or f"arn:aws:application-autoscaling:{place}:scalable-target/new")


def _budgets(call: ApiCall, request: dict[str, Any], place: str) -> str:
    budget = request.get("Budget") or request.get("NewBudget") or {}
    name = request.get("BudgetName") or budget.get("BudgetName")
    owner = place.partition(":")[2]
    return f"arn:aws:budgets::{owner}:budget/{name}" if name else str(request.get("ResourceARN") or "*")


def _logs(call: ApiCall, request: dict[str, Any], place: str) -> str | None:
    """AWS asks for every action on a log group with this suffix, as its denials show."""
    name = request.get("logGroupName")
    return f"arn:aws:logs:{place}:log-group:{name}:log-stream:{request.get('logStreamName', '')}" if name else None


def _cloudwatch(call: ApiCall, request: dict[str, Any], place: str) -> str | None:
    """AWS's denials of DescribeAlarms name every alarm of the account; of several others, the first one counts here."""
    named = (_operation(call), call.path.rpartition("/")[2], str(_one(call.parameters, "Action")))
    if "DescribeAlarms" in named:
        return f"arn:aws:cloudwatch:{place}:alarm:*"
    alarm = next(iter(request.get("AlarmNames") or ()), None) or _one(call.parameters, "AlarmNames.member.1")
    return f"arn:aws:cloudwatch:{place}:alarm:{alarm}" if alarm else None


FINDERS: dict[str, Callable[[ApiCall, dict[str, Any], str], str | None]] = {
    "budgets": _budgets,
    "monitoring": _cloudwatch,
    "logs": _logs,
    "sagemaker": _sagemaker,
    "sagemaker-runtime": _sagemaker,
    "servicecatalog": _service_catalog,
    "codecommit": _codecommit,
    "codebuild": _codebuild,
    "codepipeline": _codepipeline,
    "codeconnections": _connections,
    "codestar-connections": _connections,
    "application-autoscaling": _autoscaling,
}

# Headers of S3's API that are condition keys under their own names.
S3_HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl")


def condition_keys(call: ApiCall, action: str, resource: str) -> dict[str, Any]:
    """The condition keys of a call beyond those that ministack finds."""
    request = _body(call)
    if action in ("sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"):
        status = request.get("ModelApprovalStatus")
        return {"sagemaker:ModelApprovalStatus": status} if status else {}
    if action.startswith("sagemaker:Create") and action != "sagemaker:CreateModel":
        return _job_keys(request)
    if action.startswith("cloudformation:"):
        return _formation_keys(call)
    if action.startswith("application-autoscaling:"):
        namespace, dimension = request.get("ServiceNamespace"), request.get("ScalableDimension")
        found = {"service-namespace": namespace, "scalable-dimension": dimension}
        return {f"application-autoscaling:{name}": value for name, value in found.items() if value}
    if action.startswith("s3:"):
        sent = {f"s3:{name}": call.headers[name] for name in S3_HEADERS if name in call.headers}
        owner = seams.owner_of_bucket(resource)
        # "the AWS account ID that owns the resource": service authorization reference, condition keys for Amazon S3
        owned = {"s3:ResourceAccount": owner, "aws:ResourceAccount": owner} if owner else {}
        return {**sent, **owned, "s3:TlsVersion": "1.3"}
    return _iam_keys(call) if action.startswith("iam:") else {}


def _job_keys(request: dict[str, Any]) -> dict[str, Any]:
    network = request.get("NetworkConfig") or {}
    vpc = network.get("VpcConfig") or request.get("VpcConfig") or {}
    found = {"sagemaker:VpcSubnets": vpc.get("Subnets"), "sagemaker:VpcSecurityGroupIds": vpc.get("SecurityGroupIds")}
    return {name: value for name, value in found.items() if value}


def _one(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    return value[0] if isinstance(value, list) and value else value or None


def _formation_keys(call: ApiCall) -> dict[str, Any]:
    found = {"cloudformation:RoleArn": _one(call.parameters, "RoleARN")}
    found |= {"cloudformation:TemplateUrl": _one(call.parameters, "TemplateURL")}
    found |= {"cloudformation:ChangeSetName": _one(call.parameters, "ChangeSetName")}
    return {name: value for name, value in found.items() if value}


def _iam_keys(call: ApiCall) -> dict[str, Any]:
    boundary = _one(call.parameters, "PermissionsBoundary")
    if boundary is None and _one(call.parameters, "RoleName"):
        role = seams.role_arn(seams.account(), str(_one(call.parameters, "RoleName")))
        boundary = (seams.role(role) or {}).get("PermissionsBoundary") if role else None
    found = {"iam:PermissionsBoundary": boundary, "iam:PolicyARN": _one(call.parameters, "PolicyArn")}
    return {name: value for name, value in found.items() if value}


# Services that ask for an action of its own when a thing is made with tags.
TAGGING = {
    "sagemaker": "sagemaker:AddTags",
    "codecommit": "codecommit:TagResource",
    "codepipeline": "codepipeline:TagResource",
}
TAGGING |= {"application-autoscaling": "application-autoscaling:TagResource"}


def tagging_actions(call: ApiCall, action: str, resource: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The tagging action that a call which makes a thing with tags needs as well, with its condition keys."""
    service, _, operation = action.partition(":")
    if service == "cloudformation":
        return _tags_of_stack(call, operation)
    request = _body(call)
    given = request.get("Tags") or request.get("tags")
    if not given or service not in TAGGING or not operation.startswith(("Create", "Register")):
        return []
    pairs = given.items() if isinstance(given, dict) else [_pair(tag) for tag in given]
    keys: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in pairs}
    keys["aws:TagKeys"] = [name.partition("/")[2] for name in keys]
    if service == "sagemaker":
        keys["sagemaker:TaggingAction"] = operation
    return [(TAGGING[service], resource, keys)]


def _tags_of_stack(call: ApiCall, operation: str) -> list[tuple[str, str, dict[str, Any]]]:
    """CloudFormation's own: "Filters access by the name of a resource-mutating API action", cloudformation:CreateAction
    of TagResource (service authorization reference). AWS's roles for Service Catalog's stacks have it for theirs
    (AmazonSageMakerAdmin-ServiceCatalogProductsServiceRolePolicy)."""
    sent = {name: value[0] if isinstance(value, list) else value for name, value in call.parameters.items()}
    names = [name for name in sent if re.fullmatch(r"Tags\.member\.\d+\.Key", name)]
    if not names or operation not in ("CreateStack", "UpdateStack", "CreateChangeSet"):
        return []
    keys: dict[str, Any] = {f"aws:RequestTag/{sent[name]}": sent.get(name[:-3] + "Value", "") for name in names}
    keys |= {"aws:TagKeys": [sent[name] for name in names], "cloudformation:CreateAction": operation}
    name = str(sent.get("StackName", "")).rpartition("stack/")[2].partition("/")[0]
    place = f"arn:aws:cloudformation:{seams.region()}:{seams.account()}:stack/{name}/new"
    return [("cloudformation:TagResource", place, keys)]


def _pair(tag: dict[str, str]) -> tuple[str, str]:
    return tag.get("Key") or tag["key"], tag.get("Value") or tag.get("value", "")


def second_resources(call: ApiCall, action: str, place: str) -> list[tuple[str, str, dict[str, Any]]]:
    """An endpoint is made and updated with permission on its configuration too (service authorization reference)."""
    name = _body(call).get("EndpointConfigName")
    if action not in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint") or not name:
        return []
    return [(action, _named(place, "endpoint-config", str(name)), {})]


# What S3 asks KMS for on a caller's behalf: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
OF_KMS = {"s3:GetObject": "kms:Decrypt", "s3:GetObjectVersion": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}


def key_actions(call: ApiCall, action: str, resource: str) -> list[tuple[str, str, dict[str, Any]]]:
    """The use of a key that reading or writing an encrypted object needs as well, with its condition keys."""
    bucket, _, name = resource.removeprefix("arn:aws:s3:::").partition("/")
    if action not in OF_KMS or not name:
        return []
    found = seams.encryption_of(bucket, name, written=action == "s3:PutObject")
    key = call.headers.get(seams.KMS_HEADER, "") if action == "s3:PutObject" else ""
    key, shared = (key, bool(found and found[1])) if key.startswith("arn:") else found or ("", False)
    encrypted = f"arn:aws:s3:::{bucket}" if shared else resource
    keys = {"kms:ViaService": f"s3.{seams.region()}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": encrypted}
    return [(OF_KMS[action], key, keys | {"kms:ResourceAliases": seams.key_aliases(key)})] if key else []
