"""AWS::CloudWatch types that ministack lacks, made with the API as whoever CloudFormation acts for."""

from typing import Any

from ..provisioning import Context, Properties, own_tags, provisioner, tag_changes

TAKEN = ("ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmRule", "InsufficientDataActions", "OKActions")
SUPPRESSING = ("ActionsSuppressor", "ActionsSuppressorExtensionPeriod", "ActionsSuppressorWaitPeriod")


@provisioner("AWS::CloudWatch::CompositeAlarm", create_only=("AlarmName",), tags=True)
class CompositeAlarm:
    """Ref is the alarm's name."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        name = properties.get("AlarmName") or f"{context.stack_name}-{context.logical_id}"[:255]
        api = context.client("cloudwatch")
        self._put(api, name, properties, Tags=own_tags(properties))
        return name, {"Arn": self._arn(api, name)}

    def _put(self, api: Any, name: str, properties: Properties, **more: object) -> None:
        given = {key: properties[key] for key in TAKEN + SUPPRESSING if key in properties}
        api.put_composite_alarm(AlarmName=name, **given, **more)

    def _arn(self, api: Any, name: str) -> str:
        found = api.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return str(found[0]["AlarmArn"])

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api = context.client("cloudwatch")
        self._put(api, ref, new)
        arn = self._arn(api, ref)
        added, removed = tag_changes(old, new)
        if added:
            api.tag_resource(ResourceARN=arn, Tags=added)
        if removed:
            api.untag_resource(ResourceARN=arn, TagKeys=removed)
        return {"Arn": arn}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("cloudwatch").delete_alarms(AlarmNames=[ref])
