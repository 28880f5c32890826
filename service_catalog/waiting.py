"""Waits for a SageMaker project, tells the events of its stack meanwhile, and says in one sentence why it failed."""

import time
from dataclasses import dataclass, field

from service_catalog.aws.account import Account
from service_catalog.aws.catalog import Catalog
from service_catalog.aws.stacks import PATIENCE_SECONDS, PAUSE_SECONDS, Stack, Stacks, Teller, pauses
from service_catalog.aws.studio import Project, Studio
from service_catalog.errors import ProjectError
from service_catalog.progress import Watch


@dataclass(frozen=True)
class Site:
    """Where projects are made: one account and region."""

    account: Account
    pause: float = PAUSE_SECONDS
    studio: Studio = field(init=False)
    catalog: Catalog = field(init=False)
    stacks: Stacks = field(init=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("studio", Studio(self.account.client("sagemaker"))),
            ("catalog", Catalog(self.account.client("servicecatalog"), self.account)),
            ("stacks", Stacks(self.account.client("cloudformation"), self.pause)),
        ):
            object.__setattr__(self, name, value)

    def stack_name(self, project: Project) -> str:
        """Name or id of the project's stack; empty while there is none.

        Service Catalog names it SC-<account>-<provisioned product>, and search tells it as the physical id.
        """
        if project.template:
            detail = project.template.get("StackDetail") or {}
            return str(detail.get("Id") or detail.get("Name") or "")
        if not project.provisioned_product:
            return ""
        found = next(self.catalog.provisioned(f"id:{project.provisioned_product}"), {})
        return str(found.get("PhysicalId", ""))

    def stack(self, project: Project) -> Stack | None:
        """The project's stack; None while, or since, there is none."""
        name = self.stack_name(project)
        return self.stacks.find(name) if name else None

    def settled(self, name: str, watch: Watch) -> Project | None:
        """The project once nothing is under way; None when it is deleted. Raises ProjectError after an hour."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        teller: Teller | None = None
        rests = pauses(self.pause)
        while (found := self.studio.project(name)) is not None and found.is_in_progress:
            if teller is None and (stack := self.stack_name(found)):
                teller = Teller(self.stacks, stack, watch)
            if teller is not None:
                teller.tell()
            if time.monotonic() > deadline:
                raise ProjectError(
                    f"Project {name} is still in {found.status} after an hour; run this again to go on waiting."
                )
            time.sleep(next(rests))
        return found

    def failure(self, project: Project) -> str:
        """The first thing that went wrong with a project."""
        stack = self.stack_name(project)
        cause = self.stacks.first_failure(stack) if stack else ""
        return cause or project.message or "SageMaker gives no reason"
