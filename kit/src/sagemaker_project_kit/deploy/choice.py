"""Decides what a run of the deploy pipeline releases: the package that an event names, the newest approval, or nothing.

An event only names a package; the registry says what holds now. Duplicates, edits of metadata, events of other groups
and events that a later approval has overtaken start nothing. It never chooses a package that is not approved.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sagemaker_project_kit.deploy.errors import RegistryError, RollbackError
from sagemaker_project_kit.deploy.events import Event, moment
from sagemaker_project_kit.deploy.history import History, Release
from sagemaker_project_kit.deploy.registry import APPROVED, REJECTED, Package, Registry, newest, require_fit
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.store import Store

Status = Literal["release", "waiting", "nothing"]


@dataclass(frozen=True)
class Choice:
    """release: `package` goes to the stages. waiting: none is approved yet. nothing: the event starts nothing."""

    status: Status
    reason: str
    package: Package | None = None
    released_for: datetime | None = None


def nothing_runs(_: str) -> str:
    """On this machine no endpoint says what it runs."""
    return ""


@dataclass(frozen=True)
class Chooser:
    """Everything a choice depends on. `running`: stage → ARN of the package its endpoint runs, if any."""

    settings: Settings
    registry: Registry
    history: History
    store: Store
    running: Callable[[str], str] = nothing_runs

    def choose(self, event: Event | None = None) -> Choice:
        """Raises RegistryError or RollbackError if what was asked for must not be released."""
        if event:
            return self._of_event(event)
        if self.settings.package_arn:
            return self._of_package(self.settings.package_arn, moment(self.settings.event_time))
        return self._of_push()

    def last_good(self, not_this: str) -> Package:
        """The release that worked before the package `not_this`. Raises RollbackError."""
        stage = self._last_stage
        for release in self.history.releases(stage):
            if release.package_arn != not_this and (package := self._fit(release)):
                return package
        raise RollbackError(
            f"there is no earlier release to go back to: {self.settings.history(stage)} holds no other version that "
            "passed verify and is still approved; approve a version, or name one"
        )

    def named(self, arn: str) -> Package:
        """The package `arn`, if it may be released. Raises RegistryError."""
        package = self.registry.describe(arn)
        require_fit(package, self.settings.group, self.store)
        return package

    def present(self, stage: str) -> str:
        """The package that a stage runs: what its endpoint says, or else the last release that worked there."""
        latest = self.history.latest(stage)
        return self.running(stage) or (latest.package_arn if latest else "")

    def _of_event(self, event: Event) -> Choice:
        if event.group and event.group != self.settings.group:
            return _nothing(f"the event is about the group {event.group}, this project releases {self.settings.group}")
        if not event.concerns_approval:
            changed = ", ".join(event.changed or ())
            return _nothing(
                f"the event is about {changed or 'no field'} of {event.package_arn}, not about its approval"
            )
        return self._of_package(event.package_arn, event.time, is_event=True)

    def _of_package(self, arn: str, time: datetime | None, is_event: bool = False) -> Choice:
        package = self.registry.describe(arn)
        if package.status == REJECTED and package.group == self.settings.group:
            return self._of_rejection(package, time)
        if package.status != APPROVED and (is_event or time):
            return _nothing(f"{package} is {package.status} by now: an older event, overtaken by a later decision")
        require_fit(package, self.settings.group, self.store)
        if (is_event or time) and (reason := self._overtaken(package, time)):
            return _nothing(reason)
        return Choice("release", f"{package} was approved", package, time or package.approved_at)

    def _of_rejection(self, package: Package, time: datetime | None) -> Choice:
        verified = {release.package_arn for release in self._latest()}
        running = {self.running(stage.name) for stage in self.settings.stages}
        if package.arn not in verified | running:
            return _nothing(f"{package} is rejected and not what runs, so there is nothing to take back")
        good = self.last_good(package.arn)
        reason = f"{package} was rejected: back to {good}, which worked before"
        return Choice("release", reason, good, time or package.approved_at)

    def _of_push(self) -> Choice:
        package = newest(self.registry.approved(self.settings.group))
        if package is None:
            group = self.settings.group
            return Choice(
                "waiting", f"no version in model package group {group} is approved yet: approve one to release it"
            )
        require_fit(package, self.settings.group, self.store)
        time = package.approved_at
        reason = f"{package} was approved last, {time:%Y-%m-%d %H:%M} UTC ({package.approved_at_source})"
        return Choice("release", reason, package, time)

    def _overtaken(self, package: Package, time: datetime | None) -> str:
        """Why an approval event starts nothing; empty if it does."""
        latest = list(self._latest())
        runs = {self.running(stage.name) for stage in self.settings.stages} - {""}
        works = {entry.package_arn for entry in latest}
        if len(latest) == len(self.settings.stages) and works | runs == {package.arn}:
            return f"{package} is released to every stage already: a duplicate event"
        for entry in latest:
            if time and entry.approval and entry.approval > time and entry.package_arn != package.arn:
                return f"{entry} was approved later and is released already: the event about {package} came late"
        return ""

    def _latest(self) -> Iterator[Release]:
        found = (self.history.latest(stage.name) for stage in self.settings.stages)
        return (release for release in found if release is not None)

    def _fit(self, release: Release) -> Package | None:
        try:
            return self.named(release.package_arn)
        except RegistryError:
            return None

    @property
    def _last_stage(self) -> str:
        return self.settings.stages[-1].name


def _nothing(reason: str) -> Choice:
    return Choice("nothing", reason)
