"""AWS::ApiGateway::RequestValidator, for which ministack makes up an id and nothing else.

The calls are the account's own: whether CloudFormation's role may make it was asked before (needs.py).
"""

from rehearsal.emulator.provisioning import Context, Properties, provisioner
from rehearsal.emulator.service import client

SWITCHES = {"ValidateRequestBody": "validateRequestBody", "ValidateRequestParameters": "validateRequestParameters"}


@provisioner("AWS::ApiGateway::RequestValidator", create_only=("RestApiId", "Name"))
class RequestValidator:
    """Ref is the id."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        switches = {member: _is_on(properties, name) for name, member in SWITCHES.items()}
        place = {"restApiId": properties["RestApiId"], "name": properties.get("Name") or context.logical_id}
        made = client("apigateway").create_request_validator(**place, **switches)["id"]
        return made, {"RequestValidatorId": made}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        changes = [
            {"op": "replace", "path": f"/{member}", "value": str(_is_on(new, name)).lower()}
            for name, member in SWITCHES.items()
        ]
        place = {"restApiId": new["RestApiId"], "requestValidatorId": ref}
        client("apigateway").update_request_validator(**place, patchOperations=changes)
        return {"RequestValidatorId": ref}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        client("apigateway").delete_request_validator(restApiId=properties["RestApiId"], requestValidatorId=ref)


def _is_on(properties: Properties, name: str) -> bool:
    return str(properties.get(name, False)).lower() == "true"
