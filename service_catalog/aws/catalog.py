"""Service Catalog: portfolio, product, versions (provisioning artifacts), launch constraint, and what was made of them.

Each `ensure` looks first, and asks with an idempotency token that follows from what is wanted: two runs at once make
one product and one version. Refuses a product that is there twice, and never changes what a version contains.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.aws.account import Account, pages, tags, untagged
from service_catalog.commands import aws, command
from service_catalog.errors import ProductError

CLOUDFORMATION = "CLOUD_FORMATION_TEMPLATE"
VISIBILITY = "sagemaker:studio-visibility"
_CONTENT = "template sha256:"
_TOKENS = 5


@dataclass(frozen=True)
class Product:
    """A product of this account."""

    id: str
    name: str


@dataclass(frozen=True)
class Version:
    """A provisioning artifact."""

    id: str
    name: str
    description: str
    is_active: bool
    created: datetime

    @property
    def content(self) -> str:
        """The hash of its template, as publish wrote it down; empty if somebody else made this version."""
        _, _, digest = self.description.partition(_CONTENT)
        return digest.split()[0] if digest else ""


@dataclass(frozen=True)
class Published:
    """What a version is made from."""

    name: str
    address: str
    sha256: str

    @property
    def request(self) -> dict[str, Any]:
        return {
            "Name": self.name,
            "Description": f"{_CONTENT}{self.sha256}",
            "Info": {"LoadTemplateFromURL": self.address},
            "Type": CLOUDFORMATION,
        }


class Catalog:
    """Service Catalog in one account and region; `account` is named in the commands that errors tell."""

    def __init__(self, client: Any, account: Account | None = None) -> None:
        self._client = client
        self._account = account

    def _typed(self, verb: str) -> str:
        return command(verb, self._account) if self._account else f"make {verb}"

    def _aws(self, *words: str) -> str:
        typed = ("servicecatalog", *words)
        return aws(self._account, *typed) if self._account else " ".join(["aws", *typed])

    # --- looking -----------------------------------------------------------------------------------------------------

    def product(self, name: str) -> Product | None:
        """The product of this name. Raises ProductError if there are two."""
        found = self.products(name)
        if len(found) > 1:
            ids = ", ".join(product.id for product in found)
            raise ProductError(
                f"There are {len(found)} products named {name!r} ({ids}), and nobody can tell which one users see. "
                f"Delete the one that has no projects: {self._aws('delete-product', '--id', '…')}"
            )
        return found[0] if found else None

    def products(self, name: str) -> list[Product]:
        """Every product of this name, in a portfolio or not."""
        details = pages(self._client, "search_products_as_admin", "ProductViewDetails", ProductSource="ACCOUNT")
        summaries = (detail["ProductViewSummary"] for detail in details)
        return [Product(item["ProductId"], item["Name"]) for item in summaries if item["Name"] == name]

    def require(self, name: str) -> Product:
        """The product. Raises ProductError if it is not there."""
        found = self.product(name)
        if found is None:
            raise ProductError(f"There is no product {name!r} here: publish it with `{self._typed('publish')}`.")
        return found

    def offered(self, name: str) -> Product:
        """The product as somebody who may launch it sees it. Raises ProductError."""
        request: dict[str, Any] = {"Filters": {"FullTextSearch": [name]}}
        while True:
            page = self._client.search_products(**request)
            for item in page.get("ProductViewSummaries") or []:
                if item["Name"] == name:
                    return Product(item["ProductId"], item["Name"])
            if not page.get("NextPageToken"):
                raise ProductError(
                    f"You see no product {name!r} here. Either nobody has published it (`make publish`), or your role "
                    f"is no principal of its portfolio: `{self._typed('doctor')}` says which roles are."
                )
            request["PageToken"] = page["NextPageToken"]

    def versions(self, product: Product) -> list[Version]:
        """All versions, oldest first."""
        answer = self._client.list_provisioning_artifacts(ProductId=product.id)
        found = [
            Version(
                item["Id"], item["Name"], item.get("Description", ""), item.get("Active", True), item["CreatedTime"]
            )
            for item in answer.get("ProvisioningArtifactDetails") or []
        ]
        return sorted(found, key=lambda version: (version.created, version.name))

    def version(self, product: Product, name: str) -> Version | None:
        """The version of this name. Raises ProductError if there are two."""
        found = [version for version in self.versions(product) if version.name == name]
        if len(found) > 1:
            ids = ", ".join(version.id for version in found)
            raise ProductError(f"{product.name!r} has {len(found)} versions named {name} ({ids}): delete all but one.")
        return found[0] if found else None

    def address(self, product: Product, version: Version) -> str:
        """Where the template of a version is, if Service Catalog says so."""
        request = {"ProductId": product.id, "ProvisioningArtifactId": version.id}
        answer = self._client.describe_provisioning_artifact(**request, Verbose=True)
        info = answer.get("Info") or {}
        return str(info.get("TemplateUrl") or info.get("LoadTemplateFromURL") or "")

    def tags(self, product: Product) -> dict[str, str]:
        """Tags of a product."""
        return untagged(self._client.describe_product_as_admin(Id=product.id).get("Tags"))

    def words(self, product: Product) -> dict[str, str]:
        """What people read about it, under the names that CreateProduct and UpdateProduct use."""
        found = self._client.describe_product_as_admin(Id=product.id)["ProductViewDetail"]["ProductViewSummary"]
        return {"Description": found.get("ShortDescription", ""), **found}

    def portfolios(self, product: Product) -> list[str]:
        """Ids of the portfolios that offer it."""
        found = pages(self._client, "list_portfolios_for_product", "PortfolioDetails", ProductId=product.id)
        return [item["Id"] for item in found]

    def launch_role(self, portfolio: str, product: Product) -> tuple[str, str]:
        """Id and role of the launch constraint; empty if there is none."""
        request = {"PortfolioId": portfolio, "ProductId": product.id}
        for item in pages(self._client, "list_constraints_for_portfolio", "ConstraintDetails", **request):
            if item["Type"] == "LAUNCH":
                answer = self._client.describe_constraint(Id=item["ConstraintId"])
                given = json.loads(answer["ConstraintParameters"])
                return item["ConstraintId"], str(given.get("RoleArn") or given.get("LocalRoleName", ""))
        return "", ""

    def principals(self, portfolio: str) -> list[str]:
        """ARNs of those who may launch its products."""
        found = pages(self._client, "list_principals_for_portfolio", "Principals", PortfolioId=portfolio)
        return [item["PrincipalARN"] for item in found]

    # --- making ------------------------------------------------------------------------------------------------------

    def ensure_product(self, wish: Mapping[str, Any], first: Published) -> Product:
        """The product, made with its first version if it is not there."""
        for token in _tokens(wish["Name"], wish["Owner"]):
            if found := self.product(wish["Name"]):
                return found
            answer = self._client.create_product(
                **wish,
                ProductType=CLOUDFORMATION,
                ProvisioningArtifactParameters=first.request,
                IdempotencyToken=token,
            )
            made = answer["ProductViewDetail"]["ProductViewSummary"]["ProductId"]
            if self._is_there(made):
                return Product(made, wish["Name"])
        raise ProductError(f"Service Catalog does not make {wish['Name']!r}: wait some minutes and run this again.")

    def _is_there(self, product: str) -> bool:
        """Whether a product exists: a token used again after the product was deleted may bring back the old answer."""
        try:
            self._client.describe_product_as_admin(Id=product)
        except ClientError as error:
            if errors.code(error) == "ResourceNotFoundException":
                return False
            raise
        return True

    def ensure_version(self, product: Product, wanted: Published) -> Version:
        """The version, made if it is not there. Raises ProductError if it is there with other content."""
        for token in _tokens(product.id, wanted.name, wanted.sha256):
            if found := self.version(product, wanted.name):
                self.require_content(product, found, wanted)
                return found
            self._client.create_provisioning_artifact(
                ProductId=product.id, Parameters=wanted.request, IdempotencyToken=token
            )
        raise ProductError(
            f"Service Catalog does not make version {wanted.name}: wait some minutes and run this again."
        )

    def require_content(self, product: Product, found: Version, wanted: Published) -> None:
        """Raises ProductError if a published version contains something else."""
        if found.content == wanted.sha256 or (not found.content and wanted.sha256[:16] in self.address(product, found)):
            return
        raise ProductError(
            f"Version {wanted.name} of {product.name!r} is already published with other content, and a published "
            f"version never changes: projects were made from it. Publish under another name: --version NAME, or none "
            f"for the repository's version and content."
        )

    def associate(self, product: Product, portfolio: str) -> None:
        """Offer the product in the portfolio."""
        self._client.associate_product_with_portfolio(ProductId=product.id, PortfolioId=portfolio)

    def ensure_launch_role(self, portfolio: str, product: Product, role: str) -> None:
        """Let Service Catalog make projects under this role, whoever asks."""
        constraint, present = self.launch_role(portfolio, product)
        given = json.dumps({"RoleArn": role})
        if constraint and present != role:
            self._client.update_constraint(Id=constraint, Parameters=given)
        if constraint:
            return
        token = next(iter(_tokens(portfolio, product.id, role)))
        request = {"PortfolioId": portfolio, "ProductId": product.id, "Type": "LAUNCH", "Parameters": given}
        try:
            self._client.create_constraint(**request, IdempotencyToken=token)
        except ClientError as error:
            if errors.code(error) != "DuplicateResourceException":
                raise

    def tag(self, product: Product, values: Mapping[str, str]) -> None:
        """Add or change tags of a product."""
        self._client.update_product(Id=product.id, AddTags=tags(values))

    def describe(self, product: Product, wish: Mapping[str, Any]) -> None:
        """Bring description and support texts up to date."""
        self._client.update_product(Id=product.id, **wish)

    def retire(self, product: Product, version: Version) -> None:
        """Offer a version no longer; projects made from it go on."""
        self._client.update_provisioning_artifact(
            ProductId=product.id, ProvisioningArtifactId=version.id, Active=False, Guidance="DEPRECATED"
        )

    # --- what was made from it ---------------------------------------------------------------------------------------

    def path(self, product: Product) -> str:
        """The id of the way in which the caller may launch it. Raises ProductError unless there is exactly one."""
        found = list(pages(self._client, "list_launch_paths", "LaunchPathSummaries", ProductId=product.id))
        if len(found) == 1:
            return str(found[0]["Id"])
        names = ", ".join(item.get("Name", item["Id"]) for item in found) or "none"
        raise ProductError(
            f"{product.name!r} can be launched through {len(found)} portfolios ({names}), and must be through one: "
            f"see `{self._aws('list-launch-paths', '--product-id', product.id)}`."
        )

    def parameters(self, product: Product, version: Version, path: str) -> list[dict[str, Any]]:
        """DescribeProvisioningParameters: ParameterKey, DefaultValue, ParameterConstraints, ….."""
        answer = self._client.describe_provisioning_parameters(
            ProductId=product.id, ProvisioningArtifactId=version.id, PathId=path
        )
        return list(answer.get("ProvisioningArtifactParameters") or [])

    def provisioned(self, query: str) -> Iterator[dict[str, Any]]:
        """Provisioned products of the account that match a search query such as name:churn-p-1."""
        request: dict[str, Any] = {
            "AccessLevelFilter": {"Key": "Account", "Value": "self"},
            "Filters": {"SearchQuery": [query]},
        }
        while True:
            page = self._client.search_provisioned_products(**request)
            yield from page.get("ProvisionedProducts") or []
            if not page.get("NextPageToken"):
                return
            request["PageToken"] = page["NextPageToken"]

    def provisioned_product(self, id_: str) -> dict[str, Any] | None:
        """A provisioned product; None if it was terminated."""
        try:
            found: dict[str, Any] = self._client.describe_provisioned_product(Id=id_)["ProvisionedProductDetail"]
        except ClientError as error:
            if errors.code(error) == "ResourceNotFoundException":
                return None
            raise
        return found

    def terminate(self, id_: str) -> str:
        """Delete a provisioned product; the id of the record that says how it went."""
        token = next(iter(_tokens("terminate", id_)))
        answer = self._client.terminate_provisioned_product(ProvisionedProductId=id_, TerminateToken=token)
        return str(answer["RecordDetail"]["RecordId"])

    def record(self, id_: str) -> dict[str, Any]:
        """DescribeRecord: how a request to Service Catalog went."""
        found: dict[str, Any] = self._client.describe_record(Id=id_)["RecordDetail"]
        return found


def _tokens(*parts: str) -> Iterator[str]:
    """The same tokens for the same wish. A second one is needed only if the first one's answer is out of date."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return (f"{digest}-{attempt}" for attempt in range(_TOKENS))
