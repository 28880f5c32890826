"""Provisioning artifacts: the versions of a product, each with its own copy of a template."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions

from .. import seams
from ..service import AwsError, account, address, caller_client, mount, new_id, region
from . import Request, catalog, once

# AWS CloudFormation's quota for a template in S3, which Service Catalog hands it: 1 MB, enforced as 1,000,000 bytes.
TEMPLATE_BYTES = 1_000_000
CONSTRAINTS = (
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MaxLength",
    "MinLength",
    "MaxValue",
    "MinValue",
)
COPIES = "/_servicecatalog/"


@dataclass
class Artifact:
    """A version: its names, and the template as it was when the version was made."""

    id: str
    name: str
    description: str
    template: str
    active: bool = True
    guidance: str = "DEFAULT"
    created: float = field(default_factory=time.time)

    def view(self) -> Request:
        """As users see it."""
        shown = {"Id": self.id, "Name": self.name, "Description": self.description, "CreatedTime": self.created}
        return shown | {"Guidance": self.guidance}

    def summary(self) -> Request:
        """As DescribeProductAsAdmin lists it."""
        return {"Id": self.id, "Name": self.name, "Description": self.description, "CreatedTime": self.created}

    def detail(self) -> Request:
        """As AWS describes it for administrators."""
        return self.view() | {"Type": "CLOUD_FORMATION_TEMPLATE", "Active": self.active}

    @property
    def url(self) -> str:
        """Where Service Catalog keeps its copy."""
        return f"{address()}{COPIES}{account()}/{region()}/{self.id}"


def load(parameters: Request) -> Artifact:
    """A version from its template's URL, read with the caller's credentials and validated unless that is switched off.

    Raises InvalidParametersException when there is no template, it is too large or CloudFormation refuses it.
    """
    if parameters.get("Type", "CLOUD_FORMATION_TEMPLATE") != "CLOUD_FORMATION_TEMPLATE":
        raise AwsError("InvalidParametersException", f"Versions of type {parameters['Type']} are not emulated.")
    url = (parameters.get("Info") or {}).get("LoadTemplateFromURL", "")
    template = _read(url)
    if len(template) > TEMPLATE_BYTES:
        raise AwsError(
            "InvalidParametersException", f"The template at {url} has {len(template)} bytes; 1 MB is allowed."
        )
    artifact_id = new_id("pa-")
    made = Artifact(artifact_id, parameters.get("Name", ""), parameters.get("Description", ""), template.decode())
    if not parameters.get("DisableTemplateValidation"):
        _validate(made.template, url)
    return made


def _read(url: str) -> bytes:
    place = seams.s3_place(url)
    if place is None:
        raise AwsError(
            "InvalidParametersException", f"LoadTemplateFromURL must be the https URL of an S3 object, not {url!r}."
        )
    try:
        content: bytes = caller_client("s3").get_object(Bucket=place[0], Key=place[1])["Body"].read()
    except botocore.exceptions.ClientError as error:
        reason = error.response["Error"]["Message"]
        raise AwsError("InvalidParametersException", f"Cannot read the template at {url}: {reason}") from error
    return content


def _validate(template: str, url: str) -> None:
    problem = seams.template_problem(template)
    if problem:
        raise AwsError("InvalidParametersException", f"Invalid templateBody. {problem} ({url})")


def artifact(product: Any, request: Request) -> Artifact:
    """The version of a product that a request names by id or by name. Raises ResourceNotFoundException."""
    wanted, name = request.get("ProvisioningArtifactId"), request.get("ProvisioningArtifactName")
    made: dict[str, Artifact] = product.artifacts
    for item in made.values():
        if item.id == wanted or (not wanted and item.name == name):
            return item
    raise AwsError("ResourceNotFoundException", f"ProvisioningArtifact {wanted or name} of {product.id} not found.")


@catalog.operation
def create_provisioning_artifact(request: Request) -> Request:
    from . import found
    from .products import products

    def make() -> Request:
        made = load(request["Parameters"])
        owner.artifacts[made.id] = made
        info = {"TemplateUrl": made.url}
        return {"ProvisioningArtifactDetail": made.detail(), "Info": info, "Status": "AVAILABLE"}

    owner = found(products, request["ProductId"], "Product")
    return once("CreateProvisioningArtifact", request["IdempotencyToken"], request, make)


@catalog.operation
def update_provisioning_artifact(request: Request) -> Request:
    from .products import product

    changed = artifact(product(request), request)
    changed.name = request.get("Name", changed.name)
    changed.description = request.get("Description", changed.description)
    changed.active = request.get("Active", changed.active)
    changed.guidance = request.get("Guidance", changed.guidance)
    info = {"TemplateUrl": changed.url}
    return {"ProvisioningArtifactDetail": changed.detail(), "Info": info, "Status": "AVAILABLE"}


@catalog.operation
def describe_provisioning_artifact(request: Request) -> Request:
    from .products import product

    described = artifact(product(request), request)
    answer: Request = {"ProvisioningArtifactDetail": described.detail(), "Info": {}, "Status": "AVAILABLE"}
    if request.get("Verbose"):
        answer["Info"] = {"TemplateUrl": described.url}
    if request.get("IncludeProvisioningArtifactParameters"):
        answer["ProvisioningArtifactParameters"] = parameters_of(described)
    return answer


@catalog.operation
def delete_provisioning_artifact(request: Request) -> Request:
    from .products import product
    from .provisioned import provisioned_products

    owner = product(request)
    doomed = artifact(owner, request)
    if len(owner.artifacts) == 1:
        raise AwsError("ResourceInUseException", f"{doomed.id} is the only version of {owner.id}: delete the product.")
    used = [item.id for item in provisioned_products.values() if item.artifact == doomed.id]
    if used:
        raise AwsError("ResourceInUseException", f"{doomed.id} is used by provisioned products {used}.")
    del owner.artifacts[doomed.id]
    return {}


@catalog.operation
def list_provisioning_artifacts(request: Request) -> Request:
    from .products import product

    return {"ProvisioningArtifactDetails": [item.detail() for item in product(request).artifacts.values()]}


def parameters_of(described: Artifact) -> list[Request]:
    """The parameters of a version's template as DescribeProvisioningParameters gives them."""
    declared = seams.template_parameters(described.template)
    return [_parameter(name, given) for name, given in declared.items()]


def _parameter(name: str, given: Request) -> Request:
    constraints = {key: given[key] for key in CONSTRAINTS if key in given}
    constraints = {key: value if key == "AllowedValues" else str(value) for key, value in constraints.items()}
    if "AllowedValues" in constraints:
        constraints["AllowedValues"] = [str(value) for value in constraints["AllowedValues"]]
    shown: Request = {"ParameterKey": name, "ParameterType": given.get("Type", "String")}
    shown["IsNoEcho"] = str(given.get("NoEcho", False)).lower() == "true"
    shown["ParameterConstraints"] = constraints
    if "Default" in given:
        shown["DefaultValue"] = str(given["Default"])
    return shown | ({"Description": given["Description"]} if "Description" in given else {})


def copy_at(url: str) -> str | None:
    """The template that Service Catalog keeps at a URL of its own; None for any other URL."""
    from .products import products

    if not url.startswith(f"{address()}{COPIES}"):
        return None
    owner, place, artifact_id = url.removeprefix(f"{address()}{COPIES}").split("/")
    with seams.scope(owner, place):
        held = [item.artifacts[artifact_id] for item in products.values() if artifact_id in item.artifacts]
    return held[0].template if held else None


async def serve_copy(scope: Any, receive: Any, send: Any) -> None:
    """The copies over HTTP; AWS signs their URLs, here nobody is asked."""
    template = await asyncio.to_thread(copy_at, address() + scope["path"])
    status, body = (404, b"") if template is None else (200, template.encode())
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


seams.on_template_url(copy_at)
mount(COPIES, serve_copy)
