"""What a deleted project leaves: what its template keeps on purpose, and what has its tag and belongs to no stack."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from service_catalog import commands, names
from service_catalog.aws import tagged
from service_catalog.aws.account import Account
from service_catalog.aws.existing import is_there
from service_catalog.aws.stacks import Stack, Stacks
from service_catalog.plan import Change
from service_catalog.template import read

ID_TAG, NAME_TAG = "sagemaker:project-id", "sagemaker:project-name"
# Type to what people call it, why it stays, and what of the AWS CLI removes it for good, with what to do before.
_KEPT = {
    "AWS::CodeCommit::Repository": (
        "repository",
        "the code",
        "codecommit delete-repository --repository-name sagemaker-{unique}",
    ),
    "AWS::SageMaker::ModelPackageGroup": (
        "models",
        "the models and who approved them",
        "sagemaker delete-model-package-group --model-package-group-name {unique}  # once it is empty",
    ),
    "AWS::S3::Bucket": (
        "bucket",
        "training data, models and captured requests",
        "s3api delete-bucket --bucket {id}  # once it is empty: console, S3, Empty",
    ),
    "AWS::KMS::Alias": ("key's name", "names the key", "kms delete-alias --alias-name {id}"),
    "AWS::KMS::Key": (
        "key",
        "without it nobody can read the bucket",
        "kms schedule-key-deletion --key-id {id}  # after the bucket",
    ),
    "AWS::SQS::Queue": (
        "messages",
        "what could not be delivered; each goes after 14 days",
        "sqs delete-queue --queue-url {id}",
    ),
    "AWS::Logs::LogGroup": (
        "logs",
        "who did what; each entry goes when its retention ends",
        "logs delete-log-group --log-group-name {id}",
    ),
}
# Records of what was done: they cost nothing, and most of them cannot be deleted.
_RECORDS = (
    "training-job/",
    "processing-job/",
    "transform-job/",
    "hyper-parameter-tuning-job/",
    "model-package/",
    ":pipeline/",
)


@dataclass(frozen=True)
class Left:
    """A resource that its stack leaves behind."""

    type: str
    id: str
    command: str
    account: str = ""


def retained(account: Account, stacks: Stacks, stack: Stack, project: names.Project) -> Iterator[Left]:
    """What a stack leaves behind when it is deleted, by its own template."""
    declared = read(stacks.template(stack.id), stack.name).get("Resources") or {}
    for item in stacks.resources(stack.id):
        policy = declared.get(item["LogicalResourceId"], {}).get("DeletionPolicy", "Delete")
        if policy.startswith("Retain") and (id_ := item.get("PhysicalResourceId")):
            words = _KEPT.get(item["ResourceType"], ("", "", ""))[2].format(id=id_, unique=project.unique)
            command, space, comment = words.partition("  #")
            typed = commands.aws(account, *command.split()) + space + comment
            yield Left(item["ResourceType"], id_, typed, account.id)


def summary(kept: Iterable[Left]) -> Iterator[Change]:
    """One line for each kind of what stays, with the reason."""
    by_type = defaultdict(list)
    for item in kept:
        by_type[item.type].append(item.id.rpartition("model-package-group/")[2])
    for type_, ids in sorted(by_type.items(), key=lambda pair: [*_KEPT, pair[0]].index(pair[0])):
        word, reason, _ = _KEPT.get(type_, (type_.partition("::")[2], "its template says so", ""))
        yield Change("keep", word, ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1} more", reason)


def at_provider(stack: Stack | None) -> Iterator[Change]:
    """The repository behind a connection: both belong to the company, and no stack knows them."""
    parameters = stack.parameters if stack else {}
    if parameters.get("RepositoryProvider") == "Connection":
        yield Change("keep", "repository", parameters["RepositoryId"], "the code, at the git provider")


def removal(kept: Iterable[Left]) -> str:
    """How to remove it for good, in an order that works, by account if there are several."""
    order = list(_KEPT)
    known = [item for item in kept if item.type in order]
    known.sort(key=lambda item: (item.account, order.index(item.type), item.id))
    several = len({item.account for item in known}) > 1
    groups = groupby(known, lambda item: item.account)
    return "\n".join(
        line
        for account, items in groups
        for line in ([f"  # in account {account}"] if several else []) + [f"  {item.command}" for item in items]
    )


def orphans(account: Account, project_id: str, known: Iterable[str]) -> Iterator[Change]:
    """What carries the project's tag and belongs to none of its stacks: nobody else will ever delete it."""
    ids = {_last(id_) for id_ in known}
    for arn, _, doubt in _present(account, ID_TAG, project_id):
        if not any(_is_of(arn, id_) for id_ in ids):
            detail = f"in no stack of the project: delete it by hand{doubt}"
            yield Change("note", "orphan", arn, detail, place=account.place)


def _present(account: Account, key: str, *values: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """ARN and tags of what carries a tag and is still there, and a word of doubt where that cannot be told."""
    for arn, marks in tagged.resources(account.client("resourcegroupstaggingapi"), key, *values):
        if any(record in arn for record in _RECORDS):
            continue
        there = is_there(account, arn)
        if there is not False:
            yield arn, marks, "" if there else " (if it still exists: that could not be asked)"


def _last(id_: str) -> str:
    """A physical id as ARNs end with it: queues have a URL."""
    return id_.rpartition("/")[2] if id_.startswith("http") else id_


def _is_of(arn: str, id_: str) -> bool:
    return arn == id_ or (arn.endswith(id_) and (id_[0] in ":/" or arn[-len(id_) - 1] in ":/"))


def of_name(account: Account, name: str) -> Iterator[Change]:
    """What carries the name of a project that is gone."""
    for arn, marks, doubt in _present(account, NAME_TAG, name):
        detail = f"of a project that is gone, id {marks.get(ID_TAG, 'unknown')}{doubt}"
        yield Change("note", "left", arn, detail, place=account.place)


def of_nobody(tooling: Account, stages: Iterable[Account], alive: set[str]) -> list[Change]:
    """Everything with the tag of a project that the tooling account has no more, of any name, in every account."""
    accounts = {account.id: account for account in (tooling, *(one.in_region(tooling.region) for one in stages))}
    return [
        Change("note", "left", arn, f"in {account.id}; there is no project {_words(marks)} in {tooling.place}{doubt}")
        for account in accounts.values()
        for arn, marks, doubt in _present(account, ID_TAG)
        if marks[ID_TAG] not in alive
    ]


def _words(marks: Mapping[str, str]) -> str:
    return f"{marks.get(NAME_TAG, '?')} (id {marks[ID_TAG]})"
