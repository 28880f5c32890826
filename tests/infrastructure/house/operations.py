"""House rules on names, times, alarms, events, logs and what outlives a stack."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tests.infrastructure.cloudformation import Stack
from tests.infrastructure.house.endpoint import endpoint_name

# Type → property, longest value, pattern. From CloudFormation's registry schemas and the services' API references.
NAMES: dict[str, tuple[str, int, str]] = {
    "AWS::ApiGateway::RestApi": ("Name", 1024, r".+"),
    "AWS::CloudFormation::Stack": ("StackName", 128, r"[a-zA-Z][-a-zA-Z0-9]*"),
    "AWS::CloudWatch::Alarm": ("AlarmName", 255, r"[\x20-\x7e]+"),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName", 255, r"[\x20-\x7e]+"),
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255, r"[A-Za-z0-9_-]+"),
    "AWS::CodeBuild::Project": ("Name", 150, r"[A-Za-z0-9][A-Za-z0-9_-]+"),
    "AWS::CodeBuild::ReportGroup": ("Name", 128, r".+"),
    "AWS::CodeCommit::Repository": ("RepositoryName", 100, r"[\w.-]+"),
    "AWS::CodePipeline::Pipeline": ("Name", 100, r"[A-Za-z0-9.@_-]+"),
    "AWS::Events::Rule": ("Name", 64, r"[.\-_A-Za-z0-9]+"),
    "AWS::KMS::Alias": ("AliasName", 256, r"alias/[\w/-]+"),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", 128, r"[\w+=,.@-]+"),
    "AWS::IAM::Role": ("RoleName", 64, r"[\w+=,.@-]+"),
    "AWS::Lambda::Function": ("FunctionName", 64, r"[\w-]+"),
    "AWS::Logs::LogGroup": ("LogGroupName", 512, r"[.\-_/#A-Za-z0-9]+"),
    "AWS::S3::Bucket": ("BucketName", 63, r"[a-z0-9][a-z0-9.-]+[a-z0-9]"),
    "AWS::SNS::Topic": ("TopicName", 256, r"[\w-]+"),
    "AWS::SQS::Queue": ("QueueName", 80, r"[\w-]+"),
    "AWS::SSM::Parameter": ("Name", 1011, r"[\w./-]+"),
    "AWS::SageMaker::CodeRepository": ("CodeRepositoryName", 63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "AWS::SageMaker::Endpoint": ("EndpointName", 63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupName", 63, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*"),
    "AWS::Scheduler::Schedule": ("Name", 64, r"[0-9a-zA-Z-_.]+"),
    "AWS::Scheduler::ScheduleGroup": ("Name", 64, r"[0-9a-zA-Z-_.]+"),
}
# Made once per account, for every project and stage in it.
_ACCOUNT_WIDE = "sagemaker-projects-"
STATEFUL = {
    "AWS::CodeCommit::Repository",
    "AWS::DynamoDB::Table",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SageMaker::FeatureGroup",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::SecretsManager::Secret",
}
# What goes with its stack all the same → why.
GOES = {"LostEvents": "an event of a project that is gone can start nothing any more"}
# Made empty, so that a creation that fails may take it away again; a bucket may hold a pipeline's artifacts by then.
_EMPTY_AT_FIRST = STATEFUL - {"AWS::S3::Bucket"}
# Runtime → last day of support (Lambda developer guide, "Supported runtimes"); a runtime that is not here is refused.
LAMBDA_RUNTIMES = {"python3.12": date(2028, 10, 31), "python3.13": date(2029, 6, 30), "python3.14": date(2029, 6, 30)}
NEAR_RETIREMENT_DAYS = 365
# CodeBuild user guide, "Docker images provided by CodeBuild".
CODEBUILD_IMAGES = {
    "aws/codebuild/amazonlinux-x86_64-standard:5.0",
    "aws/codebuild/amazonlinux-x86_64-standard:6.0",
    "aws/codebuild/amazonlinux-aarch64-standard:3.0",
    "aws/codebuild/standard:7.0",
    "aws/codebuild/standard:8.0",
}
# Type → property that must name a key.
_KEYS = {
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::Scheduler::Schedule": "KmsKeyArn",
    "AWS::CodeBuild::Project": "EncryptionKey",
}


def names_fit(stack: Stack) -> Iterator[str]:
    """At 32 + 20 characters; every name tells the project apart by its id."""
    for name, body in stack.resources.items():
        key, longest, pattern = NAMES.get(body["Type"], ("", 0, ""))
        value = body.get("Properties", {}).get(key)
        if value is None:
            continue
        if len(value) > longest or not re.fullmatch(pattern, value):
            yield f"{name}: {key} {value!r} has {len(value)} characters, at most {longest} of {pattern} are allowed"
        told = [stack.values[each] for each in ("SageMakerProjectId", "StageName") if each in stack.values]
        if not value.startswith(_ACCOUNT_WIDE) and not all(each in value for each in told):
            yield f"{name}: {key} {value!r} does not name {' and '.join(told)}"
        if body["Type"] == "AWS::SageMaker::Endpoint" and value != endpoint_name(stack):
            yield f"{name}: the endpoint must be called {endpoint_name(stack)}"


def job_names_fit(stack: Stack) -> Iterator[str]:
    """Names that a schedule builds at run time: an execution id of 16 characters, as AWS documents it."""
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule"):
        request = json.loads(schedule["Target"].get("Input", "{}"))
        job = request.get("TransformJobName", "").replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3")
        if len(job) > 63:
            yield f"{name}: the job's name {job!r} has {len(job)} characters, 63 are allowed"


def what_must_stay_is_kept(stack: Stack) -> Iterator[str]:
    """Data outlives its stack and its replacement, and has no name that would block the next stack."""
    for name, body in stack.resources.items():
        if body["Type"] not in STATEFUL or name in GOES:
            continue
        if body.get("DeletionPolicy") not in ("Retain", "RetainExceptOnCreate"):
            yield f"{name}: DeletionPolicy must be Retain"
        if body.get("DeletionPolicy") == "RetainExceptOnCreate" and body["Type"] not in _EMPTY_AT_FIRST:
            yield f"{name}: a creation that fails could not delete it"
        if body.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: UpdateReplacePolicy must be Retain"


def data_is_encrypted(stack: Stack) -> Iterator[str]:
    """With a key that somebody can withdraw."""
    for name, body in stack.resources.items():
        key = _KEYS.get(body["Type"])
        if body.get("Properties", {}).get("SqsManagedSseEnabled") is True and "KmsKeyArn" not in stack.values:
            continue  # an account's own queue, before there is a project with a key
        if key and not str(body.get("Properties", {}).get(key, "")).startswith(("arn:", "<")):
            yield f"{name}: {key} names no key"


def runtimes_are_supported(stack: Stack) -> Iterator[str]:
    """For a year at least."""
    for name, function in stack.of_type("AWS::Lambda::Function"):
        retired = LAMBDA_RUNTIMES.get(function.get("Runtime", ""), date.min)
        if (retired - date.today()).days < NEAR_RETIREMENT_DAYS:
            yield f"{name}: the runtime {function.get('Runtime')} is retired or will be within a year"
    for name, project in stack.of_type("AWS::CodeBuild::Project"):
        if project["Environment"]["Image"] not in CODEBUILD_IMAGES:
            yield f"{name}: the image {project['Environment']['Image']} is not a current one"


def schedules_parse(stack: Stack) -> Iterator[str]:
    """Expressions that EventBridge and Application Auto Scaling take, in time zones that exist."""
    for name, expression, zone in _schedules(stack):
        if problem := schedule_problem(expression):
            yield f"{name}: {expression!r} {problem}"
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            yield f"{name}: {zone!r} is no time zone"


def _schedules(stack: Stack) -> Iterator[tuple[str, str, str]]:
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule"):
        yield name, schedule["ScheduleExpression"], schedule.get("ScheduleExpressionTimezone", "Etc/UTC")
    for name, rule in stack.of_type("AWS::Events::Rule"):
        if "ScheduleExpression" in rule:
            yield name, rule["ScheduleExpression"], "Etc/UTC"
    for name, target in stack.of_type("AWS::ApplicationAutoScaling::ScalableTarget"):
        for action in target.get("ScheduledActions", []):
            yield name, action["Schedule"], action.get("Timezone", "Etc/UTC")


_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
_FIELDS: tuple[tuple[str, int, int, list[str]], ...] = (
    ("minute", 0, 59, []),
    ("hour", 0, 23, []),
    ("day of the month", 1, 31, []),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 1, 7, _DAYS),
    ("year", 1970, 2199, []),
)


def schedule_problem(expression: str) -> str:
    """What is wrong with a cron(…), rate(…) or at(…) expression; empty if nothing. EventBridge Scheduler user guide."""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)(s?)\)", expression)
    if rate:
        return "" if int(rate[1]) > 0 and (rate[1] == "1" or rate[3]) else "must be rate(1 unit) or rate(n units)"
    cron = re.fullmatch(r"cron\((.*)\)", expression)
    fields = cron[1].split(" ") if cron else []
    if len(fields) != len(_FIELDS):
        return "must be rate(number unit) or cron(minute hour day month weekday year)"
    if [fields[2], fields[4]].count("?") != 1:
        return "must have a ? for either the day of the month or the day of the week"
    wrong = [
        name
        for field, (name, low, high, words) in zip(fields, _FIELDS, strict=True)
        if not _is_field(field, low, high, words)
    ]
    return f"has a wrong {' and '.join(wrong)}" if wrong else ""


def _is_field(field: str, low: int, high: int, words: list[str]) -> bool:
    if field in ("*", "?", "L", "LW"):
        return True
    return all(_is_part(part, low, high, words) for part in field.split(","))


def _is_part(part: str, low: int, high: int, words: list[str]) -> bool:
    part, _, step = part.partition("/")
    bounds = [_number(each, words) for each in part.split("-")] if part != "*" else [low]
    if (step and not re.fullmatch(r"[1-9]\d*", step)) or len(bounds) > 2 or None in bounds:
        return False
    return all(low <= bound <= high for bound in bounds if bound is not None) and bounds == sorted(
        bounds, key=lambda b: b or 0
    )


def _number(text: str, words: list[str]) -> int | None:
    if text in words:
        return words.index(text) + 1
    return int(text) if re.fullmatch(r"\d+", text) else None


def alarms_are_heard(stack: Stack) -> Iterator[str]:
    """An alarm tells a topic, or is part of a composite that does, or scales; and says what missing data means."""
    rules = " ".join(str(body["AlarmRule"]) for _, body in stack.of_type("AWS::CloudWatch::CompositeAlarm"))
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
        if not alarm.get("AlarmActions") and f'"<{name}>"' not in rules:
            yield f"{name}: nobody hears of this alarm"
    for name, alarm in stack.of_type("AWS::CloudWatch::Alarm"):
        if "TreatMissingData" not in alarm:
            yield f"{name}: TreatMissingData is not given"
        if not alarm.get("AlarmDescription"):
            yield f"{name}: does not say what happened"
        yield from (
            f"{name}: {value!r} is not this stage's endpoint"
            for value in _endpoints(alarm)
            if value != endpoint_name(stack)
        )


def _endpoints(alarm: dict[str, Any]) -> Iterator[str]:
    lists = [alarm.get("Dimensions", [])]
    lists += [
        entry["MetricStat"]["Metric"]["Dimensions"] for entry in alarm.get("Metrics", []) if "MetricStat" in entry
    ]
    for dimensions in lists:
        yield from (each["Value"] for each in dimensions if each["Name"] == "EndpointName")


def alarms_react_in_time(stack: Stack) -> Iterator[str]:
    """An alarm that rolls back must be able to go off before a step of the deployment ends."""
    for _, endpoint in stack.of_type("AWS::SageMaker::Endpoint"):
        wait = int(stack.values["ShiftWaitSeconds"])
        if stack.values["TrafficShifting"] == "ALL_AT_ONCE" or "DeploymentConfig" not in endpoint:
            continue
        for name, alarm in stack.of_type("AWS::CloudWatch::Alarm"):
            if alarm.get("MetricName") == "Invocation5XXErrors" and alarm["Period"] * alarm["EvaluationPeriods"] > wait:
                yield f"{name}: needs {alarm['Period'] * alarm['EvaluationPeriods']} s, a step takes {wait} s"


def nothing_gets_lost(stack: Stack) -> Iterator[str]:
    """What a rule or schedule could not deliver ends in a queue that somebody looks at."""
    for name, rule in stack.of_type("AWS::Events::Rule"):
        yield from (
            f"{name}: the target {each['Id']} has no dead-letter queue"
            for each in rule["Targets"]
            if "DeadLetterConfig" not in each
        )
    for name, schedule in stack.of_type("AWS::Scheduler::Schedule"):
        if "DeadLetterConfig" not in schedule["Target"]:
            yield f"{name}: no dead-letter queue"


def apis_are_guarded(stack: Stack) -> Iterator[str]:
    """Authorisation and validation on every method; throttling, access log and snapshot on every stage."""
    for name, method in stack.of_type("AWS::ApiGateway::Method"):
        if method.get("AuthorizationType") not in ("AWS_IAM", "COGNITO_USER_POOLS"):
            yield f"{name}: anybody may call"
        if (method["AuthorizationType"] == "COGNITO_USER_POOLS") is not ("AuthorizerId" in method):
            yield f"{name}: AuthorizerId does not fit {method['AuthorizationType']}"
        if "RequestValidatorId" not in method or not method.get("RequestModels"):
            yield f"{name}: bodies are not validated"
        if method["Integration"].get("PassthroughBehavior") != "NEVER":
            yield f"{name}: bodies of other content types pass unvalidated"
        if f"/endpoints/{endpoint_name(stack)}/invocations" not in method["Integration"]["Uri"]:
            yield f"{name}: does not ask this stage's endpoint"
    for name, stage in stack.of_type("AWS::ApiGateway::Stage"):
        settings = stage.get("MethodSettings", [{}])[0]
        if not {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= settings.keys():
            yield f"{name}: no throttling"
        if settings.get("DataTraceEnabled") is not False:
            yield f"{name}: bodies would be logged"
        if "DestinationArn" not in stage.get("AccessLogSetting", {}):
            yield f"{name}: no access log"
        if stage["DeploymentId"].strip("<>") not in stack.resources:
            yield f"{name}: deploys no snapshot of this template"
    yield from (
        f"{name}: the body is not checked"
        for name, each in stack.of_type("AWS::ApiGateway::RequestValidator")
        if each.get("ValidateRequestBody") is not True
    )


def documents_parse(stack: Stack) -> Iterator[str]:
    """JSON inside of YAML is JSON."""
    for name, body in stack.resources.items():
        properties = body.get("Properties", {})
        for text in (
            properties.get("DashboardBody"),
            properties.get("Schema"),
            properties.get("Target", {}).get("Input"),
            properties.get("AccessLogSetting", {}).get("Format"),
            properties.get("Value") if str(properties.get("Value")).startswith("{") else None,
        ):
            if text is not None and not _is_json(text):
                yield f"{name}: {text[:60]!r}… is not JSON"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


RULES = (
    names_fit,
    job_names_fit,
    what_must_stay_is_kept,
    data_is_encrypted,
    runtimes_are_supported,
    schedules_parse,
    alarms_are_heard,
    alarms_react_in_time,
    nothing_gets_lost,
    apis_are_guarded,
    documents_parse,
)
