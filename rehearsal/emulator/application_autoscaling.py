"""Application Auto Scaling as state: scalable targets, policies and scheduled actions of SageMaker variants.

Nothing scales by itself here: no policy is followed and no scheduled action runs. As on AWS, registering a target whose
variant has fewer or more instances than it allows brings the count within the bounds.
"""

import re
import time
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.service import (
    AwsError,
    Service,
    Store,
    account,
    caller,
    caller_client,
    client,
    new_id,
    pages,
    region,
)

autoscaling = Service("application-autoscaling", target="AnyScaleFrontendService")
Document = dict[str, Any]
targets: Store[Document] = Store("targets")
policies: Store[Document] = Store("policies")
actions: Store[Document] = Store("actions")
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_ROLE = (
    "aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


def _place(request: Document) -> str:
    return f"{request['ServiceNamespace']}|{request['ResourceId']}|{request['ScalableDimension']}"


def _arn(kind: str) -> str:
    service = "application-autoscaling" if kind == "scalable-target" else "autoscaling"
    return f"arn:aws:{service}:{region()}:{account()}:{kind}"


def _missing(kind: str, request: Document) -> AwsError:
    return AwsError("ObjectNotFoundException", f"No {kind} found for service namespace: {_words(request)}")


def _words(request: Document) -> str:
    place = f"resource ID: {request['ResourceId']}, scalable dimension: {request['ScalableDimension']}"
    return f"{request['ServiceNamespace']}, {place}"


def _variant(request: Document) -> Document:
    """The variant that a target scales. Raises ValidationException when there is none."""
    match = _RESOURCE.fullmatch(request["ResourceId"])
    if request["ServiceNamespace"] != "sagemaker" or not match:
        raise AwsError(
            "ValidationException",
            f"Only variants of SageMaker endpoints are part of the rehearsal, not {_words(request)}.",
        )
    endpoint = caller_client("sagemaker").describe_endpoint(EndpointName=match[1])
    found = next((entry for entry in endpoint["ProductionVariants"] if entry["VariantName"] == match[2]), None)
    if found is None:
        raise AwsError("ValidationException", f"The variant {match[2]} of endpoint {match[1]} does not exist.")
    return {**found, "EndpointName": match[1]}


def _require_rights(request: Document) -> None:
    """Try what the caller may do with the target and with alarms, before anything is done. Raises ValidationException.

    "Permissions validation for Application Auto Scaling API calls on target resources", its user guide. It names no
    alarm yet; that CloudWatch describes alarms with alarm:* say its denials.
    """
    key = seams.caller_key.get()
    if not seams.enforced() or not seams.session(key):
        return
    place = f"{region()}:{account()}"
    endpoint = f"arn:aws:sagemaker:{place}:endpoint/{request['ResourceId'].split('/')[1].lower()}"
    wanted = {
        "sagemaker:DescribeEndpoint": endpoint,
        "sagemaker:UpdateEndpointWeightsAndCapacities": endpoint,
        "cloudwatch:PutMetricAlarm": "*",
        "cloudwatch:DeleteAlarms": "*",
        "cloudwatch:DescribeAlarms": f"arn:aws:cloudwatch:{place}:alarm:*",
    }
    missing = [action for action, resource in wanted.items() if not seams.decide(key, action, resource, {}).allowed]
    if missing:
        raise AwsError("ValidationException", f"{caller()} is not authorized to perform: {', '.join(missing)}")


@autoscaling.operation
def register_scalable_target(request: Document) -> Document:
    """A target, or new bounds of one."""
    _require_rights(request)
    place, known = _place(request), targets.get(_place(request)) or {}
    variant = _variant(request)
    least, most = (request.get(name, known.get(name)) for name in ("MinCapacity", "MaxCapacity"))
    if least is None or most is None or not 0 <= least <= most:
        raise AwsError(
            "ValidationException",
            "MinCapacity and MaxCapacity are required, and the first must not be above the second.",
        )
    arn = known.get("ScalableTargetARN") or f"{_arn('scalable-target')}/{new_id(length=20)}"
    target = {name: request[name] for name in ("ServiceNamespace", "ResourceId", "ScalableDimension")}
    suspended = dict.fromkeys(
        ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), False
    )
    targets[place] = target | {
        "MinCapacity": least,
        "MaxCapacity": most,
        "RoleARN": request.get("RoleARN") or f"arn:aws:iam::{account()}:role/{_ROLE}",
        "SuspendedState": suspended | known.get("SuspendedState", {}) | request.get("SuspendedState", {}),
        "CreationTime": known.get("CreationTime") or round(time.time(), 3),
        "ScalableTargetARN": arn,
    }
    _keep_within(variant, least, most)
    return {"ScalableTargetARN": arn}


def _keep_within(variant: Document, least: int, most: int) -> None:
    """Application Auto Scaling changes the count with a service-linked role of its own."""
    count = variant["DesiredInstanceCount"]
    wanted = min(max(count, least), most)
    if wanted != count:
        change = [{"VariantName": variant["VariantName"], "DesiredInstanceCount": wanted}]
        client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=variant["EndpointName"], DesiredWeightsAndCapacities=change
        )


@autoscaling.operation
def deregister_scalable_target(request: Document) -> None:
    """With its policies and scheduled actions; the count stays as it is."""
    place = _place(request)
    if targets.pop(place) is None:
        raise _missing("scalable target", request)
    for store in (policies, actions):
        for name in [name for name in store if name.startswith(f"{place}|")]:
            store.pop(name)


@autoscaling.operation
def describe_scalable_targets(request: Document) -> Document:
    """Those that the request names, or all of a namespace."""
    wanted = request.get("ResourceIds")
    fitting = [target for target in targets.values() if wanted is None or target["ResourceId"] in wanted]
    return _listed("ScalableTargets", fitting, request)


@autoscaling.operation
def put_scaling_policy(request: Document) -> Document:
    """A policy of a target that is registered."""
    _require_rights(request)
    place = _place(request)
    if place not in targets:
        raise _missing("scalable target", request)
    name = f"{place}|{request['PolicyName']}"
    known = policies.get(name) or {}
    arn = known.get("PolicyARN") or (
        f"{_arn('scalingPolicy')}:{new_id(length=32)}:resource/sagemaker/{request['ResourceId']}:policyName/{request['PolicyName']}"
    )
    policies[name] = {
        "PolicyType": "StepScaling",
        **request,
        "PolicyARN": arn,
        "CreationTime": known.get("CreationTime") or round(time.time(), 3),
        "Alarms": [],
    }
    return {"PolicyARN": arn, "Alarms": []}


@autoscaling.operation
def delete_scaling_policy(request: Document) -> None:
    """One policy."""
    if policies.pop(f"{_place(request)}|{request['PolicyName']}") is None:
        raise _missing("scaling policy", request)


@autoscaling.operation
def describe_scaling_policies(request: Document) -> Document:
    """Those of a namespace, or of one resource."""
    wanted = request.get("PolicyNames")
    return _listed(
        "ScalingPolicies",
        [each for each in _own(policies, request) if wanted is None or each["PolicyName"] in wanted],
        request,
    )


@autoscaling.operation
def put_scheduled_action(request: Document) -> None:
    """A scheduled action of a target that is registered."""
    if _place(request) not in targets:
        raise _missing("scalable target", request)
    name = f"{_place(request)}|{request['ScheduledActionName']}"
    own = f"resource/sagemaker/{request['ResourceId']}:scheduledActionName/{request['ScheduledActionName']}"
    arn = f"{_arn('scheduledAction')}:{new_id(length=32)}:{own}"
    actions[name] = {**request, "ScheduledActionARN": arn, "CreationTime": round(time.time(), 3)}


@autoscaling.operation
def delete_scheduled_action(request: Document) -> None:
    """One scheduled action."""
    if actions.pop(f"{_place(request)}|{request['ScheduledActionName']}") is None:
        raise _missing("scheduled action", request)


@autoscaling.operation
def describe_scheduled_actions(request: Document) -> Document:
    """Those of a namespace, or of one resource."""
    return _listed("ScheduledActions", _own(actions, request), request)


@autoscaling.operation
def describe_scaling_activities(request: Document) -> Document:
    """None: nothing scales by itself."""
    return {"ScalingActivities": []}


def _own(store: Store[Document], request: Document) -> list[Document]:
    return [each for each in store.values() if request.get("ResourceId") in (None, each["ResourceId"])]


def _listed(key: str, items: list[Document], request: Document) -> Document:
    names = ("ServiceNamespace", "ScalableDimension")
    fitting = [item for item in items if all(request.get(name) in (None, item[name]) for name in names)]
    shown, token = pages(fitting, request, size="MaxResults", marker="NextToken")
    return {key: shown, "NextToken": token}
