"""AWS::Events types that ministack lacks, made with the API as whoever CloudFormation acts for."""

import json
from typing import Any

from ..provisioning import Context, Properties, provisioner


@provisioner("AWS::Events::EventBusPolicy", create_only=("EventBusName", "StatementId"))
class EventBusPolicy:
    """One statement of a bus's policy; Ref is its id."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        bus, statement_id = properties.get("EventBusName", "default"), properties["StatementId"]
        self._put(context, bus, statement_id, dict(properties["Statement"]) | {"Sid": statement_id})
        return statement_id, {}

    def _put(self, context: Context, bus: str, statement_id: str, statement: dict[str, Any]) -> None:
        """The API takes the whole policy; the statements of others stay."""
        api = context.client("events")
        policy = json.loads(api.describe_event_bus(Name=bus).get("Policy") or "{}")
        others = [item for item in policy.get("Statement", []) if item.get("Sid") != statement_id]
        document = {"Version": "2012-10-17", "Statement": [*others, statement]}
        api.put_permission(EventBusName=bus, Policy=json.dumps(document))

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        self._put(context, new.get("EventBusName", "default"), ref, dict(new["Statement"]) | {"Sid": ref})
        return {}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("events").remove_permission(
            EventBusName=properties.get("EventBusName", "default"), StatementId=ref
        )
