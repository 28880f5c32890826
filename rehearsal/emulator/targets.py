"""What EventBridge rules and schedules set off: executions of pipelines, builds, functions, and any call of the API.

A call is made with the credentials of the target's role; a function's own policy must let EventBridge invoke it. What
fails for good goes to the target's dead-letter queue with the attributes that EventBridge gives it.
"Event bus targets" and "Using dead-letter queues", EventBridge user guide; "Universal targets", Scheduler user guide.
"""

import functools
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.emulator import permissions, seams, senders
from rehearsal.emulator.service import AwsError, client, log, spawn

Document = dict[str, Any]
Deliver = Callable[[Document, str, str], None]  # target, payload, principal
# Errors after which EventBridge tries again; it goes on for hours, which nobody waits for here.
_TRANSIENT = {"ThrottlingException", "ServiceUnavailable", "InternalError", "TooManyRequestsException"}
_MOST_RETRIES, _PAUSE_SECONDS = 3, 0.5


def _client(service: str, target: Document, principal: str) -> Any:
    role = target.get("RoleArn")
    if not role:
        raise AwsError("AccessDeniedException", f"The target {target['Arn']} has no role")
    return client(service, role=role, principal=principal, source=_source(target["RuleArn"]))


def _source(arn: str) -> str:
    """aws:SourceArn: a rule's own ARN; of a schedule its group's ("Confused deputy prevention", Scheduler guide)."""
    head, is_schedule, place = arn.partition(":schedule/")
    return f"{head}:schedule-group/{place.partition('/')[0]}" if is_schedule else arn


def _pipeline(target: Document, payload: str, principal: str) -> None:
    """EventBridge starts the pipeline by its name; what Input says does not become variables."""
    codepipeline = _client("codepipeline", target, principal)
    codepipeline.start_pipeline_execution(name=target["Arn"].rpartition(":")[2])


def _build(target: Document, payload: str, principal: str) -> None:
    """Input is a request of StartBuild without the project."""
    content = json.loads(payload) if target.get("Input") or target.get("InputTransformer") else {}
    name = target["Arn"].rpartition("project/")[2]
    _client("codebuild", target, principal).start_build(**{**content, "projectName": name})


def _sagemaker_pipeline(target: Document, payload: str, principal: str) -> None:
    """Parameters stand in SageMakerPipelineParameters."""
    given = target.get("SageMakerPipelineParameters") or target.get("SageMakerPipelineParameterList") or {}
    _client("sagemaker", target, principal).start_pipeline_execution(
        PipelineName=target["Arn"].rpartition("/")[2],
        PipelineParameters=given.get("PipelineParameterList") or [],
        ClientRequestToken=uuid.uuid4().hex,
    )


def _function(target: Document, payload: str, principal: str) -> None:
    """Asynchronously: Lambda itself repeats what fails, and tells the function's own destination."""
    api = _client("lambda", target, principal) if target.get("RoleArn") else client("lambda")
    if not target.get("RoleArn") and seams.enforced():
        _require_policy(api, target, principal)
    if seams.enforced():
        _require_log(api.get_function_configuration(FunctionName=target["Arn"]))
    api.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)


def _require_log(function: Document) -> None:
    """Lambda writes a function's log as its role; one that may not runs all the same, and nobody sees what it did."""
    group = (function.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function['FunctionName']}"
    stream = f"arn:aws:logs:{seams.region()}:{seams.account()}:log-group:{group}:log-stream:{function['Version']}"
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        try:
            permissions.require(function["Role"], action, stream, {}, "lambda.amazonaws.com")
        except (permissions.PermissionMissingError, AwsError) as error:
            log.warning("function=%s %s", function["FunctionName"], error)


def _require_policy(api: Any, target: Document, principal: str) -> None:
    document = api.get_policy(FunctionName=target["Arn"])["Policy"]
    _require(document, principal, "lambda:InvokeFunction", target["Arn"], _told(target, principal, "functions"))


def _told(target: Document, principal: str, to: str) -> dict[str, str]:
    return senders.sent(principal, to, {"aws:SourceArn": target["RuleArn"], "aws:SourceAccount": seams.account()})


def _require(document: str | None, principal: str, action: str, resource: str, keys: Document) -> None:
    """Raise AwsError unless a resource's policy lets a service do something."""
    if seams.enforced() and not seams.policy_lets_service(document or {}, principal, action, resource, keys):
        text = f"{principal} is not authorized to perform: {action} on resource: {resource}"
        raise AwsError("AccessDeniedException", text)


def _topic(target: Document, payload: str, principal: str) -> None:
    """The topic's own policy decides, and that of its key; what EventBridge tells them is in senders.toml."""
    sns = client("sns")
    found = sns.get_topic_attributes(TopicArn=target["Arn"])["Attributes"]
    _require(found.get("Policy"), principal, "sns:Publish", target["Arn"], _told(target, principal, "topics"))
    _require_key(found.get("KmsMasterKeyId"), principal, _told(target, principal, "keys"))
    sns.publish(TopicArn=target["Arn"], Message=payload)


def _require_key(key: str | None, principal: str, keys: Document) -> None:
    """Raise AwsError unless a key's policy lets a service encrypt with it."""
    if not key or not seams.enforced():
        return
    kms = client("kms")
    document = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        _require(document, principal, action, arn, keys)


def _universal(target: Document, payload: str, principal: str) -> None:
    """arn:aws:scheduler:::aws-sdk:<service>:<operation>; Input is the request."""
    service, operation = target["Arn"].split(":")[-2:]
    api = _client(service, target, principal)
    name = xform_name(operation[0].upper() + operation[1:])
    getattr(api, name)(**json.loads(target.get("Input") or "{}"))


# --- delivery


def _deliver_with(function: Deliver) -> seams.EventTarget:
    """In the background: a rule is matched while a call is answered, which a call back would wait for."""

    def dispatch(target: Document, event: Document, rule: Document) -> None:
        is_schedule = event.get("Source") == "aws.scheduler"
        principal = "scheduler.amazonaws.com" if is_schedule else "events.amazonaws.com"
        payload = seams.event_payload(target, event, rule)
        given = {**target, "RuleArn": rule.get("Arn", ""), "Input": _filled(target.get("Input"), rule)}
        spawn(_attempt, function, given, payload, principal)

    return dispatch


def _bus(target: Document, event: Document, rule: Document) -> None:
    """The bus of another account: the target's role and the bus's policy both let an event in, as it is.

    What came from another account itself goes no further ("Sending and receiving events between AWS accounts").
    """
    fields, sender = target["Arn"].split(":"), event.get("Account") or seams.account()
    if not fields[5].startswith("event-bus/") or fields[4] == seams.account():
        seams.deliver_here(target, event, rule)
    elif sender == seams.account():
        own = {**event, "Account": sender, "Region": event.get("Region") or seams.region()}
        _deliver_with(functools.partial(_to_another_bus, own))(target, event, rule)
    else:
        log.info("target=%s rule=%s sender=%s not sent on", target["Arn"], rule.get("Arn"), sender)


def _to_another_bus(event: Document, target: Document, payload: str, principal: str) -> None:
    keys = {"events:source": [event["Source"]], "events:detail-type": [event["DetailType"]]}
    if seams.enforced():
        try:
            permissions.require(
                target["RoleArn"], "events:PutEvents", target["Arn"], keys, principal, target["RuleArn"]
            )
        except permissions.PermissionMissingError as error:
            raise AwsError("NO_PERMISSIONS", str(error)) from None
    seams.put_on_bus(target["Arn"], event)


def _filled(text: str | None, rule: Document) -> str | None:
    """The context attributes of Scheduler in an Input."""
    if not text:
        return text
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    values = {"execution-id": uuid.uuid4().hex, "schedule-arn": str(rule.get("Arn", "")), "scheduled-time": moment}
    for name, value in {**values, "attempt-number": "1"}.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _attempt(function: Deliver, target: Document, payload: str, principal: str) -> None:
    allowed = (target.get("RetryPolicy") or {}).get("MaximumRetryAttempts", 185)
    retries = min(int(allowed), _MOST_RETRIES)
    for attempt in range(retries + 1):
        try:
            function(target, payload, principal)
            return
        except (ClientError, AwsError, BotoCoreError, ValueError) as error:
            code = _code(error)
            log.warning("target=%s rule=%s error=%s text=%s", target["Arn"], target["RuleArn"], code, error)
            if code not in _TRANSIENT or attempt == retries:
                _bury(target, payload, code, str(error), attempt)
                return
            time.sleep(_PAUSE_SECONDS * 2**attempt)


def _code(error: Exception) -> str:
    if isinstance(error, AwsError):
        return error.code
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


def _bury(target: Document, payload: str, code: str, text: str, attempts: int) -> None:
    """Put what could not be delivered into the dead-letter queue, if there is one and its policy lets us."""
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue.rpartition(":")[2])["QueueUrl"]
    attributes = {
        "RULE_ARN": target["RuleArn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": code,
        "ERROR_MESSAGE": text,
        "RETRY_ATTEMPTS": str(attempts),
    }
    named = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
    sqs.send_message(QueueUrl=url, MessageBody=payload, MessageAttributes=named)


for _service, _function_of in {
    "codepipeline": _pipeline,
    "codebuild": _build,
    "sagemaker": _sagemaker_pipeline,
    "lambda": _function,
    "sns": _topic,
    "scheduler": _universal,
}.items():
    seams.on_event_target(_service, _deliver_with(_function_of))
seams.on_event_target("events", _bus)
