"""Releases one model package: chooses it, checks that it may be released and that each stage can take it, and writes
the artifacts from which CodePipeline's CloudFormation actions deploy.

It deploys nothing and changes nothing in AWS. Nothing is written unless every stage is in order.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sagemaker_project_kit.deploy import artifacts, contract, endpoint, quotas
from sagemaker_project_kit.deploy.choice import Choice, Chooser
from sagemaker_project_kit.deploy.endpoint import Endpoint
from sagemaker_project_kit.deploy.errors import ConfigError, RegistryError, StoreError
from sagemaker_project_kit.deploy.events import Event
from sagemaker_project_kit.deploy.registry import REJECTED, Package, require_fit
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.stage import Plan, plan, with_package


@dataclass(frozen=True)
class Sight:
    """What is known of a stage from AWS: its endpoint (None before the first release) and its quotas."""

    endpoint: Endpoint | None = None
    quotas: Mapping[str, float] | None = None


Look = Callable[[str], Sight]  # stage → what is seen there


def look_nowhere(_: str) -> Sight:
    """On this machine there are no endpoints to look at."""
    return Sight()


@dataclass(frozen=True)
class Workplace:
    """Where templates and configuration are, and where the artifacts go."""

    source: Path
    target: Path
    template_version: str = "0.0.0"


@dataclass(frozen=True)
class Releaser:
    """Everything a release depends on."""

    settings: Settings
    chooser: Chooser
    look: Look
    place: Workplace

    def release(self, stages: Sequence[str], event: Event | None = None) -> Choice:
        """Choose and write. Raises DeployError before anything is written."""
        artifacts.remove(self.place.target)
        plans = self._plans(stages)
        return self._write(plans, self.chooser.choose(event))

    def rollback(self, stages: Sequence[str], package: Package, reason: str) -> Choice:
        """Write the artifacts of `package`, as a decision made now: an older approval does not undo it."""
        artifacts.remove(self.place.target)
        choice = Choice("release", reason, package, datetime.now(UTC))
        return self._write(self._plans(stages), choice)

    def confirm(self) -> Package:
        """The package of an earlier release, if it may still be released. Raises DeployError.

        Between staging and production somebody may have rejected or deleted it.
        """
        released = artifacts.read(self.place.target)
        if released["status"] != "release":
            raise RegistryError(f"nothing was released: {released.get('reason', '')}")
        package = self.chooser.registry.describe(released["package_arn"])
        require_fit(package, self.settings.group, self.chooser.store)
        for name in released["stages"]:
            endpoint.require_idle(self.look(name).endpoint)
        return package

    def _plans(self, stages: Sequence[str]) -> list[Plan]:
        """Configuration is checked even while no model is approved, with an ARN in place of the package's."""
        settings = self.settings
        anyone = f"arn:{settings.partition}:sagemaker:{settings.region}:{'0' * 12}:model-package/{settings.group}/1"
        return plan(settings, stages, self.place.source, anyone, self.place.template_version)

    def _write(self, plans: Sequence[Plan], choice: Choice) -> Choice:
        stages: dict[str, dict[str, Any]] = {}
        if choice.package:
            schema = contract.load(self.chooser.store, choice.package.contract_uri).schema
            chosen = with_package(plans, self.settings, choice.package.arn, schema)
            sights = {each.stage.name: self.look(each.stage.name) for each in chosen}
            self._require(chosen, sights, choice.package)
            stages = {each.stage.name: each.files(_suspends(each, sights[each.stage.name])) for each in chosen}
        artifacts.write(self.place.target, self._record(choice, stages), stages)
        return choice

    def _require(self, plans: Sequence[Plan], sights: Mapping[str, Sight], package: Package) -> None:
        problems = []
        for each in plans:
            sight = sights[each.stage.name]
            problems += [*_quota_problems(each, sight, self.settings.region), *_type_problems(each, sight)]
            problems += self._candidate_problems(each, package)
            endpoint.require_idle(sight.endpoint)
        if problems:
            raise ConfigError(problems)

    def _candidate_problems(self, each: Plan, package: Package) -> list[str]:
        """A second model beside the first need not be approved: approving it would release it. It must exist."""
        arn = each.value("CandidateModelPackageArn")
        where = f"{each.config.file} Parameters.CandidateModelPackageArn"
        if not arn or each.value("CandidateUse") == "none":
            return []
        try:
            candidate = self.chooser.registry.describe(arn)
        except RegistryError as error:
            return [f"{where}: {error}"]
        if arn == package.arn:
            return [f"{where}: must be another version than the released one; found {arn!r}"]
        if candidate.group != self.settings.group or candidate.status == REJECTED:
            allowed = f"must be a version of {self.settings.group} that is not rejected"
            return [f"{where}: {allowed}; found {arn!r} ({candidate.status})"]
        return []

    def _record(self, choice: Choice, stages: Mapping[str, Any]) -> dict[str, Any]:
        record: dict[str, Any] = {"status": choice.status, "reason": choice.reason}
        if choice.package is None:
            return record | {"group": self.settings.group}
        return record | {
            "package_arn": choice.package.arn,
            "group": choice.package.group,
            "version": choice.package.version,
            "released_for": _text(choice.released_for or choice.package.approved_at),
            "decided_at": _text(datetime.now(UTC)),
            "git_commit": self.settings.git_commit,
            "template_version": self.place.template_version,
            "stages": {name: sorted(files) for name, files in stages.items()},
            "evidence": self._evidence(choice.package),
        }

    def _evidence(self, package: Package) -> dict[str, Any]:
        return {**package.metadata, "metrics": self._metrics(package)}

    def _metrics(self, package: Package) -> dict[str, float]:
        """The numbers of evaluation.json; they inform the person who approves production, and gate nothing here."""
        if not package.metrics_uri:
            return {}
        try:
            groups = json.loads(self.chooser.store.read(package.metrics_uri)).values()
        except (StoreError, ValueError, AttributeError):
            return {}
        metrics = {name: metric for group in groups if isinstance(group, dict) for name, metric in group.items()}
        return {
            name: metric["value"]
            for name, metric in metrics.items()
            if isinstance(metric, dict) and isinstance(metric.get("value"), (int, float))
        }


def see(sagemaker: Any, service_quotas: Any, name: str) -> Sight:
    """Look at a stage in AWS."""
    return Sight(endpoint.find(sagemaker, name), quotas.read(service_quotas))


def _suspends(each: Plan, sight: Sight) -> bool:
    """SageMaker refuses another instance type while autoscaling has the variant registered, and autoscaling cannot
    register a variant before there is one ("Update endpoints that use auto scaling", developer guide)."""
    champion = sight.endpoint.champion if sight.endpoint else None
    return champion is None or champion.instance_type != each.value("InstanceType")


def _type_problems(each: Plan, sight: Sight) -> list[str]:
    """SageMaker turns no real-time endpoint into a serverless one ("Update a serverless endpoint", developer guide)."""
    champion = sight.endpoint.champion if sight.endpoint else None
    if not (champion and champion.instance_type and each.value("EndpointType") == "serverless"):
        return []
    found = f"endpoint {sight.endpoint.name if sight.endpoint else ''} has instances ({champion.instance_type})"
    allowed = (
        "must stay as it is, as SageMaker turns no such endpoint into a serverless one; to change it, delete its stack"
    )
    return [f"{each.config.file} Parameters.EndpointType: {allowed}; found 'serverless', but {found}"]


def _quota_problems(each: Plan, sight: Sight, region: str) -> list[str]:
    if each.value("EndpointType") == "serverless":
        return []
    wanted = each.value("InstanceType")
    counts = [each.value(name) for name in ("InstanceCount", "MinInstanceCount")]
    count = max((int(float(text)) for text in counts if text), default=1)
    problem = quotas.problem(sight.quotas, wanted, count, region) if wanted else ""
    return [f"{each.config.file} Parameters.InstanceType: {problem}"] if problem else []


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
