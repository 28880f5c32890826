"""AWS::ApplicationAutoScaling types, made with the API as whoever CloudFormation acts for."""

from typing import Any

from rehearsal.emulator.provisioning import Context, Properties, provisioner
from rehearsal.emulator.shapes import typed

SERVICE = "application-autoscaling"
_PLACE = ("ServiceNamespace", "ResourceId", "ScalableDimension")


@provisioner("AWS::ApplicationAutoScaling::ScalableTarget", create_only=_PLACE)
class ScalableTarget:
    """Ref is "resource|dimension|namespace"; scheduled actions belong to the target."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        api = context.client(SERVICE)
        place = self._put(api, properties)
        ref = "|".join((place["ResourceId"], place["ScalableDimension"], place["ServiceNamespace"]))
        return ref, {"Id": ref}

    def _put(self, api: Any, properties: Properties) -> Properties:
        request = typed(SERVICE, "RegisterScalableTarget", properties)
        api.register_scalable_target(**request)
        place = {name: request[name] for name in _PLACE}
        for action in properties.get("ScheduledActions") or []:
            api.put_scheduled_action(**place, **typed(SERVICE, "PutScheduledAction", action))
        return place

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api = context.client(SERVICE)
        place = self._put(api, new)
        kept = {action["ScheduledActionName"] for action in new.get("ScheduledActions") or []}
        for action in old.get("ScheduledActions") or []:
            if action["ScheduledActionName"] not in kept:
                api.delete_scheduled_action(**place, ScheduledActionName=action["ScheduledActionName"])
        return {"Id": ref}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client(SERVICE).deregister_scalable_target(**_place_of(ref))


@provisioner(
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    create_only=("PolicyName", "ServiceNamespace", "ResourceId", "ScalableDimension", "ScalingTargetId"),
)
class ScalingPolicy:
    """Ref is the ARN. The target is given by its id or by namespace, resource and dimension."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        arn = context.client(SERVICE).put_scaling_policy(**self._request(properties))["PolicyARN"]
        return arn, {"Arn": arn}

    def _request(self, properties: Properties) -> Properties:
        target = properties.get("ScalingTargetId")
        place = _place_of(target) if target else {name: properties[name] for name in _PLACE}
        return place | typed(SERVICE, "PutScalingPolicy", _renamed(properties))

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        context.client(SERVICE).put_scaling_policy(**self._request(new))
        return {"Arn": ref}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        place = {name: value for name, value in self._request(properties).items() if name in (*_PLACE, "PolicyName")}
        context.client(SERVICE).delete_scaling_policy(**place)


def _place_of(ref: str) -> Properties:
    resource, dimension, namespace = ref.split("|")
    return {"ServiceNamespace": namespace, "ResourceId": resource, "ScalableDimension": dimension}


def _renamed(properties: Properties) -> Properties:
    """What PutScalingPolicy takes, without the target, which CloudFormation names in another way."""
    names = ("PolicyName", "PolicyType", "TargetTrackingScalingPolicyConfiguration", "StepScalingPolicyConfiguration")
    return {name: properties[name] for name in names if name in properties}
