"""What a project is made from: a Service Catalog product or a template in S3. Both act as the caller."""

import re
from typing import Any, Protocol

import botocore.exceptions

from .. import seams
from ..service import AwsError, caller_client, new_id
from ..service_catalog.provisioned import provisioned_products, records

Request = dict[str, Any]
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
State = tuple[bool, str]


class Provider(Protocol):
    """How a project's resources are made, changed and deleted; `state` is None until that has ended."""

    def create(self) -> None: ...

    def update(self, request: Request) -> None: ...

    def delete(self) -> None: ...

    def state(self) -> State | None: ...

    def detail(self, message: str) -> Request: ...


def _merged(earlier: list[Request], later: list[Request]) -> list[Request]:
    """Parameters with later ones in the place of earlier ones of the same key."""
    return list(({item["Key"]: item for item in earlier} | {item["Key"]: item for item in later}).values())


class CatalogProvider:
    """A provisioned product named <project name>-<project id>, with the project's name, id and tags."""

    def __init__(self, name: str, project_id: str, tags: dict[str, str], given: Request) -> None:
        self.name, self.project_id, self.tags, self.given = name, project_id, tags, given
        self.record, self.is_gone = "", False

    def _own(self) -> list[Request]:
        own = {"SageMakerProjectName": self.name, "SageMakerProjectId": self.project_id}
        return [{"Key": key, "Value": value} for key, value in own.items()]

    def create(self) -> None:
        request: Request = {key: self.given[key] for key in ("ProductId", "PathId") if key in self.given}
        request["ProvisioningArtifactId"] = self.given.get("ProvisioningArtifactId") or self._newest()
        answer = caller_client("servicecatalog").provision_product(
            **request,
            ProvisionedProductName=f"{self.name}-{self.project_id}",
            ProvisioningParameters=_merged(self.given.get("ProvisioningParameters", []), self._own()),
            ProvisionToken=new_id(length=32),
            Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
        )
        self.record = answer["RecordDetail"]["RecordId"]

    def _newest(self) -> str:
        shown = caller_client("servicecatalog").describe_product(Id=self.given["ProductId"])["ProvisioningArtifacts"]
        if not shown:
            raise AwsError("ValidationException", f"Product {self.given['ProductId']} has no active version.")
        return str(max(shown, key=lambda version: (version["CreatedTime"], shown.index(version)))["Id"])

    def update(self, request: Request) -> None:
        """Update to a version and to parameters; those that are not given keep their values."""
        parameters = _merged(self.given.get("ProvisioningParameters", []), request.get("ProvisioningParameters", []))
        version = request.get("ProvisioningArtifactId") or self.given.get("ProvisioningArtifactId")
        answer = caller_client("servicecatalog").update_provisioned_product(
            ProvisionedProductId=self._provisioned(),
            ProductId=self.given["ProductId"],
            ProvisioningArtifactId=version or self._newest(),
            ProvisioningParameters=_merged(parameters, self._own()),
            UpdateToken=new_id(length=32),
        )
        self.record = answer["RecordDetail"]["RecordId"]
        self.given = self.given | {"ProvisioningParameters": parameters}
        self.given |= {"ProvisioningArtifactId": version} if version else {}

    def delete(self) -> None:
        if self._provisioned() not in provisioned_products:
            self.record, self.is_gone = "", True
            return
        answer = caller_client("servicecatalog").terminate_provisioned_product(
            ProvisionedProductId=self._provisioned(), TerminateToken=new_id(length=32)
        )
        self.record = answer["RecordDetail"]["RecordId"]

    def _provisioned(self) -> str:
        """The provisioned product; empty if the emulator was killed before Service Catalog was asked for one."""
        record = records.get(self.record)
        return record.provisioned if record else ""

    def state(self) -> State | None:
        record = records.get(self.record)
        if record is None:
            return self.is_gone, "" if self.is_gone else "Interrupted: the emulator was restarted."
        if record.status not in ("SUCCEEDED", "FAILED"):
            return None
        return record.status == "SUCCEEDED", "; ".join(error["Description"] for error in record.errors)

    def detail(self, message: str) -> Request:
        found = {"ProvisionedProductId": self._provisioned(), "ProvisionedProductStatusMessage": message}
        product: Request = {key: value for key, value in found.items() if value}
        return {
            "ServiceCatalogProvisioningDetails": self.given,
            "ServiceCatalogProvisionedProductDetails": product,
        }


# API reference, CfnCreateTemplateProvider; CloudFormation takes a template from S3 alone (CreateStack, TemplateURL).
PATTERNS = {
    "TemplateName": r"(?=.{1,32}$)[a-zA-Z0-9](-*[a-zA-Z0-9])*",
    "TemplateURL": r"(?=.{1,1024}$)(https)://([^/]+)/(.+)",
    "RoleARN": r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
}
MOST_PARAMETERS = 180


def require_template(given: Request) -> None:
    """Raise ValidationException for a template that the API's model, or CloudFormation after it, does not take."""
    for field, pattern in PATTERNS.items():
        if field in given and not re.fullmatch(pattern, given[field]):
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value {given[field]!r} at '{field}' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {pattern}",
            )
    if len(given.get("Parameters", [])) > MOST_PARAMETERS:
        raise AwsError("ValidationException", f"Parameters: at most {MOST_PARAMETERS} items are allowed.")
    if seams.s3_place(given["TemplateURL"]) is None:
        raise AwsError("ValidationException", "TemplateURL must be an Amazon S3 URL.")


class TemplateProvider:
    """A stack SP-<project id>-<template name>; the name beyond SP- is not documented."""

    def __init__(self, name: str, project_id: str, tags: dict[str, str], given: Request) -> None:
        require_template(given)
        self.name, self.project_id, self.tags, self.given = name, project_id, tags, given
        self.stack = f"SP-{project_id}-{given['TemplateName']}"
        self.goal = "CREATE"

    def _request(self) -> Request:
        own = {"SageMakerProjectName": self.name, "SageMakerProjectId": self.project_id}
        given = {item["Key"]: item.get("Value", "") for item in self.given.get("Parameters", [])} | own
        return {
            "StackName": self.stack,
            "TemplateURL": self.given["TemplateURL"],
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            "Capabilities": CAPABILITIES,
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }

    def create(self) -> None:
        role = {"RoleARN": self.given["RoleARN"]} if "RoleARN" in self.given else {}
        caller_client("cloudformation").create_stack(**self._request(), **role)

    def update(self, request: Request) -> None:
        """Update to a template and parameters; an update that changes nothing succeeds.

        The request has no field for a role (API reference, CfnUpdateTemplateProvider), and the stack keeps its own.
        """
        require_template(request)
        if request["TemplateName"] != self.given["TemplateName"]:
            raise AwsError("ValidationException", f"The project has no template {request['TemplateName']}.")
        parameters = _merged(self.given.get("Parameters", []), request.get("Parameters", []))
        self.given = self.given | {"TemplateURL": request["TemplateURL"], "Parameters": parameters}
        self.goal = "UPDATE"
        try:
            caller_client("cloudformation").update_stack(**self._request())
        except botocore.exceptions.ClientError as error:
            if "No updates are to be performed" not in str(error):
                raise
            self.goal = ""

    def delete(self) -> None:
        caller_client("cloudformation").delete_stack(StackName=self.stack)
        self.goal = "DELETE"

    def state(self) -> State | None:
        stack = seams.stack(self.stack)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        if not self.goal:
            return True, ""
        begun = status.startswith(self.goal) or (self.goal == "CREATE" and status.startswith("ROLLBACK"))
        if not begun or status.endswith("_IN_PROGRESS"):
            return None
        good = status == f"{self.goal}_COMPLETE"
        return (
            good,
            "" if good else f"Stack {self.stack} is {status}. {(stack or {}).get('StackStatusReason', '')}".strip(),
        )

    def detail(self, message: str) -> Request:
        stack = seams.stack(self.stack)
        detail = {"Name": self.stack, "StatusMessage": message} | ({"Id": stack["StackId"]} if stack else {})
        return {"TemplateProviderDetails": [{"CfnTemplateProviderDetail": self.given | {"StackDetail": detail}}]}
