"""An account where the real product is published: the command line makes and deletes projects there.

Each call is checked against whoever makes it. The seed is small, so that the pipelines of a new project end at once.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console

from rehearsal import host
from rehearsal.story.ending import LISTINGS, exists
from service_catalog import create, delete, names, publish
from service_catalog.aws.account import Account as Caller
from service_catalog.offering import Words
from service_catalog.plan import Change
from service_catalog.release import Source
from service_catalog.seed import Seed, pack
from service_catalog.waiting import Site
from tests.rehearsal.conftest import Account, allow

NUMBER, REGION, PAUSE = "111111111111", "us-east-1", 0.1
QUIET = Console(quiet=True)
HALVES = ("build", "deploy")
RUNNING = ("InProgress", "Stopping")
Run = dict[str, Any]
# service, operation, list in the answer, name in an entry: what the story need not look at
MORE = (
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("sagemaker", "list_code_repositories", "CodeRepositorySummaryList", "CodeRepositoryName"),
    ("sagemaker", "list_projects", "ProjectSummaryList", "ProjectId"),
    ("servicecatalog", "search_provisioned_products", "ProvisionedProducts", "Name"),
    ("codebuild", "list_report_groups", "reportGroups", ""),
)


@dataclass(frozen=True)
class Company:
    """An account where the product is offered to its engineer, who makes and deletes projects."""

    account: Account
    site: Site

    def make(self, name: str, **answers: str) -> names.Project:
        """A new project."""
        create.create(self.site, create.Wish(name, answers=answers), QUIET)
        project = self.site.studio.project(name)
        assert project
        assert project.is_complete, project
        return names.Project(name, project.id)

    def make_at_once(self, *wanted: str) -> list[names.Project]:
        """New projects, all asked for at the same time."""
        made: list[names.Project] = []
        threads = [threading.Thread(target=lambda name=name: made.append(self.make(name))) for name in wanted]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(made, key=lambda project: wanted.index(project.name))

    def end(self, name: str) -> list[Change]:
        """Delete a project; what was done and what was kept."""
        return delete.delete(self.site, delete.Wish(name), QUIET, lambda _: True)

    def inventory(self) -> set[tuple[str, str]]:
        """(kind, name) of everything that the account holds."""
        return set(self._listed())

    def _listed(self) -> Iterator[tuple[str, str]]:
        for service, operation, member, key in (*LISTINGS, *MORE):
            for each in _all(self.account.client(service), operation, member):
                if exists(each):
                    yield member, str(each[key] if key else each).rsplit("/" if service == "sqs" else ":", 1)[-1]

    def of(self, project: names.Project) -> set[tuple[str, str]]:
        """What of it is one project's."""
        return {(kind, name) for kind, name in self.inventory() if project.id in name}

    def runs(self, project: names.Project, half: str) -> list[Run]:
        """The executions of a pipeline, oldest first."""
        client = self.account.client("codepipeline")
        name = f"sagemaker-{project.unique}-{half}"
        found: list[Run] = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
        return found[::-1]

    def is_quiet(self, *projects: names.Project) -> bool:
        """Whether every pipeline has run, and none runs."""
        runs = [self.runs(project, half) for project in projects for half in HALVES]
        return all(found and all(run["status"] not in RUNNING for run in found) for found in runs)


def _all(client: Any, operation: str, member: str) -> Iterator[Any]:
    """Everything that a list has, over all pages."""
    if not client.can_paginate(operation):
        yield from getattr(client, operation)().get(member) or []
        return
    for page in client.get_paginator(operation).paginate():
        yield from page.get(member) or []


@contextmanager
def running_company(folder: Path, seed: Mapping[str, str]) -> Iterator[Company]:
    """An emulator that checks every call, with the product and a small seed published in one account."""
    with pytest.MonkeyPatch.context() as patch, host.emulator(folder / "emulator", enforce=True) as running:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", running.address)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        account = Account(running, NUMBER)
        yield Company(account, _site(account, _published(account, folder / "seed", seed)))


def _published(account: Account, folder: Path, files: Mapping[str, str]) -> str:
    """The role of an engineer to whom the product is offered."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    source = replace(Source.read(), seed=Seed(pack(folder, [Path(name) for name in files]), len(files), "the tests"))
    root = boto3.Session(NUMBER, "x", region_name=REGION)
    publish.publish([Caller(root, REGION)], source, publish.Wish(Words(names.PRODUCT), pause=PAUSE), QUIET)
    role = account.role("engineer", "ec2.amazonaws.com", allow("*"))
    catalog = account.client("servicecatalog")
    (portfolio,) = catalog.list_portfolios()["PortfolioDetails"]
    catalog.associate_principal_with_portfolio(PortfolioId=portfolio["Id"], PrincipalARN=role, PrincipalType="IAM")
    return role


def _site(account: Account, role: str) -> Site:
    """The command line's way there; its clients are there before threads share them."""
    key = account.client("sts").assume_role(RoleArn=role, RoleSessionName="engineer")["Credentials"]
    session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"], REGION)
    site = Site(Caller(session, REGION), PAUSE)
    assert site.account.id == NUMBER
    site.account.client("s3")
    return site
