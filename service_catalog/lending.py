"""What another account adds, so that a project reaches what is kept there: statements to copy, as AWS takes them.

Across accounts both sides must allow: the product's templates are one, this is the other. Whom a statement lets in is
said by a condition and not by Principal alone, which would have to name roles that exist, and would keep naming the
role that was when a project is deleted and made again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service_catalog import names
from service_catalog.aws.account import Account
from service_catalog.plan import Change

Statement = dict[str, Any]
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


@dataclass(frozen=True)
class Borrower:
    """Whose projects: the tooling account, the accounts of its stages, and the id of one project, or * for each."""

    account: str
    region: str
    partition: str = "aws"
    stages: tuple[str, ...] = ()
    project: str = "*"

    @classmethod
    def of(cls, account: Account, stages: Iterable[str], project: str = "*") -> "Borrower":
        """Projects of this account; of its stages those that are empty are in it too."""
        return cls(account.id, account.region, account.partition, tuple(filter(None, stages)), project)

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.account, *self.stages)))

    def statement(self, sid: str, actions: Sequence[str], roles: Sequence[str], **more: Any) -> Statement:
        """A statement that lets in these roles of ours, whichever account they are in."""
        path = f"arn:{self.partition}:iam::%s:role{names.PATH}sagemaker-%s"
        arns = [path % (account, role) for account in self.accounts for role in roles]
        condition = {"ArnLike": {"aws:PrincipalArn": arns}, **more.pop("Condition", {})}
        principals = [f"arn:{self.partition}:iam::{account}:root" for account in self.accounts]
        principal = {"AWS": principals if len(principals) > 1 else principals[0]}
        said = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": list(actions)}
        return {**said, **more, "Condition": condition}


def data_bucket(borrower: Borrower, bucket: str) -> list[Statement]:
    """For the policy of a bucket with training data."""
    arn, jobs = f"arn:{borrower.partition}:s3:::{bucket}", [f"{borrower.project}-jobs"]
    return [
        borrower.statement("JobsReadTrainingData", ["s3:GetObject"], jobs, Resource=f"{arn}/*"),
        borrower.statement("JobsListTrainingData", ["s3:ListBucket"], jobs, Resource=arn),
    ]


def data_key(borrower: Borrower) -> list[Statement]:
    """For the policy of the key that encrypts such a bucket: through S3 alone. In a key's policy * is the key."""
    via = {"StringLike": {"kms:ViaService": f"s3.{borrower.region}.*"}}
    jobs = [f"{borrower.project}-jobs"]
    return [borrower.statement("JobsDecryptTrainingData", ["kms:Decrypt"], jobs, Resource="*", Condition=via)]


def image_repository(borrower: Borrower) -> list[Statement]:
    """For the policy of a repository of ECR, which takes no Resource."""
    roles = [f"{borrower.project}-jobs", *(f"{stage}-endpoint" for stage in names.STAGES)]
    return [borrower.statement("ProjectsPullImages", PULL, roles)]


def package_domain(borrower: Borrower) -> list[Statement]:
    """For the policy of a domain of CodeArtifact, and of a repository there: each takes the actions that it knows."""
    builds = [f"{borrower.project}-{build}" for build in ("train", "release", "verify")]
    read = ["codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"]
    return [
        borrower.statement("BuildsAskForAToken", ["codeartifact:GetAuthorizationToken"], builds, Resource="*"),
        borrower.statement("BuildsTakePackages", read, builds, Resource="*"),
    ]


def event_bus(borrower: Borrower, account: str) -> list[Statement]:
    """For the policy of the default bus of the account that watches."""
    roles = [f"{borrower.project}-scheduler", *(f"{stage}-forward" for stage in names.STAGES)]
    bus = f"arn:{borrower.partition}:events:{borrower.region}:{account}:event-bus/default"
    return [borrower.statement("ProjectsTellOperations", ["events:PutEvents"], roles, Resource=bus)]


def notes(borrower: Borrower, parts: Mapping[str, str], buckets: Sequence[str] = ()) -> Iterator[Change]:
    """What each account that keeps something apart (names.PARTS) adds; nothing for the tooling account."""
    apart = {part: account for part, account in parts.items() if account not in ("", borrower.account)}
    here = replace(borrower, stages=())
    if (account := apart.get("data")) and buckets:
        for bucket in buckets:
            yield _note(account, f"bucket {bucket}", data_bucket(here, bucket))
        yield _note(account, "key of these buckets", data_key(here))
    if account := apart.get("artifacts"):
        yield _note(account, "image repository", image_repository(borrower))
        domain, repository = package_domain(here)
        yield _note(account, "CodeArtifact domain", [domain])
        yield _note(account, "CodeArtifact repository", [repository])
    if account := apart.get("operations"):
        yield _note(account, "default event bus", event_bus(borrower, account))


def of_project(account: Account, values: Mapping[str, str]) -> Iterator[Change]:
    """The same by the answers of one project; for every project where its id is not known yet."""
    stages = (values.get(name, "") for name in names.STAGE_PARAMETERS.values())
    borrower = Borrower.of(account, stages, values.get("SageMakerProjectId", "*"))
    parts = {part: values.get(parameter, "") for part, parameter in names.PART_PARAMETERS.items()}
    return notes(borrower, parts, [bucket for bucket in values.get("DataBucket", "").split(",") if bucket])


def _note(account: str, name: str, statements: list[Statement]) -> Change:
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
    detail = f"an administrator of {account} adds these statements to its policy, unless they are there"
    return Change("note", "policy", name, detail, place=account, command=f"# {name}, account {account}:\n{text}")
