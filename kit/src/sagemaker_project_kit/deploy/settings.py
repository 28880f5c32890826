"""The environment that the project's stack gives to CodeBuild, read once into one frozen object.

Every problem is reported at once, each with the variable, what was found and what is allowed. It talks to nobody: what
can only be known by asking AWS is checked where AWS is asked.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import UnknownRegionError

from sagemaker_project_kit import names, variables
from sagemaker_project_kit.deploy.errors import SettingsError

STAGES = ("staging", "prod")  # in the order of deployment; a name has at most 8 characters, see Settings.endpoint
LOCAL_ACCOUNT = "111111111111"
# What a pipeline's variable holds when nobody gave it a value: CodePipeline takes no empty ones.
_NOTHING = "none"
_VARIABLES = ("MODEL_PACKAGE_ARN", "MODEL_PACKAGE_EVENT_TIME")

_ACCOUNT = re.compile(r"\d{12}")
_ARN = re.compile(r"arn:(?P<partition>[^:]+):(?P<service>[^:]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Stage:
    """One place where the model runs. `verify_role` is assumed to look at the endpoint and to invoke it."""

    name: str
    account: str
    endpoint_role: str
    verify_role: str = ""


@dataclass(frozen=True)
class Settings:
    """What both release and verify know about the project."""

    project_name: str
    project_id: str
    region: str
    partition: str
    group: str
    bucket: str
    kms_key: str
    stages: tuple[Stage, ...]
    owner: str = ""
    cost_center: str = ""
    package_arn: str = ""
    event_time: str = ""
    git_commit: str = "unknown"

    def stage(self, name: str) -> Stage:
        """The stage called `name`. Raises SettingsError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise SettingsError([f"stage {name!r}: must be one of {', '.join(stage.name for stage in self.stages)}"])

    def endpoint(self, stage: str) -> str:
        """Unique after a project is deleted and made again: 32 + 1 + 20 + 1 + 8 of the 63 characters allowed."""
        return f"{self.project_name}-{self.project_id}-{stage}"

    def tags(self, stage: str) -> dict[str, str]:
        """The tags that everything carries; empty ones are left out."""
        tags = {
            "sagemaker:project-name": self.project_name,
            "sagemaker:project-id": self.project_id,
            "sagemaker:deployment-stage": stage,
            "owner": self.owner,
            "cost-center": self.cost_center,
        }
        return {key: value for key, value in tags.items() if value}

    def history(self, stage: str) -> str:
        """Where the good releases of a stage are remembered."""
        return f"s3://{self.bucket}/{self.project_name}-{self.project_id}/releases/{stage}"


def load(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read the environment, and owner and cost centre from `root`/project.toml.

    Raises:
        SettingsError: listing every variable that is missing, malformed or contradicts another.
    """
    reader = _Reader(_without_nothings(environ))
    project = _project(root, environ)
    region = reader.text("AWS_REGION", lambda value: bool(partition_of(value)), "a region such as eu-west-1")
    partition = partition_of(region)
    arns = _Arns(reader, partition, region)
    settings = Settings(
        project_name=reader.name(variables.PROJECT_NAME, names.PROJECT_NAME_LENGTH),
        project_id=reader.name(variables.STACK["project_id"], names.PROJECT_ID_LENGTH),
        region=region,
        partition=partition,
        group=reader.name(variables.STACK["model_package_group"], names.GROUP_LENGTH),
        bucket=reader.text("ARTIFACT_BUCKET", _BUCKET.fullmatch, "the name of a bucket, without s3://"),
        kms_key=arns.read("KMS_KEY_ARN", "kms", "key/"),
        stages=tuple(_stage(stage, reader, arns) for stage in STAGES),
        package_arn=arns.read("MODEL_PACKAGE_ARN", "sagemaker", "model-package/", optional=True),
        event_time=reader.optional("MODEL_PACKAGE_EVENT_TIME"),
        git_commit=reader.optional("CODEBUILD_RESOLVED_SOURCE_VERSION") or "unknown",
        **project,
    )
    arns.read("SAGEMAKER_PROJECT_ARN", "sagemaker", "project/", optional=True)
    problems = [*reader.problems, *_tag_problems(project)]
    problems += [*_account_problems(settings), *_missing_role_problems(settings)]
    if problems:
        raise SettingsError(problems)
    return settings


def _without_nothings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, with pipeline variables that nobody gave a value empty."""
    return {**environ, **{name: "" for name in _VARIABLES if environ.get(name) == _NOTHING}}


def for_this_machine(root: Path, environ: Mapping[str, str], group: str) -> Settings:
    """Stand-ins for what only AWS can give, so that the same code releases to servers on this machine."""
    project = _project_table(root)
    name = _filled(project, "name") or "unrendered"
    region = environ.get("AWS_REGION") or _filled(project, "region") or "us-east-1"
    partition = partition_of(region) or "aws"
    role = f"arn:{partition}:iam::{LOCAL_ACCOUNT}:role/local"
    return Settings(
        project_name=environ.get("SAGEMAKER_PROJECT_NAME") or name,
        project_id=environ.get("SAGEMAKER_PROJECT_ID") or "local",
        region=region,
        partition=partition,
        group=environ.get("MODEL_PACKAGE_GROUP") or group or name,
        bucket=environ.get("ARTIFACT_BUCKET") or "local-artifacts",
        kms_key=f"arn:{partition}:kms:{region}:{LOCAL_ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
        stages=tuple(Stage(stage, LOCAL_ACCOUNT, role) for stage in STAGES),
        owner=_filled(project, "owner"),
        cost_center=_filled(project, "cost_center"),
        package_arn=environ.get("MODEL_PACKAGE_ARN", ""),
    )


@cache
def partition_of(region: str) -> str:
    """aws, aws-cn, aws-us-gov …; empty for what is no region."""
    try:
        return str(botocore.session.get_session().get_partition_for_region(region)) if region else ""
    except UnknownRegionError:
        return ""


class _Reader:
    """Takes values out of the environment and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def optional(self, name: str) -> str:
        return self._environ.get(name, "").strip()

    def text(self, name: str, fits: Callable[[str], object], allowed: str) -> str:
        value = self.optional(name)
        if not value:
            self.problems.append(f"environment variable {name}: is missing; it must be {allowed}")
        elif not fits(value):
            self.problems.append(f"environment variable {name}: must be {allowed}; found {value!r}")
        return value

    def name(self, name: str, most: int) -> str:
        allowed = f"1 to {most} letters, digits and dashes between them"
        return self.text(name, lambda value: names.is_name(value, most), allowed)


class _Arns:
    """Reads ARNs, all of which must be in the same partition."""

    def __init__(self, reader: _Reader, partition: str, region: str) -> None:
        self._reader, self._partition, self._region = reader, partition, region

    def read(self, name: str, service: str, resource: str, optional: bool = False) -> str:
        value = self._reader.optional(name)
        problem = self._problem(value, service, resource) if value else "is missing" if not optional else ""
        if problem:
            shape = f"arn:{self._partition or 'aws'}:{service}:…:{resource}…"
            found = f"; found {value!r}" if value else ""
            self._reader.problems.append(f"environment variable {name}: {problem}; it must look like {shape}{found}")
        return value

    def _problem(self, value: str, service: str, resource: str) -> str:
        match = _ARN.fullmatch(value)
        if match is None:
            return "is no ARN"
        if self._partition and match["partition"] != self._partition:
            return f"is in the partition {match['partition']}, but {self._region} is in {self._partition}"
        if match["service"] != service or not match["resource"].startswith(resource):
            return f"is not a {resource.rstrip('/')} of {service}"
        if not _ACCOUNT.fullmatch(match["account"]):
            return "has no account of 12 digits"
        if service != "iam" and self._region and match["region"] != self._region:
            return f"is in {match['region'] or 'no region'}, but AWS_REGION is {self._region}"
        return ""


def account_of(arn: str) -> str:
    """The account in an ARN; empty if it is none."""
    match = _ARN.fullmatch(arn)
    return match["account"] if match else ""


def _stage(stage: str, reader: _Reader, arns: _Arns) -> Stage:
    prefix = stage.upper()
    account = reader.text(f"{prefix}_ACCOUNT_ID", _ACCOUNT.fullmatch, "an account of 12 digits")
    endpoint_role = arns.read(f"{prefix}_ENDPOINT_ROLE_ARN", "iam", "role/")
    verify_role = arns.read(f"{prefix}_VERIFY_ROLE_ARN", "iam", "role/", optional=True)
    return Stage(stage, account, endpoint_role, verify_role)


def _account_problems(settings: Settings) -> Iterator[str]:
    """Contradictions between accounts: production set up as another account must not turn out to be staging."""
    for stage in settings.stages:
        for suffix, arn in (("ENDPOINT", stage.endpoint_role), ("VERIFY", stage.verify_role)):
            found = account_of(arn)
            if found and _ACCOUNT.fullmatch(stage.account) and found != stage.account:
                name = stage.name.upper()
                yield (
                    f"environment variable {name}_{suffix}_ROLE_ARN: the role is in account {found}, but "
                    f"{name}_ACCOUNT_ID is {stage.account}: both must be the account of {stage.name}"
                )


def _missing_role_problems(settings: Settings) -> Iterator[str]:
    """The project's account is the one of its key; into any other, a role must lead."""
    own = account_of(settings.kms_key)
    for stage in settings.stages:
        if own and _ACCOUNT.fullmatch(stage.account) and stage.account != own and not stage.verify_role:
            name = f"{stage.name.upper()}_VERIFY_ROLE_ARN"
            yield (
                f"environment variable {name}: is missing; {stage.name} is in account {stage.account} and the project "
                f"in {own}, so it must be a role of account {stage.account} that may look at the endpoint and invoke it"
            )


def _project_table(root: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads((root / "project.toml").read_text(encoding="utf-8")).get("project")
    except FileNotFoundError:
        raise SettingsError([f"{root / 'project.toml'} is missing; run this from the project's folder"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"project.toml is not valid TOML: {error}"]) from None
    return table if isinstance(table, dict) else {}


def _project(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Owner and cost centre: what the project's stack was told, else what project.toml says."""
    table = _project_table(root)
    return {key: environ.get(name) or _filled(table, key) for key, name in variables.ANSWERED.items()}


def _filled(table: dict[str, Any], key: str) -> str:
    """A value of project.toml; nothing where Cookiecutter has not filled in its placeholder."""
    value = str(table.get(key, ""))
    return "" if value.startswith("{{") else value


def _tag_problems(project: dict[str, str]) -> Iterator[str]:
    for key, value in project.items():
        if value and not names.OWNER_VALUE.fullmatch(value):
            allowed = f"becomes an AWS tag: 1 to 128 {names.TAG_CHARACTERS}"
            yield f"project.toml [project] {key}: {allowed}; found {value!r}"
