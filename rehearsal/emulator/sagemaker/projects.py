"""Projects, made from a Service Catalog product or from a template in S3; see providers.py for how."""

import re
import time
from dataclasses import dataclass, field
from typing import Any

import botocore.exceptions

from .. import seams
from ..service import AwsError, Store, new_id, on_restore, spawn
from . import sagemaker, tags
from .lists import arn, identity, listed, missing
from .providers import CatalogProvider, Provider, TemplateProvider

Request = dict[str, Any]
# The API's pattern alone lets longer names pass.
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}")
NAME_LENGTH = 32
POLL_SECONDS = 0.05


@dataclass
class Project:
    """A project: what it was made from and how far that is."""

    name: str
    id: str
    description: str | None
    provider: Provider
    tags: dict[str, str]
    made_by: Request
    status: str = "CreateInProgress"
    message: str = ""
    created: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    changed_by: Request | None = None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn("project", self.name)

    def summary(self) -> Request:
        """As AWS lists it."""
        shown = {"ProjectName": self.name, "ProjectArn": self.arn, "ProjectId": self.id, "CreationTime": self.created}
        described = {"ProjectDescription": self.description} if self.description else {}
        return shown | {"ProjectStatus": self.status} | described

    def detail(self) -> Request:
        """As AWS describes it."""
        shown = self.summary() | self.provider.detail(self.message) | {"CreatedBy": self.made_by}
        changed = {"LastModifiedTime": self.changed, "LastModifiedBy": self.changed_by} if self.changed_by else {}
        return shown | changed


projects: Store[Project] = Store("projects")


def project(name: str) -> Project:
    """A project by its name. Raises ValidationException."""
    found = projects.get(name)
    if found is None:
        raise missing("Project", name)
    return found


@sagemaker.operation
def create_project(request: Request) -> Request:
    name = request["ProjectName"]
    if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
        raise AwsError("ValidationException", f"{name!r} is no project name: 1 to 32 letters, digits and hyphens.")
    project_id = new_id("p-", 12)
    own = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
    own |= {"sagemaker:project-name": name, "sagemaker:project-id": project_id}
    provider = _provider(request, name, project_id, own)
    made = Project(name, project_id, request.get("ProjectDescription"), provider, own, identity())
    if projects.setdefault(name, made) is not made:
        raise AwsError("ValidationException", f"Project {name} exists already.")
    try:
        provider.create()
    except botocore.exceptions.ClientError as error:
        projects.pop(name)
        raise _as_ours(error) from error
    tags.remember(made.arn, [{"Key": key, "Value": value} for key, value in own.items()])
    spawn(_follow, made, "Create")
    return {"ProjectArn": made.arn, "ProjectId": made.id}


def _provider(request: Request, name: str, project_id: str, own: dict[str, str]) -> Provider:
    catalog, templates = request.get("ServiceCatalogProvisioningDetails"), request.get("TemplateProviders") or []
    if bool(catalog) + len(templates) != 1:
        raise AwsError(
            "ValidationException",
            "A project is made from ServiceCatalogProvisioningDetails or from exactly one of TemplateProviders.",
        )
    if catalog:
        return CatalogProvider(name, project_id, own, catalog)
    return TemplateProvider(name, project_id, own, templates[0]["CfnTemplateProvider"])


def _as_ours(error: botocore.exceptions.ClientError) -> AwsError:
    given = error.response["Error"]
    code = given["Code"] if "AccessDenied" in given["Code"] else "ValidationException"
    return AwsError(code, given["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"])


@sagemaker.operation
def update_project(request: Request) -> Request:
    changed = project(request["ProjectName"])
    _require_settled(changed)
    changed.description = request.get("ProjectDescription", changed.description)
    changed.changed, changed.changed_by = time.time(), identity()
    if "Tags" in request:
        changed.tags |= {tag["Key"]: tag["Value"] for tag in request["Tags"]}
        tags.remember(changed.arn, [{"Key": key, "Value": value} for key, value in changed.tags.items()])
    given = request.get("ServiceCatalogProvisioningUpdateDetails")
    templates = request.get("TemplateProvidersToUpdate") or []
    update = given if given is not None else templates[0]["CfnTemplateProvider"] if templates else None
    if update is not None:
        _begin(changed, "Update", update)
    return {"ProjectArn": changed.arn}


def _begin(changed: Project, verb: str, update: Request | None = None) -> None:
    try:
        if update is None:
            changed.provider.delete()
        else:
            changed.provider.update(update)
    except botocore.exceptions.ClientError as error:
        raise _as_ours(error) from error
    changed.status, changed.message = f"{verb}InProgress", ""
    spawn(_follow, changed, verb)


def _require_settled(changed: Project) -> None:
    if changed.status.endswith("InProgress"):
        raise AwsError("ConflictException", f"Project {changed.name} is {changed.status}: wait for it to end.")


@sagemaker.operation
def delete_project(request: Request) -> None:
    doomed = project(request["ProjectName"])
    _require_settled(doomed)
    _begin(doomed, "Delete")


@sagemaker.operation
def describe_project(request: Request) -> Request:
    return project(request["ProjectName"]).detail()


@sagemaker.operation
def list_projects(request: Request) -> Request:
    return listed("ProjectSummaryList", [item.summary() for item in projects.values()], request, "ProjectName")


def _follow(changed: Project, verb: str) -> None:
    """Wait for the provider's work to end; a project that was deleted is gone."""
    while (state := changed.provider.state()) is None:
        time.sleep(POLL_SECONDS)
    done, changed.message = state
    changed.changed = time.time()
    if verb == "Delete" and done:
        projects.pop(changed.name)
        tags.forget(changed.arn)
    else:
        changed.status = f"{verb}{'Completed' if done else 'Failed'}"


@on_restore
def _go_on() -> None:
    for owner, place, _, item in projects.everywhere():
        if item.status.endswith("InProgress"):
            with seams.scope(owner, place):
                spawn(_follow, item, item.status.removesuffix("InProgress"))
