"""House rules on roles and policies. They see what no scanner sees: trust without a source, PassRole to anybody."""

import re
from collections.abc import Iterator
from typing import Any

from tests.infrastructure.cloudformation import Stack

# CloudWatch Logs says which log group it is about (its user guide, "Encrypt log data").
_SOURCES = {"aws:sourceaccount", "aws:sourcearn", "kms:encryptioncontext:aws:logs:arn"}
_BINDING = {"StringEquals", "StringLike", "ArnEquals", "ArnLike"}

# Allow statements of resource policies that cannot name their source → why.
UNCONDITIONAL = {
    "TheFailureRulePublishes": "EventBridge gives SNS no condition context (EventBridge user guide)",
    "EventsReachTopicsAndQueues": "nor the key behind SNS; the statement lets messages be encrypted and nothing else",
}
# Statements whose resource is "*" → why. The list is meant to stay short.
EVERY_RESOURCE: dict[str, str] = {
    "LookAtTheNetwork": "EC2 knows no resource for actions that describe (Service Authorization Reference)",
    "JoinNoOtherNetwork": "every subnet and security group, of the one VPC that the condition names",
    "MakeNetworkInterfaces": "a network interface has no ARN before it exists; JoinNoOtherNetwork binds where it is",
    "LendAndRemoveNetworkInterfaces": "network interfaces have ids that EC2 makes up, in the one VPC of the condition",
    "MakeTheTokenOfTheIndex": "STS knows no resource for this action; the condition names CodeArtifact",
    "RunJobs": "a tuning job and its training jobs are named after an execution id that nobody knows before",
    "WriteMetricsOfJobs": "CloudWatch knows no resource for this action; the condition names the namespace",
    "LogInToTheRegistryOfImages": "ECR knows no resource for this action",
    "DecryptTheTrainingData": "keys have ids that KMS makes up, in the account of the data; the condition names S3",
    "PullTheImagesOfTheArtifactsAccount": "every image of the one account; its repositories' policies decide as well",
    # portfolio.yaml
    "TemplatesThatAreNoStackYet": "a template that is only looked at belongs to no stack; nothing is changed",
    "TemplateThatServiceCatalogKeeps": "Service Catalog's bucket is not documented; the condition names its tag",
    "KeysOfProjectsAreMadeWithTheirTag": "a key has no ARN before it exists; the condition wants the project's tag",
    "KeysOfProjects": "keys have ids that KMS makes up; the condition wants the project's tag, or its alias",
    "ServicesOfProjectsUseTheirKey": "as KeysOfProjects, and only for a service",
    "RegistriesAreMadeWithTheirTag": "a group's name begins with the project's; the condition wants the project's tag",
    "TagsOfNewRegistries": "only while a group is made, which the statement before binds to the tag",
    "RepositoriesInStudio": "CloudFormation names them; the condition wants the project's tag",
    "RegistriesOfProjects": "a group's name begins with the project's; the condition wants the project's tag",
    "SubscriptionsEnd": "a subscription is no resource for IAM (Service Authorization Reference)",
    "WhichLogsThereAre": "this action knows no resource (Service Authorization Reference)",
    "WhatIsListedOnly": "these actions know no resource (Service Authorization Reference)",
    "PipelinesMayUseAConnection": "connections have ids, and each project names its own; passing one uses nothing",
    "WhatABudgetCounts": "the id of the primary billing view is AWS's",
    "PeopleApproveModels": "of every project in the account; the condition names the decision",
    "PeopleSeeModels": "of every project in the account; reading",
    "PeopleFindModels": "these actions know no resource (Service Authorization Reference)",
    "LogsOfApis": "API Gateway refuses a role that has not all of AWS's own policy for it",
    "HowAlarmsAre": "IAM is asked about alarm:*, whichever alarms DescribeAlarms names; reading",
    # stage.yaml
    "AlarmsThatRollBack": "as HowAlarmsAre",
    "LogsOfApiGateway": "as LogsOfApis",
    "DecryptTheRelease": "keys have ids that KMS makes up, in another account; the condition names alias and service",
    "DecryptAndEncryptThem": "as DecryptTheRelease",
    "ServicesUseTheseKeys": "as DecryptTheRelease, and only for a service",
    "WhatTheyRun": "models and configurations have no names of their own; the condition names the stage",
    "HowManyInstancesThereMayBe": "Service Quotas knows no resource for actions that list",
    "ModelsAreMadeWithTheirStage": "as WhatTheyRun",
    "TagsOfNewModels": "as WhatTheyRun",
    "ModelsOfThisStage": "as WhatTheyRun",
    "EndpointsTakeConfigurationsOfThisStage": "as WhatTheyRun",
    "PackagesOfTheToolingAccount": "of every project of the tooling account, whose group policies decide as well",
    "AutoscalingOfEndpoints": "targets have ids; the condition names SageMaker, the boundary denies the other stage's",
    "AlarmsAndWhatAutoscalingTries": "Application Auto Scaling names no alarm; the boundary denies the other stage's",
    "TagsOfAutoscaling": "targets have ids; tags only, and the boundary denies the other stage's",
    "MetricsOfModels": "CloudWatch knows no resource for this action; the condition names the namespace",
    "LogInToImages": "ECR knows no resource for this action",
    "ImagesOfTheArtifactsAccount": "as PullTheImagesOfTheArtifactsAccount",
    "PrivateNetwork": "a project's network is its own choice, at release; the next statement says for whom",
    "OnlySageMakerUsesItsNetworkInterfaces": "network interfaces have ids; the condition names SageMaker",
    "WhatNetworksThereAre": "EC2 knows no resource for actions that describe",
}

# The policy for people who decide about models; no role has it.
_APPROVER = "Approver"
# The permissions boundary: a ceiling that grants nothing, so it may be as wide as what it covers.
_CEILING = "Boundary"

_POLICY_PROPERTIES = (
    "PolicyDocument",
    "KeyPolicy",
    "ResourcePolicy",
    "Policy",
    "RepositoryPolicyText",
    "ModelPackageGroupPolicy",
)


def trust_names_its_source(stack: Stack) -> Iterator[str]:
    """Every service that may assume a role is bound to an account or a resource."""
    for name, role in stack.of_type("AWS::IAM::Role"):
        for statement in statements(role["AssumeRolePolicyDocument"]):
            if _anybody(statement):
                yield f"{name}: anybody may assume the role"
            elif services(statement) and not _sources(statement):
                yield f"{name}: the trust in {services(statement)} has neither aws:SourceAccount nor aws:SourceArn"
            elif _accounts(statement) and not _names_roles(statement) and not _is_by_a_service_for_roles(statement):
                yield f"{name}: every role of an account may assume the role"


def resource_policies_name_their_source(stack: Stack) -> Iterator[str]:
    """Services and strangers get into queues, topics, buckets and keys only from where they belong."""
    for name, statement in _resource_statements(stack):
        if statement["Effect"] != "Allow" or statement.get("Sid") in UNCONDITIONAL:
            continue
        if (_anybody(statement) or services(statement)) and not _sources(statement):
            yield f"{name}: the statement {statement.get('Sid')} has neither aws:SourceAccount nor aws:SourceArn"


def queues_and_topics_refuse_plain_http(stack: Stack) -> Iterator[str]:
    """Each has a policy with a Deny for connections without TLS."""
    denied = {str(target) for _, policy in _policies(stack) for target in _denied_without_tls(policy)}
    for name, _ in stack.of_type("AWS::SNS::Topic", "AWS::SQS::Queue", "AWS::S3::Bucket"):
        if not {f"<{name}>", f"<{name}.Arn>"} & denied:
            yield f"{name}: no policy denies connections without TLS"


def pass_role_names_the_service(stack: Stack) -> Iterator[str]:
    """Whoever passes a role passes it to one service."""
    for name, statement in identity_statements(stack):
        if any(action in ("iam:PassRole", "iam:*", "*") for action in as_list(statement.get("Action"))):
            conditions = statement.get("Condition", {}).values()
            if not any("iam:PassedToService" in keys for keys in conditions):
                yield f"{name}: {statement.get('Sid')} passes a role to any service"


def roles_are_bounded(stack: Stack) -> Iterator[str]:
    """Every role has a permissions boundary and stands under the path that the boundary is about."""
    for name, role in stack.of_type("AWS::IAM::Role", "AWS::IAM::User"):
        if not re.search(rf":policy/|^<{_CEILING}>$", str(role.get("PermissionsBoundary"))):
            yield f"{name}: no permissions boundary"
        if not str(role.get("Path")).startswith("/sagemaker-projects/"):
            yield f"{name}: not under the path /sagemaker-projects/"
        if any(not str(policy).startswith("<") for policy in role.get("ManagedPolicyArns", [])):
            yield f"{name}: managed policies of AWS allow more than this role needs"


def statements_say_why(stack: Stack) -> Iterator[str]:
    """Every statement has a Sid; none allows every action of a service or, unlisted, every resource."""
    for name, statement in [*identity_statements(stack), *_resource_statements(stack)]:
        sid = statement.get("Sid")
        if not sid:
            yield f"{name}: a statement without a Sid"
        if statement["Effect"] != "Allow":
            continue
        if "NotAction" in statement or "NotResource" in statement:
            yield f"{name}: {sid} allows everything but something"
        if any(str(action).endswith("*") for action in as_list(statement.get("Action"))):
            yield f"{name}: {sid} allows every action {statement['Action']}"
        if _is_key(stack, name):
            continue  # in the policy of a key, * is that key
        if sid not in EVERY_RESOURCE and any(_is_everything(str(resource)) for resource in _resources(statement)):
            yield f"{name}: {sid} is about every resource"


_OUR_ROLE = re.compile(r"arn:[^*]*:role/sagemaker-projects/sagemaker-[\w*-]+")
_STAGE_ROLE = re.compile(r"arn:[^*]*:role/sagemaker-projects/sagemaker-(staging|prod)-(deploy|verify)")


def roles_are_passed_within_the_path(stack: Stack) -> Iterator[str]:
    """A role that can be passed is one of ours, below the path."""
    own = {f"<{name}.Arn>" for name, _ in stack.of_type("AWS::IAM::Role")}
    for name, statement in identity_statements(stack):
        if "iam:PassRole" not in as_list(statement.get("Action")):
            continue
        for resource in map(str, _resources(statement)):
            if resource not in own and not re.fullmatch(
                r"arn:[^*]*:role/sagemaker-projects/sagemaker-[\w*-]+", resource
            ):
                yield f"{name}: {statement.get('Sid')} passes {resource}, which is no role of ours below the path"


def roles_of_others_are_roles_of_the_stages(stack: Stack) -> Iterator[str]:
    """Who may be assumed is one role of stage.yaml, so that nobody climbs into an account by another.

    What a service of AWS alone may do for people, they cannot do themselves.
    """
    for name, statement in identity_statements(stack):
        if "sts:AssumeRole" not in as_list(statement.get("Action")) or _is_by_a_service(statement):
            continue
        for resource in map(str, _resources(statement)):
            if not re.fullmatch(
                r"arn:[^*]*:role/sagemaker-projects/sagemaker-(staging|prod)-(deploy|verify)", resource
            ):
                yield f"{name}: {statement.get('Sid')} assumes {resource}, which is no role of a stage"


def other_accounts_come_as_roles_of_the_stages(stack: Stack) -> Iterator[str]:
    """A bucket or key that lets an account in names the roles; a model group is only read."""
    for name, statement in _resource_statements(stack):
        principal = statement.get("Principal")
        named = as_list(principal.get("AWS")) if isinstance(principal, dict) else []
        accounts = [each for each in named if str(each).endswith(":root")]
        if statement["Effect"] != "Allow" or not accounts:
            continue
        if stack.resources[name]["Type"] == "AWS::SageMaker::ModelPackageGroup":
            if set(as_list(statement["Action"])) - _READS_MODELS:
                yield f"{name}: {statement.get('Sid')} lets other accounts do more than serve a model"
        elif not _names_roles(statement) and accounts != [f"arn:aws:iam::{stack.values['AWS::AccountId']}:root"]:
            yield f"{name}: {statement.get('Sid')} lets every role of another account in"


_READS_MODELS = {
    "sagemaker:CreateModel",
    "sagemaker:DescribeModelPackage",
    "sagemaker:DescribeModelPackageGroup",
    "sagemaker:ListModelPackages",
}


def _accounts(statement: dict[str, Any]) -> list[Any]:
    principal = statement.get("Principal")
    return as_list(principal.get("AWS")) if isinstance(principal, dict) else []


def _names_roles(statement: dict[str, Any]) -> bool:
    patterns = as_list(statement.get("Condition", {}).get("ArnLike", {}).get("aws:PrincipalArn"))
    return bool(patterns) and all(":role/sagemaker-projects/sagemaker-" in str(pattern) for pattern in patterns)


def _is_by_a_service(statement: dict[str, Any]) -> bool:
    return bool(statement.get("Condition", {}).get("Bool", {}).get("aws:ViaAWSService") == "true")


def _is_by_a_service_for_roles(statement: dict[str, Any]) -> bool:
    """Whether only a service of AWS may do it, and only for roles that are named: not for all of an account."""
    patterns = as_list(statement.get("Condition", {}).get("ArnLike", {}).get("aws:PrincipalArn"))
    named = [str(pattern).rpartition(":role/")[2] for pattern in patterns]
    return _is_by_a_service(statement) and bool(named) and all(each not in ("", "*") for each in named)


def approval_stays_with_people(stack: Stack) -> Iterator[str]:
    """No role changes model packages; whoever registers one leaves the decision open."""
    for name, statement in [*identity_statements(stack), *_resource_statements(stack)]:
        actions = (
            {str(action) for action in as_list(statement.get("Action"))} if statement["Effect"] == "Allow" else set()
        )
        if name != _APPROVER and any("ModelPackage" in action and "Update" in action for action in actions):
            yield f"{name}: {statement.get('Sid')} may approve models"
        if "sagemaker:CreateModelPackage" in actions and statement.get("Condition", {}).get("StringEquals") != _OPEN:
            yield f"{name}: {statement.get('Sid')} may register models as approved"


_OPEN = {"sagemaker:ModelApprovalStatus": "PendingManualApproval"}


RULES = (
    trust_names_its_source,
    resource_policies_name_their_source,
    queues_and_topics_refuse_plain_http,
    pass_role_names_the_service,
    roles_are_passed_within_the_path,
    roles_of_others_are_roles_of_the_stages,
    other_accounts_come_as_roles_of_the_stages,
    roles_are_bounded,
    statements_say_why,
    approval_stays_with_people,
)


def statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    return [statement for statement in as_list(document["Statement"]) if isinstance(statement, dict)]


def identity_statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of the policies of roles, users and groups, but for the ceiling over them."""
    for name, role in stack.of_type("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
        for policy in role.get("Policies", []):
            yield from ((name, statement) for statement in statements(policy["PolicyDocument"]))
    for name, policy in stack.of_type("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"):
        if name == _CEILING:
            continue
        yield from ((name, statement) for statement in statements(policy["PolicyDocument"]))


def _policies(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, body in stack.resources.items():
        if body["Type"].startswith("AWS::IAM::"):
            continue
        if body["Type"] == "AWS::Events::EventBusPolicy":
            yield name, {"Statement": [body["Properties"]["Statement"]]}
        for key in _POLICY_PROPERTIES:
            document = body.get("Properties", {}).get(key)
            if isinstance(document, dict) and "Statement" in document:
                yield name, document


def _resource_statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, document in _policies(stack):
        yield from ((name, statement) for statement in statements(document))


def _is_key(stack: Stack, name: str) -> bool:
    return bool(stack.resources[name]["Type"] == "AWS::KMS::Key")


def _denied_without_tls(document: dict[str, Any]) -> Iterator[Any]:
    for statement in statements(document):
        secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if statement["Effect"] == "Deny" and _anybody(statement) and str(secure).lower() == "false":
            yield from _resources(statement)


def _is_everything(resource: str) -> bool:
    """*, arn:…:*, or every resource of a type; what lies in one bucket is not everything."""
    return bool(re.fullmatch(r"\*|([^:]*:){5}([\w-]+[/:])?\*", resource)) and not re.search(r":s3:::[\w.-]+/", resource)


def _sources(statement: dict[str, Any]) -> set[str]:
    """What binds a statement to a source. A service that sends a key passes …IfExists no more than without it."""
    conditions = statement.get("Condition", {})
    tolerant = set() if _anybody(statement) else {f"{operator}IfExists" for operator in _BINDING}
    operators = (_BINDING | tolerant) & conditions.keys()
    keys = {key.lower() for operator in operators for key in conditions[operator]}
    open_values = {"*"} & {str(value) for operator in operators for value in conditions[operator].values()}
    return set() if open_values else keys & _SOURCES


def service_statements(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that lets a service in: of a role's trust, or of the policy of a resource."""
    for name, role in stack.of_type("AWS::IAM::Role"):
        trusts = statements(role["AssumeRolePolicyDocument"])
        yield from ((name, statement) for statement in trusts if services(statement))
    for name, statement in _resource_statements(stack):
        if statement["Effect"] == "Allow" and services(statement):
            yield name, statement


def services(statement: dict[str, Any]) -> list[Any]:
    """The service principals of a statement."""
    principal = statement.get("Principal", {})
    return as_list(principal.get("Service")) if isinstance(principal, dict) else []


def _anybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    return principal == "*" or (isinstance(principal, dict) and "*" in as_list(principal.get("AWS")))


def _resources(statement: dict[str, Any]) -> list[Any]:
    return as_list(statement.get("Resource"))


def as_list(value: Any) -> list[Any]:
    """IAM takes one or a list of most things."""
    return value if isinstance(value, list) else [] if value is None else [value]
