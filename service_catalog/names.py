"""Every name that this repository gives to something in AWS, in one place; the templates say the same with !Sub.

Budgets hold for a project's name of 32 characters and an id of 20. Where AWS allows 64 the id stands alone: it is
unique in an account and region, the name only among projects that exist.
"""

from dataclasses import dataclass

from service_catalog import stages

STAGES = tuple(stage.name for stage in stages.IN_ORDER)
STAGE_PARAMETERS = {stage.name: f"{stage.words['Stage']}AccountId" for stage in stages.IN_ORDER}  # of the product
# What a large company keeps in accounts of its own, beside the stages
PARTS = ("data", "artifacts", "operations")
PART_PARAMETERS = {part: f"{part.capitalize()}AccountId" for part in PARTS}  # of the product
STAGE_PURPOSES = ("deploy", "cloudformation", "endpoint", "verify")  # of a stage's roles
CONCERNS = ("endpoint", "scaling", "api", "batch", "monitoring")
BUILDS = ("train", "release", *(f"verify-{stage}" for stage in STAGES), "confirm", "seed")
ROLES = ("pipeline", "train", "release", "verify", "jobs", "dispatcher", "scheduler", "seed")

PATH = "/sagemaker-projects/"
LAUNCH_ROLE = "sagemaker-projects-launch"
BOUNDARY = "sagemaker-projects-boundary"
STUDIO_POLICY = "sagemaker-projects-studio"
PORTFOLIO_STACK = "sagemaker-projects-portfolio"
PORTFOLIO = "Machine learning projects"
PRODUCT = "ML project: build, release, monitor"
STUDIO_PREFIX = "studio/"
STUDIO_TEMPLATE = "ml-project"


@dataclass(frozen=True)
class Project:
    """The names of one project."""

    name: str
    id: str

    @property
    def unique(self) -> str:
        return f"{self.name}-{self.id}"

    @property
    def pipelines(self) -> tuple[str, str]:
        """CodePipelines."""
        return f"sagemaker-{self.unique}-build", f"sagemaker-{self.unique}-deploy"

    @property
    def training(self) -> str:
        """SageMaker pipeline."""
        return f"{self.unique}-training"

    @property
    def repository(self) -> str:
        """In CodeCommit."""
        return f"sagemaker-{self.unique}"

    @property
    def group(self) -> str:
        """Model package group."""
        return self.unique

    @property
    def key_alias(self) -> str:
        return f"alias/sagemaker-{self.id}"

    def build(self, purpose: str) -> str:
        """A CodeBuild project, one of BUILDS."""
        return f"sagemaker-{self.unique}-{purpose}"

    def role(self, purpose: str) -> str:
        """A role below PATH, one of ROLES."""
        return f"sagemaker-{self.id}-{purpose}"

    def part(self, purpose: str) -> str:
        """A rule, queue, topic, function, schedule or policy."""
        return f"sagemaker-{self.id}-{purpose}"

    def parameter(self, name: str) -> str:
        """A fact about the project in Parameter Store."""
        return f"/sagemaker-projects/{self.id}/{name}"

    def bucket(self, account: str, region: str) -> str:
        """Data, models and artifacts; never the project's name, which may be upper case."""
        return f"sagemaker-{self.id}-{account}-{region}"

    def endpoint(self, stage: str) -> str:
        """An endpoint of a stage."""
        return f"{self.unique}-{stage}"

    def stack(self, stage: str, concern: str) -> str:
        """A stack of a stage."""
        return f"sagemaker-{self.unique}-{stage}-{concern}"


def account_bucket(account: str, region: str) -> str:
    """Bucket of templates and seeds."""
    return f"sagemaker-projects-{account}-{region}"


def stage_stack(stage: str) -> str:
    """The stack with the roles of a stage."""
    return f"sagemaker-projects-{stage}"


def stage_role(stage: str, purpose: str) -> str:
    """A role of a stage: deploy, cloudformation, endpoint or verify."""
    return f"sagemaker-{stage}-{purpose}"


def role_arn(partition: str, account: str, role: str) -> str:
    """The ARN of a role below PATH."""
    return f"arn:{partition}:iam::{account}:role{PATH}{role}"


def launch_role_arn(partition: str, account: str) -> str:
    """The role that Service Catalog makes projects under."""
    return role_arn(partition, account, LAUNCH_ROLE)


def studio_policy_arn(partition: str, account: str) -> str:
    """What people in Studio need for the S3 channel."""
    return f"arn:{partition}:iam::{account}:policy{PATH}{STUDIO_POLICY}"


def boundary_arn(partition: str, account: str) -> str:
    """The permissions boundary of every role."""
    return f"arn:{partition}:iam::{account}:policy/{BOUNDARY}"


def template_key(sha256: str, file: str) -> str:
    """Where a template lies in the account's bucket."""
    return f"templates/{sha256[:16]}/{file}"


def seed_key(sha256: str) -> str:
    """Where a seed lies in the account's bucket."""
    return f"seeds/{sha256[:16]}.zip"


def studio_key(name: str) -> str:
    """Where the S3 channel finds a template."""
    return f"{STUDIO_PREFIX}{name}.yaml"
