"""Puts the parts together: for AWS, or for servers on this machine with a registry and an S3 that are folders.

Both run the same release and verify with the same configuration; what differs is named here and nowhere else.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from sagemaker_project_kit.deploy import api, artifacts, aws, capture, config, contract, endpoint, settings
from sagemaker_project_kit.deploy.choice import Chooser
from sagemaker_project_kit.deploy.config import Budget
from sagemaker_project_kit.deploy.endpoint import CHAMPION, Endpoint
from sagemaker_project_kit.deploy.errors import RegistryError, SettingsError
from sagemaker_project_kit.deploy.history import History
from sagemaker_project_kit.deploy.load import Tally
from sagemaker_project_kit.deploy.registry import FolderRegistry, Package, Registry, SageMakerRegistry, require_fit
from sagemaker_project_kit.deploy.release import Look, Releaser, Workplace, look_nowhere, see
from sagemaker_project_kit.deploy.settings import Settings, account_of
from sagemaker_project_kit.deploy.store import FolderStore, S3Store, Store
from sagemaker_project_kit.deploy.target import AsyncTarget, EndpointTarget, ServerTarget
from sagemaker_project_kit.deploy.verify import Captured, Site, Verification

ROOT = Path()  # the project: the folder that make runs in
SOURCE = ROOT / "model_deploy"


@dataclass(frozen=True)
class Project:
    """A project's settings, and where its models and objects are."""

    settings: Settings
    registry: Registry
    store: Store
    look: Look
    stage_clients: Callable[[str], aws.Clients] | None = None

    @property
    def history(self) -> History:
        return History(self.settings, self.store)

    def running(self, stage: str) -> str:
        """The package that a stage's endpoint runs; empty if there is none, or it does not say."""
        found = self.look(stage).endpoint
        return found.champion.package_arn if found and found.champion else ""

    def releaser(self, target: Path) -> Releaser:
        chooser = Chooser(self.settings, self.registry, self.history, self.store, self.running)
        return Releaser(self.settings, chooser, self.look, Workplace(SOURCE, target, template_version()))

    def arn(self, model: str) -> str:
        """The ARN that a person means by an ARN, VERSION or GROUP/VERSION. Raises SettingsError."""
        group, _, version = model.rpartition("/")
        if model.startswith("arn:"):
            return model
        if not version.isdecimal() or group not in ("", self.settings.group):
            raise SettingsError([f"model {model!r}: must be a version of {self.settings.group} such as 3, or an ARN"])
        account = account_of(self.settings.kms_key)
        place = f"{self.settings.partition}:sagemaker:{self.settings.region}:{account}"
        return f"arn:{place}:model-package/{self.settings.group}/{version}"


def in_aws(environ: Mapping[str, str]) -> Project:
    """The project that the environment describes. Raises SettingsError."""
    found = settings.load(ROOT, environ)
    own = aws.project(found)
    clients = cache(lambda name: aws.stage(found, found.stage(name)))
    return Project(
        found,
        SageMakerRegistry(own.sagemaker),
        S3Store(own.s3, found.kms_key),
        cache(lambda name: see(clients(name).sagemaker, clients(name).quotas, found.endpoint(name))),
        clients,
    )


def on_this_machine(environ: Mapping[str, str], state: Path) -> Project:
    """The models that `make run` registered here. Raises RegistryError without any."""
    try:
        groups = sorted(path.name for path in (state / "registry").iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        raise RegistryError(f"{state} holds no registry: run `make run` and `make approve` first") from None
    found = settings.for_this_machine(ROOT, environ, groups[0] if len(groups) == 1 else "")
    registry = FolderRegistry(state / "registry", found.region)
    return Project(found, registry, FolderStore(state / "s3"), look_nowhere)


def template_version() -> str:
    """The version in pyproject.toml, which comes with the template."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(content["project"]["version"])


# --- verify ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tested:
    """A stage to test, and the server to test in place of an endpoint, with the folder it captures to."""

    stage: str
    target: str = ""
    captured: Path | None = None


def verification(
    project: Project, tested: Tested, budget: Budget, released: Mapping[str, Any], watch: Callable[[Tally], None]
) -> Verification:
    """The checks of a stage for what build/release/release.json says was released. Raises DeployError."""
    package = _released(project, released)
    open_site = (
        partial(_open_server, tested, budget) if tested.target else partial(_open, project, tested, budget, package)
    )
    return Verification(
        stage=tested.stage,
        subject=str(package),
        budget=budget,
        check_package=partial(_check_package, project, package.arn),
        open_site=open_site,
        read_contract=lambda: contract.load(project.store, package.contract_uri),
        watch=watch,
    )


def budget(stage: str) -> Budget:
    """The budget that config/<stage>.json sets. Raises ConfigError."""
    return config.load(SOURCE, stage).budget


def released(folder: Path) -> dict[str, Any]:
    """What the release before this verify was. Raises RegistryError if nothing was released."""
    content = artifacts.read(folder)
    if content["status"] != "release":
        raise RegistryError(f"there is nothing to verify: {content.get('reason', content['status'])}")
    return content


def _released(project: Project, content: Mapping[str, Any]) -> Package:
    return project.registry.describe(content["package_arn"])


def _check_package(project: Project, arn: str) -> str:
    package = project.registry.describe(arn)
    require_fit(package, project.settings.group, project.store)
    return f"{package} is {package.status}"


def _open(project: Project, tested: Tested, budget: Budget, package: Package) -> Site:
    assert project.stage_clients is not None  # noqa: S101 - in_aws gives them, and only there is no --target
    clients, name = project.stage_clients(tested.stage), project.settings.endpoint(tested.stage)
    live = endpoint.wait(clients.sagemaker, name, budget.endpoint_wait_seconds)
    data = str(package.containers[0].get("ModelDataUrl", ""))
    endpoint.require_released(live, package.arn, data)
    description = f"{name} runs {package} (configuration {live.config})"
    runtime = clients.runtime(budget.concurrency, budget.timeout_seconds)
    if live.is_async:
        prefix = str(live.async_output["S3OutputPath"])
        slow = AsyncTarget(runtime, project.store, name, prefix, budget.endpoint_wait_seconds)
        return Site(slow, description, is_async=True, api_reason="an asynchronous endpoint takes no request directly")
    variant = CHAMPION if len(live.variants) > 1 else ""
    site = Site(EndpointTarget(runtime, name, variant), description, _captured(project, live))
    if found := api.find(clients.cloudformation, f"sagemaker-{name}-api"):
        target = clients.api(found, budget.timeout_seconds)
        return replace(site, api=target, api_takes_tokens=found.authorization != api.IAM)
    return site


def _captured(project: Project, live: Endpoint) -> Captured | None:
    if not live.capture_uri or not live.capture_percent:
        return None
    since = datetime.now(UTC)

    def folders() -> Iterator[str]:
        return capture.hours(live.capture_uri, live.name, CHAMPION, since, datetime.now(UTC))

    return Captured(project.store, folders, live.capture_percent)


def _open_server(tested: Tested, budget: Budget) -> Site:
    target = ServerTarget(tested.target, budget.timeout_seconds)
    if tested.captured is None:
        return Site(target, f"a server at {tested.target}", capture_reason="no --capture folder was given")
    folder = tested.captured.absolute()
    captured = Captured(FolderStore(folder.parent), lambda: iter([f"s3://{folder.name}"]), 100)
    return Site(target, f"a server at {tested.target}", captured)
