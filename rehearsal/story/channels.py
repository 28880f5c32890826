"""How a project reaches Studio: as a product of Service Catalog, or as a template in S3.

Everything else of the story is the same. What differs is what a company publishes and grants, what Studio shows of it,
and what CreateProject is asked for.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import yaml

from rehearsal.story import people
from rehearsal.story.world import World, expect

PRODUCT = "ML project: build, release, monitor"
VISIBLE = {"Key": "sagemaker:studio-visibility", "Value": "true"}
PLACE = "sagemaker:projectS3TemplatesLocation"
# s3_templates/cors-policy.json in aws-samples/sagemaker-custom-project-templates
ORIGIN, METHODS = "https://*.sagemaker.aws", {"GET", "HEAD", "POST", "PUT", "DELETE"}
PORTFOLIO = "sagemaker-projects-portfolio"
Answers = dict[str, str]


class Channel(Protocol):
    """One of the two ways."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """How `publish` is called."""

    def grant(self, world: World) -> None:
        """What an engineer gives the people in Studio once it is published."""

    def newest(self, world: World) -> str:
        """The version that Studio offers."""

    def asked(self, world: World, answers: Answers) -> dict[str, Any]:
        """What Studio's form adds to CreateProject."""

    def stack(self, world: World, project: dict[str, Any]) -> str:
        """The stack of a project, as SageMaker describes it."""

    def complaint(self, project: dict[str, Any]) -> str:
        """Why a project could not be made."""


def of(world: World) -> Channel:
    """The way that this company goes."""
    return Catalog() if world.options.channel == "catalog" else Bucket()


def pairs(answers: Answers) -> list[dict[str, str]]:
    """Answers as SageMaker takes them."""
    return [{"Key": key, "Value": value} for key, value in answers.items()]


def require_asked(answers: Answers, asked: set[str]) -> None:
    """Studio's form has a field for each answer."""
    expect(answers.keys() <= asked, "the form to ask for everything that is answered", sorted(answers.keys() - asked))


class Catalog:
    """A product with versions; its launch constraint names the role, and this company's engineers may launch it too."""

    arguments = ("--set", f"portfolio.MoreStudioRoles={people.ROLES['engineer']}")

    def grant(self, world: World) -> None:
        """Nothing: the portfolio names the roles of Studio."""

    def newest(self, world: World) -> str:
        return str(offered_versions(world)[0]["Name"])

    def asked(self, world: World, answers: Answers) -> dict[str, Any]:
        catalog, product = world.client("servicecatalog", "scientist"), offered_product(world)
        version = offered_versions(world)[0]["Id"]
        path = catalog.list_launch_paths(ProductId=product)["LaunchPathSummaries"][0]["Id"]
        form = catalog.describe_provisioning_parameters(ProductId=product, ProvisioningArtifactId=version, PathId=path)
        require_asked(answers, {each["ParameterKey"] for each in form["ProvisioningArtifactParameters"]})
        details = {"ProductId": product, "ProvisioningArtifactId": version, "PathId": path}
        return {"ServiceCatalogProvisioningDetails": {**details, "ProvisioningParameters": pairs(answers)}}

    def stack(self, world: World, project: dict[str, Any]) -> str:
        """Service Catalog's search tells it as the physical id of the provisioned product."""
        provisioned = project["ServiceCatalogProvisionedProductDetails"]["ProvisionedProductId"]
        query = {"SearchQuery": [f"id:{provisioned}"]}
        found = world.client("servicecatalog").search_provisioned_products(Filters=query)["ProvisionedProducts"]
        expect(len(found) == 1, f"one provisioned product {provisioned}", found)
        return str(found[0]["PhysicalId"])

    def complaint(self, project: dict[str, Any]) -> str:
        return str(project.get("ServiceCatalogProvisionedProductDetails", {}).get("ProvisionedProductStatusMessage"))


def offered_product(world: World) -> str:
    """The id of the product as Studio's list of templates finds it: offered to this person, and tagged as visible."""
    catalog = world.client("servicecatalog", "scientist")
    found = catalog.search_products()["ProductViewSummaries"]
    named = [product for product in found if product["Name"] == PRODUCT]
    expect(len(named) == 1, f"the product {PRODUCT!r} among those offered", [product["Name"] for product in found])
    tags = world.client("servicecatalog").describe_product_as_admin(Id=named[0]["ProductId"])["Tags"]
    expect(VISIBLE in tags, f"the tag {VISIBLE}, without which Studio does not list it", tags)
    return str(named[0]["ProductId"])


def offered_versions(world: World) -> list[dict[str, Any]]:
    """The versions of the product that can be provisioned, newest first."""
    catalog = world.client("servicecatalog", "scientist")
    found = catalog.describe_product(Id=offered_product(world))["ProvisioningArtifacts"]
    active = [each for each in found if each.get("Guidance", "DEFAULT") == "DEFAULT"]
    return sorted(active, key=lambda each: (each["CreatedTime"], each["Name"]), reverse=True)


@dataclass(frozen=True)
class Shown:
    """A template in S3 that Studio lists."""

    bucket: str
    key: str
    parameters: dict[str, Any]
    version: str


class Bucket:
    """One template under a fixed name. Whoever makes a project types the launch role, and passes it."""

    arguments = ("--channel", "s3")

    def grant(self, world: World) -> None:
        policy, role = _outputs(world)["StudioPolicyArn"], people.ROLES["scientist"].rpartition("/")[2]
        world.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
        world.say(f"{role} has {policy.rpartition('/')[2]}")

    def newest(self, world: World) -> str:
        return self._shown(world).version

    def asked(self, world: World, answers: Answers) -> dict[str, Any]:
        shown = self._shown(world)
        require_asked(answers, set(shown.parameters))
        # The form of the address is the one in the developer guide, "Create Custom Project Templates", under Boto3.
        provider = {
            "TemplateName": shown.key.rpartition("/")[2].removesuffix(".yaml"),
            "TemplateURL": f"https://{shown.bucket}.s3.{world.options.region}.amazonaws.com/{shown.key}",
            "RoleARN": _outputs(world)["LaunchRoleArn"],
            "Parameters": pairs(answers),
        }
        return {"TemplateProviders": [{"CfnTemplateProvider": provider}]}

    def stack(self, world: World, project: dict[str, Any]) -> str:
        return str(project["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]["StackDetail"]["Name"])

    def complaint(self, project: dict[str, Any]) -> str:
        provider = project["TemplateProviderDetails"][0]["CfnTemplateProviderDetail"]
        return str(provider.get("StackDetail", {}).get("StatusMessage"))

    def _shown(self, world: World) -> Shown:
        """The one template that Studio lists: where the domain's tag says, with the tag, to browsers of Studio."""
        sagemaker, s3 = world.client("sagemaker", "scientist"), world.client("s3", "scientist")
        (domain,) = sagemaker.list_domains()["Domains"]
        tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=domain["DomainArn"])["Tags"]}
        bucket, _, prefix = tags[PLACE].removeprefix("s3://").partition("/")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]
        shown = [key for key in keys if VISIBLE in s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]]
        expect(len(shown) == 1, f"one template with the tag {VISIBLE} in {tags[PLACE]}", keys)
        text = s3.get_object(Bucket=bucket, Key=shown[0])["Body"].read().decode()
        self._require_readable(world, bucket)
        template = yaml.load(text, _Plain)  # noqa: S506 - a SafeLoader
        version = template["Mappings"]["Template"]["This"]["Version"]
        return Shown(bucket, shown[0], template["Parameters"], str(version))

    def _require_readable(self, world: World, bucket: str) -> None:
        """The browser lets Studio's pages use the bucket as the rule of AWS's sample does."""
        rules = world.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
        methods = {method for rule in rules if ORIGIN in rule["AllowedOrigins"] for method in rule["AllowedMethods"]}
        expect(methods >= METHODS, f"a CORS rule for {ORIGIN} with {sorted(METHODS)}", rules)


class _Plain(yaml.SafeLoader):
    """CloudFormation's short forms are not looked at."""


_Plain.add_multi_constructor("!", lambda loader, suffix, node: None)


def _outputs(world: World) -> dict[str, str]:
    (stack,) = world.client("cloudformation").describe_stacks(StackName=PORTFOLIO)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
