"""SageMaker: projects, Studio domains and whether Studio may use Service Catalog at all."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.aws.account import pages, tags, untagged

TEMPLATES_TAG = "sagemaker:projectS3TemplatesLocation"
_MISSING = ("does not exist", "not found", "could not find", "cannot find")


@dataclass(frozen=True)
class Project:
    """DescribeProject's answer."""

    name: str
    id: str
    arn: str
    status: str
    product: str = ""
    version: str = ""
    provisioned_product: str = ""
    message: str = ""
    template: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_in_progress(self) -> bool:
        return self.status.endswith("InProgress") or self.status == "Pending"

    @property
    def is_complete(self) -> bool:
        return self.status in ("CreateCompleted", "UpdateCompleted")


@dataclass(frozen=True)
class Domain:
    """A Studio domain with the roles that its users work under."""

    id: str
    name: str
    arn: str
    roles: tuple[str, ...]
    tags: Mapping[str, str]


class Studio:
    """SageMaker in one account and region."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def project(self, name: str) -> Project | None:
        """A project; None if there is none, or it was deleted."""
        try:
            found = _project(self._client.describe_project(ProjectName=name))
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return None if found.status == "DeleteCompleted" else found

    def projects(self) -> Iterator[str]:
        """Names of all projects that were not deleted."""
        found = pages(self._client, "list_projects", "ProjectSummaryList")
        return (item["ProjectName"] for item in found if item["ProjectStatus"] != "DeleteCompleted")

    def ids(self) -> set[str]:
        """Ids of the same."""
        found = pages(self._client, "list_projects", "ProjectSummaryList")
        return {item["ProjectId"] for item in found if item["ProjectStatus"] != "DeleteCompleted"}

    def create_from_product(self, name: str, description: str, details: Mapping[str, Any]) -> None:
        """What Studio's form does for an organization template."""
        self._client.create_project(
            ProjectName=name, ProjectDescription=description, ServiceCatalogProvisioningDetails=details
        )

    def create_from_template(self, name: str, description: str, provider: Mapping[str, Any]) -> None:
        """What Studio's form does for a template in S3."""
        self._client.create_project(
            ProjectName=name, ProjectDescription=description, TemplateProviders=[{"CfnTemplateProvider": provider}]
        )

    def update_from_product(self, name: str, version: str, values: Mapping[str, str]) -> None:
        """Bring a project to another version of its product."""
        details = {"ProvisioningArtifactId": version, "ProvisioningParameters": pairs(values)}
        self._client.update_project(ProjectName=name, ServiceCatalogProvisioningUpdateDetails=details)

    def update_from_template(self, name: str, template: str, address: str, values: Mapping[str, str]) -> None:
        """Bring a project to another template; the role stays, the API has no field for it."""
        provider = {"TemplateName": template, "TemplateURL": address, "Parameters": pairs(values)}
        self._client.update_project(ProjectName=name, TemplateProvidersToUpdate=[{"CfnTemplateProvider": provider}])

    def delete(self, name: str) -> None:
        """Ask for the deletion of a project; nothing if it is gone."""
        try:
            self._client.delete_project(ProjectName=name)
        except ClientError as error:
            if not _is_missing(error):
                raise

    def domains(self) -> list[Domain]:
        """Every domain with its tags and the roles of its users."""
        return [self._domain(item["DomainId"]) for item in pages(self._client, "list_domains", "Domains")]

    def tag_domain(self, domain: Domain, values: Mapping[str, str]) -> None:
        """Add or change tags."""
        self._client.add_tags(ResourceArn=domain.arn, Tags=tags(values))

    def may_use_catalog(self) -> bool:
        """Whether somebody switched on "SageMaker projects" for this account and region."""
        return bool(self._client.get_sagemaker_servicecatalog_portfolio_status().get("Status") == "Enabled")

    def executions(self, pipeline: str) -> Iterator[str]:
        """ARNs of the executions of a SageMaker pipeline that run; none if there is no such pipeline."""
        try:
            for item in pages(
                self._client, "list_pipeline_executions", "PipelineExecutionSummaries", PipelineName=pipeline
            ):
                if item["PipelineExecutionStatus"] == "Executing":
                    yield item["PipelineExecutionArn"]
        except ClientError as error:
            if not _is_missing(error):
                raise

    def has_pipeline(self, name: str) -> bool:
        """Whether there is such a SageMaker pipeline."""
        try:
            self._client.describe_pipeline(PipelineName=name)
        except ClientError as error:
            if _is_missing(error):
                return False
            raise
        return True

    def delete_pipeline(self, name: str) -> None:
        """Delete a SageMaker pipeline; nothing if it is gone."""
        try:
            self._client.delete_pipeline(PipelineName=name)
        except ClientError as error:
            if not _is_missing(error):
                raise

    def stop(self, execution: str) -> None:
        """Stop an execution of a SageMaker pipeline."""
        self._client.stop_pipeline_execution(PipelineExecutionArn=execution)

    def _domain(self, id_: str) -> Domain:
        found = self._client.describe_domain(DomainId=id_)
        roles = {found.get("DefaultUserSettings", {}).get("ExecutionRole", "")}
        roles.add(found.get("DefaultSpaceSettings", {}).get("ExecutionRole", ""))
        for item in pages(self._client, "list_user_profiles", "UserProfiles", DomainIdEquals=id_):
            profile = self._client.describe_user_profile(DomainId=id_, UserProfileName=item["UserProfileName"])
            roles.add(profile.get("UserSettings", {}).get("ExecutionRole", ""))
        given = pages(self._client, "list_tags", "Tags", ResourceArn=found["DomainArn"])
        return Domain(id_, found["DomainName"], found["DomainArn"], tuple(sorted(roles - {""})), untagged(list(given)))


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Parameters as SageMaker writes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(values.items())]


def _is_missing(error: ClientError) -> bool:
    """SageMaker answers ValidationException, or ResourceNotFound, for what is not there."""
    if errors.code(error) in ("ResourceNotFound", "ResourceNotFoundException"):
        return True
    return errors.code(error) == "ValidationException" and any(
        words in errors.message(error).lower() for words in _MISSING
    )


def _project(found: Mapping[str, Any]) -> Project:
    details = found.get("ServiceCatalogProvisioningDetails") or {}
    provisioned = found.get("ServiceCatalogProvisionedProductDetails") or {}
    providers = [item["CfnTemplateProviderDetail"] for item in found.get("TemplateProviderDetails") or []]
    template = providers[0] if providers else {}
    return Project(
        name=found["ProjectName"],
        id=found["ProjectId"],
        arn=found["ProjectArn"],
        status=found["ProjectStatus"],
        product=details.get("ProductId", ""),
        version=details.get("ProvisioningArtifactId", ""),
        provisioned_product=provisioned.get("ProvisionedProductId", ""),
        message=provisioned.get("ProvisionedProductStatusMessage", "")
        or (template.get("StackDetail") or {}).get("StatusMessage", ""),
        template=template,
    )
