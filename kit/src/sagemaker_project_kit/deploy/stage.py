"""One stage's parameters: config/<stage>.json and what release adds, checked against every template offline.

It refuses what CloudFormation, or SageMaker behind it, would refuse later: unknown keys, impossible values and
combinations, instance types that SageMaker does not have, ARNs of another partition. It talks to nobody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session

from sagemaker_project_kit.deploy import config, template
from sagemaker_project_kit.deploy.config import StageConfig
from sagemaker_project_kit.deploy.errors import ConfigError, TemplateError, nearest
from sagemaker_project_kit.deploy.request_schema import request_schema, with_snapshot
from sagemaker_project_kit.deploy.settings import Settings, Stage
from sagemaker_project_kit.deploy.template import Template

# Endpoint names are <project>-<id>-<stage> with a budget of 63 characters, which leaves 8 for the stage.
_STAGE_NAME_LENGTH = 8
ADDED = (
    "SageMakerProjectName",
    "SageMakerProjectId",
    "StageName",
    "ModelPackageArn",
    "ModelPackageGroupName",
    "ArtifactBucketName",
    "KmsKeyArn",
    "ExecutionRoleArn",
    "TemplateVersion",
    "GitCommit",
)
SCALING = "scaling"
REQUEST_SCHEMA = "ApiRequestSchema"


@dataclass(frozen=True)
class Plan:
    """A stage with values for every template that makes it up."""

    stage: Stage
    config: StageConfig
    values: Mapping[str, str]
    tags: Mapping[str, str]
    templates: tuple[Template, ...]

    def value(self, name: str) -> str:
        """A parameter's value, wherever it comes from; empty if no template declares it."""
        for each in self.templates:
            if name in each.parameters:
                return each.complete(self.values).get(name, "")
        return ""

    def files(self, suspend_scaling: bool) -> dict[str, Any]:
        """File name → template configuration as CodePipeline's CloudFormation actions take it, or a template's text.

        scaling-before.json is applied before endpoint.json: it takes the registration with autoscaling away if the
        endpoint cannot be updated with it, and repeats scaling.json if it can.
        """
        files = {each.concern: self._file(each, self.values) for each in self.templates}
        if SCALING in files:
            scaling = next(each for each in self.templates if each.concern == SCALING)
            files[f"{SCALING}-before"] = self._file(scaling, self._before(suspend_scaling))
        return {f"{name}.json": content for name, content in files.items()} | self._snapshots()

    def _snapshots(self) -> dict[str, str]:
        """What asks for a request schema is deployed as a snapshot, whose name is in the template."""
        return {
            each.path.name: with_snapshot(
                each.path.read_text(encoding="utf-8"), each.complete(self.values)[REQUEST_SCHEMA]
            )
            for each in self.templates
            if REQUEST_SCHEMA in each.parameters
        }

    def _before(self, suspend: bool) -> dict[str, str]:
        is_on = self.values.get("AutoScaling") == "on"
        return {**self.values, "AutoScaling": "suspended"} if suspend and is_on else dict(self.values)

    def _file(self, each: Template, values: Mapping[str, str]) -> dict[str, Any]:
        return {"Parameters": each.complete(values), "Tags": dict(self.tags)}


def read_templates(folder: Path) -> tuple[Template, ...]:
    """The stage's templates: every *.yaml beside this file. Raises TemplateError."""
    templates = tuple(template.read(path) for path in sorted(folder.glob("*.yaml")))
    if not templates:
        raise TemplateError(f"{folder} has no *.yaml: there is no template to release")
    return templates


def plan(
    settings: Settings, stages: Sequence[str], folder: Path, package_arn: str, version: str = "0.0.0"
) -> list[Plan]:
    """Plans for `stages`, all of them checked. Raises ConfigError with every problem of every stage."""
    templates = read_templates(folder)
    plans, problems = [], [*_stage_problems(settings, stages)]
    for name in stages:
        try:
            plans.append(_plan(settings, settings.stage(name), folder, templates, package_arn, version))
        except ConfigError as error:
            problems += error.problems
    problems += [problem for each in plans for problem in _problems(each, settings)]
    if problems:
        raise ConfigError(problems)
    return plans


def with_package(plans: Sequence[Plan], settings: Settings, package_arn: str, schema: Mapping[str, Any]) -> list[Plan]:
    """The same plans for a model package with the contract `schema`. Raises ConfigError.

    A team may set ApiRequestSchema itself.
    """
    chosen = [replace(each, values=_with_package(each, package_arn, schema)) for each in plans]
    if problems := [problem for each in chosen for problem in _problems(each, settings)]:
        raise ConfigError(problems)
    return chosen


def _with_package(each: Plan, package_arn: str, schema: Mapping[str, Any]) -> dict[str, str]:
    values = {**each.values, "ModelPackageArn": package_arn}
    for one in each.templates:
        if REQUEST_SCHEMA in one.parameters:
            values.setdefault(REQUEST_SCHEMA, request_schema(schema))
    return values


def _plan(
    settings: Settings, stage: Stage, folder: Path, templates: tuple[Template, ...], package_arn: str, version: str
) -> Plan:
    content = config.load(folder, stage.name)
    values = {**content.parameters, **_added(settings, stage, package_arn, version)}
    tags = {**content.tags, **settings.tags(stage.name)}
    return Plan(stage, content, values, tags, templates)


def _added(settings: Settings, stage: Stage, package_arn: str, version: str) -> dict[str, str]:
    values = (
        settings.project_name,
        settings.project_id,
        stage.name,
        package_arn,
        settings.group,
        settings.bucket,
        settings.kms_key,
        stage.endpoint_role,
        version,
        settings.git_commit,
    )
    return dict(zip(ADDED, values, strict=True))


def _stage_problems(settings: Settings, names: Sequence[str]) -> Iterator[str]:
    """No stage may be another one: their endpoints would be the same."""
    seen: dict[tuple[str, str], str] = {}
    for name in names:
        if len(name) > _STAGE_NAME_LENGTH:
            yield f"stage {name!r}: its name may have at most {_STAGE_NAME_LENGTH} characters: endpoint names have 63"
        stage = settings.stage(name)
        place = (stage.account, settings.endpoint(name))
        if place in seen:
            yield f"stage {name!r} is the same as {seen[place]!r}: endpoint {place[1]} in account {place[0]}"
        seen[place] = name


def _problems(each: Plan, settings: Settings) -> Iterator[str]:
    file, given = each.config.file, each.config.parameters
    for key in given:
        if key in ADDED:
            yield f"{file} Parameters.{key}: is set by release; take it out"
    yield from template.unknown_keys([key for key in given if key not in ADDED], each.templates, file)
    pseudo = {
        "AWS::Region": settings.region,
        "AWS::Partition": settings.partition,
        "AWS::AccountId": each.stage.account,
    }
    found = [problem for one in each.templates for problem in one.problems(each.values, file, pseudo)]
    instances = {f"{file} Parameters.{key}: ": problem for key, problem in _instance_problems(each)}
    # Two templates may share a parameter, and a type that SageMaker does not have needs no second sentence.
    yield from dict.fromkeys(problem for problem in found if not problem.startswith(tuple(instances)))
    yield from (where + problem for where, problem in instances.items())
    yield from _arn_problems(each, settings)


def _instance_problems(each: Plan) -> Iterator[tuple[str, str]]:
    """(key, problem). botocore knows each type that SageMaker has anywhere; about the region AWS is asked later."""
    for key, value in each.config.parameters.items():
        if not key.endswith("InstanceType") or value == "ml.serverless":
            continue
        shape = "TransformInstanceType" if key.startswith("Batch") else "ProductionVariantInstanceType"
        if value not in instance_types(shape):
            hint = nearest(value, instance_types(shape))
            yield key, f"SageMaker has no instance type {value!r}{hint}"


@cache
def instance_types(shape: str) -> tuple[str, ...]:
    """The values of an enumeration in SageMaker's API."""
    model = botocore.session.get_session().get_service_model("sagemaker")
    return tuple(model.shape_for(shape).enum)


def _arn_problems(each: Plan, settings: Settings) -> Iterator[str]:
    for key, value in each.config.parameters.items():
        partition = value.split(":")[1] if value.startswith("arn:") and ":" in value[4:] else settings.partition
        if partition != settings.partition:
            where = f"{settings.region} is in the partition {settings.partition}"
            yield f"{each.config.file} Parameters.{key}: {where}; found an ARN of {partition}: {value!r}"
